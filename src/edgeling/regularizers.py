# SPDX-License-Identifier: Apache-2.0
"""Penalties on weights, Keras's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from edgeling.checking import number
from edgeling.configurable import Configurable, NeverCalled, resolve, table_of


@dataclass(frozen=True)
class Regularizer(Configurable, NeverCalled):
    """Adds ``l1 * sum|w| + l2 * sum w^2`` to the loss."""

    module: ClassVar[str] = "keras.regularizers"

    never_called: ClassVar[tuple[str, ...]] = ("__call__",)
    instead: ClassVar[str] = "L1, L2 or L1L2, or factors() giving (l1, l2)"

    def __post_init__(self) -> None:
        self.check_fields()
        for name in ("l1", "l2"):
            if hasattr(self, name):
                given, default = getattr(self, name), type(self).__dataclass_fields__[name].default
                object.__setattr__(self, name, number(name, default if given is None else given, 0.0))

    def __call__(self, x: ArrayLike) -> float:
        """The penalty on one weight of any shape."""
        weight = np.asarray(x, np.float64)
        l1, l2 = self.factors()
        return float(np.float32(l1 * np.abs(weight).sum() + l2 * np.square(weight).sum()))

    def factors(self) -> tuple[float, float]:
        """(l1, l2)."""
        return float(getattr(self, "l1", 0.0)), float(getattr(self, "l2", 0.0))


@dataclass(frozen=True)
class L1(Regularizer):
    """``l1 * sum|w|``."""

    l1: float | None = 0.01


@dataclass(frozen=True)
class L2(Regularizer):
    """``l2 * sum w^2``."""

    l2: float | None = 0.01


@dataclass(frozen=True)
class L1L2(Regularizer):
    """``l1 * sum|w| + l2 * sum w^2``; both are zero unless given."""

    l1: float | None = 0.0
    l2: float | None = 0.0


l1, l2 = L1, L2
l1_l2 = L1L2
_TABLE: dict[str, type[Regularizer]] = table_of([L1, L2, L1L2], l1_l2=L1L2)


def get(identifier: Any) -> Regularizer | None:
    """A regularizer from its name, class, description or itself; None stays None.

    Raises:
        UnsupportedError: no such regularizer.
    """
    return None if identifier is None else resolve("regularizer", Regularizer, _TABLE, identifier)
