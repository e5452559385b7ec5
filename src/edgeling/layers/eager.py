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


class MaskedRows(np.ndarray):
    """What a layer made of arrays, and which of its steps count; what is computed of it has no mask, as in Keras."""

    _keras_mask: Array | None = None

    def __array_finalize__(self, given: Any) -> None:
        self._keras_mask = None


def batch_of(x: Any) -> Array:
    """Numbers as float32 [rows, ...], with the mask that a layer noted on them.

    Raises:
        DataError: no numbers.
    """
    return _noted(numbers(x, "x", finite=False), getattr(x, "_keras_mask", None))


def axes_of_masks(batches: Sequence[Array]) -> list[int]:
    """Of each how many axes the mask has that is noted on it, without the rows'; 0 where there is none."""
    masks: list[Any] = [getattr(batch, "_keras_mask", None) for batch in batches]
    return [0 if mask is None else mask.ndim - 1 for mask in masks]


def _noted(rows: Array, mask: Any) -> Array:
    if mask is None:
        return rows
    masked = rows.view(MaskedRows)
    masked._keras_mask = np.asarray(mask) > 0
    return masked


def _inputs(tracer: Tracer, batches: Sequence[Array]) -> tuple[list[str], dict[str, Array]]:
    """Inputs of the graph for arrays and the masks noted on them, and what is given for each."""
    values = [tracer.builder.input(f"x_{i}", batch.shape) for i, batch in enumerate(batches)]
    given = dict(zip(values, map(np.asarray, batches), strict=True))
    for value, batch in zip(values, batches, strict=True):
        mask = getattr(batch, "_keras_mask", None)
        if mask is not None:
            name = tracer.builder.input(f"mask_{value}", mask.shape)
            given[name] = np.asarray(mask, np.float32)
            tracer.masked(value, name)
    return values, given


def mask_made(layer: Any, inputs: Any, masks: Any) -> Any:
    """Which steps of what a layer makes of arrays count, [rows, steps] truths; None where all do."""
    given = [batch_of(x) for x in leaves_of(inputs)]
    told = [*leaves_of(masks)] if isinstance(masks, (list, tuple)) else [masks] + [None] * (len(given) - 1)
    if len(told) < len(given):
        told += [None] * (len(given) - len(told))
    given = [_noted(np.asarray(x), mask) for x, mask in zip(given, told, strict=False)]
    layer.output_rows_of([x.shape[1:] for x in given])
    layer._prepare([x.shape for x in given])
    builder = GraphBuilder("mask")
    tracer = Tracer(builder, {w: f"weight_{i}" for i, w in enumerate(layer.weights)})
    values, arrays = _inputs(tracer, given)
    found = tracer.mask_of(tracer.through(layer, values)[0])
    if not found:
        return None
    graph = builder.build([builder.add("compare", found, tracer.number(0.0))])
    return run(graph, arrays).outputs[0] > 0


def call(
    trace: Callable[..., Sequence[str]], names: Mapping[Weight, str], x: Sequence[Array], training: bool, step: int
) -> Any:
    """The output of a layer, or of a network, for a batch, with its mask if it has one; a list of several.

    Args:
        trace: appends its operations to a graph: of a tracer and of the values it is called on.
        names: a name for every weight.
        x: what it is called on, float32 [rows, ...] each.
        training: dropout drops, and statistics are the batch's own and move.
        step: the number of the call, by which dropout draws.
    """
    builder = GraphBuilder("call")
    tracer = Tracer(builder, names, training=training, keeping=True)
    values, given = _inputs(tracer, x)
    made = list(trace(tracer, *values))
    masks = [tracer.mask_of(name) for name in made]
    added = tracer.added_by_layers()
    graph = builder.build([*made, *(scalar for _, scalar in added), *dict.fromkeys(filter(None, masks))])
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
    found = done.outputs[len(made) :]
    _tell(added, found[: len(added)])
    counting = dict(zip(dict.fromkeys(filter(None, masks)), found[len(added) :], strict=True))
    outputs = [_noted(y, counting.get(mask)) for y, mask in zip(done.outputs, masks, strict=False)]
    return outputs[0] if len(outputs) == 1 else outputs


def _tell(added: Sequence[tuple[Any, str]], values: Sequence[Array]) -> None:
    """Have layers know what they added to the loss."""
    found: dict[Any, list[float]] = {}
    for (owner, _), value in zip(added, values, strict=True):
        found.setdefault(owner, []).append(float(value))
    for owner, each in found.items():
        owner._added = each
