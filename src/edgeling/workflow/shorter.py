# SPDX-License-Identifier: Apache-2.0
"""Programs for sequences of several lengths: built for so many steps, told with each call how many are there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeling.errors import EdgelingError, UnsupportedError
from edgeling.graph import Graph, run_rows
from edgeling.graph.types import Array
from edgeling.models import Model
from edgeling.models.views import for_lengths
from edgeling.network.network import inference_graph
from edgeling.workflow.deploy import FLOAT32_TOLERANCE
from edgeling.workflow.ports import normal_rows

_ROWS = 4  # that are tried of each length


def shorter_graph(model: Model, steps: int | Sequence[int]) -> Graph:
    """The graph of a model for so many steps at most: its inputs are the model's, and ``steps``, how many there are.

    Steps that are not there are masked from the first layer on. That is right where all layers that look at several
    steps heed masks; whether it is is tried: answers to shorter sequences are compared with those of the model made
    for that length.

    Raises:
        UnsupportedError: a model without such sequences, or whose answers would be others.
    """
    open_rows = [row for row in model.input_rows if None in row]
    if not open_rows or any(row[0] is not None or None in row[1:] for row in open_rows):
        raise UnsupportedError(
            "a program for shorter sequences is of a model whose number of steps alone is not known",
            received=f"rows of shape {', '.join(map(str, model.input_rows))}", remedy="Input((None, features))",
        )  # fmt: skip
    known = for_lengths(model, steps)
    inputs = known._as_network(readable=True).inputs
    names = [name for name, row in zip(inputs, model.input_rows, strict=True) if None in row]
    ports = {"steps" if len(names) == 1 else f"{name}_steps": inputs[name][0] for name in names}
    told = f"Answers sequences of up to {', '.join(map(str, ports.values()))} steps; {', '.join(ports)}: how many."
    graph = inference_graph(known, metadata={"steps": ports, "description": told}, shorter=names)
    for length in sorted({1, max(min(ports.values()) // 2, 1), max(min(ports.values()) - 1, 1)}):
        _require_same(model, graph, names, length)
    return graph


def _require_same(model: Model, graph: Graph, names: Sequence[str], length: int) -> None:
    rows = dict(zip(graph.inputs, normal_rows(graph, _ROWS), strict=True))
    try:
        exact = inference_graph(for_lengths(model, length))
    except EdgelingError:  # too short for a layer
        return
    cut = {name: rows[name][:, :length] if name in names else rows[name] for name in exact.inputs}
    for name, shape in ((port, rows[port].shape) for port in graph.inputs if port not in exact.inputs):
        rows[name] = np.full(shape, length, np.float32)
    with np.errstate(all="ignore"):
        meant = run_rows(exact, *(cut[name] for name in exact.inputs))
        found = run_rows(graph, *(rows[name] for name in graph.inputs))
    for one, other in zip(meant, found, strict=True):
        _require_close(one, other[tuple(slice(n) for n in one.shape)], length, model.name)


def _require_close(meant: Array, found: Array, length: int, name: str) -> None:
    away = float(np.max(np.abs(meant - found)))
    if not away <= FLOAT32_TOLERANCE * max(1.0, float(np.max(np.abs(meant)))):
        raise UnsupportedError(
            "shorter sequences are answered where every layer over several steps heeds masks",
            received=f"model {name!r}, whose answer to {length} steps would be {away:.2g} away",
            remedy="recurrent layers, attention, GlobalAveragePooling1D, Dense in the place of convolutions and pools; "
            "or a program for each number of steps",
        )  # fmt: skip
