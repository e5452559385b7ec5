# SPDX-License-Identifier: Apache-2.0
"""Nodes appended to values: what the functions of :mod:`edgeling.ops` are made of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import prod
from typing import Any

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.layers.traced import TracedValue, present, traced
from edgeling.network.tracing import Tracer


def tracer_now() -> Tracer:
    """The graph that is being written."""
    tracer = present()
    assert tracer is not None
    return tracer


def value(x: Any) -> TracedValue:
    """Anything that is computed with, as a value of the graph."""
    return traced(x, tracer_now())


def node(operation: str, *inputs: TracedValue, per_row: bool | None = None, **attributes: Any) -> TracedValue:
    """Append a node of one output.

    Args:
        per_row: whether the output's first axis is the batch's; by default it is if an input's is.
    """
    tracer = tracer_now()
    name = tracer.builder.add(operation, *(x.name for x in inputs), **attributes)
    if not tracer.mixing.isdisjoint(x.name for x in inputs):
        tracer.mixing.add(name)
    return TracedValue(tracer, name, any(x.per_row for x in inputs) if per_row is None else per_row)


def filled(like: TracedValue, number: float) -> TracedValue:
    """A number in the shape of a value."""
    constant = value(np.float32(number))
    return node("broadcast", constant, shape=like.lengths, per_row=like.per_row) if like.lengths else constant


def together(*given: Any) -> list[TracedValue]:
    """Values brought to one shape as NumPy broadcasts; numbers, and rows that lie in all rows alike, as they are.

    Raises:
        UnsupportedError: shapes that do not meet.
    """
    values = [value(x) for x in given]
    shape = _met(values)
    return [x if _lies_in(x.lengths, shape) else spread(x, shape, _per_row(values)) for x in values]


def of_one_shape(*given: Any) -> list[TracedValue]:
    """Values brought to one shape, all of them."""
    values = [value(x) for x in given]
    shape = _met(values)
    return [spread(x, shape, _per_row(values)) for x in values]


def spread(x: TracedValue, shape: Sequence[int], per_row: bool) -> TracedValue:
    """A value repeated to a shape that it meets."""
    return x if x.lengths == tuple(shape) else node("broadcast", x, shape=tuple(shape), per_row=per_row)


def _per_row(values: Sequence[TracedValue]) -> bool:
    return any(x.per_row for x in values)


def _met(values: Sequence[TracedValue]) -> tuple[int, ...]:
    rank = max(len(x.lengths) for x in values)
    try:
        shape = np.broadcast_shapes(*(x.lengths for x in values))
    except ValueError:
        raise _do_not_meet(values) from None
    for x in values:
        first = rank - len(x.lengths)  # where in the result its first axis lies
        if _per_row(values) and (first > 0 if x.per_row else first == 0 and x.lengths[:1] not in ((), (1,))):
            raise _do_not_meet(values)
    return tuple(shape)


def _do_not_meet(values: Sequence[TracedValue]) -> UnsupportedError:
    shapes = " and ".join(str(x.shape) for x in values)
    return UnsupportedError(
        "what is computed together has shapes that meet, axis by axis from the last on", received=shapes,
        remedy="edgeling.ops.expand_dims(x, axis) or reshape(x, shape)",
    )  # fmt: skip


def _lies_in(lengths: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether a kernel takes it without copies: one number, all of it, or the last axes of it."""
    return prod(lengths) == 1 or tuple(lengths) == tuple(shape[len(shape) - len(lengths) :])


def axes_of(x: TracedValue, axis: Any, name: str = "axis") -> tuple[int, ...]:
    """Axes counted from 0, in order; None: all.

    Raises:
        UnsupportedError: there are none such.
    """
    rank = len(x.lengths)
    given = range(rank) if axis is None else axis if isinstance(axis, (list, tuple)) else (axis,)
    found = []
    for one in given:
        if isinstance(one, bool) or not isinstance(one, (int, np.integer)) or not -rank <= one < rank:
            raise UnsupportedError(
                f"{name} is one of a value of shape {x.shape}", received=repr(axis), remedy=f"{name}=-1"
            )
        found.append(int(one) % rank)
    return tuple(sorted(set(found)))


def axis_of(x: TracedValue, axis: Any, batch: bool = False, more: int = 0) -> int:
    """One axis counted from 0.

    Args:
        batch: it may be the batch's.
        more: so many axes come on top of those there are.

    Raises:
        UnsupportedError: there is none such, or it is the batch's.
    """
    rank = len(x.lengths) + more
    if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)) or not -rank <= axis < rank:
        raise UnsupportedError(f"axis is one of a value of shape {x.shape}", received=repr(axis), remedy="axis=-1")
    found = int(axis) % rank
    if x.per_row and not found and not batch:
        raise UnsupportedError(
            "each row of a batch is answered for itself", received=f"axis={axis}", remedy="an axis from 1 on"
        )
    return found


def summed(x: TracedValue, axes: Sequence[int]) -> TracedValue:
    """The sum over axes, which are kept with length one."""
    per_row = x.per_row and 0 not in axes
    mixes = x.per_row and not per_row
    for _, group in groupby(enumerate(axes), key=lambda pair: pair[1] - pair[0]):  # kernels sum neighbouring axes
        x = node("sum", x, axes=tuple(axis for _, axis in group), per_row=per_row)
    if mixes:
        x.tracer.mixing.add(x.name)
    return x


def reshaped(x: TracedValue, lengths: Sequence[int], per_row: bool | None = None) -> TracedValue:
    """The same elements in another shape."""
    told = x.per_row if per_row is None else per_row
    return x if tuple(lengths) == x.lengths else node("reshape", x, shape=tuple(lengths), per_row=told)


def permuted(x: TracedValue, order: Sequence[int]) -> TracedValue:
    """The axes in another order."""
    return x if list(order) == list(range(len(order))) else node("transpose", x, permutation=tuple(order))


def last_first(x: TracedValue, axis: int) -> tuple[TracedValue, tuple[int, ...]]:
    """The axis as the last one, and the order that brings it back."""
    rank = len(x.lengths)
    order = (*(i for i in range(rank) if i != axis), axis)
    return permuted(x, order), tuple(int(i) for i in np.argsort(order))


def taken(x: TracedValue, indices: Sequence[int], axis: int) -> TracedValue:
    """Of an axis the places that are named, in that order."""
    moved, back = last_first(x, axis)
    *heads, columns = moved.lengths
    matrix = reshaped(moved, (prod(heads), columns))
    chosen = node("gather", matrix, indices=tuple(indices), per_row=x.per_row)
    return permuted(reshaped(chosen, (*heads, len(indices))), back)


def part(x: TracedValue, begin: Sequence[int], lengths: Sequence[int]) -> TracedValue:
    """The part of these lengths that begins there."""
    return x if tuple(lengths) == x.lengths else node("slice", x, begin=tuple(begin), shape=tuple(lengths))


def between(x: TracedValue, axis: int, start: int, end: int) -> TracedValue:
    """Of an axis the places from ``start`` to below ``end``."""
    begin = [start if i == axis else 0 for i in range(len(x.lengths))]
    return part(x, begin, [end - start if i == axis else n for i, n in enumerate(x.lengths)])


def joined(values: Sequence[TracedValue], axis: int) -> TracedValue:
    """Values side by side along an axis; what follows it lies together anyway."""
    lead, rest = values[0].lengths[:axis], values[0].lengths[axis + 1 :]
    flat = [reshaped(x, (*lead, prod(x.lengths[axis:]))) for x in values]
    return reshaped(node("concatenate", *flat), (*lead, sum(x.lengths[axis] for x in values), *rest))
