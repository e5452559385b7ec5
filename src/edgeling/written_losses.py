# SPDX-License-Identifier: Apache-2.0
"""Losses written in Python: functions of ``(y_true, y_pred)``, and subclasses of ``Loss`` with ``call``. They run
once, on traced values, and what they do with :mod:`edgeling.ops` and operators becomes the graph that is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edgeling.errors import UnsupportedError
from edgeling.graph.types import Array
from edgeling.layers.traced import TracedValue, scratch, tracing
from edgeling.losses import Loss
from edgeling.network.tracing import Tracer
from edgeling.ops.values import reshaped, spread, summed

Shape = tuple[int, ...]
_ROWS = 3  # of the graph that shapes are read from


@dataclass
class WrittenLoss(Loss):
    """A loss of one's own, as training sees it.

    Attributes:
        owner: the function, or the object whose ``call`` it is.
        target_row, output_row: shapes of one row of what it is given.
        mixes_rows: it computes with all rows of a batch together, so that no row has a loss of its own.
    """

    owner: Any = None
    target_row: Shape = ()
    output_row: Shape = ()
    mixes_rows = False

    @property
    def is_written(self) -> bool:
        """Always."""
        return True

    @property
    def function(self) -> str:
        """What people call it."""
        return str(self.name)

    @property
    def sparse(self) -> bool:  # type: ignore[override]
        """Whether targets are one number a row, where there are several outputs."""
        return self.output_row[-1:] > (1,) and prod(self.target_row) == prod(self.output_row[:-1])

    def for_rows(self, target_row: Shape, output_row: Shape) -> WrittenLoss:
        """The same for rows of these shapes.

        Raises:
            UnsupportedError: what the function does cannot be traced.
        """
        made = replace(self, target_row=target_row, output_row=output_row)
        tracer = scratch()
        given = [tracer.builder.input(name, (_ROWS, *row)) for name, row in (("y", target_row), ("p", output_row))]
        result = made._called(tracer, *given)
        made.mixes_rows = tracer.mixed_rows or not result.per_row
        return made

    def _called(self, tracer: Tracer, y_true: str, y_pred: str) -> TracedValue:
        """What the function gives for values of a graph."""
        truth, prediction = TracedValue(tracer, y_true, True), TracedValue(tracer, y_pred, True)
        seen_target, seen_output = self._seen_rows()
        truth = reshape_in(tracer, truth, (prediction.lengths[0], *seen_target))
        prediction = reshape_in(tracer, prediction, (prediction.lengths[0], *seen_output))
        before, tracer.mixes_rows = tracer.mixes_rows, True
        try:
            with tracing(tracer):
                result = self._call(truth, prediction)
        finally:
            tracer.mixes_rows = before
        if isinstance(result, TracedValue) and (result.per_row or prod(result.lengths) == 1):
            return result
        what = f"a value of shape {result.shape}" if isinstance(result, TracedValue) else repr(result)[:80]
        raise UnsupportedError(
            f"the loss {self.name!r} gives a value for each row, or one number", received=what,
            remedy="edgeling.ops.mean(edgeling.ops.square(y_true - y_pred), axis=-1)",
        )  # fmt: skip

    def _seen_rows(self) -> tuple[Shape, Shape]:
        """The shapes of one row of the targets and of the outputs as the function sees them.

        Functions see them of one rank where one has a last axis of length 1 more, as in Keras; classes see [rows] as
        [rows, 1] beside outputs [rows, 1].
        """
        target, output = self.target_row, self.output_row
        if target in ((), (1,)) and output == (1,):
            return (1,), output
        if not isinstance(self.owner, Loss):
            target = target[:-1] if len(target) == len(output) + 1 and target[-1] == 1 else target
            output = output[:-1] if len(output) == len(self.target_row) + 1 and output[-1] == 1 else output
        return target, output

    @property
    def _call(self) -> Callable[..., Any]:
        call: Callable[..., Any] = self.owner.call if isinstance(self.owner, Loss) else self.owner
        return call

    def traced(self, tracer: Tracer, y_true: str, y_pred: str, weighted: bool) -> str:
        result = self._called(tracer, y_true, y_pred)
        rows = tracer.builder.type_of(y_pred).shape[0]
        with tracing(tracer):
            if not self.mixes_rows:
                return self._of_each(tracer, result, weighted).name
            if not tracer.training:  # a batch's, which only whoever knows the batches can tell
                return spread(reshaped(TracedValue(tracer, tracer.number(0.0), False), (1,)), (rows,), True).name
            whole = reshaped(result, (1,)) if not result.per_row else self._of_each(tracer, result, weighted)
            each = spread(whole, (rows,), True)
            if self.reduction == "sum" and not weighted and not result.per_row:
                return tracer.builder.add("multiply", each.name, tracer.share(each.name))
            return each.name

    def of_steps(self, tracer: Tracer, y_true: str, y_pred: str) -> str:
        result = self._called(tracer, y_true, y_pred)
        rows, *steps = tracer.builder.type_of(y_pred).shape[:-1]
        if self.mixes_rows and not tracer.training:  # as in :meth:`traced`
            result = TracedValue(tracer, tracer.number(0.0), False)
        if result.per_row:
            self._require_steps(result.lengths, (rows, *steps))
            return result.name
        with tracing(tracer):  # one number of all, which Keras multiplies by every step's weight
            return spread(reshaped(result, (1,)), (rows * prod(steps),), True).name

    def each(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        return self._values(y_true, y_pred)

    def steps(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        values = self._values(y_true, y_pred)
        if values.size > 1:
            self._require_steps(values.shape, np.shape(y_pred)[:-1])
        return values if values.size > 1 else values.reshape(())

    def _require_steps(self, shape: Shape, wanted: Shape) -> None:
        if shape != wanted:
            raise UnsupportedError(
                f"where steps are masked or weighted the loss {self.name!r} gives a value for each step, or one number",
                received=f"shape {shape} of rows and steps {wanted}",
                remedy="edgeling.ops.mean(edgeling.ops.square(y_true - y_pred), axis=-1)",
            )  # fmt: skip

    def _of_each(self, tracer: Tracer, result: TracedValue, weighted: bool) -> TracedValue:
        """One value a row, of which the reduction makes what it would make of all of them."""
        axes = range(1, len(result.lengths))
        count = prod(result.lengths[1:])
        total = (
            reshaped(summed(result, axes), result.lengths[:1]) if count > 1 else reshaped(result, result.lengths[:1])
        )
        if count == 1 or self.reduction == "sum" or (weighted and self.reduction == "mean_with_sample_weight"):
            return total
        return TracedValue(tracer, tracer.builder.add("multiply", total.name, tracer.number(1 / count)), True)

    def rows(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """The loss of each row [n], or the one number of all of them; the function runs on arrays."""
        values = self._values(y_true, y_pred)
        if values.ndim < 2:
            return values
        of_all = np.sum if self.reduction in ("sum", "mean_with_sample_weight") else np.mean
        return np.asarray(of_all(values, axis=tuple(range(1, values.ndim))))

    def _values(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """What the function gives for arrays."""
        truth, prediction = np.asarray(y_true, np.float32), np.asarray(y_pred, np.float32)
        target, output = self._seen_rows()
        truth, prediction = truth.reshape(len(truth), *target), prediction.reshape(len(prediction), *output)
        return np.asarray(self._call(truth, prediction), np.float32)


def reshape_in(tracer: Tracer, value: TracedValue, lengths: Shape) -> TracedValue:
    """A value of a graph in another shape."""
    with tracing(tracer):
        return reshaped(value, lengths)


def of_function(function: Callable[..., Any]) -> WrittenLoss:
    """A function of ``(y_true, y_pred)`` as a loss."""
    return WrittenLoss(name=str(getattr(function, "__name__", type(function).__name__)), owner=function)


def of_class(loss: Loss) -> WrittenLoss:
    """An object of a class of one's own."""
    return WrittenLoss(name=loss.name, reduction=loss.reduction, owner=loss)
