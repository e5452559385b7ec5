# SPDX-License-Identifier: Apache-2.0
"""Rows for the inputs of any graph: checked and in order, made up, or the columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgeling.data import Table
from edgeling.errors import DataError
from edgeling.graph import Graph
from edgeling.graph.interpreter import row_shape
from edgeling.graph.types import Array, DType
from edgeling.network.arrays import numbers

Rows = tuple[Array, ...]  # one array [rows, ...] for each input
MAX_ROW_ELEMENTS = 1 << 24  # of all inputs of a graph that is read, and of all rows that are made up


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
            remedy="slice them to as many rows",
        )
    return arrays


def _by_name(graph: Graph, given: Any) -> dict[str, Any]:
    names = graph.inputs
    if isinstance(given, Mapping):
        if given.keys() != set(names):
            raise DataError(
                f"the inputs are {', '.join(names)}", received=", ".join(map(str, given)) or "none",
                remedy=f"a mapping of {', '.join(map(repr, names))}",
            )  # fmt: skip
        return {name: given[name] for name in names}
    if len(names) == 1:
        return {names[0]: given[0] if isinstance(given, tuple) and len(given) == 1 else given}
    if not isinstance(given, Sequence) or len(given) != len(names):
        what = f"{len(given)} arrays" if isinstance(given, Sequence) else type(given).__name__
        raise DataError(
            f"there is an array for each of the inputs {', '.join(names)}", received=what,
            remedy="a tuple of arrays in this order, or a mapping by these names",
        )  # fmt: skip
    return dict(zip(names, given, strict=True))


def _rows_of(graph: Graph, name: str, given: Any) -> Array:
    row, dtype = row_shape(graph, name), graph.types[name].dtype
    array = numbers(given, name, finite=False) if dtype is DType.FLOAT32 else _whole(name, given, dtype)
    if array.ndim == 1 and row == (1,):
        return array[:, None]
    if array.shape[1:] != row or not array.ndim:
        wanted = f"({row[0]},), {row[0]} features" if len(row) == 1 else str(row)
        raise DataError(
            f"{name} has rows of shape {wanted}", received=f"an array of shape {array.shape}",
            remedy="x[np.newaxis] if it is one row" if array.shape == row else "the columns the network was made for",
        )  # fmt: skip
    return array


def _whole(name: str, given: Any, dtype: DType) -> Array:
    array = np.asarray(given)
    with np.errstate(invalid="ignore"):
        whole = array.astype(dtype.numpy) if array.dtype.kind in "biuf" else np.empty(0, dtype.numpy)
    if not array.size or not np.array_equal(whole, array):
        raise DataError(
            f"{name} is numbers of {dtype.value}", received=f"{array.dtype} of shape {array.shape}",
            remedy=f"x.astype({dtype.value!r})",
        )  # fmt: skip
    return whole


def normal_rows(graph: Graph, count: int) -> Rows:
    """Rows made up: floats from the standard normal distribution, integers from 0 to 9, numbers of steps that there may
    be. Fewer of very long ones."""
    count = max(1, min(count, MAX_ROW_ELEMENTS // max(1, row_elements(graph))))
    dice = np.random.Generator(np.random.Philox(0))
    shapes = [(count, *row_shape(graph, name)) for name in graph.inputs]
    told = graph.metadata.get("steps") or {}
    return tuple(
        dice.integers(1, int(told[name]) + 1, shape).astype(np.float32)
        if isinstance(told, Mapping) and name in told
        else dice.normal(size=shape).astype(np.float32)
        if graph.types[name].dtype is DType.FLOAT32
        else dice.integers(0, 10, shape).astype(graph.types[name].dtype.numpy)
        for name, shape in zip(graph.inputs, shapes, strict=True)
    )


def row_elements(graph: Graph) -> int:
    """How many numbers all inputs hold together."""
    return sum(graph.types[name].size for name in graph.inputs)


def columns_of(graph: Graph, port: str) -> list[str]:
    """What an input's or output's elements are called as columns of a table: ``x``, or ``x_0``, ``x_1``..."""
    size = graph.types[port].size
    named = [str(name) for name in graph.metadata.get("input_names" if port in graph.inputs else "output_names") or ()]
    if len(named) == size and (graph.inputs == (port,) or graph.outputs == (port,)):
        return named
    return [port] if size == 1 else [f"{port}_{i}" for i in range(size)]


def table_rows(table: Table, graph: Graph) -> Rows:
    """A table's rows: the inputs' columns by name (see :func:`columns_of`); or, of a graph with one input whose columns
    are not there by name, every column, in order.

    Raises:
        DataError: text, a column that is missing, or more or fewer columns than the one input takes.
    """
    wanted = {port: columns_of(graph, port) for port in graph.inputs}
    missing = [name for names in wanted.values() for name in names if name not in table.names]
    if missing and len(wanted) > 1:
        raise DataError(
            f"the table has columns {', '.join(name for names in wanted.values() for name in names)}",
            received=f"none named {missing[0]!r}",
            remedy="a column for each input, or port_0, port_1... for the elements of a longer one",
        )
    if missing:
        wanted = {graph.inputs[0]: _all_columns(table, graph)}
    arrays = [_values(table, names) for names in wanted.values()]
    return rows_of_ports(graph, tuple(a.reshape(-1, *row_shape(graph, p)) for p, a in zip(wanted, arrays, strict=True)))


def _all_columns(table: Table, graph: Graph) -> list[str]:
    size, names = graph.types[graph.inputs[0]].size, list(table.names)
    if len(names) != size and all(table.column(name).is_numeric for name in names):
        raise DataError(
            f"a table for this model has {size} columns, its inputs in order",
            received=f"{len(names)}: {', '.join(names[:6])}" + (", ..." if len(names) > 6 else ""),
            remedy="leave other columns, such as the target, out of the table",
        )
    return names


def _values(table: Table, names: Sequence[str]) -> Array:
    columns = [table.column(name) for name in names]
    if text := [column.name for column in columns if not column.is_numeric]:
        raise DataError(
            "a bare model takes columns of numbers", received=f"text in {text[0]!r}",
            remedy="a table of the model's inputs only, prepared as it was trained on them",
        )  # fmt: skip
    return np.stack([column.values for column in columns], axis=1)
