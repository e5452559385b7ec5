# SPDX-License-Identifier: Apache-2.0
"""What lies along an axis in order of size, and by places that are values themselves. Of a network's values each is
compared with each: as many comparisons as the square of the axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.layers.traced import TracedValue
from edgeling.ops import elementwise, reductions
from edgeling.ops.operation import operation
from edgeling.ops.values import axis_of, between, last_first, node, permuted, reshaped, spread, value

LONGEST = 512
"""Of an axis that is put in order: a quarter of a million comparisons."""


def _along(x: Any, axis: int | None) -> tuple[TracedValue, tuple[int, ...]]:
    """The axis as the last one, and the order that brings it back."""
    moved, back = last_first(*_flat_if_none(value(x), axis))
    if moved.lengths[-1] > LONGEST:
        raise UnsupportedError(
            f"an axis of at most {LONGEST} is put in order, for each is compared with each",
            received=f"{moved.lengths[-1]}", remedy="pooling or slices of it first",
        )  # fmt: skip
    return moved, back


def _flat_if_none(x: TracedValue, axis: int | None) -> tuple[TracedValue, int]:
    if axis is None and not x.per_row:
        return reshaped(x, (int(np.prod(x.lengths)),)), 0
    return x, axis_of(x, axis)


def _pairs(x: TracedValue) -> tuple[TracedValue, TracedValue]:
    """The last axis [n] as [n, n], once down and once across."""
    *lead, n = x.lengths
    down, across = reshaped(x, (*lead, n, 1)), reshaped(x, (*lead, 1, n))
    return spread(down, (*lead, n, n), x.per_row), spread(across, (*lead, n, n), x.per_row)


def _ranks(x: TracedValue, largest_first: bool) -> TracedValue:
    """In which place of the order each of the last axis stands; of equals the first comes first."""
    own, other = _pairs(x)
    n = x.lengths[-1]
    is_before = (elementwise.greater if largest_first else elementwise.less).body(other, own)
    is_equal = elementwise.equal.body(other, own)
    stands_before = np.tril(np.ones((n, n), np.float32), -1)
    before = elementwise.add.body(is_before, elementwise.multiply.body(is_equal, stands_before))
    return reductions.sum.body(before, -1)


def _chosen(x: TracedValue, ranks: TracedValue, places: int) -> tuple[TracedValue, TracedValue]:
    """What stands in the first so many places of the order, and where it stood: [..., places] each."""
    *lead, n = x.lengths
    shape = (*lead, places, n)
    wanted = np.arange(places, dtype=np.float32)[:, None]
    is_there = elementwise.equal.body(spread(reshaped(ranks, (*lead, 1, n)), shape, x.per_row), wanted)
    values = spread(reshaped(x, (*lead, 1, n)), shape, x.per_row)
    made = [node("select", is_there, spread(value(one), shape, x.per_row), spread(value(0.0), shape, x.per_row))
            for one in (values, np.arange(n, dtype=np.float32))]  # fmt: skip
    found, where = (reductions.sum.body(one, -1) for one in made)
    return found, elementwise.stop_gradient.body(where)


def _sort_arrays(x: Any, axis: int = -1) -> Any:
    return np.sort(np.asarray(x, np.float32), axis)


@operation(settings=("axis",), of_arrays=_sort_arrays)
def sort(x: Any, axis: int = -1) -> TracedValue:
    """What lies along an axis from the smallest to the largest."""
    moved, back = _along(x, axis)
    return permuted(_chosen(moved, _ranks(moved, False), moved.lengths[-1])[0], back)


def _argsort_arrays(x: Any, axis: int = -1) -> Any:
    return np.argsort(np.asarray(x, np.float32), axis, kind="stable")


@operation(settings=("axis",), of_arrays=_argsort_arrays)
def argsort(x: Any, axis: int = -1) -> TracedValue:
    """Where along an axis the smallest stands, the next, and so on; nothing is learnt through it."""
    moved, back = _along(x, axis)
    return permuted(_chosen(moved, _ranks(moved, False), moved.lengths[-1])[1], back)


def _top_k_arrays(x: Any, k: int, sorted: bool = True) -> Any:
    array = np.asarray(x, np.float32)
    places = np.argsort(-array, -1, kind="stable")[..., :k]
    return [np.take_along_axis(array, places, -1), places.astype(np.int32)]


@operation("math", settings=("k", "sorted"), of_arrays=_top_k_arrays)
def top_k(x: Any, k: int, sorted: bool = True) -> list[TracedValue]:
    """The ``k`` largest of the last axis, the largest first, and where they stand.

    Raises:
        UnsupportedError: ``k`` is larger than the axis.
    """
    moved, _ = _along(x, -1)
    if not 1 <= k <= moved.lengths[-1]:
        raise UnsupportedError(
            f"k is from 1 to {moved.lengths[-1]}, the length of the last axis", received=f"k={k}", remedy="a smaller k"
        )
    return list(_chosen(moved, _ranks(moved, True), int(k)))


def _median_arrays(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.median(np.asarray(x, np.float32), axis, keepdims=keepdims)


@operation(settings=("axis", "keepdims"), of_arrays=_median_arrays)
def median(x: Any, axis: int | None = None, keepdims: bool = False) -> TracedValue:
    """What half of an axis lies below: the one in the middle of its order, or the mean of two."""
    return quantile.body(x, 0.5, axis, "linear", keepdims)


def _quantile_arrays(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    return np.quantile(np.asarray(x, np.float32), q, axis, method=method, keepdims=keepdims)  # type: ignore[call-overload]


@operation(settings=("axis", "method", "keepdims"), numbers=("q",), of_arrays=_quantile_arrays)
def quantile(
    x: Any, q: float, axis: int | None = None, method: str = "linear", keepdims: bool = False
) -> TracedValue:  # fmt: skip
    """What a share ``q`` of an axis lies below, on the line between its two neighbours in order.

    Raises:
        UnsupportedError: several ``q``, or another method.
    """
    if np.ndim(q) or not 0 <= float(q) <= 1 or method != "linear":
        raise UnsupportedError(
            "a quantile is of one share from 0 to 1, on the line between two", received=f"q={q}, method={method!r}",
            remedy="one call for each share, method='linear'",
        )  # fmt: skip
    moved, back = _along(x, axis)
    at = float(q) * (moved.lengths[-1] - 1)
    shares = np.maximum(0, 1 - np.abs(np.arange(moved.lengths[-1]) - at)).astype(np.float32)
    in_order = _chosen(moved, _ranks(moved, False), moved.lengths[-1])[0]
    total = reductions.sum.body(elementwise.multiply.body(in_order, shares), -1, True)
    return reductions.without_axes(permuted(total, back), [back.index(len(back) - 1)], keepdims)


def _take_along_arrays(x: Any, indices: Any, axis: int | None = None) -> Any:
    return np.take_along_axis(np.asarray(x, np.float32), np.asarray(indices).astype(np.int64), axis)


@operation(settings=("axis",), of_arrays=_take_along_arrays)
def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> TracedValue:
    """Of an axis the places that ``indices`` names, whole numbers in a shape that is else x's; 0 of a place outside."""
    given, along = _flat_if_none(value(x), axis)
    places = value(indices)
    if places.per_row != given.per_row:
        rows = max(given.lengths[0], places.lengths[0])
        given, places = (one if one.per_row else spread(one, (rows, *one.lengths[1:]), True) for one in (given, places))
    (moved, back), (wanted, _) = last_first(given, along), last_first(places, along)
    n, m = moved.lengths[-1], wanted.lengths[-1]
    lead = np.broadcast_shapes(moved.lengths[:-1], wanted.lengths[:-1])
    shape = (*lead, m, n)
    wanted = elementwise.where.body(elementwise.less.body(wanted, 0.0), elementwise.add.body(wanted, float(n)), wanted)
    wanted = spread(reshaped(wanted, (*wanted.lengths, 1)), shape, given.per_row)
    is_there = elementwise.equal.body(wanted, np.arange(n, dtype=np.float32))
    values = spread(reshaped(moved, (*moved.lengths[:-1], 1, n)), shape, given.per_row)
    return permuted(reductions.sum.body(elementwise.where.body(is_there, values, 0.0), -1), back)


@operation(settings=("n", "axis"))
def diff(a: Any, n: int = 1, axis: int = -1) -> TracedValue:
    """What each along an axis is larger than the one before it, ``n`` times over: one shorter each time."""
    given = value(a)
    along = axis_of(given, axis)
    for _ in range(n):
        length = given.lengths[along]
        later, earlier = (between(given, along, at, at + length - 1) for at in (1, 0))
        given = node("subtract", later, earlier)
    return given
