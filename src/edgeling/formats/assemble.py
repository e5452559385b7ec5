# SPDX-License-Identifier: Apache-2.0
"""From a description and a source of weights to a model. Weights are checked before a model of that size is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from edgeling import layers as layer_table
from edgeling.configurable import snake_case
from edgeling.errors import ArtifactError, UnsupportedError
from edgeling.formats.archive import malformed
from edgeling.formats.description import Description
from edgeling.formats.wiring import special
from edgeling.graph.types import Array
from edgeling.layers import InputLayer, Layer
from edgeling.layers.lengths import EXAMPLES, filled
from edgeling.layers.parts import numbered
from edgeling.layers.symbolic import ArgumentPlace, leaves_of
from edgeling.models import Functional, Model, Sequential
from edgeling.models.describing import OPERATIONS
from edgeling.network.network import LayerCall, chain
from edgeling.ops.operation import TensorOperation

Shape = tuple[int, ...]
Parts = tuple[tuple[str, int], ...]


class WeightSource(Protocol):
    """Where weights come from: (the layer's key, its names, the expected shapes in Keras's order, their parts in files,
    see :attr:`edgeling.layers.Layer.parts_in_files`) -> arrays.

    The key is the layer's place in a ``.keras`` file: its kind, numbered ("layers/dense", "layers/dense_1"...), of a
    model within behind that model's. The names are those of the models that it is within, and its own.
    """

    def __call__(self, key: str, names: Sequence[str], shapes: Sequence[Shape], parts: Parts) -> list[Array]: ...


@dataclass
class Plan:
    """A model that is not made yet: its layers are, but no weights.

    Attributes:
        layers: those of a model within are a plan.
        rows: of each input the shape of one row.
        shapes: of each layer the shapes of its weights.
    """

    description: Description
    layers: list[Layer | Plan]
    rows: list[Shape] = field(default_factory=list)
    shapes: dict[int, list[Shape]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model's."""
        return self.description.name

    @property
    def layers_of_files(self) -> list[Layer | Plan]:
        """Without operations, which have no weights."""
        return [layer for layer in self.layers if isinstance(layer, Plan) or not layer.is_operation]

    @property
    def kind(self) -> str:
        """The class's name in keys."""
        return snake_case(self.description.kind)

    @classmethod
    def of(cls, description: Description) -> Plan:
        """The layers of a description.

        Raises:
            UnsupportedError: a layer, or a setting of one, that is not supported.
        """
        return cls(description, [cls.of(x) if isinstance(x, Description) else layer_of(x) for x in description.layers])

    def measure(self, rows: Sequence[Shape]) -> list[Shape]:
        """Know the shapes of all weights, of rows of these shapes; give those of the outputs."""
        self.rows = list(rows)
        values, wiring = list(rows), self.description.wiring
        calls = wiring.calls if wiring else chain(len(self.layers))
        for call in calls:
            layer, given = self.layers[call.layer], [values[place] for place in call.inputs]
            if isinstance(layer, Plan):
                made: Sequence[Shape] = layer.measure(given)
            else:
                made = layer.output_rows_of_all(given, _arguments(layer, call))
                self.shapes[call.layer] = layer.weight_shapes(filled(given[0], EXAMPLES[0][0]))
            if len(made) < call.outputs:
                raise malformed(f"output {call.outputs - 1} of {layer.name!r}")
            values += made[: call.outputs]
        return [values[end] for end in wiring.ends] if wiring else values[-1:]

    def innermost(self) -> Iterator[tuple[Layer, list[Shape]]]:
        """Each layer and the shapes of its weights, in the order of keys."""
        for place, layer in enumerate(self.layers):
            if isinstance(layer, Plan):
                yield from layer.innermost()
            elif hasattr(layer, "layers_of_files"):  # a functional model of a class of one's own
                yield from ((part, [weight.shape for weight in part.weights]) for _, _, part in keyed(layer))
            elif not layer.is_operation:
                yield layer, self.shapes[place]

    def model(self) -> Model:
        """The model, with new weights."""
        layers = [layer.model() if isinstance(layer, Plan) else layer for layer in self.layers]
        names = [name for name, _ in self.description.inputs]
        given = [InputLayer(shape=row, name=name) for row, name in zip(self.rows, names, strict=True)]
        wiring, trainable = self.description.wiring, self.description.trainable
        if wiring is None:
            return Sequential([*given, *layers], trainable, self.name)
        calls = [replace(call, arguments=_arguments(layers[call.layer], call)) for call in wiring.calls]
        return Functional.wired(given, layers, calls, wiring.ends, wiring.forms, self.name, trainable)


