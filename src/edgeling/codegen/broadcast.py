# SPDX-License-Identifier: Apache-2.0
"""NumPy broadcasting and sums over axes, brought down to the two or three loops that the kernels have, and further
loops around them where operands lie otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import prod
from typing import Any

from edgeling.codegen.site import SHARED_ELEMENTS, Setting, Site
from edgeling.errors import UnsupportedError
from edgeling.graph.types import DType

Group = tuple[Any, list[int]]
_COLUMNS_OF_A_PART = 32  # as in sum_parallel.h
_TURN = "edgeling_turn_{}"  # a name that no value of a graph has (names.py)
_LAYOUTS = {(True, True): "FULL", (False, True): "ROW", (True, False): "COLUMN", (False, False): "SCALAR"}


def binary_call(site: Site, function: str, *numbers: str) -> str:
    """``edgeling_FUNCTION(rows, columns, layouts of a and b, numbers..., a, b, y);``, within loops where there are more
    than rows and columns."""
    values = (*site.node.inputs, site.node.outputs[0])
    outer, inner = _split(site)
    if inner and not outer and site.threads > 1 and site.output_types[0].size >= SHARED_ELEMENTS:
        return _shared_binary_call(site, function, inner, numbers)
    offsets = [_offsets(site, value, outer) for value in values]
    pointers = (f"{pointer}{offset}" for pointer, offset in zip((*site.x, *site.y), offsets, strict=True))
    call = f"edgeling_{function}({', '.join((*_layout(site, inner), *numbers, *pointers))});"
    for depth, (_, axes) in reversed([*enumerate(outer)]):
        turn, length = _TURN.format(depth), site.dimensions.product(site.node.outputs[0], axes)
        call = f"for (int {turn} = 0; {turn} < {length}; {turn}++) {{\n    " + call.replace("\n", "\n    ") + "\n}"
    return call


_PART_OF_ROWS = {"FULL": " + first * {columns}", "ROW": "", "COLUMN": " + first", "SCALAR": ""}
_PART_OF_ROW = {"FULL": " + first", "SCALAR": ""}


def _shared_binary_call(site: Site, function: str, groups: Sequence[Group], numbers: Sequence[str]) -> str:
    """The same, rows or elements of one row shared by threads: no bit depends on where an element is computed."""
    rows, columns, *layouts = _layout(site, groups)
    width = prod(site.output_types[0].shape[axis] for axis in groups[-1][1])
    is_row = len(groups) < 2
    places = _PART_OF_ROW if is_row else _PART_OF_ROWS
    offsets = [places[name.removeprefix("EDGELING_")].format(columns=width) for name in (*layouts, "FULL")]
    parts = [f"(float *)arrays[{at}]{offset}" for at, offset in enumerate(offsets)]
    sizes = ("1", "count") if is_row else ("count", str(width))
    task = site.task(f"edgeling_{function}({', '.join((*sizes, *layouts, *numbers, *parts))});")
    arrays = ", ".join(f"(void *){pointer}" for pointer in (*site.x, *site.y))
    lengths = f"{rows}, {columns}" if not is_row else f"{columns}, 1"
    return f"edgeling_by_rows({task}, (void *const[]){{{arrays}}}, {lengths});"


def broadcast_call(site: Site) -> str:
    """``edgeling_broadcast(rows, columns, layout of x, x, y);``"""
    return site.call(site.stored("broadcast"), *_layout(site, _split(site)[1]))


def sum_call(site: Site, *numbers: str) -> str:
    """``edgeling_sum(outer, summed, inner, numbers..., x, y);``"""
    shape, axes = site.input_types[0].shape, site.attributes["axes"]
    groups = _groups(shape, [axis in axes for axis in range(len(shape))])
    summed = [key for key, _ in groups]
    if summed.count(True) > 1:
        raise UnsupportedError(
            "sum's axes are neighbours", received=f"{axes} of shape {shape}",
            remedy=f"axis={tuple(range(axes[0], axes[0] + len(axes)))}, or Permute() before it",
        )  # fmt: skip
    if True not in summed:
        return site.call(site.stored("sum"), site.size(), "1", "1", *numbers)
    at = summed.index(True)
    parts = [axis for _, group in groups[:at] for axis in group], groups[at][1]
    inner = [axis for _, group in groups[at + 1 :] for axis in group]
    sizes = [site.dimensions.product(site.node.inputs[0], p) for p in (*parts, inner)]
    return site.call(site.stored("sum"), *sizes, *numbers)


def is_sum_of_shared_rows(setting: Setting) -> bool:
    """Whether it is a sum over all axes but the last, of so many columns that threads may share them."""
    shape, axes = setting.input_types[0].shape, sorted(setting.node.attributes["axes"])
    if setting.threads < 2 or setting.input_types[0].size < SHARED_ELEMENTS:
        return False
    is_float, over_rows = setting.input_types[0].dtype is DType.FLOAT32, axes == [*range(len(shape) - 1)]
    return is_float and over_rows and shape[-1] > _COLUMNS_OF_A_PART


def shared_sum_call(site: Site) -> str:
    """``edgeling_sum_parallel(rows, columns, x, y);``"""
    return site.call("sum_parallel", site.rows(), site.length(0, -1))


def is_rows_and_columns(setting: Setting) -> bool:
    """Whether operands lie in the result as in rows of columns."""
    return not _split(setting)[0]


def _split(setting: Setting) -> tuple[list[Group], list[Group]]:
    """Groups of neighbouring axes that all operands lie in alike: those that loops go over, and the last two."""
    shape = setting.output_types[0].shape
    full = [_full_axes(kind.shape, shape) for kind in setting.input_types]
    groups = _groups(shape, list(zip(*full, strict=True)))
    return groups[:-2], groups[-2:]


def _offsets(site: Site, value: str, outer: Sequence[Group]) -> str:
    """Where an operand begins in the turn of each loop, as something to add to its pointer."""
    rank = len(site.output_types[0].shape)
    types = dict(zip((*site.node.inputs, *site.node.outputs), (*site.input_types, *site.output_types), strict=True))
    own = len(types[value].shape)
    terms = []
    for depth, (_, axes) in enumerate(outer):
        last = axes[-1] - rank + own
        if last >= 0 and types[value].shape[last] != 1:
            step = site.dimensions.product(value, range(last + 1, own))
            terms.append(_TURN.format(depth) + (f" * {step}" if step != "1" else ""))
    return "".join(f" + {term}" for term in terms)


def _layout(site: Site, groups: Sequence[Group]) -> tuple[str, ...]:
    """Rows, columns, and how each operand lies in them."""
    rows, columns = [[], [], *(axes for _, axes in groups)][-2:]
    lengths = [site.dimensions.product(site.node.outputs[0], axes) for axes in (rows, columns)]
    # One group is a single row, and an operand lies in it as it lies in its columns; none is one element.
    keys = [key for key, _ in groups] or [(True,) * len(site.input_types)]
    layouts = [f"EDGELING_{_LAYOUTS[pair]}" for pair in zip(keys[0], keys[-1], strict=True)]
    return (*lengths, *layouts)


def _full_axes(shape: Sequence[int], whole: Sequence[int]) -> list[bool]:
    padded = (*[1] * (len(whole) - len(shape)), *shape)
    return [one == other for one, other in zip(padded, whole, strict=True)]


def _groups(shape: Sequence[int], keys: Sequence[Any]) -> list[tuple[Any, list[int]]]:
    """Neighbouring axes with the same key, axes of length one left out."""
    axes = [axis for axis, length in enumerate(shape) if length != 1]
    return [(key, list(group)) for key, group in groupby(axes, key=lambda axis: keys[axis])]
