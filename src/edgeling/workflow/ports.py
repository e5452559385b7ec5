# SPDX-License-Identifier: Apache-2.0
"""Rows for the inputs of any graph: checked and in order, or made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgeling.errors import DataError
from edgeling.graph import Graph
from edgeling.graph.interpreter import row_shape
from edgeling.graph.types import Array, DType
from edgeling.training.arrays import features

Rows = tuple[Array, ...]  # one array [rows, ...] for each input


def rows_of_ports(graph: Graph, given: Any) -> Rows:
    """One array ``[rows, ...]`` for each input, of its element type.

    Args:
        given: arrays by the inputs' names; a tuple or list of arrays in their order; or one array, where there is one
            input.

    Raises:
        DataError: an input is missing, or one is given that is none; rows of another shape; not as many for each; or
            values that an input's element type does not hold.
    """
    arrays = tuple(_rows_of(graph, name, array) for name, array in _by_name(graph, given).items())
    if len({len(array) for array in arrays}) > 1:
        raise DataError(
            "every input has as many rows as the others",
            received=", ".join(f"{len(a)} of {name}" for name, a in zip(graph.inputs, arrays, strict=True)),
        )
    return arrays


def _by_name(graph: Graph, given: Any) -> dict[str, Any]:
    names = graph.inputs
    if isinstance(given, Mapping):
        if given.keys() != set(names):
            raise DataError(f"the inputs are {', '.join(names)}", received=", ".join(map(str, given)) or "none")
        return {name: given[name] for name in names}
    if len(names) == 1:
        return {names[0]: given}
    if not isinstance(given, Sequence) or len(given) != len(names):
        what = f"{len(given)} arrays" if isinstance(given, Sequence) else type(given).__name__
        raise DataError(
            f"there is an array for each of the inputs {', '.join(names)}",
            received=what,
            remedy="a tuple of arrays in this order, or a mapping by these names",
        )
    return dict(zip(names, given, strict=True))


def _rows_of(graph: Graph, name: str, given: Any) -> Array:
    kind, row = graph.types[name], row_shape(graph, name)
    if kind.dtype is DType.FLOAT32:
        return features(given, row or (1,), finite=False).reshape(-1, *row)
    array = np.asarray(given)
    whole = array.astype(kind.dtype.numpy)
    if array.shape[1:] != row or not array.size or not np.array_equal(whole, array):
        raise DataError(
            f"{name} is {kind.dtype.value} [rows{''.join(f', {n}' for n in row)}]",
            received=f"{array.dtype} of shape {array.shape}",
        )
    return whole


def normal_rows(graph: Graph, count: int) -> Rows:
    """Rows made up: floats from the standard normal distribution, integers from 0 to 9."""
    dice = np.random.Generator(np.random.Philox(0))
    shapes = [(count, *row_shape(graph, name)) for name in graph.inputs]
    return tuple(
        dice.normal(size=shape).astype(np.float32)
        if graph.types[name].dtype is DType.FLOAT32
        else dice.integers(0, 10, shape).astype(graph.types[name].dtype.numpy)
        for name, shape in zip(graph.inputs, shapes, strict=True)
    )
