# SPDX-License-Identifier: Apache-2.0
"""Layers called with an array, ``Dense(3)(x)`` and ``model(x, training=True)``: interpreted with NumPy, batch by batch.

Slow and plain: for looking at what a layer does. ``predict`` and ``fit`` are compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder, run
from edgeling.graph.types import Array
from edgeling.layers.symbolic import Symbolic, leaves_of
from edgeling.network.arrays import numbers
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight
from edgeling.utils import next_seed


def refuse_symbols(x: Any) -> None:
    """Raise if a layer is called on what is neither an array nor symbolic.

    Raises:
        UnsupportedError: it is.
    """
    if type(x).__name__ == "KerasTensor" or isinstance(x, (dict, str, Symbolic)):
        raise UnsupportedError(
            "layers are called with one array or on edgeling.Input, models with one array", received=type(x).__name__,
            remedy="Sequential([Input((4,)), Dense(8), Dense(1)])",
        )  # fmt: skip


def mask_made(layer: Any, inputs: Any, masks: Any) -> Any:
    """Which steps of what a layer makes of arrays count, [rows, steps] truths; None where all do."""
    given = [numbers(x, "x", finite=False) for x in leaves_of(inputs)]
    told = [*leaves_of(masks)] if isinstance(masks, (list, tuple)) else [masks] + [None] * (len(given) - 1)
    if len(told) < len(given):
        told += [None] * (len(given) - len(told))
    layer.output_rows_of([x.shape[1:] for x in given])
    layer.prepare([x.shape for x in given])
    builder = GraphBuilder("mask")
    values = [builder.input(f"x_{i}", x.shape) for i, x in enumerate(given)]
    tracer = Tracer(builder, {w: f"weight_{i}" for i, w in enumerate(layer.weights)})
    arrays: dict[str, Array] = dict(zip(values, given, strict=True))
    for value, mask in zip(values, told, strict=False):
        if mask is not None:
            name = builder.input(f"mask_{value}", np.shape(mask))
            arrays[name] = np.asarray(mask, np.float32)
            tracer.masked(value, name)
    found = tracer.mask_of(tracer.through(layer, values)[0])
    if not found:
        return None
    graph = builder.build([builder.add("compare", found, tracer.number(0.0))])
    return run(graph, arrays).outputs[0] > 0


def call(
    trace: Callable[..., Sequence[str]], names: Mapping[Weight, str], x: Sequence[Array], training: bool, step: int
) -> Any:
    """The output of a layer, or of a network, for a batch; a list of several.

    Args:
        trace: appends its operations to a graph: of a tracer and of the values it is called on.
        names: a name for every weight.
        x: what it is called on, float32 [rows, ...] each.
        training: dropout drops, and statistics are the batch's own and move.
        step: the number of the call, by which dropout draws.
    """
    builder = GraphBuilder("call")
    values = [builder.input(f"x_{i}", array.shape) for i, array in enumerate(x)]
    tracer = Tracer(builder, names, training=training, keeping=True)
    made = list(trace(tracer, *values))
    added = tracer.added_by_layers()
    graph = builder.build([*made, *(scalar for _, scalar in added)])
    given: dict[str, Array] = dict(zip(values, x, strict=True))
    given["seed"] = np.asarray(next_seed() if "seed" in graph.inputs else 0)
    held: dict[str, Any] = {"step": np.uint32(step)} if "step" in graph.variables else {}
    for name, (owner, place) in tracer.kept.items():
        held[name] = owner.state_of(place, graph.types[name].shape)
    done = run(graph, given, held)
    for name, (owner, place) in tracer.kept.items():
        owner.states[place] = done.variables[name]
    moved = {name for name, _ in graph.updates}
    for weight, name in names.items():
        if name in moved:
            weight.value = done.variables[name]
    _tell(added, done.outputs[len(made) :])
    return done.outputs[0] if len(made) == 1 else list(done.outputs[: len(made)])


def _tell(added: Sequence[tuple[Any, str]], values: Sequence[Array]) -> None:
    """Have layers know what they added to the loss."""
    found: dict[Any, list[float]] = {}
    for (owner, _), value in zip(added, values, strict=True):
        found.setdefault(owner, []).append(float(value))
    for owner, each in found.items():
        owner.added = each
