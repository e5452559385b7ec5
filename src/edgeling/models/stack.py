# SPDX-License-Identifier: Apache-2.0
"""Layers in a chain, and their weights: the part of a model that knows nothing of training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

from edgeling import layers as layer_table
from edgeling.configurable import automatic_name, custom_object_scope
from edgeling.errors import UnsupportedError
from edgeling.layers.base import Layer, Shape, require_apart
from edgeling.layers.input import InputLayer
from edgeling.layers.lengths import fits
from edgeling.layers.shapes import batches_of
from edgeling.layers.symbolic import ArgumentPlace, leaves_of
from edgeling.layers.written import required_arguments
from edgeling.models.describing import build_config, in_model_files
from edgeling.models.linking import Structure
from edgeling.models.model import Model
from edgeling.models.views import outputs_for, widen
from edgeling.models.within import listed
from edgeling.network.network import LayerCall, Network
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight
from edgeling.training import arrays


class Stack(Model):
    """Layers that are called on what others give, in a chain unless told otherwise; see
    :class:`edgeling.models.Sequential` and :class:`edgeling.models.Functional`."""

    never_called: ClassVar[tuple[str, ...]] = (*Model.never_called, "call")

    def __init__(self, layers: Iterable[Layer] | None = None, trainable: bool = True, name: str | None = None) -> None:
        self._input: InputLayer | None = None
        self._layers: list[Layer] = []
        self._chain: list[Any] = []  # what stands for the outputs of the layers that were called
        super().__init__(name=name or automatic_name("Sequential"))
        for layer in listed(layers):
            self.add(layer)
        self._trainable = bool(trainable)

    def add(self, layer: Layer) -> None:
        """Append a layer.

        Raises:
            UnsupportedError: not one of this package's layers, or an input that is not the first.
        """
        if not isinstance(layer, Layer):
            raise UnsupportedError(
                "a model is made of edgeling.layers", received=getattr(layer, "__name__", type(layer).__name__),
                remedy="an object, such as Dense(8)" if isinstance(layer, type) else "import it from edgeling",
            )  # fmt: skip
        require_apart(self, [layer])
        if layer.takes_several or required_arguments(layer) > 1:
            raise UnsupportedError(
                "layers in a chain take one input", received=f"{type(layer).__name__} {layer.name!r}",
                remedy="Model(inputs, outputs), where it is called on several",
            )  # fmt: skip
        if any(layer.name == other.name for other in self._layers):
            raise UnsupportedError(
                "layers of a model have different names", received=repr(layer.name),
                remedy="name='hidden_2' for one of them",
            )  # fmt: skip
        if isinstance(layer, InputLayer):
            self._set_input(layer)
        else:
            if not self._layers and self._input is None and isinstance(layer, Stack) and layer.built:
                self._set_input(InputLayer(shape=layer.input_rows[0]))
            elif not self._layers and self._input is None and layer.declared:
                self._set_input(InputLayer(shape=layer.declared))
            self._layers.append(layer)
        self._forget()
        if self._input is not None:
            self._build()

    def of_layers(self, layers: Sequence[Layer]) -> Any:
        """A model of other layers in the place of these, with the input or without."""
        return type(self)(layers, self.trainable, self.name)

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the last layer off."""
        if not self._layers:
            raise UnsupportedError(
                "only a model with layers gives one back", received="none", remedy="add(layer) first"
            )
        self._forget()
        del self._chain[len(self._layers) - 1 :]
        return self._layers.pop()

    def _set_input(self, layer: InputLayer) -> None:
        if self._layers or self._input is not None:
            raise UnsupportedError(
                "an input is the first layer, and the only one", received=layer.name,
                remedy="begin with it: Sequential([Input((4,)), ...])",
            )  # fmt: skip
        self._input = layer

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
        self._input = given if self._input is None else self._input
        self._build()

    def _meet_rows(self, x: Any, finite: bool) -> None:
        if not self.built and self._layers:
            known = self._input.declared if self._input is not None else None
            self.build((None, *arrays.features(x, known, finite=finite).shape[1:]))
            self._from_data = known is None
        if self._from_data:
            widen(self, arrays.features(x, None, finite).shape[1:])

    def _build(self) -> None:
        """Call the layers that were not called yet, each on what the one before it gives."""
        assert self._input is not None
        for layer in self._layers[len(self._chain) :]:
            before = self._chain[-1] if self._chain else self._input
            made = layer.called_on([before])
            if len(made) != 1:
                raise UnsupportedError(
                    "layers in a chain give one output", received=f"{len(made)} of {layer.name!r}",
                    remedy="Model(inputs, outputs)",
                )  # fmt: skip
            self._chain += made
        self._tell_paths()

    def tell_paths(self, before: str) -> None:
        """Nothing: where weights of models within are, these have told."""

    def _tell_paths(self) -> None:
        """Have each weight know where in the model it is."""
        for layer in self._layers:
            layer.tell_paths(self.path_of_layers)

    @property
    def path_of_layers(self) -> str:
        """What paths of weights begin with."""
        return f"{self.name}/"

    @property
    def built(self) -> bool:
        """Whether the weights are made."""
        return bool(self._layers) and all(layer.built for layer in self._layers)

    @property
    def layers(self) -> list[Layer]:
        """The layers, without inputs and operations."""
        return [layer for layer in self._layers if not layer.is_operation]

    @property
    def layers_in_summary(self) -> list[Layer]:
        """The layers, with operations; of functional models with inputs."""
        return list(self._layers)

    def layers_within(self) -> list[Layer]:
        """As :attr:`layers`."""
        return list(self._layers)

    @property
    def layers_of_files(self) -> list[Layer]:
        """Those that have a place of their own in files of weights."""
        return self.layers

    @property
    def _called_layers(self) -> list[Any]:
        """As :attr:`layers`, with operations."""
        return list(self._layers)

    @property
    def _layer_calls(self) -> tuple[LayerCall, ...]:
        """What is computed of what, in order; none of a chain."""
        return ()

    @property
    def _end_values(self) -> tuple[int, ...]:
        """The values that are outputs, as :class:`LayerCall` numbers them; none: the last."""
        return ()

    @property
    def _structures(self) -> tuple[Structure, Structure]:
        """How inputs are handed over, and outputs received."""
        return Structure(ArgumentPlace(0)), Structure(ArgumentPlace(0))

    @property
    def input_layers(self) -> list[InputLayer]:
        """The inputs, in order; none of a model that is not built."""
        return [] if self._input is None else [self._input]

    @property
    def output_names(self) -> list[str]:
        """Of each output the name of the layer whose it is."""
        return [layer.name for layer in self._layers[-1:]]

    @property
    def input(self) -> Any:
        """The input.

        Raises:
            UnsupportedError: the model is not built.
        """
        self._rows()
        return self._input

    @property
    def output(self) -> Any:
        """What stands for the output."""
        self._rows()
        return self._chain[-1]

    @property
    def inputs(self) -> list[Any]:
        """The inputs, in order."""
        self._rows()
        return list(self.input_layers)

    @property
    def outputs(self) -> list[Any]:
        """What stands for the outputs, in order."""
        return list(leaves_of(self.output))

    def output_rows_of(self, rows: Sequence[Shape], arguments: Any = None) -> tuple[Shape, ...]:
        if not self.built:
            self.build((None, *rows[0]))
        if len(rows) != len(self.input_rows) or not all(map(fits, rows, self.input_rows)):
            raise UnsupportedError(
                f"model {self.name!r} takes rows of shape {', '.join(map(str, self.input_rows))}",
                received=", ".join(map(str, rows)), remedy=f"rows of shape {', '.join(map(str, self.input_rows))}",
            )  # fmt: skip
        return tuple(self.output_rows if list(rows) == self.input_rows else outputs_for(self, rows))

    def _prepare(self, shapes: Any) -> None:
        """Nothing is left to do: see :meth:`output_rows_of`."""

    def traced(self, tracer: Tracer, values: Sequence[str], arguments: Any = None) -> tuple[str, ...]:
        inner = Network(
            self.name,
            {},
            self._layers,
            {},
            self._layer_calls,
            dict(zip(map(str, self._end_values), self._end_values, strict=True)),
        )
        return tuple(inner.answer(tracer, values))

    def trace(self, tracer: Tracer, x: Any) -> Any:
        """As :meth:`traced`, of one value or a list."""
        made = self.traced(tracer, x if isinstance(x, list) else [x])
        return made[0] if len(made) == 1 else list(made)

    def call(self, x: Any) -> Any:
        """What a call computes: see the classes' ``__call__``."""
        return self(x)

    @property
    def traces_calls(self) -> bool:
        """A model's calls are those of its layers."""
        return False

    @property
    def _whole_chain(self) -> list[Layer]:
        """The layers, with the input if there is one."""
        return [*self.input_layers, *self._layers]

    @property
    def input_shape(self) -> Any:
        """``(None, ...)``: the shape of a batch of rows; of several inputs a list of them.

        Raises:
            UnsupportedError: the model is not built.
        """
        self._rows()
        return batches_of(self.input_rows)

    @property
    def output_shape(self) -> Any:
        """``(None, ...)``: the shape of a batch of predictions; of several outputs a list of them."""
        self._rows()
        return batches_of(self.output_rows)

    @property
    def input_rows(self) -> list[Shape]:
        """Of each input the shape of one row."""
        return [self._rows()[0]] if self._met is None else list(self._met)

    @property
    def output_rows(self) -> list[Shape]:
        """Of each output the shape of one row."""
        return [self._rows()[1]] if self._met is None else list(self._made_rows)

    def _rows(self) -> tuple[Shape, Shape]:
        """The shapes of one row of the first input and of the first output.

        Raises:
            UnsupportedError: the model is not built.
        """
        first, layers = self._input, self._layers
        if first is None or first.declared is None or not layers or len(self._chain) != len(layers):
            raise UnsupportedError(
                "the model knows the shape of its input", received="a model that is not built",
                remedy="begin with Input((features,)), or fit it",
            )  # fmt: skip
        return first.declared, self._chain[-1].row

    @property
    def weights(self) -> list[Weight]:
        """Every weight, layer by layer."""
        return list(dict.fromkeys(w for layer in self._layers for w in layer.weights))

    @property
    def moved_weights(self) -> list[Weight]:
        """Those that gradients move where the model is part of another."""
        return list(dict.fromkeys(w for layer in self._layers for w in layer.moved_weights))

    @property
    def losses(self) -> list[float]:
        """The penalties on weights, layer by layer, as they are now."""
        return [loss for layer in self._layers for loss in layer.losses]

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """``(None, features)`` -> ``(None, ...)``: the shape of a batch of predictions."""
        shape = tuple(input_shape)
        for layer in self._layers:
            shape = layer.compute_output_shape(shape)
        return shape

    def count_params(self) -> int:
        """How many numbers the weights hold."""
        self._rows()
        return super().count_params()

    def get_config(self) -> dict[str, Any]:
        """Keras's configuration, as its model files hold it."""
        described = [{**in_model_files(x), **build_config(x)} for x in self._whole_chain]
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "dtype": "float32"}
        config["layers"] = described
        if self._input is not None and self._input.declared:
            config["build_input_shape"] = list(self._input.batch_shape)
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """The inverse of :meth:`get_config`: the same layers with new weights.

        Args:
            custom_objects: classes and functions of one's own by the names that the configuration has for them.

        Raises:
            UnsupportedError: a layer, or a setting of one, that is not supported.
        """
        if not isinstance(config.get("layers"), (list, tuple)):
            raise UnsupportedError(
                "a model's configuration has a list of layers", received=repr(config)[:80],
                remedy="what get_config() gave",
            )  # fmt: skip
        with custom_object_scope(custom_objects):
            layers = [layer_table.get(x) for x in config["layers"]]
        model = cls(layers, trainable=bool(config.get("trainable", True)), name=config.get("name"))
        shape = config.get("build_input_shape")
        if shape and not model.built:
            model.build(shape)
        return model
