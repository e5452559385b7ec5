# SPDX-License-Identifier: Apache-2.0
"""Optimizers of fewer networks. Each row of arguments is Keras's; each operation is in ``edgeling.graph.updates``."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeling.checking import number
from edgeling.errors import TrainingError
from edgeling.graph import GraphBuilder
from edgeling.optimizers.base import Optimizer, Slot
from edgeling.optimizers.rules import _Moments, _power


class Lion(Optimizer):
    """Steps of one size, by the sign of the momentum (Chen et al., NeurIPS 2023)."""

    operation = "lion_update"
    arguments = ("beta_1", "beta_2")

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        if not 0 < beta_1 <= 1:
            raise TrainingError(
                "beta_1 lies above 0, up to 1: else only the sign of the gradient counts", received=f"{beta_1}",
                remedy="beta_1=0.9",
            )  # fmt: skip
        self.beta_1, self.beta_2 = float(beta_1), float(beta_2)

    def slots(self) -> list[tuple[str, float]]:
        return [("momentum", 0.0)]

    def attributes(self) -> dict[str, Any]:
        return {"beta_1": self.beta_1, "beta_2": self.beta_2}


class Adadelta(Optimizer):
    """Steps as long as those before them (Zeiler, 2012)."""

    operation = "adadelta_update"
    arguments = ("rho", "epsilon")

    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho, self.epsilon = float(rho), float(epsilon)

    def slots(self) -> list[tuple[str, float]]:
        return [("accumulated_grad", 0.0), ("accumulated_delta_var", 0.0)]

    def attributes(self) -> dict[str, Any]:
        return {"rho": self.rho, "epsilon": self.epsilon}


class Ftrl(Optimizer):
    """Follow the regularised leader: L1 makes weights exactly zero (McMahan et al., KDD 2013)."""

    operation = "ftrl_update"
    arguments = (
        "learning_rate_power", "initial_accumulator_value", "l1_regularization_strength", "l2_regularization_strength",
        "l2_shrinkage_regularization_strength", "beta",
    )  # fmt: skip

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.learning_rate_power = number("learning_rate_power", learning_rate_power, most=0.0)
        self.initial_accumulator_value = number("initial_accumulator_value", initial_accumulator_value, 0.0)
        self.l1_regularization_strength = number("l1_regularization_strength", l1_regularization_strength, 0.0)
        self.l2_regularization_strength = number("l2_regularization_strength", l2_regularization_strength, 0.0)
        shrinkage = number("l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength, 0.0)
        self.l2_shrinkage_regularization_strength, self.beta = shrinkage, number("beta", beta)

    def slots(self) -> list[tuple[str, float]]:
        return [("accumulator", self.initial_accumulator_value), ("linear", 0.0)]

    def attributes(self) -> dict[str, Any]:
        return {
            "power": -self.learning_rate_power,
            "l1": self.l1_regularization_strength,
            "l2": self.l2_regularization_strength,
            "l2_shrinkage": self.l2_shrinkage_regularization_strength,
            "beta": self.beta,
        }


class Lamb(_Moments):
    """Adam, each weight's step as long as the weight (You et al., ICLR 2020)."""

    operation = "lamb_update"

    def scalars(self, builder: GraphBuilder, learning_rate: str) -> tuple[str, ...]:
        powers = _power(builder, "beta_1_power", self.beta_1), _power(builder, "beta_2_power", self.beta_2)
        return (learning_rate, *powers)


class Adafactor(Optimizer):
    """Second moments of a matrix from those of its rows and columns (Shazeer and Stern, ICML 2018).

    ``relative_step`` changes nothing, in Keras neither: no step is longer than ``1 / sqrt(t)`` either way.
    """

    operation = "adafactor_update"
    arguments = ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_2_decay, self.epsilon_1, self.epsilon_2 = float(beta_2_decay), float(epsilon_1), float(epsilon_2)
        self.clip_threshold, self.relative_step = float(clip_threshold), relative_step

    def slots_of(self, shape: tuple[int, ...]) -> list[Slot]:
        whole = Slot("velocity", shape, 0.0)
        return [Slot("rows", shape[:1], 0.0), Slot("columns", shape[1:], 0.0), whole] if len(shape) == 2 else [whole]

    def scalars(self, builder: GraphBuilder, learning_rate: str) -> tuple[str, ...]:
        before = builder.variable(np.float32(0), "time")
        time = builder.add("add", before, builder.constant(1.0, "number"), name="time_next")
        builder.update(before, time)
        return learning_rate, time

    def attributes(self) -> dict[str, Any]:
        return {
            "decay": self.beta_2_decay,
            "epsilon_1": self.epsilon_1,
            "epsilon_2": self.epsilon_2,
            "clip_threshold": self.clip_threshold,
        }
