# SPDX-License-Identifier: Apache-2.0
"""What every model has, however it says what it computes: inputs and outputs, a graph, a table of its layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from edgeling.configurable import NeverCalled
from edgeling.errors import UnsupportedError
from edgeling.graph.naming import unused
from edgeling.layers import told
from edgeling.layers.base import Layer, Shape
from edgeling.layers.input import InputLayer
from edgeling.layers.lengths import Rows
from edgeling.models.display import print_summary, shown_layers
from edgeling.models.identifiers import identifier, names_of_ports, names_of_weights
from edgeling.models.linking import Structure, in_order
from edgeling.network.arrays import by_itself
from edgeling.network.network import LayerCall, Network
from edgeling.network.weights import assign


class Outline(Layer):
    """A model, itself a layer of another one; see :class:`edgeling.models.Model`."""

    module = "keras"
    ignored = frozenset()
    _met: Rows | None = None  # of a view the shapes of its inputs' rows: see edgeling.models.views
    _made_rows: Rows = ()
    _from_data = False  # the input was taken from the first rows
    _own: frozenset[str] = frozenset()  # what we keep on the object, beside what its class of one's own does

    def __setattr__(self, name: str, value: Any) -> None:
        """What we keep on a model changes nothing of what it computes; what somebody's class does may."""
        told.require_free(self, name)
        if name in self._own or not self.traces_calls:
            NeverCalled.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def note_output(self, row: Shape) -> None:
        """Nothing is noted: a model knows its outputs."""

    def _forget(self) -> None:
        """Drop what was derived from the layers."""
        self._network: Network | None = None
        self._views: dict[Rows, Any] = {}

    def _rows(self) -> tuple[Shape, Shape]:
        """The shapes of one row of the first input and of the first output.

        Raises:
            UnsupportedError: the model is not built.
        """
        raise NotImplementedError

    def _meet_rows(self, x: Any, finite: bool) -> None:
        """Take the shapes of the inputs from these rows, if nobody told them."""
        raise NotImplementedError

    @property
    def layers(self) -> list[Layer]:
        """The layers, without inputs and operations."""
        raise NotImplementedError

    @property
    def layers_in_summary(self) -> list[Layer]:
        """The layers, with operations; of functional models with inputs."""
        return self.layers

    @property
    def _called_layers(self) -> list[Any]:
        """What :attr:`_layer_calls` call."""
        raise NotImplementedError

    @property
    def _layer_calls(self) -> tuple[LayerCall, ...]:
        """What is computed of what, in order; none of a chain."""
        raise NotImplementedError

    @property
    def _end_values(self) -> tuple[int, ...]:
        """The values that are outputs, as :class:`LayerCall` numbers them; none: the last."""
        raise NotImplementedError

    @property
    def _structures(self) -> tuple[Structure, Structure]:
        """How inputs are handed over, and outputs received."""
        raise NotImplementedError

    @property
    def input_layers(self) -> list[InputLayer]:
        """The inputs, in order; none of a model that is not built."""
        raise NotImplementedError

    @property
    def output_names(self) -> list[str]:
        """Of each output."""
        raise NotImplementedError

    @property
    def input_rows(self) -> list[Shape]:
        """Of each input the shape of one row."""
        raise NotImplementedError

    @property
    def output_rows(self) -> list[Shape]:
        """Of each output the shape of one row."""
        raise NotImplementedError

    @property
    def _whole_chain(self) -> list[Layer]:
        """What the model is made of, with its inputs."""
        raise NotImplementedError

    def signature(self) -> list[Any]:
        """What the compiled code depends on."""
        return [self.trainable, self.input_rows, self._called_layers, self._layer_calls, self._end_values]

    @property
    def input_names(self) -> list[str]:
        """Of each input."""
        return [one.name for one in self.input_layers]

    @property
    def output_labels(self) -> list[str]:
        """What losses and metrics of each output go by: its name in a mapping, or its layer's; no two alike."""
        found: list[str] = []
        for name in self._structures[1].keys or self.output_names:
            found.append(unused(name, found))
        return found

    def _in_order(self, given: Any, what: str) -> list[Any]:
        """What is given for the inputs, one for each, in order.

        Raises:
            DataError: for others, or for some only.
        """
        if what == "inputs" and len(self.input_rows) == 1:
            given = by_itself(given, len(self.input_rows[0]) + 1)
        return in_order(given, self._structures[0], self.input_names, what)

    @property
    def takes_several(self) -> bool:  # type: ignore[override]
        """Whether it is called on a list of values."""
        return len(self.input_layers) > 1

    @property
    def input_row(self) -> Shape | None:  # type: ignore[override]
        """The shape of one row of the first input, once built."""
        return self.input_rows[0] if self.built else None

    @property
    def output_row(self) -> Shape | None:  # type: ignore[override]
        """The shape of one row of the first output, once built."""
        return self.output_rows[0] if self.built else None

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or position.

        Raises:
            UnsupportedError: there is none.
        """
        if index is not None and -len(self.layers) <= index < len(self.layers):
            return self.layers[index]
        for layer in (*self.layers, *self._whole_chain):
            if layer.name == name:
                return layer
        raise UnsupportedError(
            f"a layer is one of {[x.name for x in self.layers]}", received=str(index if name is None else name),
            remedy="summary() lists them",
        )  # fmt: skip

    @property
    def input_shape(self) -> Any:
        """``(None, ...)``: the shape of a batch of rows; of several inputs as these are handed over.

        Raises:
            UnsupportedError: the model is not built.
        """
        self._rows()
        return self._structures[0].filled([(None, *row) for row in self.input_rows])

    @property
    def output_shape(self) -> Any:
        """``(None, ...)``: the shape of a batch of predictions; of several outputs as these are received."""
        self._rows()
        return self._structures[1].filled([(None, *row) for row in self.output_rows])

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace the weights, in the order of :meth:`get_weights`.

        Raises:
            DataError: a wrong number or shape; nothing is changed.
        """
        assign(self.weights, weights, f"model {self.name!r}")

    def _as_network(self, readable: bool = False) -> Network:
        """What becomes a graph.

        Args:
            readable: name the weights by their layers' names, for code that people read; else by their layers' kinds,
                so that all models of one structure share one compiled program.

        Raises:
            UnsupportedError: the model is not built.
        """
        self._rows()
        if readable:
            return self._network_of(identifier(self.name), readable)
        if self._network is None or self._network.learns != self.trainable:
            self._network = self._network_of("network", readable)
        return self._network

    def _network_of(self, name: str, readable: bool) -> Network:
        found = names_of_weights(_innermost(self._called_layers), readable)
        names = {weight: found[weight] for weight in self.weights}
        inputs = names_of_ports("x", self.input_names, readable)
        outputs = names_of_ports("y", self.output_labels, readable)
        rows = dict(zip(inputs, self.input_rows, strict=True))
        ends = dict(zip(outputs, self._end_values, strict=True)) if self._end_values else {}
        return Network(name, rows, tuple(self._called_layers), names, self._layer_calls, ends, self.trainable)

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
            expand_nested: show the layers of models within too.
            show_trainable: say of each layer whether training moves its weights.
            layer_range: names, or regular expressions of names, of the first and the last layer shown.

        Raises:
            UnsupportedError: an argument that is none of these; no such layers.
        """
        layers = shown_layers(self.layers_in_summary, layer_range)
        print_summary(self, layers, print_fn, line_length, positions, show_trainable, expand_nested)

    def _repr_html_(self) -> str:
        from edgeling.models.shown import model_card

        return model_card(self)


def _innermost(layers: Iterable[Layer]) -> Iterator[Layer]:
    """The layers, those of models within before what these hold themselves."""
    for layer in layers:
        if isinstance(layer, Outline):
            yield from _innermost(layer.layers_within())
        yield layer
