# SPDX-License-Identifier: Apache-2.0
"""Masks in files of functional models. Keras writes what computes them (``NotEqual``, ``Any``, ``LogicalOr``...) as if
they were layers, and hands them over as an argument; here, as in Keras's own code, masks travel with what they mask.

What is left out is only what Keras itself would make again: masks that begin with a ``Masking`` or an embedding, of
what that layer is called on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_OPERATIONS = "keras.src.ops"
_COMBINING = ("Any", "LogicalOr", "Squeeze", "Concatenate", "ExpandDims", "BroadcastTo")
_CONSTANT = ("OnesLike", "ZerosLike")  # of whatever they are called on


def without_masks(layers: Sequence[Any]) -> list[Any]:
    """The layers of a configuration without the masks that go without saying."""
    named = {_name(layer): layer for layer in layers}
    masks = {name for name, layer in named.items() if _is_mask(layer, named, set())}
    kept = [_unmasked(layer, masks) for layer in layers]
    read = {source for layer in kept if _name(layer) not in masks for source in _sources(_nodes(layer))}
    return [layer for layer in kept if _name(layer) not in masks or _name(layer) in read]


def _name(layer: Any) -> Any:
    config = layer.get("config") if isinstance(layer, Mapping) else None
    name = config.get("name") if isinstance(config, Mapping) else None
    return name if isinstance(name, str) else None


def _nodes(layer: Any) -> Sequence[Any]:
    nodes = layer.get("inbound_nodes") if isinstance(layer, Mapping) else None
    return nodes if isinstance(nodes, (list, tuple)) else ()


def _is_mask(layer: Any, named: Mapping[Any, Any], under_way: set[Any]) -> bool:
    """Whether an operation makes a mask that a layer makes anyway."""
    if not isinstance(layer, Mapping) or not str(layer.get("module")).startswith(_OPERATIONS):
        return False
    if layer.get("class_name") == "NotEqual":
        return any(_masks_alike(layer, other) for other in named.values())
    if layer.get("class_name") in _CONSTANT:
        return True
    name, sources = _name(layer), set(_sources(_nodes(layer)))
    if layer.get("class_name") not in _COMBINING or not sources or name in under_way:
        return False
    found = (_is_mask(named.get(source), named, {*under_way, name}) for source in sources)
    return all(found)


def _masks_alike(layer: Mapping[str, Any], other: Any) -> bool:
    """Whether ``NotEqual(x, value)`` is what the other layer, called on x, masks by."""
    if not isinstance(other, Mapping) or other.get("class_name") not in ("Masking", "Embedding"):
        return False
    config = other.get("config") or {}
    is_zero = other["class_name"] == "Embedding"
    value = (0 if config.get("mask_zero") else None) if is_zero else config.get("mask_value")
    calls = [_arguments(node) for node in _nodes(other)]
    return value is not None and any(
        len(given) == 2 and given[1] == value and [given[0]] in calls for given in map(_arguments, _nodes(layer))
    )


def _arguments(node: Any) -> list[Any]:
    """What a call is given: of a tensor the place it comes from."""
    given = node.get("args", ()) if isinstance(node, Mapping) else ()
    return [_history(part) or part for part in given] if isinstance(given, (list, tuple)) else []


def _history(part: Any) -> Any:
    config = part.get("config") if isinstance(part, Mapping) else None
    return config.get("keras_history") if isinstance(config, Mapping) else None


def _sources(part: Any) -> Iterator[Any]:
    """The layers whose outputs are read, anywhere in a call."""
    history = _history(part)
    if isinstance(history, (list, tuple)) and history:
        yield history[0]
    elif isinstance(part, Mapping):
        for value in part.values():
            yield from _sources(value)
    elif isinstance(part, (list, tuple)):
        for value in part:
            yield from _sources(value)


def _unmasked(layer: Any, masks: set[Any]) -> Any:
    """A layer whose calls are not given such masks."""
    nodes = _nodes(layer)
    if not any(isinstance(node, Mapping) and node.get("kwargs") for node in nodes):
        return layer
    return {**layer, "inbound_nodes": [_without(node, masks) for node in nodes]}


def _without(node: Any, masks: set[Any]) -> Any:
    given = node.get("kwargs") if isinstance(node, Mapping) else None
    if not isinstance(given, Mapping):
        return node
    left = {key: value for key, value in given.items() if not (key.endswith("mask") and _only(value, masks))}
    return {**node, "kwargs": left}


def _only(value: Any, masks: set[Any]) -> bool:
    sources = set(_sources(value))
    return bool(sources) and sources <= masks
