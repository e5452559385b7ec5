# SPDX-License-Identifier: Apache-2.0
"""Layers around layers: one over a sequence in both directions, one at each step of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from math import prod
from typing import Any, ClassVar

from edgeling.configurable import serialize
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.layers.base import Layer, Shape
from edgeling.layers.normalization import BatchNormalization
from edgeling.layers.recurrent import RNN, counting, states_told
from edgeling.layers.told_masks import counting_each, require_as_many, require_mask
from edgeling.network.tracing import Tracer

_ALL = 1 << 16  # weights: more than any layer has
MERGES = ("sum", "mul", "ave", "concat", None)


def layer_within(owner: str, given: Any) -> Layer:
    """A layer, or what a model file says of one.

    Raises:
        UnsupportedError: neither.
    """
    if isinstance(given, dict):
        made: Layer = import_module("edgeling.layers.registry").get(given)
        return made
    if not isinstance(given, Layer):
        raise UnsupportedError(
            f"{owner} wraps a layer of edgeling.layers", received=type(given).__name__, remedy=f"{owner}(LSTM(8))"
        )
    return given


class Bidirectional(Layer):
    """A recurrent layer forwards, another of its kind backwards, and what both give together.

    Args:
        layer: a recurrent layer.
        merge_mode: "concat", "sum", "mul", "ave", or None: both, as two outputs.
        backward_layer: the one that goes backwards; a copy of the other with new weights if there is none.
    """

    takes_arguments = ("initial_state", "mask")
    arguments: ClassVar[tuple[str, ...]] = ("layer", "merge_mode", "backward_layer")

    def __init__(
        self, layer: Any, merge_mode: str | None = "concat", weights: Any = None, backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(weights=weights, **kwargs)
        layer = layer_within("Bidirectional", layer)
        if not isinstance(layer, RNN):
            raise UnsupportedError(
                "Bidirectional wraps a recurrent layer", received=type(layer).__name__, remedy="Bidirectional(LSTM(8))"
            )
        if merge_mode not in MERGES:
            raise UnsupportedError(
                "merge_mode is one of sum, mul, ave, concat, None", received=repr(merge_mode),
                remedy="merge_mode='concat'",
            )  # fmt: skip
        self.merge_mode = merge_mode
        self.forward_layer: RNN = _renamed(layer, "forward_")
        if backward_layer is None:
            self.backward_layer: RNN = _renamed(layer, "backward_", go_backwards=True)
        else:
            self.backward_layer = layer_within("Bidirectional", backward_layer)  # type: ignore[assignment]
        self._require_alike()
        for each in (self.forward_layer, self.backward_layer):
            each.zero_output_for_mask = each.return_sequences  # as in Keras
        self.return_sequences, self.return_state = layer.return_sequences, layer.return_state

    def _require_alike(self) -> None:
        one, other = self.forward_layer, self.backward_layer
        if one.go_backwards == getattr(other, "go_backwards", None):
            raise UnsupportedError(
                "one of the two layers goes backwards", received=f"go_backwards={one.go_backwards} in both",
                remedy="backward_layer=LSTM(8, go_backwards=True)",
            )  # fmt: skip
        for name in ("return_sequences", "return_state"):
            if getattr(one, name) != getattr(other, name, None):
                raise UnsupportedError(
                    f"both layers have the same {name}",
                    received=f"{getattr(one, name)} and {getattr(other, name, None)}",
                    remedy=f"{name}={getattr(one, name)} in both",
                )

    @property
    def layer(self) -> RNN:
        """The one that goes forwards."""
        return self.forward_layer

    def reset_states(self) -> None:
        """Have both layers begin anew."""
        self.forward_layer.reset_states()
        self.backward_layer.reset_states()

    reset_state = reset_states

    def weight_shapes(self, row: Shape) -> list[Shape]:
        return [*self.forward_layer.weight_shapes(row), *self.backward_layer.weight_shapes(row)]

    def _make(self, row: Shape) -> None:
        self._outputs(row)
        self.forward_layer.build((None, *row))
        self.backward_layer.build((None, *row))

    @property
    def parts_in_files(self) -> tuple[tuple[str, int], ...]:
        both = (("forward_layer", self.forward_layer), ("backward_layer", self.backward_layer))
        return tuple((f"{place}/{path}", count) for place, layer in both for path, count in layer.parts_in_files)

    def _outputs(self, row: Shape) -> tuple[Shape, ...]:
        one, other = self.forward_layer.output_shape_of(row), self.backward_layer.output_shape_of(row)
        if one != other and self.merge_mode not in ("concat", None):
            raise UnsupportedError(
                f"both layers of {self.name!r} give as much", received=f"{one} and {other}",
                remedy="merge_mode='concat'",
            )  # fmt: skip
        if self.merge_mode is None:
            return (one, other)
        return ((*one[:-1], one[-1] + other[-1]),) if self.merge_mode == "concat" else (one,)

    def output_shape_of(self, row: Shape) -> Shape:
        return self._outputs(row)[0]

    def output_rows_of(self, rows: Sequence[Shape], arguments: Any = None) -> tuple[Shape, ...]:
        """The outputs', then those of the states, the forward layer's first."""
        both = (self.forward_layer, self.backward_layer)
        sizes = [(size,) for each in both for size in each.cell.state_sizes]
        told = states_told(self.name, rows, arguments)
        if told and told != sizes:
            raise UnsupportedError(
                f"layer {self.name!r} begins with states of shapes {sizes}", received=str(told),
                remedy="a value for each state, the forward layer's first",
            )  # fmt: skip
        return (*self._outputs(rows[0]), *(sizes if self.return_state else ()))

    def trace(self, tracer: Tracer, x: Any, initial_state: Any = None, mask: Any = None) -> Any:
        b = tracer.builder
        if isinstance(x, (list, tuple)):
            x, *initial_state = x
        given = list(initial_state or ())
        half, counts = len(given) // 2, counting(tracer, x, mask)
        one, states = self.forward_layer.run(tracer, x, given[:half], counts)
        other, more = self.backward_layer.run(tracer, x, given[half:], counts)
        for layer, output, after in ((self.forward_layer, one, states), (self.backward_layer, other, more)):
            layer.penalize_outputs(tracer, [output, *(after if self.return_state else [])])
        if self.forward_layer.go_backwards and self.return_sequences:  # as in Keras: both in the other order
            one, other = b.add("reverse", one, axis=1), b.add("reverse", other, axis=1)
        outputs = [one, other] if self.merge_mode is None else [self._merged(b, one, other, tracer)]
        if self.return_sequences:
            outputs = [tracer.masked(value, counts) for value in outputs]
        made = [*outputs, *([*states, *more] if self.return_state else [])]
        return made if len(made) > 1 else made[0]

    def _merged(self, b: GraphBuilder, one: str, other: str, tracer: Tracer) -> str:
        if self.merge_mode == "concat":
            return b.add("concatenate", one, other)
        if self.merge_mode == "mul":
            return b.add("multiply", one, other)
        total = b.add("add", one, other)
        return b.add("multiply", total, tracer.number(0.5)) if self.merge_mode == "ave" else total

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {**config, "layer": serialize(self.forward_layer), "backward_layer": serialize(self.backward_layer)}

    def signature(self) -> list[Any]:
        return [self.trainable, self.merge_mode, *self.forward_layer.signature(), *self.backward_layer.signature()]


def _renamed(layer: RNN, prefix: str, **changed: Any) -> RNN:
    """A layer of the same configuration with new weights."""
    name = prefix + layer.name.removeprefix(prefix)
    made: RNN = type(layer).from_config({**layer.get_config(), "name": name, **changed})
    return made


class TimeDistributed(Layer):
    """A layer at each step: [steps, ...] to [steps, ...], with the same weights.

    A call takes ``mask``, [rows, steps] or more axes, which goes on to what it makes.

    Args:
        layer: what is done at each step. All steps of all rows are its rows, but while one that keeps statistics is
            trained, whose steps come in turns.
    """

    supports_masking = True
    takes_arguments = ("mask",)
    arguments: ClassVar[tuple[str, ...]] = ("layer",)

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = layer_within("TimeDistributed", layer)

    def _step(self, row: Shape) -> Shape:
        if len(row) < 2:
            raise UnsupportedError(
                "TimeDistributed takes rows of shape (steps, ...)", received=f"layer {self.name!r} on rows {row}",
                remedy="Reshape() before it",
            )  # fmt: skip
        return row[1:]

    def weight_shapes(self, row: Shape) -> list[Shape]:
        return self.layer.weight_shapes(self._step(row))

    def _make(self, row: Shape) -> None:
        self.layer.build((None, *self._step(row)))

    @property
    def parts_in_files(self) -> tuple[tuple[str, int], ...]:
        within = self.layer.parts_in_files
        return tuple((f"layer/{path}", count) for path, count in within) or (("layer", _ALL),)

    def output_shape_of(self, row: Shape) -> Shape:
        return (row[0], *self.layer.output_shape_of(self._step(row)))

    def output_rows_of(self, rows: Sequence[Shape], arguments: Any = None) -> tuple[Shape, ...]:
        if arguments is not None:
            steps = rows[1][: len(rows[0])] if len(rows) > 1 else rows[0][:1]
            require_mask(self.name, rows, arguments, (rows[0][0], *steps[1:]), broadcast=False)
        return (self.output_shape_of(rows[0]),)

    def trace(self, tracer: Tracer, x: str, mask: Any = None) -> str:
        if mask:
            require_as_many(self.name, tracer.builder.type_of(mask).shape[0], tracer.builder.type_of(x).shape[0])
        (counts,) = counting_each(tracer, [x], [mask] if mask else None)
        y = self._of_each(tracer, x, counts)
        return tracer.masked(y, counts)

    def _of_each(self, tracer: Tracer, x: str, mask: str) -> str:
        if tracer.training and type(self.layer) is BatchNormalization and self.layer.trainable:
            return self.layer.trace_steps(tracer, x, mask)
        keeps = any(not weight.trainable for weight in self.layer.weights)
        if tracer.training and keeps and type(self.layer) is not BatchNormalization:
            return self._in_turns(tracer, x, mask)
        b = tracer.builder
        rows, steps, *each = b.type_of(x).shape
        step = b.add("reshape", x, shape=(rows * steps, *each))
        lengths = b.type_of(mask).shape if mask else ()
        if len(lengths) > 2:
            tracer.masked(step, b.add("reshape", mask, shape=(rows * steps, *lengths[2:])))
        (y,) = self.layer.traced(tracer, [step])  # as in Keras: not a call, which would penalise what it gives
        return b.add("reshape", y, shape=(rows, steps, *b.type_of(y).shape[1:]))

    def _in_turns(self, tracer: Tracer, x: str, mask: str) -> str:
        """Of a layer that keeps statistics, which are those of each step: they move at one step after another."""
        b = tracer.builder
        rows, steps, *each = b.type_of(x).shape
        if mask:
            raise UnsupportedError(
                "a layer at each step keeps statistics of steps that all count",
                received=f"{type(self.layer).__name__} in {self.name!r}, on masked steps",
                remedy=f"{type(self.layer).__name__} without TimeDistributed",
            )  # fmt: skip
        made = []
        with tracer.in_turns():
            for step in range(steps):
                part = b.add("slice", x, begin=(0, step, *(0 for _ in each)), shape=(rows, 1, *each))
                (y,) = tracer.through(self.layer, [b.add("reshape", part, shape=(rows, *each))])
                row = b.type_of(y).shape[1:]
                made.append(b.add("reshape", y, shape=(rows, prod(row))))
        return b.add("reshape", b.add("concatenate", *made), shape=(rows, steps, *row))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": serialize(self.layer)}

    def signature(self) -> list[Any]:
        return [self.trainable, type(self.layer).__name__, *self.layer.signature()]
