# SPDX-License-Identifier: Apache-2.0
"""Layers called with an array, ``Dense(3)(x)`` and ``model(x, training=True)``: interpreted with NumPy, batch by batch.

Slow and plain: for looking at what a layer does. ``predict`` and ``fit`` are compiled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder, run
from edgeling.graph.types import Array
from edgeling.network.tracing import Traceable, Tracer
from edgeling.network.weights import Weight
from edgeling.utils import next_seed


def refuse_symbols(x: Any) -> None:
    """Raise if a layer is called on another layer's output instead of an array.

    Raises:
        UnsupportedError: it is; there is no functional API.
    """
    if type(x).__name__ in ("InputLayer", "KerasTensor") or isinstance(x, (dict, str)):
        raise UnsupportedError(
            "layers are called with one array, or chained in a Sequential model", received=type(x).__name__,
            remedy="Sequential([Input((4,)), Dense(8), Dense(1)])",
        )  # fmt: skip


def call(layers: Sequence[Traceable], names: Mapping[Weight, str], x: Array, training: bool, step: int) -> Array:
    """The output of layers for a batch.

    Args:
        names: a name for every weight.
        x: float32 [rows, ...].
        training: dropout drops, and statistics are the batch's own and move.
        step: the number of the call, by which dropout draws.
    """
    builder = GraphBuilder("call")
    value = builder.input("x", x.shape)
    graph = builder.build([Tracer(builder, names, training=training).run(layers, value)])
    given: dict[str, Array] = {"x": x, "seed": np.asarray(next_seed() if "seed" in graph.inputs else 0)}
    steps = {"step": np.uint32(step)} if "step" in graph.variables else {}
    done = run(graph, given, steps)
    moved = {name for name, _ in graph.updates}
    for weight, name in names.items():
        if name in moved:
            weight.value = done.variables[name]
    return done.outputs[0]
