# SPDX-License-Identifier: Apache-2.0
"""Elements in other places and shapes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from numbers import Integral
from typing import Any

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.layers.symbolic import Symbolic
from edgeling.layers.traced import TracedValue
from edgeling.ops.elementwise import as_truth
from edgeling.ops.operation import operation
from edgeling.ops.reductions import without_axes
from edgeling.ops.values import (
    axes_of,
    axis_of,
    between,
    filled,
    joined,
    node,
    permuted,
    reshaped,
    spread,
    taken,
    value,
)


@operation(settings=("newshape",), numbers=("newshape",))
def reshape(x: Any, newshape: Any) -> TracedValue:
    """The same elements in another shape; one length may be -1. Of a batch of rows, its first length is the batch's."""
    given = value(x)
    told = [-1 if n is None else int(n) for n in (newshape if isinstance(newshape, (list, tuple)) else [newshape])]
    if given.per_row:
        row = told[1:]
        known = prod(n for n in row if n != -1)
        size = prod(given.row)
        row = [size // known if n == -1 and known else n for n in row]
        if not told or told[0] not in (-1, given.lengths[0]) or prod(row) != size or told[1:].count(-1) > 1:
            raise UnsupportedError(
                f"rows of shape {given.row} become rows of as many values", received=f"newshape={tuple(told)}",
                remedy=f"(-1, {size}), the batch first",
            )  # fmt: skip
        return reshaped(given, (given.lengths[0], *row))
    known = prod(n for n in told if n != -1)
    told = [prod(given.lengths) // known if n == -1 and known else n for n in told]
    if prod(told) != prod(given.lengths):
        raise UnsupportedError(
            f"a value of shape {given.shape} is reshaped to as many", received=str(tuple(told)),
            remedy=f"(-1, {prod(given.row)}), the batch first",
        )  # fmt: skip
    return reshaped(given, told)


@operation(settings=("axes",))
def transpose(x: Any, axes: Sequence[int] | None = None) -> TracedValue:
    """The axes in another order; the batch's stays the first."""
    given = value(x)
    rank = len(given.lengths)
    order = list(reversed(range(rank))) if axes is None else [int(i) % rank for i in axes]
    return _in_order(given, order, axes)


@operation(settings=("axis1", "axis2"))
def swapaxes(x: Any, axis1: int, axis2: int) -> TracedValue:
    """Two axes exchanged."""
    given = value(x)
    order = list(range(len(given.lengths)))
    first, second = axis_of(given, axis1), axis_of(given, axis2)
    order[first], order[second] = second, first
    return permuted(given, order)


@operation(settings=("source", "destination"))
def moveaxis(x: Any, source: Any, destination: Any) -> TracedValue:
    """Axes moved to other places."""
    given = value(x)
    rank = len(given.lengths)
    pairs = [(source, destination)] if isinstance(source, int) else list(zip(source, destination, strict=True))
    moved = {int(to) % rank: int(of) % rank for of, to in pairs}
    rest = iter(i for i in range(rank) if i not in moved.values())
    return _in_order(given, [moved[i] if i in moved else next(rest) for i in range(rank)], (source, destination))


def _in_order(x: TracedValue, order: Sequence[int], told: Any) -> TracedValue:
    if sorted(order) != list(range(len(x.lengths))) or (x.per_row and order[0] != 0):
        raise UnsupportedError(
            f"the axes of a value of shape {x.shape} are each named once, the batch's first", received=repr(told),
            remedy="axes=(0, 2, 1)",
        )  # fmt: skip
    return permuted(x, order)


@operation(settings=("axis",))
def expand_dims(x: Any, axis: Any) -> TracedValue:
    """A new axis of length one, or several."""
    given = value(x)
    told = axis if isinstance(axis, (list, tuple)) else [axis]
    lengths = list(given.lengths)
    for one in sorted(axis_of(given, each, more=len(told)) for each in told):
        lengths.insert(one, 1)
    return reshaped(given, lengths)


@operation(settings=("axis",))
def squeeze(x: Any, axis: Any = None) -> TracedValue:
    """Without one axis of length one, or several; None: all of them."""
    given = value(x)
    ones = [i for i, n in enumerate(given.lengths) if n == 1 and (i or not given.per_row)]
    axes = ones if axis is None else axes_of(given, axis)
    if set(axes) - set(ones):
        raise UnsupportedError(
            f"axes of length one of {given.shape} are squeezed", received=f"axis={axis}",
            remedy="leave axis out, which squeezes all of them",
        )  # fmt: skip
    return without_axes(given, axes)


@operation(settings=("axis",))
def concatenate(xs: Sequence[Any], axis: int = -1) -> TracedValue:
    """Values side by side along an axis."""
    values = [value(x) for x in xs]
    if not values:
        raise UnsupportedError("concatenate takes one value or more", received="none", remedy="concatenate([x, y])")
    along = axis_of(values[0], axis)
    rests = {tuple(n for i, n in enumerate(x.lengths) if i != along) for x in values}
    ranks = {len(x.lengths) for x in values}
    if len(rests) != 1 or len(ranks) != 1 or len({x.per_row for x in values}) != 1:
        shapes = " and ".join(str(x.shape) for x in values)
        raise UnsupportedError(
            f"values side by side along axis {axis} are else of one shape", received=shapes,
            remedy="reshape() or slice them first",
        )  # fmt: skip
    return joined(values, along)


@operation(settings=("axis",))
def stack(x: Sequence[Any], axis: int = 0) -> TracedValue:
    """Values of one shape along a new axis."""
    values = [expand_dims.body(one, axis) for one in x]
    return concatenate.body(values, axis_of(values[0], axis))


@operation(settings=("indices_or_sections", "axis"))
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[TracedValue]:
    """The parts of an axis: as many of one length, or those that end at the indices."""
    given = value(x)
    along = axis_of(given, axis)
    length = given.lengths[along]
    if isinstance(indices_or_sections, int):
        if indices_or_sections < 1 or length % indices_or_sections:
            raise UnsupportedError(
                f"an axis of length {length} is split into parts of one length", received=str(indices_or_sections),
                remedy=f"a divisor of {length}",
            )  # fmt: skip
        each = length // indices_or_sections
        ends = list(range(each, length + 1, each))
    else:
        ends = [*(int(i) for i in indices_or_sections), length]
    starts = [0, *ends[:-1]]
    if any(start >= end for start, end in zip(starts, ends, strict=True)):
        raise UnsupportedError(
            f"indices lie in order in an axis of length {length}", received=str(ends[:-1]),
            remedy=f"rising indices from 0 to {length}",
        )  # fmt: skip
    return [between(given, along, start, end) for start, end in zip(starts, ends, strict=True)]


@operation(settings=("axis",))
def flip(x: Any, axis: Any = None) -> TracedValue:
    """An axis, or several, from its end to its beginning; None: all but the batch's."""
    given = value(x)
    axes = [i for i in axes_of(given, axis) if axis is not None or i or not given.per_row]
    for one in axes:
        given = taken(given, list(reversed(range(given.lengths[one]))), axis_of(given, one))
    return given


@operation(settings=("axis",), numbers=("indices",))
def take(x: Any, indices: Any, axis: int | None = None) -> TracedValue:
    """Of an axis the places that are named: by whole numbers that are known beforehand, or by values of the network,
    if x is the same for all rows (a weight, a table); zeros of a value that names no place."""
    given = value(x)
    along = axis_of(given, 0 if axis is None and len(given.lengths) == 1 else axis)
    if isinstance(indices, TracedValue):
        return _taken_by_values(given, indices, along)
    places = np.asarray(indices)
    length = given.lengths[along]
    if places.dtype.kind not in "iu" or not ((places >= -length) & (places < length)).all():
        raise UnsupportedError(
            f"indices are whole numbers below {length}", received=repr(indices)[:80],
            remedy=f"indices from 0 to {length - 1}",
        )  # fmt: skip
    chosen = taken(given, [int(i) % length for i in places.reshape(-1)], along)
    return reshaped(chosen, (*chosen.lengths[:along], *places.shape, *chosen.lengths[along + 1 :]))


def _taken_by_values(x: TracedValue, indices: TracedValue, axis: int) -> TracedValue:
    if x.per_row:
        raise UnsupportedError(
            "places named by values are those of a table that all rows share", received=f"a value of shape {x.shape}",
            remedy="edgeling.ops.take_along_axis(x, indices, axis)",
        )  # fmt: skip
    rest = [i for i in range(len(x.lengths)) if i != axis]
    lengths, n = [x.lengths[i] for i in rest], x.lengths[axis]
    table = reshaped(permuted(x, (axis, *rest)), (n, prod(lengths)))
    codes = reshaped(indices, (prod(indices.lengths), 1))
    made = node("embedding", codes, table, starts=(0,), sizes=(n,), per_row=indices.per_row)
    made = reshaped(made, (*indices.lengths, *lengths))
    rank = len(indices.lengths)
    order = [*range(rank, rank + axis), *range(rank), *range(rank + axis, rank + len(rest))]
    return permuted(made, order if not indices.per_row or not axis else _in_front(order))


def _in_front(order: Sequence[int]) -> list[int]:
    """The batch's axis before all others."""
    return [0, *(i for i in order if i)]


@operation(settings=("repeats", "axis"))
def repeat(x: Any, repeats: int, axis: int | None = None) -> TracedValue:
    """Each element of an axis so many times."""
    given = value(x)
    along = axis_of(given, axis)
    return taken(given, [i for i in range(given.lengths[along]) for _ in range(int(repeats))], along)


@operation(settings=("repeats",))
def tile(x: Any, repeats: Any) -> TracedValue:
    """The whole so many times along each axis."""
    given = value(x)
    told = list(repeats) if isinstance(repeats, (list, tuple)) else [repeats]
    rank = len(given.lengths)
    whole = all(isinstance(times, Integral) for times in told)
    if not whole or len(told) > rank or (given.per_row and len(told) == rank and told[0] != 1):
        raise UnsupportedError(
            f"repeats has a number for each axis of {given.shape}, 1 for the batch", received=str(told),
            remedy=f"repeats={(1,) * len(given.shape)}",
        )  # fmt: skip
    for axis, times in enumerate(told, rank - len(told)):
        if times != 1:
            given = taken(given, list(range(given.lengths[axis])) * int(times), axis)
    return given


@operation(settings=("pad_width", "mode"), numbers=("constant_values",))
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: float | None = None) -> TracedValue:
    """A number before and after each axis.

    Raises:
        UnsupportedError: another mode than "constant", or rows added to a batch.
    """
    given = value(x)
    rank = len(given.lengths)
    try:
        widths = np.broadcast_to(np.asarray(pad_width, int), (rank, 2)).tolist()
    except (TypeError, ValueError):
        raise UnsupportedError(
            f"pad_width has two numbers for each axis of {given.shape}", received=repr(pad_width),
            remedy=f"pad_width={((0, 0), *((1, 1),) * (rank - 1))}",
        ) from None  # fmt: skip
    if mode != "constant" or (given.per_row and widths[0] != [0, 0]) or any(n < 0 for pair in widths for n in pair):
        raise UnsupportedError(
            "an axis is padded with one number, the batch's is not", received=f"pad_width={pad_width}, mode={mode!r}",
            remedy="pad_width=((0, 0), (1, 1))",
        )  # fmt: skip
    lengths = [n + before + after for n, (before, after) in zip(given.lengths, widths, strict=True)]
    begin = [before for before, _ in widths]
    if lengths == list(given.lengths):
        return given
    number = float(0.0 if constant_values is None else constant_values)
    return node("pad", given, begin=tuple(begin), shape=tuple(lengths), value=number)


@operation(settings=("shape",))
def broadcast_to(x: Any, shape: Sequence[int | None]) -> TracedValue:
    """A value repeated to a shape; of a batch of rows, its first length is None or -1."""
    given = value(x)
    lengths = [given.lengths[0] if given.per_row and not i and n in (None, -1) else n for i, n in enumerate(shape)]
    try:
        fits = np.broadcast_shapes(given.lengths, tuple(lengths)) == tuple(lengths)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise UnsupportedError(
            f"a value of shape {given.shape} broadcasts to the shape", received=str(tuple(shape)),
            remedy="expand_dims() first, or reshape()",
        )  # fmt: skip
    return spread(given, [int(n or 1) for n in lengths], given.per_row)


@operation("core", settings=("dtype",))
def cast(x: Any, dtype: Any) -> TracedValue:
    """x in float32, in which a network computes: of a dtype of whole numbers what is behind the point is cut off, of
    "bool" it is 1 where x is not 0. An array becomes of any dtype.

    Raises:
        UnsupportedError: another dtype.
    """
    name = getattr(dtype, "name", getattr(dtype, "__name__", dtype))
    if name in ("float32", "float"):
        return value(x)
    if name == "bool":
        return as_truth(x)
    if str(name).startswith(("int", "uint")):
        given = value(x)
        return given if given.is_truth else node("whole", given, function="trunc")
    raise UnsupportedError(
        "a network computes in float32",
        received=f"dtype={dtype!r}",
        remedy="cast(x, 'float32')",
    )


@operation("nn", settings=("num_classes", "axis"))
def one_hot(x: Any, num_classes: int, axis: int = -1) -> TracedValue:
    """Of whole numbers [...] a one in the place of each, [..., num_classes]; all zeros of a number outside."""
    given = value(x)
    if axis not in (-1, len(given.lengths)):
        raise UnsupportedError("one_hot adds the last axis", received=f"axis={axis}", remedy="axis=-1")
    column = reshaped(given, (prod(given.lengths), 1))
    return reshaped(node("one_hot", column, depth=int(num_classes)), (*given.lengths, int(num_classes)))


@operation()
def zeros_like(x: Any) -> TracedValue:
    """Zeros in the shape of x."""
    return filled(value(x), 0.0)


@operation()
def ones_like(x: Any) -> TracedValue:
    """Ones in the shape of x."""
    return filled(value(x), 1.0)


@operation(numbers=("fill_value",))
def full_like(x: Any, fill_value: float) -> TracedValue:
    """A number in the shape of x."""
    return filled(value(x), float(fill_value))


@operation(numbers=("key",))
def get_item(x: Any, key: Any) -> TracedValue:
    """``x[key]``: whole numbers, slices, ``...`` and None, which adds an axis; the batch's axis is ``:``."""
    given = value(x)
    keys = list(key) if isinstance(key, (tuple, list)) else [key]
    if keys.count(Ellipsis) > 1 or not all(k is None or k is Ellipsis or _is_place(k) for k in keys):
        raise UnsupportedError("an index is whole numbers, slices, ... and None", received=repr(key), remedy="x[:, 0]")
    named = [k for k in keys if k is not None and k is not Ellipsis]
    missing = len(given.lengths) - len(named)
    if missing < 0:
        raise UnsupportedError(
            f"an index has at most a place for each axis of {given.shape}", received=repr(key), remedy="x[:, 0]"
        )
    at = keys.index(Ellipsis) if Ellipsis in keys else len(keys)
    keys = [*keys[:at], *[slice(None)] * missing, *keys[at + 1 :]]
    return _indexed(given, keys, key)


def _is_place(key: Any) -> bool:
    return isinstance(key, slice) or (isinstance(key, (int, np.integer)) and not isinstance(key, bool))


def _indexed(x: TracedValue, keys: Sequence[Any], told: Any) -> TracedValue:
    lengths: list[int] = []
    axis = 0
    for key in keys:
        if key is None:
            lengths.append(1)
            continue
        chosen, whole = range(x.lengths[axis]), key == slice(None)
        if x.per_row and not axis and (not whole or lengths):
            raise UnsupportedError(
                "each row of a batch is answered for itself", received=f"index {told!r}", remedy="x[:, 0]"
            )
        try:
            places = list(chosen[key]) if isinstance(key, slice) else [chosen[int(key)]]
        except IndexError:
            raise UnsupportedError(
                f"an index lies in an axis of length {len(chosen)}", received=str(key), remedy=f"0 to {len(chosen) - 1}"
            ) from None
        if not places:
            raise UnsupportedError(
                "a slice holds something", received=f"index {told!r} of {x.shape}",
                remedy="a slice that begins before it ends",
            )  # fmt: skip
        if not whole:
            neighbours = places == list(range(places[0], places[-1] + 1))
            x = between(x, axis, places[0], places[-1] + 1) if neighbours else taken(x, places, axis)
        lengths += [len(places)] if isinstance(key, slice) else []
        axis += 1
    return reshaped(x, lengths)


def zeros(shape: Any, dtype: Any = None) -> Any:
    """Zeros of a shape that is known: an array of float32, to compute with."""
    return np.zeros(shape, np.float32)


def ones(shape: Any, dtype: Any = None) -> Any:
    """Ones, likewise."""
    return np.ones(shape, np.float32)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """``fill_value``, a number, in a shape likewise."""
    return np.full(shape, fill_value, np.float32)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """Numbers from ``start`` (or 0, where it stands alone) up to below ``stop``, each ``step`` further: an array of
    float32."""
    first, last = (0, start) if stop is None else (start, stop)
    return np.arange(first, last, step).astype(np.float32)


def shape(x: Any) -> tuple[int | None, ...]:
    """The lengths of x, None for the batch's."""
    return x.shape if isinstance(x, Symbolic) else tuple(np.shape(x))


def ndim(x: Any) -> int:
    """How many axes x has, with the batch's."""
    return len(shape(x))


def convert_to_tensor(x: Any, dtype: Any = None) -> Any:
    """x itself, which every function of :mod:`edgeling.ops` takes."""
    return x if dtype is None else cast(x, dtype)
