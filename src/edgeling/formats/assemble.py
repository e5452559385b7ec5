# SPDX-License-Identifier: Apache-2.0
"""From a description and a source of weights to a model. Weights are checked before a model of that size is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from edgeling import layers as layer_table
from edgeling.configurable import snake_case
from edgeling.errors import ArtifactError, UnsupportedError
from edgeling.formats.archive import malformed
from edgeling.formats.description import Description
from edgeling.graph.types import Array
from edgeling.layers import InputLayer, Layer
from edgeling.models import Functional, Model, Sequential
from edgeling.network.network import chain

Shape = tuple[int, ...]


class WeightSource(Protocol):
    """Where weights come from: (the layer's key, its name, the expected shapes in Keras's order) -> arrays.

    The key is the layer's place in a ``.keras`` file: its kind, numbered ("dense", "dense_1"...).
    """

    def __call__(self, key: str, name: str, shapes: Sequence[Shape]) -> list[Array]: ...


def assemble(description: Description, weights: WeightSource) -> Model:
    """The model with its weights.

    Raises:
        UnsupportedError: a layer, or a setting of one, that is not supported; no input shape.
        ArtifactError: weights of another number or shape, or not finite.
    """
    layers = [layer_table.get(x) for x in description.layers]
    first = _input_row(description, layers)
    shapes = _weight_shapes(description, layers, first)
    found: list[list[Array]] = []
    for (key, layer), expected in zip(keyed(layers), shapes, strict=True):
        found.append([finite(x, layer.name) for x in weights(key, layer.name, expected)])
        require_shapes([x.shape for x in found[-1]], expected, layer.name)
    model = connected(description, layers, InputLayer(shape=first, name=description.input_name))
    for layer, arrays in zip(layers, found, strict=True):
        layer.restore(arrays)
    return model


def connected(description: Description, layers: Sequence[Layer], given: InputLayer) -> Model:
    """The layers as a model, with new weights."""
    if description.calls:
        return Functional.wired(given, layers, description.calls, description.name)
    return Sequential([given, *layers], name=description.name)


def _weight_shapes(description: Description, layers: Sequence[Layer], first: Shape) -> list[list[Shape]]:
    """Of each layer the shapes of its weights, before any is made."""
    rows, found = [first], {}
    for call in description.calls or chain(len(layers)):
        layer, inputs = layers[call.layer], [rows[place] for place in call.inputs]
        rows.append(layer.output_shape_of_all(inputs))
        found[call.layer] = layer.weight_shapes(inputs[0])
    return [found[place] for place in range(len(layers))]


def keyed(layers: Iterable[Layer]) -> Iterator[tuple[str, Layer]]:
    """Each layer with its place in a ``.keras`` file."""
    seen: Counter[str] = Counter()
    for layer in layers:
        kind = snake_case(type(layer).__name__)
        yield (f"{kind}_{seen[kind]}" if seen[kind] else kind), layer
        seen[kind] += 1


def require_shapes(received: Sequence[Shape], expected: Sequence[Shape], layer: str) -> None:
    """Raise unless the shapes are those a layer needs.

    Raises:
        ArtifactError: they are not.
    """
    if list(received) != list(expected):
        raise ArtifactError(
            f"the weights of layer {layer!r} have the shapes {list(expected)}",
            received=str(list(received)),
            remedy="save the model again with Keras",
        )


def finite(values: Any, layer: str) -> Array:
    """The values as float32.

    Raises:
        ArtifactError: one is NaN or infinite.
    """
    with np.errstate(over="ignore"):
        result = np.array(values, dtype=np.float32)
    if not np.isfinite(result).all():
        count = int(result.size - np.isfinite(result).sum())
        raise malformed(f"{count} weights of layer {layer!r} that are NaN or infinite", "train again: it diverged")
    return result


def _input_row(description: Description, layers: Sequence[Layer]) -> Shape:
    """The shape of one row.

    Raises:
        UnsupportedError: not known, or not whole positive lengths.
    """
    declared = layers[0].declared if layers else None
    if description.input_shape is None and declared is None:
        raise UnsupportedError(
            "a model file states the shape of the input",
            received="a model that was never built",
            remedy="begin the model with Input(shape=(4,)), or fit it before saving",
        )
    shape = description.input_shape or (None, *(declared or ()))
    return InputLayer(batch_shape=shape).declared or ()