def layer_of(description: Mapping[str, Any]) -> Layer:
    """A layer, or an operation, from its description."""
    module = str(description.get("module"))
    if module.startswith(OPERATIONS):
        return TensorOperation.of_file(module, str(description["class_name"]), description["config"])
    return layer_table.get(description)


def _arguments(layer: Layer, call: LayerCall) -> Any:
    """How a call's values stand among its arguments; None where a layer is called on them alone.

    Raises:
        UnsupportedError: it is told what the layer does not take.
    """
    if call.arguments is None or layer.is_operation:
        return call.arguments
    places, told = call.arguments
    named = {key: value for key, value in told.items() if (key, value) not in layer.told_anyway.items()}
    if layer.traces_calls:  # a function of one's own takes what it takes
        return None if len(places) == 1 and not named and isinstance(places[0], ArgumentPlace) else call.arguments
    if len(places) == 1 and not named and all(isinstance(x, ArgumentPlace) for x in leaves_of(places)):
        return None
    if not set(named) <= set(layer.takes_arguments) or not layer.takes_arguments:
        raise special(layer.name, str(list(named) or places)[:100])
    return call.arguments


def assemble(description: Description, weights: WeightSource) -> Model:
    """The model with its weights.

    Raises:
        UnsupportedError: a layer, or a setting of one, that is not supported; no input shape.
        ArtifactError: weights of another number or shape, or not finite.
    """
    plan = planned(description)
    found: list[list[Array]] = []
    for (key, names, layer), (_, expected) in zip(keyed(plan), plan.innermost(), strict=True):
        found.append([finite(x, layer.name) for x in weights(key, names, expected, layer.parts_in_files)])
        require_shapes([x.shape for x in found[-1]], expected, layer.name)
    model = plan.model()
    for (layer, _), arrays in zip(plan.innermost(), found, strict=True):
        layer._restore(arrays)
    return model


def planned(description: Description) -> Plan:
    """The model's layers, and the shapes of its weights.

    Raises:
        UnsupportedError: a layer, or a setting of one, that is not supported; no input shape.
    """
    plan = Plan.of(description)
    plan.measure(_input_rows(description, plan))
    return plan


def keyed(model: Any, prefix: str = "", names: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...], Layer]]:
    """Each layer of a model with its place in a ``.keras`` file, and the names that lead to it."""
    if not hasattr(model, "layers_of_files"):  # a model that is one layer of one's own
        yield "", (*names, model.name), model
        return
    held = model.layers_of_files
    kinds = (layer.kind if isinstance(layer, Plan) else snake_case(type(layer).__name__) for layer in held)
    for layer, place in zip(held, numbered(kinds), strict=True):
        key = f"{prefix}layers/{place}"
        if hasattr(layer, "layers_of_files"):
            yield from keyed(layer, f"{key}/", (*names, layer.name))
        else:
            yield key, (*names, layer.name), layer


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


def _input_rows(description: Description, plan: Plan) -> list[Shape]:
    """Of each input the shape of one row.

    Raises:
        UnsupportedError: not known, or not whole positive lengths.
    """
    return [_row(shape, plan) for _, shape in description.inputs]


def _row(shape: tuple[int | None, ...] | None, plan: Plan) -> Shape:
    first = plan.layers[0] if plan.layers else None
    if shape is None and isinstance(first, Plan):
        return _row(first.description.inputs[0][1], first)
    declared = None if first is None or isinstance(first, Plan) else first.declared
    if shape is None and declared is None:
        raise UnsupportedError(
            "a model file states the shape of the input",
            received="a model that was never built",
            remedy="begin the model with Input(shape=(4,)), or fit it before saving",
        )
    return InputLayer(batch_shape=shape or (None, *(declared or ()))).declared or ()
