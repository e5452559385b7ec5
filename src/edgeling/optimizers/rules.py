# SPDX-License-Identifier: Apache-2.0
"""The optimizers. Each row of arguments is Keras's; each operation is described in ``edgeling.graph.updates``."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from edgeling.errors import TrainingError
from edgeling.graph import GraphBuilder
from edgeling.graph.updates import NADAM_DECAY
from edgeling.optimizers.base import Optimizer


class SGD(Optimizer):
    """Gradient descent, with momentum (Polyak, 1964) and Nesterov's (Sutskever et al., ICML 2013)."""

    arguments = ("momentum", "nesterov")

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        if not 0 <= momentum <= 1:
            raise TrainingError("momentum lies between 0 and 1", received=str(momentum), remedy="momentum=0.9")
        self.momentum, self.nesterov = float(momentum), nesterov

    @property
    def operation(self) -> str:  # type: ignore[override]
        return "momentum_update" if self.momentum else "sgd_update"

    def slots(self) -> list[tuple[str, float]]:
        return [("momentum", 0.0)] if self.momentum else []

    def attributes(self) -> dict[str, Any]:
        return {"momentum": self.momentum, "nesterov": self.nesterov} if self.momentum else {}


class RMSprop(Optimizer):
    """Tieleman and Hinton (2012); centered as in Graves (2013)."""

    operation = "rmsprop_update"
    arguments = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho, self.momentum, self.epsilon, self.centered = float(rho), float(momentum), float(epsilon), centered

    def slots(self) -> list[tuple[str, float]]:
        kept = [("velocity", True), ("average_gradient", self.centered), ("momentum", self.momentum > 0)]
        return [(name, 0.0) for name, used in kept if used]

    def attributes(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in self.arguments}


class Adagrad(Optimizer):
    """Duchi et al., JMLR 2011."""

    operation = "adagrad_update"
    arguments = ("initial_accumulator_value", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.initial_accumulator_value, self.epsilon = float(initial_accumulator_value), float(epsilon)

    def slots(self) -> list[tuple[str, float]]:
        return [("accumulator", self.initial_accumulator_value)]

    def attributes(self) -> dict[str, Any]:
        return {"epsilon": self.epsilon}


class _Moments(Optimizer):
    """What the family of Adam shares."""

    arguments: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1, self.beta_2, self.epsilon = float(beta_1), float(beta_2), float(epsilon)

    def slots(self) -> list[tuple[str, float]]:
        return [("momentum", 0.0), ("velocity", 0.0)]

    def attributes(self) -> dict[str, Any]:
        return {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


def _power(builder: GraphBuilder, name: str, base: float) -> str:
    """``base ** t`` in step t = 1, 2...: a variable multiplied every step."""
    held = builder.variable(np.float32(1), name)
    power = builder.add("power_step", held, name=f"{name}_next", beta=base)
    builder.update(held, power)
    return power


class Adam(_Moments):
    """Kingma and Ba, ICLR 2015; amsgrad: Reddi et al., ICLR 2018."""

    arguments = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.amsgrad = amsgrad

    @property
    def operation(self) -> str:  # type: ignore[override]
        return "amsgrad_update" if self.amsgrad else "adam_update"

    def slots(self) -> list[tuple[str, float]]:
        return [*super().slots(), *([("velocity_hat", 0.0)] if self.amsgrad else [])]

    def scalars(self, builder: GraphBuilder, learning_rate: str) -> tuple[str, ...]:
        powers = _power(builder, "beta_1_power", self.beta_1), _power(builder, "beta_2_power", self.beta_2)
        return (builder.add("adam_alpha", learning_rate, *powers),)


class AdamW(Adam):
    """Loshchilov and Hutter, ICLR 2019."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        if weight_decay is None:
            raise TrainingError("AdamW decays weights", received="weight_decay=None", remedy="Adam, or 0.004")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs)


class Adamax(_Moments):
    """Kingma and Ba, ICLR 2015, section 7.1."""

    operation = "adamax_update"

    def slots(self) -> list[tuple[str, float]]:
        return [("momentum", 0.0), ("norm", 0.0)]

    def scalars(self, builder: GraphBuilder, learning_rate: str) -> tuple[str, ...]:
        return (builder.add("adamax_alpha", learning_rate, _power(builder, "beta_1_power", self.beta_1)),)


class Nadam(_Moments):
    """Dozat, 2015."""

    operation = "nadam_update"

    def scalars(self, builder: GraphBuilder, learning_rate: str) -> tuple[str, ...]:
        decay_power = _power(builder, "decay_power", NADAM_DECAY)
        held = builder.variable(np.float32(1), "u_product")
        product = builder.add("nadam_product", held, decay_power, name="u_product_next", beta_1=self.beta_1)
        builder.update(held, product)
        return learning_rate, decay_power, product, _power(builder, "beta_2_power", self.beta_2)
