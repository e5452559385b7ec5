# SPDX-License-Identifier: Apache-2.0
"""Penalties on weights, Keras's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from edgeling.configurable import Configurable, resolve, table_of


@dataclass(frozen=True)
class Regularizer(Configurable):
    """Adds ``l1 * sum|w| + l2 * sum w^2`` to the loss."""

    module: ClassVar[str] = "keras.regularizers"

    def factors(self) -> tuple[float, float]:
        """(l1, l2)."""
        return float(getattr(self, "l1", 0.0)), float(getattr(self, "l2", 0.0))


@dataclass(frozen=True)
class L1(Regularizer):
    """``l1 * sum|w|``."""

    l1: float = 0.01


@dataclass(frozen=True)
class L2(Regularizer):
    """``l2 * sum w^2``."""

    l2: float = 0.01


@dataclass(frozen=True)
class L1L2(Regularizer):
    """``l1 * sum|w| + l2 * sum w^2``; both are zero unless given."""

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "l1", self.l1 or 0.0)
        object.__setattr__(self, "l2", self.l2 or 0.0)


l1, l2 = L1, L2
l1_l2 = L1L2
_TABLE: dict[str, type[Regularizer]] = table_of([L1, L2, L1L2], l1_l2=L1L2)


def get(identifier: Any) -> Regularizer | None:
    """A regularizer from its name, class, description or itself; None stays None.

    Raises:
        UnsupportedError: no such regularizer.
    """
    return None if identifier is None else resolve("regularizer", Regularizer, _TABLE, identifier)
