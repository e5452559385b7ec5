# SPDX-License-Identifier: Apache-2.0
"""Values of a graph that is being written, with the operators of symbolic values: what the Python functions of
somebody's own layers, losses and metrics are called on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from edgeling.errors import DataError, UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.layers.symbolic import Symbolic, mapped, with_operators
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight

with_operators(Weight)  # ``2 * self.kernel``, in a layer of one's own or on the values it has now

_tracer: ContextVar[Tracer | None] = ContextVar("tracer", default=None)


@contextmanager
def tracing(tracer: Tracer) -> Iterator[None]:
    """While it lasts, operators on weights append to this graph."""
    before = _tracer.set(tracer)
    try:
        yield
    finally:
        _tracer.reset(before)


def present() -> Tracer | None:
    """The graph that is being written in Python's functions now, if one is."""
    return _tracer.get()


class TracedValue(Symbolic):
    """A value of a graph.

    Attributes:
        name: in the graph.
        per_row: the first axis is the batch's.
        is_truth: it is 0 or 1, as comparisons give it.
    """

    def __init__(self, tracer: Tracer, name: str, per_row: bool) -> None:
        self.tracer, self.name, self.per_row, self.is_truth = tracer, name, per_row, False

    @property
    def lengths(self) -> tuple[int, ...]:
        """All of them, the batch's of this moment first if there is one."""
        return self.tracer.builder.type_of(self.name).shape

    @property
    def row(self) -> tuple[int, ...]:  # type: ignore[override]
        """Lengths without the batch's."""
        return self.lengths[1:] if self.per_row else self.lengths

    @property
    def shape(self) -> tuple[int | None, ...]:
        """With the batch, which is None; of what is the same for all rows, without."""
        return (None, *self.row) if self.per_row else self.row


def traced(value: Any, tracer: Tracer) -> Any:
    """A number, an array or a weight as a value of the graph; what is one already, as it is.

    Raises:
        UnsupportedError: nothing of the kind, or a value of another graph.
    """
    if isinstance(value, TracedValue):
        if value.tracer.builder is not tracer.builder:
            raise UnsupportedError(
                "a function computes with what it is given", received="a value kept from an earlier call",
                remedy="return it, and hand it over as an argument",
            )  # fmt: skip
        return value
    if isinstance(value, Weight):
        return TracedValue(tracer, tracer.value(value), False)
    if isinstance(value, Symbolic):
        raise UnsupportedError(
            "a layer's own function computes with its arguments and weights", received="a symbolic value from outside",
            remedy="call the layer on a list: layer([x, y])",
        )  # fmt: skip
    try:
        array = np.asarray(value, np.float32)
    except (TypeError, ValueError):
        raise UnsupportedError(
            "what is computed with are numbers", received=repr(value)[:80],
            remedy="a number, an array or a value of the model",
        ) from None  # fmt: skip
    if not np.isfinite(array).all():
        raise DataError(
            "constants are finite numbers", received=repr(value)[:80], remedy="finite numbers; None of NaN and infinity"
        )
    return TracedValue(tracer, tracer.builder.constant(array, "number"), False)


def named(value: Any) -> Any:
    """The names of traced values, in lists as they stand."""
    return mapped(value, lambda one: one.name)


def scratch(training: bool = False) -> Tracer:
    """A graph to see shapes by, which nobody runs."""
    return Tracer(GraphBuilder("shapes"), {}, lazily=True, training=training)
