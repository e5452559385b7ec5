# SPDX-License-Identifier: Apache-2.0
"""Layers of which each is called on others' outputs, once or several times: the functional API."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from inspect import Parameter, signature
from typing import Any, Self

from edgeling.checking import require_float32
from edgeling.configurable import automatic_name, custom_object_scope, is_ours
from edgeling.errors import UnsupportedError
from edgeling.layers.base import Layer
from edgeling.layers.input import InputLayer
from edgeling.layers.lengths import fits
from edgeling.layers.symbolic import mapped
from edgeling.layers.told import taken
from edgeling.models.describing import FUNCTIONAL, arguments_in_files, in_model_files
from edgeling.models.linking import Structure, began_with, linked
from edgeling.models.stack import Stack
from edgeling.models.views import outputs_for
from edgeling.network.network import LayerCall


class Functional(Stack):
    """What leads from inputs to outputs; ``Model(inputs, outputs)`` makes one.

    Args:
        inputs: an ``Input``, or several in a list or by names; or outputs of layers, to begin there.
        outputs: what layers make of them: one, a list, or by names.
        name: what summaries call it.

    Raises:
        UnsupportedError: outputs that do not follow from the inputs, or inputs of which nothing is made.

    Example:
        >>> a, b = Input((8,), name="a"), Input((3,), name="b")
        >>> h = Dense(8, activation="relu")(a)
        >>> model = Model([a, b], [Dense(3)(h), Dense(1)(Concatenate()([h, 2 * b]))])
    """

    module = FUNCTIONAL

    def __init__(
        self, inputs: Any, outputs: Any, name: str | None = None, trainable: bool = True, dtype: Any = None
    ) -> None:
        require_float32("Functional", dtype)
        super().__init__(name=name or automatic_name("Functional"))
        self._given, first = Structure.of("inputs", inputs)
        self._made, last = Structure.of("outputs", outputs)
        found = linked(first, last)
        self._inputs = [began_with(symbol) for symbol in first]
        swapped = dict(zip(first, self._inputs, strict=True))
        self._order = [swapped.get(layer, layer) for layer in found.order]
        self._layers, self._wiring, self._ends = list(found.layers), found.calls, found.ends
        self._symbols = (self._inputs, list(last))
        self._tell_paths()
        self._trainable = bool(trainable)

    @classmethod
    def wired(
        cls, given: Sequence[InputLayer], layers: Sequence[Layer], calls: Sequence[LayerCall], ends: Sequence[int],
        forms: tuple[Structure, Structure], name: str | None, trainable: bool = True,
    ) -> Self:  # fmt: skip
        """The model of these layers, called so; see :class:`edgeling.network.network.LayerCall`."""
        values: list[Any] = list(given)
        for call in calls:
            read = [values[place] for place in call.inputs]
            values += layers[call.layer].called_on(read, call.arguments)[: call.outputs]
        inputs, outputs = forms
        return cls(inputs.filled(values), outputs.filled([values[place] for place in ends]), name, trainable)

    def of_layers(self, layers: Sequence[Layer]) -> Any:
        given = [InputLayer(shape=one.row, name=one.name) for one in self._inputs]
        others = [layer for layer in layers if not isinstance(layer, InputLayer)]
        forms = self._given, self._made
        return type(self).wired(given, others, self._wiring, self._ends, forms, self.name, self.trainable)

    def __getstate__(self) -> dict[str, Any]:
        """Without the symbolic values, which lie in each other as deep as the model is."""
        return {**super().__getstate__(), "_symbols": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        again = self.of_layers(self._layers)
        self._symbols = (self._inputs, again._symbols[1])

    @property
    def _layer_calls(self) -> tuple[LayerCall, ...]:
        """What is computed of what, in order."""
        return self._wiring

    @property
    def _end_values(self) -> tuple[int, ...]:
        """The values that are outputs."""
        return self._ends

    @property
    def input_layers(self) -> list[InputLayer]:
        """The inputs, in order."""
        return list(self._inputs)

    @property
    def _structures(self) -> tuple[Structure, Structure]:
        """How inputs are handed over, and outputs received."""
        return self._given, self._made

    @property
    def _whole_chain(self) -> list[Layer]:
        """The inputs, and the layers that are called."""
        return [*self._inputs, *self._layers]

    @property
    def output_names(self) -> list[str]:
        """Of each output the name of the layer whose it is."""
        return [symbol.name for symbol in self._symbols[1]]

    @property
    def layers(self) -> list[Layer]:
        """Inputs and layers, in Keras's order, without operations."""
        return [layer for layer in self._order if not layer.is_operation]

    @property
    def layers_in_summary(self) -> list[Layer]:
        """Inputs, layers and operations."""
        return list(self._order)

    @property
    def layers_of_files(self) -> list[Layer]:
        """Those that have a place of their own in files of weights."""
        return Stack.layers.fget(self)  # type: ignore[attr-defined]

    @property
    def input(self) -> Any:
        """The inputs, as they were given."""
        return self._given.filled(self._symbols[0])

    @property
    def output(self) -> Any:
        """What stands for the outputs, as they were given."""
        return self._made.filled(self._symbols[1])

    def add(self, layer: Layer) -> None:
        """Refused: layers are called."""
        raise UnsupportedError("layers of a functional model are called, not added", remedy="layer(x), then Model()")

    def pop(self, rebuild: bool = True) -> Layer:
        """Refused: layers are called."""
        raise UnsupportedError("a functional model keeps its layers", remedy="Model(inputs, other_outputs)")

    @property
    def input_rows(self) -> list[tuple[int, ...]]:
        """Of each input the shape of one row."""
        return [one.row for one in self._inputs] if self._met is None else list(self._met)

    @property
    def output_rows(self) -> list[tuple[int, ...]]:
        """Of each output the shape of one row."""
        return [symbol.row for symbol in self._symbols[1]] if self._met is None else list(self._made_rows)

    @property
    def path_of_layers(self) -> str:
        """What paths of weights begin with: nothing, for layers are made before the model."""
        return ""

    @property
    def built(self) -> bool:
        """Always: layers that are called are built."""
        return True

    def _rows(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return self.input_rows[0], self.output_rows[0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(None, ...)``: the shape of a batch of predictions; of several outputs as they were given."""
        alone = len(self.input_rows) == 1 and not isinstance(next(iter(input_shape)), (list, tuple))
        given = [tuple(input_shape)] if alone else [tuple(shape) for shape in self._in_order(input_shape, "shapes")]
        rows = [shape[1:] for shape in given]
        if not all(fits(row, known) for row, known in zip(rows, self.input_rows, strict=True)):
            raise UnsupportedError(
                f"the model's rows have shapes {self.input_rows}", received=str(input_shape),
                remedy=f"build({(None, *self.input_rows[0])})",
            )  # fmt: skip
        return self._made.filled([(given[0][0], *row) for row in outputs_for(self, rows)])

    def get_config(self) -> dict[str, Any]:
        """Keras's configuration, as its model files hold it; of a class with a constructor of its own, what that was
        told."""
        if not has_inputs_and_outputs(type(self)):
            return Layer.get_config(self)
        seen: dict[str, int] = defaultdict(int)
        places = [(one.name, 0, 0) for one in self._inputs]
        called: dict[int, list[Any]] = defaultdict(list)
        shapes: list[tuple[int, ...]] = list(self.input_rows)
        for call in self._wiring:
            layer = self._layers[call.layer]
            tensors = [_tensor(shapes[place], places[place]) for place in call.inputs]
            called[call.layer].append(arguments_in_files(layer, call, tensors))
            places += [(layer.name, seen[layer.name], at) for at in range(call.outputs)]
            seen[layer.name] += 1
            shapes += layer.output_rows_of_all([shapes[place] for place in call.inputs], call.arguments)
        position = {layer: place for place, layer in enumerate(self._layers)}
        layers = [
            {**in_model_files(layer), "name": layer.name, "inbound_nodes": called[position.get(layer, -1)]}
            for layer in self._order
        ]  # fmt: skip
        models = {layer.name for layer in self._layers if isinstance(layer, Functional)}
        ends = [
            [name, call + (name in models), at]  # which Keras counts from 1, see formats/wiring.py
            for name, call, at in (places[end] for end in self._ends)
        ]
        return {
            "name": self.name,
            "trainable": self.trainable,
            "layers": layers,
            "input_layers": _listed(self._given, [list(place) for place in places[: len(self._inputs)]]),
            "output_layers": _listed(self._made, ends),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The inverse of :meth:`get_config`: the same layers with new weights.

        Args:
            custom_objects: classes and functions of one's own by the names that the configuration has for them.

        Raises:
            UnsupportedError: a layer, or a setting of one, that is not supported.
        """
        with custom_object_scope(custom_objects):
            if not has_inputs_and_outputs(cls) or "layers" not in config:
                return cls(**taken(cls, config))
            described = {"class_name": "Functional", "config": config}
            made = import_module("edgeling.formats.keras_file").from_config(described)
            return made if is_ours(cls) else cls(made.input, made.output, name=made.name, trainable=made.trainable)


def has_inputs_and_outputs(kind: type) -> bool:
    """Whether a class of functional models is made of these, not of what a constructor of one's own takes."""
    if not any("__init__" in vars(part) for part in kind.__mro__[:-1] if not is_ours(part)):
        return True
    known = list(signature(kind.__init__).parameters.values())[1:]  # type: ignore[misc]
    anything = [one.kind for one in known] == [Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD]
    return anything or [one.name for one in known[:2]] == ["inputs", "outputs"]


def _listed(structure: Structure, ends: Sequence[Any]) -> Any:
    """The ends as they were given, tuples as lists."""
    return replace(structure, form=mapped(structure.form, lambda place: place)).filled(ends)


def _tensor(row: Sequence[int], place: tuple[str, int, int]) -> dict[str, Any]:
    """A layer's output in Keras's form."""
    config = {"shape": [None, *row], "dtype": "float32", "keras_history": list(place)}
    return {"class_name": "__keras_tensor__", "config": config}
