# SPDX-License-Identifier: Apache-2.0
"""What weights are kept to after each step of training, Keras's names: part of the step's graph.

``norm`` is the length of a weight along ``axis``: of a dense layer's kernel [inputs, units] along axis 0 that of each
unit's weights, of a convolution's along axes [0, 1, 2] that of each filter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar

import numpy as np

from edgeling.checking import number
from edgeling.configurable import Configurable, resolve, table_of
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder, run
from edgeling.graph.types import LARGEST_FLOAT32

_EPSILON = 1e-7  # keras.backend.epsilon()
_SMALLEST = 1.2e-38  # a normal float32


@dataclass(frozen=True)
class Constraint(Configurable):
    """From a weight as the optimizer leaves it to what it becomes; of any shape, which stays.

    One of one's own is a subclass with ``__call__(self, w)``, written with :mod:`edgeling.ops` and operators.
    """

    module: ClassVar[str] = "keras.constraints"

    def __post_init__(self) -> None:
        self.check_fields()

    def __call__(self, w: Any) -> Any:
        """What a weight becomes, float32 of its shape; a traced value of a traced one."""
        if hasattr(w, "tracer"):
            return type(w)(w.tracer, self.trace(w.tracer.builder, w.name), False)
        builder, weight = GraphBuilder("constraint"), np.asarray(w, np.float32)
        given = builder.input("w", weight.shape)
        return run(builder.build([self.trace(builder, given)]), {given: weight}).outputs[0]

    def trace(self, builder: GraphBuilder, weight: str) -> str:
        """Append the nodes; give the name of what the weight becomes."""
        raise UnsupportedError(
            "a constraint says what a weight becomes", received=f"{type(self).__name__} without __call__",
            remedy="def __call__(self, w): return edgeling.ops.maximum(w, 0.0)",
        )  # fmt: skip


@dataclass(frozen=True)
class NonNeg(Constraint):
    """``max(w, 0)``."""

    def trace(self, builder: GraphBuilder, weight: str) -> str:
        return builder.add("maximum", weight, builder.constant(0.0, "nothing"))


@dataclass(frozen=True)
class _OfNorm(Constraint):
    """What the constraints below share: axes along which a norm is taken."""

    def _norm(self, builder: GraphBuilder, weight: str) -> tuple[str, str]:
        """The norm along the axes, which are kept, and 1e-7 more than it."""
        rank = len(builder.type_of(weight).shape)
        total = builder.add("square", weight)
        for _, group in groupby(enumerate(self._axes(rank)), key=lambda pair: pair[1] - pair[0]):
            total = builder.add("sum", total, axes=tuple(axis for _, axis in group))
        # sqrt(0) is 0: kept away from a quotient by nothing, and far below what 1e-7 is added to
        some = builder.add("clip", total, minimum=_SMALLEST, maximum=LARGEST_FLOAT32)
        root = builder.add("reciprocal_sqrt", some, epsilon=0.0)
        norm = builder.add("multiply", total, root)
        return norm, builder.add("add", norm, builder.constant(_EPSILON, "epsilon"))

    def _axes(self, rank: int) -> tuple[int, ...]:
        given: Any = getattr(self, "axis")  # noqa: B009 - each class below has its own
        axes = given if isinstance(given, (list, tuple)) else range(rank) if given is None else (given,)
        if any(isinstance(a, bool) or not isinstance(a, (int, np.integer)) or not -rank <= a < rank for a in axes):
            raise UnsupportedError(
                f"the axes of {type(self).__name__} are those of a weight of {rank} axes", received=f"axis={given!r}",
                remedy="axis=0",
            )  # fmt: skip
        return tuple(sorted({int(a) % rank for a in axes}))

    def _scaled(self, builder: GraphBuilder, weight: str, desired: str, more: str) -> str:
        """The weight times ``desired / (norm + 1e-7)``."""
        return builder.add("multiply", weight, builder.add("divide", desired, more))


@dataclass(frozen=True)
class MaxNorm(_OfNorm):
    """``w * min(norm, max_value) / (norm + 1e-7)``.

    Srivastava et al., JMLR 15 (2014), section 5.1.
    """

    max_value: float = 2
    axis: int | Sequence[int] | None = 0

    def trace(self, builder: GraphBuilder, weight: str) -> str:
        norm, more = self._norm(builder, weight)
        desired = builder.add("clip", norm, minimum=0.0, maximum=number("max_value", self.max_value, 0.0))
        return self._scaled(builder, weight, desired, more)


@dataclass(frozen=True)
class UnitNorm(_OfNorm):
    """``w / (norm + 1e-7)``."""

    axis: int | Sequence[int] | None = 0

    def trace(self, builder: GraphBuilder, weight: str) -> str:
        return builder.add("divide", weight, self._norm(builder, weight)[1])


@dataclass(frozen=True)
class MinMaxNorm(_OfNorm):
    """``w * (rate * clip(norm, min_value, max_value) + (1 - rate) * norm) / (norm + 1e-7)``."""

    min_value: float = 0.0
    max_value: float = 1.0
    rate: float = 1.0
    axis: int | Sequence[int] | None = 0

    def trace(self, builder: GraphBuilder, weight: str) -> str:
        norm, more = self._norm(builder, weight)
        limits = number("min_value", self.min_value, 0.0), number("max_value", self.max_value, 0.0)
        desired = builder.add("clip", norm, minimum=limits[0], maximum=limits[1])
        if self.rate != 1:
            inside = builder.add("multiply", desired, builder.constant(float(self.rate), "rate"))
            rest = builder.add("multiply", norm, builder.constant(1 - float(self.rate), "rest"))
            desired = builder.add("add", inside, rest)
        return self._scaled(builder, weight, desired, more)


max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm
_TABLE: dict[str, type[Constraint]] = table_of([MaxNorm, MinMaxNorm, NonNeg, UnitNorm])


def get(identifier: Any) -> Constraint | None:
    """A constraint from its name, class, description or itself; None stays None.

    Raises:
        UnsupportedError: no such constraint.
    """
    return None if identifier is None else resolve("constraint", Constraint, _TABLE, identifier)


deserialize = get
