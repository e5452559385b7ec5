# SPDX-License-Identifier: Apache-2.0
"""Running a graph with NumPy: slow, plain, and the definition of what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from edgeling.graph.meaning import cast, run_nodes
from edgeling.graph.types import Array, Graph


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


def run_rows(graph: Graph, rows: ArrayLike) -> Array:
    """Interpret a graph of one input and one output, both of leading batch 1, on each row of ``rows``."""
    (name,) = graph.inputs
    shaped = np.asarray(rows).reshape(-1, *graph.types[name].shape)
    return np.concatenate([run(graph, [row]).outputs[0] for row in shaped])
