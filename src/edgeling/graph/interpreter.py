# SPDX-License-Identifier: Apache-2.0
"""Running a graph with NumPy: slow, plain, and the definition of what it means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from edgeling.errors import UnsupportedError
from edgeling.graph.batch import with_batch
from edgeling.graph.meaning import cast, run_nodes
from edgeling.graph.types import Array, Graph

_CHUNK_ROWS = 1024  # interpreted at once; bounds the memory of intermediate values


@dataclass(frozen=True)
class Run:
    """``outputs`` in the graph's order; ``variables`` after the updates; ``values``: every value by name."""

    outputs: tuple[Array, ...]
    variables: dict[str, Array]
    values: dict[str, Array]


def run(
    graph: Graph,
    inputs: Sequence[ArrayLike] | Mapping[str, ArrayLike],
    variables: Mapping[str, ArrayLike] | None = None,
    float64: bool = False,
) -> Run:
    """Interpret a graph once.

    Args:
        inputs: one array for each input of the graph, in order or by name.
        variables: contents to start from instead of the graph's initial ones.
        float64: compute every float32 value in double precision (for finite differences).

    Raises:
        GraphError: inputs of the wrong number or shape.
    """
    given = inputs if isinstance(inputs, Mapping) else dict(zip(graph.inputs, inputs, strict=True))
    values = {name: cast(graph, name, given[name], float64) for name in graph.inputs}
    held = {**graph.variables, **(variables or {})}
    for name, array in (*graph.constants.items(), *held.items()):
        values[name] = cast(graph, name, array, float64)
    run_nodes(graph, values, float64)
    updates = dict(graph.updates)
    after = {name: values[updates.get(name, name)] for name in graph.variables}
    return Run(tuple(values[o] for o in graph.outputs), after, values)


def run_rows(graph: Graph, *inputs: ArrayLike) -> tuple[Array, ...]:
    """Interpret a graph on every row.

    Args:
        inputs: for each input of the graph, ``[rows, ...]`` of its size a row.

    Returns:
        Of each output, the answers of all rows, ``[rows, ...]``; a first axis of length one gives way to the rows. A
        graph without inputs is run once.
        Where the graph keeps state, its variables live on from row to row; else many rows are computed at once.
    """
    arrays = [np.asarray(x).reshape(-1, *row_shape(graph, n)) for n, x in zip(graph.inputs, inputs, strict=True)]
    rows = len(arrays[0]) if arrays else 1
    chunks = [[x[at : at + _CHUNK_ROWS] for x in arrays] for at in range(0, rows, _CHUNK_ROWS)] or [arrays]
    try:
        answers = [run(with_batch(graph, len(chunk[0]) if chunk else rows), chunk).outputs for chunk in chunks]
    except UnsupportedError:
        answers = list(_one_by_one(graph, arrays))
    if not answers:
        return tuple(np.empty((0, *row_shape(graph, o)), graph.types[o].dtype.numpy) for o in graph.outputs)
    return tuple(np.concatenate(parts) for parts in zip(*answers, strict=True))


def row_shape(graph: Graph, port: str) -> tuple[int, ...]:
    """The shape of one row of an input or output: its own, without a first axis of length one."""
    shape = graph.types[port].shape
    return shape[1:] if shape[:1] == (1,) else shape


def _one_by_one(graph: Graph, arrays: Sequence[Array]) -> Iterator[tuple[Array, ...]]:
    held: Mapping[str, ArrayLike] = graph.variables
    for row in range(len(arrays[0]) if arrays else 1):
        given = {name: x[row].reshape(graph.types[name].shape) for name, x in zip(graph.inputs, arrays, strict=True)}
        result = run(graph, given, held)
        held = result.variables
        yield tuple(y.reshape(1, *row_shape(graph, o)) for o, y in zip(graph.outputs, result.outputs, strict=True))
