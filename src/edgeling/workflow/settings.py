# SPDX-License-Identifier: Apache-2.0
"""What a person can choose about a training run, checked when it is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real
from typing import Any, Literal

from edgeling.data import Task
from edgeling.errors import UnsupportedError

DEFAULT_TARGETS = ("native", "cortex-m4", "wasm32")
LARGEST_HIDDEN = 4096
TASKS = ("binary", "multiclass", "regression")
PRECISION_CHOICES = ("float32", "int8", "auto")

PrecisionChoice = Literal["float32", "int8", "auto"]


@dataclass(frozen=True)
class Settings:
    """The keyword arguments of :func:`edgeling.train`, in one place for what works with them.

    A single number for ``hidden`` is one layer, a single name for ``targets`` one target.

    Attributes:
        task: instead of the one told from the target column.
        precision: what is deployed; "auto" takes int8 where it is smaller and loses at most 1 % accuracy or R².
        hidden: units of each hidden layer; None sizes them by the table.
        epochs: at the most; training stops once the validation loss has not improved for a while.
        targets: where the C is proven.

    Raises:
        UnsupportedError: a value of another kind, or out of range.
    """

    task: Task | None = None
    precision: PrecisionChoice = "auto"
    hidden: tuple[int, ...] | None = None
    epochs: int = 500
    batch_size: int = 16
    learning_rate: float = 0.01
    seed: int = 0
    targets: tuple[str, ...] = DEFAULT_TARGETS

    def __post_init__(self) -> None:
        _one_of("task", self.task, (None, *TASKS))
        _one_of("precision", self.precision, PRECISION_CHOICES)
        for name, largest in (("epochs", 2**31 - 1), ("batch_size", 2**31 - 1)):
            _whole(name, getattr(self, name), 1, largest)
        _whole("seed", self.seed, 0, 2**32 - 1)
        rate = self.learning_rate
        if not isinstance(rate, Real) or not isfinite(rate) or rate <= 0:
            raise UnsupportedError("learning_rate is a number above zero", received=repr(rate), remedy="0.01")
        object.__setattr__(self, "hidden", None if self.hidden is None else _sizes(self.hidden))
        object.__setattr__(self, "targets", _names(self.targets))


def _one_of(name: str, value: Any, allowed: Sequence[Any]) -> None:
    if value not in allowed:
        raise UnsupportedError(f"{name} is one of {', '.join(map(repr, allowed))}", received=repr(value))


def _whole(name: str, value: Any, least: int, largest: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or not least <= int(value) <= largest:
        raise UnsupportedError(f"{name} is a whole number between {least} and {largest}", received=repr(value))
    return int(value)


def _sizes(value: Any) -> tuple[int, ...]:
    sizes = (value,) if isinstance(value, Integral) else value
    if not isinstance(sizes, Sequence) or isinstance(sizes, str):
        raise UnsupportedError("hidden lists the units of each hidden layer", received=repr(value), remedy="(16, 8)")
    return tuple(_whole("a hidden layer's size", size, 1, LARGEST_HIDDEN) for size in sizes)


def _names(value: Any) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else tuple(value)
    if not all(isinstance(name, str) for name in names):
        raise UnsupportedError("targets lists names of targets", received=repr(value), remedy="edgeling targets")
    return names
