# SPDX-License-Identifier: Apache-2.0
"""Metrics written in Python, functions of ``(y_true, y_pred)``: like losses they run once, on traced values; what they
do with :mod:`edgeling.ops` and operators is computed by the compiled code, in training and in evaluation."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

from edgeling.errors import EdgelingError
from edgeling.layers.traced import TracedValue, scratch, tracing
from edgeling.metrics.base import MeanMetricWrapper
from edgeling.network.tracing import Tracer
from edgeling.ops.values import reshaped, summed

Shape = tuple[int, ...]
_ROWS = 3  # of the graph that shapes are read from
# What Python raises where a function computes with something else than traced values, such as NumPy.
_NO_TRACE = (EdgelingError, TypeError, ValueError, AttributeError, IndexError, NotImplementedError)
_OVERRIDDEN = {"update_state", "result", "reset_state"}
_told: set[str] = set()


@dataclass(frozen=True, eq=False)
class WrittenMetric:
    """A function of one value a row, or several, as the compiled code sees it.

    Attributes:
        metric: whose function it is.
        target_row, output_row: shapes of one row of what it is given.
    """

    metric: MeanMetricWrapper
    target_row: Shape
    output_row: Shape
    signed = False
    is_written = True

    def traced(self, tracer: Tracer, y_true: str, y_pred: str) -> str:
        """Append the nodes; give the name of the value of each row, [rows]."""
        with tracing(tracer):
            result = self._called(tracer, y_true, y_pred)
            rows, *others = result.lengths
            total = reshaped(summed(result, range(1, len(others) + 1)), (rows,))
            if prod(others) > 1:
                total = TracedValue(
                    tracer, tracer.builder.add("multiply", total.name, tracer.number(1 / prod(others))), True
                )
            return total.name

    def is_of_rows(self) -> bool:
        """Whether the function gives values of each row by itself; else it is one of batches.

        Raises:
            EdgelingError, TypeError, ...: what it does cannot be traced.
        """
        tracer = scratch()
        rows = ("y", self.target_row), ("p", self.output_row)
        given = [tracer.builder.input(name, (_ROWS, *row)) for name, row in rows]
        tracer.mixes_rows = True
        with tracing(tracer):
            result = self._called(tracer, *given)
        return isinstance(result, TracedValue) and result.per_row and not tracer.mixed_rows

    def _called(self, tracer: Tracer, y_true: str, y_pred: str) -> Any:
        truth, prediction = (TracedValue(tracer, name, True) for name in (y_true, y_pred))
        rows = prediction.lengths[0]
        return self.metric.values_of(
            reshaped(truth, (rows, *self.target_row)), reshaped(prediction, (rows, *self.output_row))
        )


def compiled_metric(metric: Any, target_row: Shape, output_row: Shape) -> WrittenMetric | None:
    """A function's mean as the compiled code sees it; None where it takes in predictions, batch by batch.

    Warns:
        UserWarning: the function cannot be traced, and is run with NumPy; told once.
    """
    if type(metric) is not MeanMetricWrapper or vars(metric).keys() & _OVERRIDDEN:
        return None
    found = WrittenMetric(metric, target_row, output_row)
    try:
        return found if found.is_of_rows() else None
    except _NO_TRACE as error:
        _tell(metric.fn, str(metric.name), error)
        return None


def _tell(function: Callable[..., Any], name: str, error: Exception) -> None:
    code = getattr(function, "__code__", None)
    known = repr((name, getattr(code, "co_filename", ""), getattr(code, "co_firstlineno", 0)))
    if known in _told:
        return
    _told.add(known)
    warnings.warn(
        f"the metric {name!r} runs with NumPy, batch by batch, for it cannot be traced: {error}", UserWarning,
        stacklevel=2,
    )  # fmt: skip
