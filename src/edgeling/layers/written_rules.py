# SPDX-License-Identifier: Apache-2.0
"""Constraints and regularizers that are written in Python, ``__call__``: it runs on traced values, once, and what it
does with :mod:`edgeling.ops` and operators becomes part of the training step."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from edgeling import activations
from edgeling.activations import ActivationFunction
from edgeling.configurable import Configurable, registered_name, serialize
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


def penalize(tracer: Tracer, weight: Weight, regularizer: Regularizer) -> None:
    """Add the penalty on a weight to the loss.

    Raises:
        UnsupportedError: what is written in Python gives more than one number, or cannot be traced.
    """
    if is_written(regularizer):
        tracer.penalize_by(_number(regularizer, tracer, _called(regularizer, tracer, tracer.value(weight))))
    else:
        tracer.penalize(weight, *regularizer.factors())


def penalize_output(tracer: Tracer, output: str, regularizer: Regularizer, owner: Any) -> None:
    """Add the penalty on what a layer gives for a batch, by the number of its rows, to the loss.

    Raises:
        UnsupportedError: as :func:`penalize`.
    """
    if not is_written(regularizer):
        tracer.penalize_rows(output, *regularizer.factors(), owner)
        return
    before, tracer.mixes_rows = (tracer.mixes_rows, tracer.mixed_rows), True
    try:
        total = _number(regularizer, tracer, _called(regularizer, tracer, output, per_row=True))
    finally:
        tracer.mixes_rows, tracer.mixed_rows = before
    tracer.penalize_by(tracer.builder.add("multiply", total, tracer.share(output)), owner)


def _number(regularizer: Any, tracer: Tracer, result: TracedValue) -> str:
    if prod(result.lengths) != 1:
        name = getattr(regularizer, "__name__", type(regularizer).__name__)
        raise UnsupportedError(
            f"the regularizer {name} gives one number",
            received=f"a value of shape {result.shape}", remedy="edgeling.ops.sum(edgeling.ops.square(x))",
        )  # fmt: skip
    return tracer.builder.add("reshape", result.name, shape=())


def is_written(regularizer: Any) -> bool:
    """Whether somebody's Python says what the penalty is."""
    return regularizer is not None and type(regularizer).__call__ is not Regularizer.__call__


def described(regularizer: Any) -> Any:
    """A regularizer as files have it: of a function its name."""
    if isinstance(regularizer, Configurable):
        return serialize(regularizer)
    if not str(getattr(regularizer, "__name__", "<")).isidentifier():
        raise UnsupportedError(
            "a regularizer that is a function has a name, for files to know it by", received=repr(regularizer)[:80],
            remedy="def mine(x): ..., and activity_regularizer=mine",
        )  # fmt: skip
    name = registered_name(regularizer)
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}


def _called(owner: Any, tracer: Tracer, value: str, per_row: bool = False) -> TracedValue:
    with tracing(tracer):
        result: TracedValue = traced(owner(TracedValue(tracer, value, per_row)), tracer)
    return result


def serialized(value: Any) -> Any:
    """A layer's argument as plain data."""
    if isinstance(value, ActivationFunction):
        return activations.serialize(value)
    return serialize(value) if isinstance(value, Configurable) else value
