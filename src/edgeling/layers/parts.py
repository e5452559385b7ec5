# SPDX-License-Identifier: Apache-2.0
"""Layers that are attributes of others, or stand in lists and mappings that are; and where Keras's files keep them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from edgeling.configurable import snake_case

_NONE_OF_IT = frozenset({"_called", "_views", "_inputs"})  # what we keep on layers


def _is_layer(value: Any) -> bool:
    return hasattr(type(value), "parts_in_files")


def _attributes(layer: Any) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in vars(layer).items() if name not in _NONE_OF_IT)


def held_by(layer: Any) -> Iterator[Any]:
    """The layers that are its attributes, or stand in lists or mappings that are, in the order they were given."""
    for _, value in _attributes(layer):
        yield from _layers_among(value)


def _layers_among(value: Any) -> Iterator[Any]:
    if _is_layer(value):
        yield value
    elif isinstance(value, (list, tuple, Mapping)):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _layers_among(part)


def numbered(kinds: Iterable[str]) -> Iterator[str]:
    """What Keras's files call parts that stand in a list: by their kinds, counted from the second of each."""
    seen: Counter[str] = Counter()
    for kind in kinds:
        yield f"{kind}_{seen[kind]}" if seen[kind] else kind
        seen[kind] += 1


def parts_in_files(layer: Any) -> tuple[tuple[str, int], ...]:
    """Groups in which Keras's files keep the weights of a layer of one's own, and how many each holds, in the order of
    the weights; none where all stand in the layer's own.

    Keras goes through attributes by their names, those that begin with an underscore last, a model's ``layers`` among
    them, and writes each layer where it meets it first (``keras/src/saving/saving_lib.py``).
    """
    places: dict[Any, str] = {}
    _visit(layer, "", places, set())
    runs = [(path, len(list(run))) for path, run in groupby(places[weight] for weight in layer.weights)]
    return () if [path for path, _ in runs] in ([], [""]) else tuple(runs)


def _visit(layer: Any, path: str, places: dict[Any, str], visited: set[int]) -> None:
    """Note the place of each weight of a layer."""
    if id(layer) in visited:
        return
    visited.add(id(layer))
    if hasattr(layer, "layers_of_files"):
        _visit_among(layer.layers_of_files, f"{path}/layers".strip("/"), places, visited)
        return
    if not layer.traces_calls:
        held = [place for place, count in layer.parts_in_files or (("", len(layer.weights)),) for _ in range(count)]
        for weight, place in zip(layer.weights, held, strict=True):
            places.setdefault(weight, f"{path}/{place}".strip("/"))
        return
    for weight in layer.own_weights:
        places.setdefault(weight, path)
    found = dict(_attributes(layer))
    if hasattr(layer, "_called_layers"):  # a model
        found["layers"] = layer.layers
    for name in sorted(found, key=lambda name: f"~{name}" if name.startswith("_") else name):
        _visit_among(found[name], f"{path}/{name}".strip("/"), places, visited)


def _visit_among(value: Any, path: str, places: dict[Any, str], visited: set[int]) -> None:
    if _is_layer(value):
        _visit(value, path, places, visited)
    elif isinstance(value, (list, tuple, Mapping)):
        parts = list(value.values()) if isinstance(value, Mapping) else list(value)
        parts = [part for part in parts if _is_layer(part) or isinstance(part, (list, tuple, Mapping))]
        kinds = (snake_case(type(part).__name__) if _is_layer(part) else "container" for part in parts)
        for name, part in zip(numbered(kinds), parts, strict=True):
            _visit_among(part, f"{path}/{name}", places, visited)
