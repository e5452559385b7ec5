# SPDX-License-Identifier: Apache-2.0
"""Constraints and regularizers that are written in Python, ``__call__``: it runs on traced values, once, and what it
does with :mod:`edgeling.ops` and operators becomes part of the training step."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from edgeling.constraints import Constraint
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.layers.traced import TracedValue, traced, tracing
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight
from edgeling.regularizers import Regularizer


@dataclass(frozen=True)
class WrittenConstraint(Constraint):
    """A constraint of one's own, as training sees it."""

    owner: Any = None

    def trace(self, builder: GraphBuilder, weight: str) -> str:
        result = _called(self.owner, Tracer(builder, {}), weight)
        shape = builder.type_of(weight).shape
        if result.lengths != shape:
            raise UnsupportedError(
                f"the constraint {type(self.owner).__name__} gives what a weight becomes, of its shape",
                received=f"{result.lengths} for a weight of shape {shape}", remedy="edgeling.ops.maximum(w, 0.0)",
            )  # fmt: skip
        return result.name


def constraint_of(given: Constraint | None) -> Constraint | None:
    """One that adds nodes: itself, or what is written in Python."""
    is_known = given is None or type(given).__call__ is Constraint.__call__
    return given if is_known else WrittenConstraint(given)


def activity_regularizer_of(given: Regularizer | None) -> Regularizer | None:
    """Raises UnsupportedError for one that is written in Python: it would see a batch, and have no value of a row."""
    if given is not None and _is_written(given):
        raise UnsupportedError(
            "what layers give is penalised by L1, L2 or L1L2", received=type(given).__name__,
            remedy="a loss of one's own, or the regularizer for a weight",
        )  # fmt: skip
    return given


def penalize(tracer: Tracer, weight: Weight, regularizer: Regularizer) -> None:
    """Add the penalty on a weight to the loss.

    Raises:
        UnsupportedError: what is written in Python gives more than one number, or cannot be traced.
    """
    if not _is_written(regularizer):
        tracer.penalize(weight, *regularizer.factors())
        return
    result = _called(regularizer, tracer, tracer.value(weight))
    if prod(result.lengths) != 1:
        raise UnsupportedError(
            f"the regularizer {type(regularizer).__name__} gives one number",
            received=f"a value of shape {result.lengths}", remedy="edgeling.ops.sum(edgeling.ops.square(x))",
        )  # fmt: skip
    tracer.penalize_by(tracer.builder.add("reshape", result.name, shape=()))


def _is_written(regularizer: Regularizer) -> bool:
    return type(regularizer).__call__ is not Regularizer.__call__


def _called(owner: Any, tracer: Tracer, weight: str) -> TracedValue:
    with tracing(tracer):
        result: TracedValue = traced(owner(TracedValue(tracer, weight, False)), tracer)
    return result
