# SPDX-License-Identifier: Apache-2.0
"""NumPy broadcasting and sums over axes, brought down to the two or three loops that the kernels have."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from edgeling.codegen.site import Setting, Site
from edgeling.errors import UnsupportedError

_LAYOUTS = {(True, True): "FULL", (False, True): "ROW", (True, False): "COLUMN", (False, False): "SCALAR"}


def binary_call(site: Site, function: str, *numbers: str) -> str:
    """``edgeling_FUNCTION(rows, columns, layout of a, layout of b, numbers..., a, b, y);``"""
    return site.call(function, *_layout(site), *numbers)


def broadcast_call(site: Site) -> str:
    """``edgeling_broadcast(rows, columns, layout of x, x, y);``"""
    return site.call(site.stored("broadcast"), *_layout(site))


def sum_call(site: Site, *numbers: str) -> str:
    """``edgeling_sum(outer, summed, inner, numbers..., x, y);``"""
    shape, axes = site.input_types[0].shape, site.attributes["axes"]
    groups = _groups(shape, [axis in axes for axis in range(len(shape))])
    summed = [key for key, _ in groups]
    if summed.count(True) > 1:
        raise UnsupportedError("sum's axes are neighbours", received=f"{axes} of shape {shape}")
    if True not in summed:
        return site.call(site.stored("sum"), site.size(), "1", "1", *numbers)
    at = summed.index(True)
    parts = [axis for _, group in groups[:at] for axis in group], groups[at][1]
    inner = [axis for _, group in groups[at + 1 :] for axis in group]
    sizes = [site.dimensions.product(site.node.inputs[0], p) for p in (*parts, inner)]
    return site.call(site.stored("sum"), *sizes, *numbers)


def is_rows_and_columns(setting: Setting) -> bool:
    """Whether operands lie in the result as in rows of columns."""
    shape = setting.output_types[0].shape
    full = [_full_axes(kind.shape, shape) for kind in setting.input_types]
    return len(_groups(shape, list(zip(*full, strict=True)))) <= 2


def _layout(site: Site) -> tuple[str, ...]:
    """Rows, columns, and how each operand lies in them."""
    shape = site.output_types[0].shape
    full = [_full_axes(kind.shape, shape) for kind in site.input_types]
    groups = _groups(shape, list(zip(*full, strict=True)))
    if len(groups) > 2:
        raise UnsupportedError(
            "operands broadcast as rows and columns",
            received=" and ".join(str(kind) for kind in site.input_types),
            remedy="reshape them, or broadcast one of them first",
        )
    rows, columns = [[], [], *(axes for _, axes in groups)][-2:]
    lengths = [site.dimensions.product(site.node.outputs[0], axes) for axes in (rows, columns)]
    # One group is a single row, and an operand lies in it as it lies in its columns; none is one element.
    keys = [key for key, _ in groups] or [(True,) * len(full)]
    layouts = [f"EDGELING_{_LAYOUTS[pair]}" for pair in zip(keys[0], keys[-1], strict=True)]
    return (*lengths, *layouts)


def _full_axes(shape: Sequence[int], whole: Sequence[int]) -> list[bool]:
    padded = (*[1] * (len(whole) - len(shape)), *shape)
    return [one == other for one, other in zip(padded, whole, strict=True)]


def _groups(shape: Sequence[int], keys: Sequence[Any]) -> list[tuple[Any, list[int]]]:
    """Neighbouring axes with the same key, axes of length one left out."""
    axes = [axis for axis, length in enumerate(shape) if length != 1]
    return [(key, list(group)) for key, group in groupby(axes, key=lambda axis: keys[axis])]
