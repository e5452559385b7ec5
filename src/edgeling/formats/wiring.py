# SPDX-License-Identifier: Apache-2.0
"""Which layer of a functional model is called on which outputs, as a file of Keras 2 or 3 says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError
from typing import Any

from edgeling.errors import UnsupportedError
from edgeling.formats.archive import malformed
from edgeling.network.network import LayerCall, leading_to

Node = tuple[str, int]  # a layer's name, and which of its calls


def calls_of(config: Mapping[str, Any], layers: Sequence[Mapping[str, Any]]) -> tuple[LayerCall, ...]:
    """The calls that lead to the output, each after those it reads.

    Args:
        layers: with the input layer, the first; in a call, the others are counted without it.

    Raises:
        UnsupportedError: several inputs or outputs; a layer called in a special way.
        ArtifactError: a call of a layer that is not there, or that reads what is made of it.
    """
    names = [layer["config"].get("name") for layer in layers]
    inputs, outputs = (_ends(config.get(key)) for key in ("input_layers", "output_layers"))
    kinds = [layer.get("class_name") for layer in layers]
    if len(inputs) != 1 or len(outputs) != 1 or kinds.count("InputLayer") != 1 or kinds[0] != "InputLayer":
        raise UnsupportedError(
            "a functional model has one input and one output",
            received=f"the inputs {[n for n, _ in inputs]} and the outputs {[n for n, _ in outputs]}",
            remedy="Concatenate() inputs before they are handed over",
        )
    reads = {
        (name, place): _inputs(call, name)
        for name, layer in zip(names, layers, strict=True)
        for place, call in enumerate(_calls(layer, name))
    }
    order = _order(outputs[0], reads, inputs[0])
    places = {inputs[0]: 0, **{node: place for place, node in enumerate(order, 1)}}
    position = {name: place - 1 for place, name in enumerate(names)}
    unused = set(names[1:]) - {name for name, _ in order}
    if unused:
        raise malformed(f"layers that do not lead to the output: {', '.join(sorted(map(str, unused)))[:200]}")
    return tuple(LayerCall(position[node[0]], tuple(places[read] for read in reads[node])) for node in order)


def _calls(layer: Mapping[str, Any], name: Any) -> Sequence[Any]:
    calls = layer.get("inbound_nodes")
    if not isinstance(calls, (list, tuple)):
        raise malformed(f"a layer {name!r} without calls")
    return calls


def _order(last: Node, reads: Mapping[Node, Sequence[Node]], first: Node) -> list[Node]:
    """The nodes that lead to the last, each after those it reads."""

    def read_by(node: Node) -> Sequence[Node]:
        if node != first and node not in reads:
            raise malformed(f"a call that reads what is not there: {node[0]!r}")
        return () if node == first else reads[node]

    try:
        return [node for node in leading_to(last, read_by) if node != first]
    except CycleError as error:
        raise malformed(f"a call that reads itself: {error.args[0][0]!r}") from None


def _ends(ends: Any) -> list[Node]:
    """``["dense", 0, 0]``, ``[["dense", 0, 0]]`` or a mapping of such."""
    if isinstance(ends, Mapping):
        ends = list(ends.values())
    if isinstance(ends, (list, tuple)) and ends and isinstance(ends[0], str):
        ends = [ends]
    return [_node(end) for end in ends or ()]


def _node(history: Any) -> Node:
    """``[layer, call, output]``; layers here have one output."""
    kinds = (str, int, int)
    if not isinstance(history, (list, tuple)) or len(history) < 3 or not all(map(isinstance, history, kinds)):
        raise malformed(f"a place of an output {str(history)[:100]!r}")
    name, call, output = history[:3]
    if output != 0:
        raise UnsupportedError("a layer has one output", received=f"output {output} of {name!r}")
    return name, call


def _inputs(call: Any, name: Any) -> list[Node]:
    """What a call takes; Keras 3's form is a mapping, Keras 2's a list of lists."""
    if not isinstance(call, Mapping):
        if not isinstance(call, (list, tuple)):
            raise malformed(f"a call of {name!r} {str(call)[:100]!r}")
        parts = [call] if call and isinstance(call[0], str) else list(call)
        _refuse_settings([part[3] for part in parts if len(part) > 3], name)
        return [_node(part) for part in parts]
    _refuse_settings([call.get("kwargs") or {}], name)
    return [source for part in call.get("args", ()) for source in _sources(part, name)]


def _sources(argument: Any, name: Any) -> list[Node]:
    """``keras_history`` says of which layer an argument is the output."""
    if isinstance(argument, (list, tuple)):
        return [source for part in argument for source in _sources(part, name)]
    history = argument.get("config", {}).get("keras_history") if isinstance(argument, Mapping) else None
    if history is None:
        raise UnsupportedError(
            f"layer {name!r} is called on layers' outputs alone", received=str(argument)[:100], remedy="leave it out"
        )
    return [_node(history)]


def _refuse_settings(settings: Sequence[Any], name: Any) -> None:
    for given in settings:
        held = given if isinstance(given, Mapping) else {}
        switched_on = [key for key, value in held.items() if value is not None and value is not False]
        if switched_on:
            raise UnsupportedError(
                f"layer {name!r} is called without special settings", received=str(switched_on), remedy="leave them out"
            )
