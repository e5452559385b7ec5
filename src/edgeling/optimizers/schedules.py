# SPDX-License-Identifier: Apache-2.0
"""Learning rates that change with the step: Keras's schedules as pure functions, one step or an array of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from edgeling.configurable import Configurable, resolve, table_of
from edgeling.errors import TrainingError, UnsupportedError
from edgeling.graph.types import Array


class LearningRateSchedule(Configurable):
    """A function from steps (counted from 0) to learning rates.

    Own subclasses give ``__call__`` for one step, a number; those here take arrays of steps too.
    """

    module: ClassVar[str] = "keras.optimizers.schedules"

    def __post_init__(self) -> None:
        self.check_fields()

    def __call__(self, step: ArrayLike) -> Any:
        """The rates, float64 of the steps' shape."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments by name.

        Raises:
            UnsupportedError: a schedule of one's own, which no model file can hold.
        """
        if type(self) not in _TABLE.values():
            raise UnsupportedError(
                "a model file holds schedules of edgeling.optimizers.schedules", received=type(self).__name__,
                remedy="a number as learning_rate, or one of these schedules",
            )  # fmt: skip
        return super().get_config()


def _positive(steps: float) -> None:
    if steps <= 0:
        raise TrainingError(
            "a schedule's number of steps is positive", received=str(steps),
            remedy="a whole number above zero, such as 1000",
        )  # fmt: skip


@dataclass(frozen=True)
class ExponentialDecay(LearningRateSchedule):
    """``initial * decay_rate ** (step / decay_steps)``; staircase: the exponent rounded down."""

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False
    name: str = "ExponentialDecay"

    def __post_init__(self) -> None:
        super().__post_init__()
        _positive(self.decay_steps)

    def __call__(self, step: ArrayLike) -> Array:
        p = np.asarray(step, np.float64) / self.decay_steps
        return self.initial_learning_rate * np.power(self.decay_rate, np.floor(p) if self.staircase else p)


@dataclass(frozen=True)
class InverseTimeDecay(LearningRateSchedule):
    """``initial / (1 + decay_rate * step / decay_steps)``; staircase: the quotient rounded down."""

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False
    name: str = "InverseTimeDecay"

    def __post_init__(self) -> None:
        super().__post_init__()
        _positive(self.decay_steps)

    def __call__(self, step: ArrayLike) -> Array:
        p = np.asarray(step, np.float64) / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * (np.floor(p) if self.staircase else p))


@dataclass(frozen=True)
class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[i]`` up to and including step ``boundaries[i]``, the last value afterwards."""

    boundaries: Sequence[int]
    values: Sequence[float]
    name: str = "PiecewiseConstant"

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.values) != len(self.boundaries) + 1:
            raise TrainingError(
                "there is one value more than boundaries", received=f"{self.boundaries}, {self.values}",
                remedy=f"{len(self.boundaries) + 1} values",
            )  # fmt: skip

    def __call__(self, step: ArrayLike) -> Array:
        return np.asarray(self.values, np.float64)[np.searchsorted(self.boundaries, step, side="left")]


@dataclass(frozen=True)
class PolynomialDecay(LearningRateSchedule):
    """``(initial - end) * (1 - step / decay_steps) ** power + end``; cycle: again and again, each longer."""

    initial_learning_rate: float
    decay_steps: int
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False
    name: str = "PolynomialDecay"

    def __post_init__(self) -> None:
        super().__post_init__()
        _positive(self.decay_steps)

    def __call__(self, step: ArrayLike) -> Array:
        s = np.asarray(step, np.float64)
        if self.cycle:
            p = s / (self.decay_steps * np.maximum(1, np.ceil(s / self.decay_steps)))
        else:
            p = np.minimum(s, self.decay_steps) / self.decay_steps
        span = self.initial_learning_rate - self.end_learning_rate
        return span * np.power(1 - p, self.power) + self.end_learning_rate


def _cosine(fraction: Array, alpha: float) -> Array:
    return (1 - alpha) * 0.5 * (1 + np.cos(np.pi * fraction)) + alpha


@dataclass(frozen=True)
class CosineDecay(LearningRateSchedule):
    """Half a cosine wave down to ``alpha`` of the start, after a linear warm-up (Loshchilov and Hutter, 2017)."""

    initial_learning_rate: float
    decay_steps: int
    alpha: float = 0.0
    name: str = "CosineDecay"
    warmup_target: float | None = None
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _positive(self.decay_steps)

    def __call__(self, step: ArrayLike) -> Array:
        s = np.asarray(step, np.float64)
        if self.warmup_target is None:
            fraction = np.minimum(s, self.decay_steps) / self.decay_steps
            return self.initial_learning_rate * _cosine(fraction, self.alpha)
        rise = (self.warmup_target - self.initial_learning_rate) * s / max(self.warmup_steps, 1)
        fraction = np.clip((s - self.warmup_steps) / self.decay_steps, 0, 1)
        after = self.warmup_target * _cosine(fraction, self.alpha)
        return np.where(s < self.warmup_steps, self.initial_learning_rate + rise, after)


@dataclass(frozen=True)
class CosineDecayRestarts(LearningRateSchedule):
    """Cosine decays one after another, each ``t_mul`` as long and ``m_mul`` as high as the one before."""

    initial_learning_rate: float
    first_decay_steps: int
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0
    name: str = "SGDRDecay"

    def __post_init__(self) -> None:
        super().__post_init__()
        _positive(self.first_decay_steps)

    def __call__(self, step: ArrayLike) -> Array:
        done = np.asarray(step, np.float64) / self.first_decay_steps
        if self.t_mul == 1.0:
            restart = np.floor(done)
            fraction = done - restart
        else:
            restart = np.floor(np.log(1 - done * (1 - self.t_mul)) / log(self.t_mul))
            before = (1 - self.t_mul**restart) / (1 - self.t_mul)
            fraction = (done - before) / self.t_mul**restart
        wave = (1 - self.alpha) * 0.5 * self.m_mul**restart * (1 + np.cos(np.pi * fraction))
        return self.initial_learning_rate * (wave + self.alpha)


_TABLE: dict[str, type[LearningRateSchedule]] = table_of(
    [ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay, CosineDecay, CosineDecayRestarts]
)


def rates(schedule: LearningRateSchedule, first: int, count: int) -> Array:
    """The rates of ``count`` steps from ``first``, float32."""
    if type(schedule) in _TABLE.values():
        return np.asarray(schedule(first + np.arange(count)), np.float32)
    return np.asarray([schedule(step) for step in range(first, first + count)], np.float32)


def get(description: Any) -> LearningRateSchedule:
    """A schedule from its description.

    Raises:
        UnsupportedError: no such schedule.
    """
    return resolve("learning rate schedule", LearningRateSchedule, _TABLE, description)
