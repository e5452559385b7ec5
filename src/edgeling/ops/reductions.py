# SPDX-License-Identifier: Apache-2.0
"""Sums, means and what else many elements become one by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from edgeling.errors import UnsupportedError
from edgeling.layers.traced import TracedValue
from edgeling.ops.elementwise import as_truth, exp, log, logical_not, stop_gradient
from edgeling.ops.operation import operation
from edgeling.ops.values import axes_of, node, permuted, reshaped, spread, summed, tracer_now, value


def without_axes(x: TracedValue, axes: Sequence[int], keepdims: bool = False) -> TracedValue:
    """What has been reduced over axes, with or without them."""
    if keepdims:
        return x
    return reshaped(x, [n for i, n in enumerate(x.lengths) if i not in axes])


def _require_rows_apart(x: TracedValue, axes: Sequence[int], axis: Any) -> None:
    if not (x.per_row and 0 in axes):
        return
    tracer_now().mixed_rows = True
    if not tracer_now().mixes_rows:
        raise UnsupportedError(
            "each row of a batch is answered for itself", received=f"axis={axis}", remedy="an axis from 1 on"
        )


@operation(settings=("axis", "keepdims"))
def sum(x: Any, axis: Any = None, keepdims: bool = False) -> TracedValue:
    """The sum over one axis, or several; None: all."""
    return _over(x, axis, keepdims, summed)


@operation(settings=("axis", "keepdims"))
def mean(x: Any, axis: Any = None, keepdims: bool = False) -> TracedValue:
    """The mean over one axis, or several; None: all."""
    return _over(x, axis, keepdims, _mean)


def _over(
    x: Any, axis: Any, keepdims: bool, reduced: Callable[[TracedValue, Sequence[int]], TracedValue]
) -> TracedValue:
    given = value(x)
    axes = axes_of(given, axis)
    _require_rows_apart(given, axes, axis)
    return without_axes(reduced(given, axes), axes, keepdims)


def _mean(x: TracedValue, axes: Sequence[int]) -> TracedValue:
    """Kept axes."""
    count = prod(x.lengths[axis] for axis in axes if axis or not x.per_row)
    total = summed(x, axes)
    total = total if count == 1 else node("multiply", total, value(1 / count))
    if not (x.per_row and 0 in axes):
        return total
    tracer = tracer_now()
    return node("multiply", total, TracedValue(tracer, tracer.share(x.name), False), per_row=False)


@operation(settings=("axis", "keepdims"))
def var(x: Any, axis: Any = None, keepdims: bool = False) -> TracedValue:
    """The mean squared distance from the mean."""
    given = value(x)
    axes = axes_of(given, axis)
    _require_rows_apart(given, axes, axis)
    mean_of = spread(_mean(given, axes), given.lengths, given.per_row)
    return without_axes(_mean(node("square", node("subtract", given, mean_of)), axes), axes, keepdims)


@operation(settings=("axis", "keepdims"))
def std(x: Any, axis: Any = None, keepdims: bool = False) -> TracedValue:
    """The square root of :func:`var`."""
    return node("divide", value(1.0), node("reciprocal_sqrt", var.body(x, axis, keepdims), epsilon=0.0))


@operation(settings=("axis", "keepdims"))
def max(x: Any, axis: Any = None, keepdims: bool = False) -> TracedValue:
    """The largest over one axis, or several; None: all. Its gradient goes to the first of the largest."""
    return _largest(value(x), axis, keepdims)


@operation(settings=("axis", "keepdims"))
def min(x: Any, axis: Any = None, keepdims: bool = False) -> TracedValue:
    """The smallest over one axis, or several; None: all."""
    negative = node("multiply", value(x), value(-1.0))
    return node("multiply", _largest(negative, axis, keepdims), value(-1.0))


@operation("math", settings=("axis", "keepdims"))
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> TracedValue:
    """The logarithm of the sum of the exponentials over one axis, or several; None: all."""
    given = value(x)
    axes = axes_of(given, axis)
    largest = stop_gradient.body(_largest(given, axis, keepdims=True))
    shifted = node("subtract", given, spread(largest, given.lengths, given.per_row))
    total = log.body(summed(exp.body(shifted), axes))
    return without_axes(node("add", total, largest), axes, keepdims)


@operation(settings=("axis", "keepdims"))
def any(x: Any, axis: Any = None, keepdims: bool = False) -> TracedValue:
    """1 where any over one axis, or several, is not 0, else 0; None: of all."""
    found = _largest(as_truth(x), axis, keepdims)
    found.is_truth = True
    return found


@operation(settings=("axis", "keepdims"))
def all(x: Any, axis: Any = None, keepdims: bool = False) -> TracedValue:
    """1 where none over one axis, or several, is 0, else 0; None: of all."""
    return logical_not.body(any.body(logical_not.body(x), axis, keepdims))


def _largest(x: TracedValue, axis: Any, keepdims: bool) -> TracedValue:
    """By windows as long as the axes, which come first after the batch's."""
    axes = axes_of(x, axis)
    if x.per_row and 0 in axes:
        raise UnsupportedError(
            "each row of a batch is answered for itself", received=f"axis={axis}", remedy="an axis from 1 on"
        )
    first = [0] if x.per_row else []
    rest = [i for i in range(len(x.lengths)) if i not in axes and i not in first]
    moved = permuted(x, [*first, *axes, *rest])
    size, channels = prod(x.lengths[i] for i in axes), prod(x.lengths[i] for i in rest)
    rows = x.lengths[0] if x.per_row else 1
    image = reshaped(moved, (rows, size, 1, channels))
    kept = [1 if i in axes else n for i, n in enumerate(x.lengths)]
    return without_axes(
        reshaped(node("max_pool", image, size=(size, 1), strides=(size, 1), padding=(0, 0, 0, 0)), kept), axes, keepdims
    )
