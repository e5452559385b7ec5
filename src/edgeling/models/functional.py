# SPDX-License-Identifier: Apache-2.0
"""Layers of which each is called on others' outputs, once or several times: the functional API."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Self

from edgeling.configurable import automatic_name, serialize
from edgeling.errors import UnsupportedError
from edgeling.layers.base import InputLayer, Layer
from edgeling.layers.symbolic import Symbolic, SymbolicOutput
from edgeling.models.model import Model
from edgeling.network.network import LayerCall, leading_to


class Functional(Model):
    """What leads from an input to an output; ``Model(inputs, outputs)`` makes one.

    Args:
        inputs: an ``Input``.
        outputs: what layers make of it.
        name: what summaries call it.

    Raises:
        UnsupportedError: several inputs or outputs; an output that does not follow from the input.

    Example:
        >>> x = Input((8,))
        >>> h = Dense(8, activation="relu")(x)
        >>> model = Model(x, Dense(3, activation="softmax")(Add()([x, h])))
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, trainable: bool = True) -> None:
        first, last = _only("inputs", inputs), _only("outputs", outputs)
        if not isinstance(first, InputLayer):
            raise UnsupportedError("inputs is an Input", received=type(first).__name__, remedy="Input((4,))")
        super().__init__(name=name or automatic_name("Functional"))
        self._input = first
        symbols = _in_order(first, last)
        self._layers = _layers(symbols)
        _require_names(self._layers)
        self._wiring = _wiring(first, symbols, self._layers)
        for layer in self._layers:
            for weight in layer.weights:
                weight.path = f"{self.name}/{layer.name}/{weight.name}"
        if not trainable:
            self.trainable = False

    @classmethod
    def wired(cls, given: InputLayer, layers: Sequence[Layer], calls: Sequence[LayerCall], name: str | None) -> Self:
        """The model of these layers, called so; see :class:`edgeling.network.network.LayerCall`."""
        values: list[Any] = [given]
        for call in calls:
            layer, inputs = layers[call.layer], [values[place] for place in call.inputs]
            values.append(layer(inputs if layer.takes_several else inputs[0]))
        return cls(given, values[-1], name=name)

    def of_layers(self, layers: Sequence[Layer]) -> Any:
        assert self._input
        given = InputLayer(shape=self._input.row, name=self._input.name)
        others = [layer for layer in layers if not isinstance(layer, InputLayer)]
        return type(self).wired(given, others, self._wiring, self.name)

    @property
    def calls(self) -> tuple[LayerCall, ...]:
        """What is computed of what, in order."""
        return self._wiring

    def add(self, layer: Layer) -> None:
        """Refused: layers are called."""
        raise UnsupportedError("layers of a functional model are called, not added", remedy="layer(x), then Model()")

    def pop(self, rebuild: bool = True) -> Layer:
        """Refused: layers are called."""
        raise UnsupportedError("a functional model keeps its layers", remedy="Model(inputs, other_outputs)")

    def _rows(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        assert self._input
        return self._input.row, self._layers[self._wiring[-1].layer].output_row or ()

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """``(None, ...)``: the shape of a batch of predictions."""
        if tuple(input_shape)[1:] != self.input_shape[1:]:
            raise UnsupportedError(f"the model's rows have shape {self.input_shape[1:]}", received=str(input_shape))
        return (next(iter(input_shape)), *self._rows()[1])

    def get_config(self) -> dict[str, Any]:
        """Keras's configuration, as its model files hold it."""
        assert self._input
        makers = [self._input.name, *(self._layers[call.layer].name for call in self._wiring)]
        seen: dict[str, int] = defaultdict(int)
        places = [(name, _count(seen, name)) for name in makers]
        called: dict[int, list[Any]] = defaultdict(list)
        for call in self._wiring:
            called[call.layer].append(self._inbound(call, places))
        layers = [{**serialize(self._input), "name": self._input.name, "inbound_nodes": []}]
        layers += [
            {**serialize(layer), "name": layer.name, "inbound_nodes": called[i]} for i, layer in enumerate(self._layers)
        ]
        ends = [[name, node, 0] for name, node in (places[0], places[-1])]
        return {
            "name": self.name,
            "trainable": True,
            "layers": layers,
            "input_layers": ends[0],
            "output_layers": ends[1],
        }

    def _inbound(self, call: LayerCall, places: Sequence[tuple[str, int]]) -> dict[str, Any]:
        """One call of a layer in Keras's form."""
        rows = [self.input_shape, *(self._layers[made.layer].output_shape for made in self._wiring)]
        tensors = [
            {
                "class_name": "__keras_tensor__",
                "config": {
                    "shape": list(rows[place]), "dtype": "float32", "keras_history": [*places[place], 0],
                },
            }
            for place in call.inputs
        ]  # fmt: skip
        return {"args": [tensors] if self._layers[call.layer].takes_several else tensors, "kwargs": {}}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """The inverse of :meth:`get_config`: the same layers with new weights.

        Raises:
            UnsupportedError: a layer, or a setting of one, that is not supported.
        """
        return import_module("edgeling.formats.keras_file").from_config({"class_name": "Functional", "config": config})


def _count(seen: dict[str, int], name: str) -> int:
    """How often a layer was called before."""
    seen[name] += 1
    return seen[name] - 1


def _only(what: str, given: Any) -> Any:
    """The one symbolic value of a list, or by itself.

    Raises:
        UnsupportedError: another number of them, or no symbol.
    """
    values = list(given.values()) if isinstance(given, Mapping) else given
    several = list(values) if isinstance(values, (list, tuple)) else [values]
    if len(several) != 1 or not isinstance(several[0], Symbolic):
        kinds = ", ".join(type(value).__name__ for value in several)
        raise UnsupportedError(
            f"a model has one of {what}, an Input or what layers make of it", received=kinds or "none",
            remedy="Concatenate() several inputs before they are handed over",
        )  # fmt: skip
    return several[0]


def _in_order(first: InputLayer, last: Any) -> list[SymbolicOutput]:
    """What leads to the output, each after what it is made of: depth first, as Keras goes.

    Raises:
        UnsupportedError: it begins with another input.
    """

    def made_of(symbol: Any) -> tuple[Any, ...]:
        if symbol is first:
            return ()
        if not isinstance(symbol, SymbolicOutput):
            raise UnsupportedError(
                "the outputs follow from the inputs", received=f"another input, {symbol.name!r}", remedy="inputs=it"
            )
        return symbol.inputs

    symbols = [symbol for symbol in leading_to(last, made_of) if symbol is not first]
    if not symbols:
        raise UnsupportedError("a model has layers", received="the input as output", remedy="Identity()(x)")
    return symbols


def _layers(symbols: Sequence[SymbolicOutput]) -> list[Layer]:
    """The layers in Keras's order: the furthest from the output first; equals as they are met from the output on."""
    depths: dict[Layer, int] = {}
    for_symbol: dict[int, int] = {}
    for symbol in reversed(symbols):
        depth = max(for_symbol.get(id(symbol), 0), depths.get(symbol.layer, 0))
        depths[symbol.layer] = for_symbol[id(symbol)] = depth
        for given in symbol.inputs:
            for_symbol[id(given)] = max(depth + 1, for_symbol.get(id(given), 0))
    met = {layer: place for place, layer in enumerate(_met(symbols[-1]))}
    return sorted(depths, key=lambda layer: (-depths[layer], met[layer]))


def _met(last: SymbolicOutput) -> list[Layer]:
    """Each layer as it is met on the way from the output, depth first."""
    found: dict[Layer, None] = {}
    seen, waiting = set(), [last]
    while waiting:
        symbol = waiting.pop()
        if id(symbol) in seen or not isinstance(symbol, SymbolicOutput):
            continue
        seen.add(id(symbol))
        found.setdefault(symbol.layer)
        waiting += reversed(symbol.inputs)
    return list(found)


def _require_names(layers: Sequence[Layer]) -> None:
    names = [layer.name for layer in layers]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UnsupportedError("layers of a model have different names", received=repr(twice[0]))


def _wiring(first: InputLayer, symbols: Sequence[SymbolicOutput], layers: Sequence[Layer]) -> tuple[LayerCall, ...]:
    places = {id(first): 0, **{id(symbol): place for place, symbol in enumerate(symbols, 1)}}
    position = {layer: place for place, layer in enumerate(layers)}
    return tuple(
        LayerCall(position[symbol.layer], tuple(places[id(given)] for given in symbol.inputs)) for symbol in symbols
    )
