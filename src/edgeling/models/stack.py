# SPDX-License-Identifier: Apache-2.0
"""Layers in a chain, and their weights: the part of a model that knows nothing of training."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from edgeling import layers as layer_table
from edgeling.configurable import automatic_name, serialize, snake_case
from edgeling.errors import UnsupportedError
from edgeling.graph.naming import unused
from edgeling.graph.types import Array
from edgeling.layers.base import InputLayer, Layer
from edgeling.models.display import print_summary, shown_layers
from edgeling.network.network import LayerCall, Network
from edgeling.network.weights import Weight, assign


class Stack:
    """A chain of layers; see :class:`edgeling.models.Sequential`."""

    def __init__(self, layers: Iterable[Layer] | None = None, trainable: bool = True, name: str | None = None) -> None:
        self.name = name or automatic_name("Sequential")
        self._input: InputLayer | None = None
        self._layers: list[Layer] = []
        self._forget()
        for layer in layers or ():
            self.add(layer)
        if not trainable:
            self.trainable = False

    def add(self, layer: Layer) -> None:
        """Append a layer.

        Raises:
            UnsupportedError: not one of this package's layers, or an input that is not the first.
        """
        if not isinstance(layer, Layer):
            raise UnsupportedError(
                "a model is made of edgeling.layers", received=type(layer).__name__, remedy="import it from edgeling"
            )
        if layer.takes_several:
            raise UnsupportedError(
                "layers in a chain take one input", received=f"{type(layer).__name__} {layer.name!r}",
                remedy="Model(inputs, outputs), where it is called on several",
            )  # fmt: skip
        if any(layer.name == other.name for other in self._layers):
            raise UnsupportedError("layers of a model have different names", received=repr(layer.name))
        if isinstance(layer, InputLayer):
            self._set_input(layer)
        else:
            if not self._layers and self._input is None and layer.declared:
                self._set_input(InputLayer(shape=layer.declared))
            self._layers.append(layer)
        self._forget()
        if self._input:
            self._build()

    def of_layers(self, layers: Sequence[Layer]) -> Any:
        """A model of other layers in the place of these, with the input or without."""
        return type(self)(layers, name=self.name)

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the last layer off."""
        if not self._layers:
            raise UnsupportedError("only a model with layers gives one back", received="none")
        self._forget()
        return self._layers.pop()

    def _set_input(self, layer: InputLayer) -> None:
        if self._layers or self._input:
            raise UnsupportedError("an input is the first layer, and the only one", received=layer.name)
        self._input = layer

    def _forget(self) -> None:
        """Drop what was derived from the layers."""
        self._network: Network | None = None

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the weights for rows of that shape, given with the batch: ``(None, features)``.

        Raises:
            UnsupportedError: the model has an input of another shape.
        """
        given = InputLayer(batch_shape=tuple(input_shape))
        if self._input is not None and self._input.declared != given.declared:
            raise UnsupportedError(
                f"the model's rows have shape {self._input.declared}", received=str(tuple(input_shape)),
                remedy="a model without Input()",
            )  # fmt: skip
        self._input = self._input or given
        self._build()

    def _build(self) -> None:
        assert self._input
        shape: tuple[int | None, ...] = (None, *(self._input.declared or ()))
        self._input.build(shape)
        for layer in self._layers:
            layer.build(shape)
            shape = layer.output_shape
            for weight in layer.weights:
                weight.path = f"{self.name}/{layer.name}/{weight.name}"

    @property
    def built(self) -> bool:
        """Whether the weights are made."""
        return bool(self._layers) and all(layer.built for layer in self._layers)

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        return list(self._layers)

    @property
    def calls(self) -> tuple[LayerCall, ...]:
        """What is computed of what, in order; none of a chain."""
        return ()

    @property
    def chain(self) -> list[Layer]:
        """The layers, with the input if there is one."""
        return [*([self._input] if self._input else []), *self._layers]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or position.

        Raises:
            UnsupportedError: there is none.
        """
        if index is not None and -len(self._layers) <= index < len(self._layers):
            return self._layers[index]
        for layer in self._layers:
            if layer.name == name:
                return layer
        raise UnsupportedError(f"a layer is one of {[x.name for x in self._layers]}", received=str(name or index))

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """``(None, ...)``: the shape of a batch of rows.

        Raises:
            UnsupportedError: the model is not built.
        """
        return (None, *self._rows()[0])

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """``(None, ...)``: the shape of a batch of predictions."""
        return (None, *self._rows()[1])

    def _rows(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        first, last = self._input, self._layers[-1] if self._layers else None
        if first is None or last is None or first.declared is None or last.output_row is None:
            raise UnsupportedError(
                "the model knows the shape of its input",
                received="a model that is not built",
                remedy="begin with Input((features,)), or fit it",
            )
        return first.declared, last.output_row

    @property
    def weights(self) -> list[Weight]:
        """Every weight, layer by layer."""
        return [w for layer in self._layers for w in layer.weights]

    variables = weights

    @property
    def trainable_weights(self) -> list[Weight]:
        """Those that gradients move."""
        return [w for layer in self._layers for w in layer.trainable_weights]

    trainable_variables = trainable_weights

    @property
    def trainable(self) -> bool:
        """Whether any layer is trainable; setting it sets every layer's."""
        return any(layer.trainable for layer in self._layers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._layers:
            layer.trainable = bool(value)

    @property
    def losses(self) -> list[float]:
        """The penalties on weights, layer by layer, as they are now."""
        return [loss for layer in self._layers for loss in layer.losses]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """The others: moving statistics, and those of layers that are not trainable."""
        moved = set(self.trainable_weights)
        return [w for w in self.weights if w not in moved]

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """``(None, features)`` -> ``(None, ...)``: the shape of a batch of predictions."""
        shape = tuple(input_shape)
        for layer in self._layers:
            shape = layer.compute_output_shape(shape)
        return shape

    def count_params(self) -> int:
        """How many numbers the weights hold."""
        self._rows()
        return sum(w.value.size for w in self.weights)

    def get_weights(self) -> list[Array]:
        """Copies of the weights."""
        return [w.numpy() for w in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace the weights, in the order of :meth:`get_weights`.

        Raises:
            DataError: a wrong number or shape; nothing is changed.
        """
        assign(self.weights, weights, f"model {self.name!r}")

    def network(self, readable: bool = False) -> Network:
        """What becomes a graph.

        Args:
            readable: name the weights by their layers' names, for code that people read; else by their layers' kinds,
                so that all models of one structure share one compiled program.

        Raises:
            UnsupportedError: the model is not built.
        """
        row, _ = self._rows()
        if readable:
            return Network(_identifier(self.name), row, tuple(self._layers), _names(self._layers, readable), self.calls)
        if self._network is None:
            names = _names(self._layers, readable)
            self._network = Network("network", row, tuple(self._layers), names, self.calls)
        return self._network

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], object] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print the table of layers; every argument is Keras's.

        Args:
            line_length: characters of a line, at least as many as the table needs.
            positions: where columns end: shares of the line, or characters.
            expand_nested: changes nothing, for no model holds another.
            show_trainable: say of each layer whether training moves its weights.
            layer_range: names, or regular expressions of names, of the first and the last layer shown.

        Raises:
            UnsupportedError: an argument that is none of these; no such layers.
        """
        layers = shown_layers(self._layers, layer_range)
        print_summary(self, layers, print_fn, line_length, positions, show_trainable)

    def get_config(self) -> dict[str, Any]:
        """Keras's configuration, as its model files hold it."""
        described = [{**serialize(x), **_build_config(x)} for x in self.chain]
        config: dict[str, Any] = {"name": self.name, "trainable": True, "dtype": "float32", "layers": described}
        if self._input and self._input.declared:
            config["build_input_shape"] = [None, *self._input.declared]
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`get_config`: the same layers with new weights.

        Raises:
            UnsupportedError: a layer, or a setting of one, that is not supported.
        """
        if not isinstance(config.get("layers"), (list, tuple)):
            raise UnsupportedError("a model's configuration has a list of layers", received=repr(config)[:80])
        model = cls([layer_table.get(x) for x in config["layers"]], name=config.get("name"))
        shape = config.get("build_input_shape")
        if shape and not model.built:
            model.build(shape)
        return model


def _build_config(layer: Layer) -> dict[str, Any]:
    if isinstance(layer, InputLayer) or layer.input_row is None:
        return {}
    return {"build_config": {"input_shape": [None, *layer.input_row]}}


def _names(layers: Sequence[Layer], readable: bool) -> dict[Weight, str]:
    """A C identifier for every weight: ``dense_1_kernel`` counted by kind, or the layer's own name before it."""
    names: dict[Weight, str] = {}
    kinds: Counter[str] = Counter()
    for layer in layers:
        kind = snake_case(type(layer).__name__)
        kinds[kind] += 1
        owner = _identifier(layer.name) if readable else f"{kind}_{kinds[kind]}"
        for weight in layer.weights:
            names[weight] = unused(f"{owner}_{weight.name}", names.values())
    return names


def _identifier(name: str) -> str:
    """The name with everything a C identifier cannot hold replaced by ``_``."""
    cleaned = re.sub(r"[^0-9A-Za-z_]", "_", name)
    return cleaned if cleaned[:1].isalpha() else f"m_{cleaned}"
