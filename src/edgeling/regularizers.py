# SPDX-License-Identifier: Apache-2.0
"""Penalties on weights, Keras's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from edgeling.checking import number
from edgeling.configurable import Configurable, custom_object, resolve, table_of


@dataclass(frozen=True)
class Regularizer(Configurable):
    """Adds ``l1 * sum|w| + l2 * sum w^2`` to the loss.

    One of one's own is a subclass with ``__call__(self, x)``, written with :mod:`edgeling.ops` and operators, that
    gives one number for a weight.
    """

    module: ClassVar[str] = "keras.regularizers"

    def __post_init__(self) -> None:
        self.check_fields()
        for name in ("l1", "l2"):
            if hasattr(self, name):
                given, default = getattr(self, name), type(self).__dataclass_fields__[name].default
                object.__setattr__(self, name, number(name, default if given is None else given, 0.0))

    def __call__(self, x: Any) -> Any:
        """The penalty on one weight of any shape; a traced value of a traced one."""
        l1, l2 = self.factors()
        if hasattr(x, "tracer"):
            return type(x)(x.tracer, x.tracer.builder.add("penalty", x.name, l1=l1, l2=l2), False)
        weight = np.asarray(x, np.float64)
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
    """A regularizer from its name, class, description or itself, or a function of a value; None stays None.

    Raises:
        UnsupportedError: no such regularizer.
    """
    if isinstance(identifier, Mapping) and identifier.get("class_name") == "function":
        identifier = custom_object(identifier) or identifier
    is_function = callable(identifier) and not isinstance(identifier, (type, Regularizer))
    if identifier is None or is_function:
        return identifier
    return resolve("regularizer", Regularizer, _TABLE, identifier)


deserialize = get
