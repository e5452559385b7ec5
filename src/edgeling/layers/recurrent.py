# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers: cells in a loop over the steps of a sequence, [steps, features] -> [units] or [steps, units].

The loop is the graph's ``scan``: its code does not grow with the steps, and its weights are there once. Of a stack of
cells each has a loop of its own, over what the one below gives: no cell reads what one above it makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from edgeling.configurable import Configurable, custom_object, serialize, snake_case
from edgeling.errors import DataError, UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.graph.types import Array
from edgeling.layers import cells as cell_classes
from edgeling.layers.base import OF_ALL, Layer, Shape
from edgeling.layers.cells import Cell, GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells, StepSequence, require_cell
from edgeling.layers.symbolic import leaves_of
from edgeling.layers.written_cells import WrittenCell, is_written_cell
from edgeling.network.tracing import Tracer

_SWITCHES = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")


class RNN(Layer):
    """A cell over the steps of a sequence.

    Args:
        cell: a cell, or a list of cells, one on another.
        return_sequences: give what the cell gives at each step, [steps, units]; else the last, [units].
        return_state: give the states after the last step too, as further outputs.
        go_backwards: begin with the last step; what is given first is then of that one.
        stateful: begin where the batch before ended, row by row, until :meth:`reset_states`: of arrays it is called
            with, of the batches of a fit, of one row after another where a model predicts; on a device from call to
            call, until ``NAME_init``.
        unroll: changes nothing: loops stay loops.
        zero_output_for_mask: give zeros at masked steps, else what was given before.

    A call takes ``initial_state``: a list of values to begin with, zeros if there is none; and ``mask``, [rows, steps]:
    the steps that count are not 0 there. Without it those count that its input's own mask says.
    """

    supports_masking = True
    ends_masks = True  # what masks what it gives it says itself
    takes_arguments = ("initial_state", "mask")
    arguments: ClassVar[tuple[str, ...]] = ("cell", *_SWITCHES)
    ignored = frozenset({"dtype", "time_major", "use_cudnn", "implementation"})

    def __init__(
        self, cell: Any, return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False,
        stateful: bool = False, unroll: bool = False, zero_output_for_mask: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        if kwargs.pop("time_major", False):
            raise UnsupportedError(
                "rows come first, then steps", received="time_major=True", remedy="Permute((2, 1)) of the data"
            )
        super().__init__(**kwargs)
        self.cell = as_cell(cell)
        require_cell(self.cell)
        self.return_sequences, self.return_state = bool(return_sequences), bool(return_state)
        self.go_backwards, self.stateful, self.unroll = bool(go_backwards), bool(stateful), bool(unroll)
        self.zero_output_for_mask = bool(zero_output_for_mask)
        self.states: dict[int, Array] = {}

    def reset_states(self, states: Any = None) -> None:
        """Begin anew: with zeros, or with an array [rows, units] for each state.

        Raises:
            UnsupportedError: the layer keeps none, or these are of other shapes.
        """
        if not self.stateful:
            raise UnsupportedError(
                "a layer that keeps states has them reset", received=f"stateful=False of {self.name!r}",
                remedy="stateful=True",
            )  # fmt: skip
        given = [np.asarray(state, np.float32) for state in ([] if states is None else states)]
        sizes = self.cell.state_sizes
        if given and [state.shape[1:] for state in given] != [(size,) for size in sizes]:
            raise UnsupportedError(
                f"states of layer {self.name!r} have shapes {[(None, size) for size in sizes]}",
                received=str([state.shape for state in given]), remedy="an array for each state",
            )  # fmt: skip
        self.states = dict(enumerate(given))

    reset_state = reset_states

    def state_of(self, place: int, shape: Shape) -> Array:
        """A state it goes on with; zeros after it was reset.

        Raises:
            DataError: it is one of another number of rows.
        """
        state = self.states.get(place)
        if state is not None and state.shape != shape:
            raise DataError(
                f"layer {self.name!r} keeps states of {state.shape[0]} rows", received=f"{shape[0]} rows",
                remedy="reset_states() before it",
            )  # fmt: skip
        return np.zeros(shape, np.float32) if state is None else state

    @property
    def cells(self) -> list[Cell]:
        """The cells, from the lowest on."""
        return list(self.cell.cells) if isinstance(self.cell, StackedRNNCells) else [self.cell]

    @property
    def state_size(self) -> Any:
        """As Keras says it."""
        return self.cell.state_size

    def _require_sequence(self, row: Shape) -> None:
        if len(row) != 2:
            raise UnsupportedError(
                f"{type(self).__name__} takes rows of shape (steps, features)",
                received=f"layer {self.name!r} on rows {row}", remedy="Reshape() before it",
            )  # fmt: skip

    def weight_shapes(self, row: Shape) -> list[Shape]:
        self._require_sequence(row)
        return self.cell.weight_shapes(row[1:])

    def _make(self, row: Shape) -> None:
        self._require_sequence(row)
        self.cell.build((None, *row[1:]))

    @property
    def parts_in_files(self) -> tuple[tuple[str, int], ...]:
        if not isinstance(self.cell, StackedRNNCells):
            parts = self.cell.parts_in_files or (("", self.cell.weight_count),)
            return tuple((f"cell/{part}".rstrip("/"), count) for part, count in parts)
        kinds = [snake_case(type(getattr(cell, "cell", cell)).__name__) for cell in self.cells]
        places = [kind + (f"_{kinds[:i].count(kind)}" if kind in kinds[:i] else "") for i, kind in enumerate(kinds)]
        return tuple((f"cell/cells/{place}", cell.weight_count) for place, cell in zip(places, self.cells, strict=True))

    def output_shape_of(self, row: Shape) -> Shape:
        self._require_sequence(row)
        return (*row[: 1 if self.return_sequences else 0], self.cell.output_size)

    def output_rows_of(self, rows: Sequence[Shape], arguments: Any = None) -> tuple[Shape, ...]:
        """The output's, then those of the states."""
        self._require_states(states_told(self.name, rows, arguments))
        states = [(size,) for size in self.cell.state_sizes] if self.return_state else []
        return (self.output_shape_of(rows[0]), *states)

    def output_of_call(self, outputs: Sequence[Any]) -> Any:
        """The output, or it and the states: of cells one on another those of each cell together, as in Keras."""
        sizes = [cell.state_sizes for cell in self.cells]
        if len(outputs) == 1 or len(sizes) == 1:
            return super().output_of_call(outputs)
        output, *states = outputs
        left = iter(states)
        each = [[next(left) for _ in of_cell] for of_cell in sizes]
        return (output, *(states[0] if len(states) == 1 else states for states in each))

    def _require_states(self, rows: Sequence[Shape]) -> None:
        expected = [(size,) for size in self.cell.state_sizes]
        if rows and list(rows) != expected:
            raise UnsupportedError(
                f"layer {self.name!r} begins with states of shapes {expected}", received=str(list(rows)),
                remedy="a value for each state",
            )  # fmt: skip

    def trace(self, tracer: Tracer, x: Any, initial_state: Any = None, mask: Any = None) -> Any:
        if isinstance(x, (list, tuple)):
            x, *initial_state = x
        counts = counting(tracer, x, mask)
        output, states = self.run(tracer, x, _listed(initial_state), counts)
        if self.go_backwards and self.return_sequences:
            output = tracer.builder.add("reverse", output, axis=1)
        tracer.masked(output, counts if self.return_sequences else "")
        return [output, *states] if self.return_state else output

    def run(self, tracer: Tracer, x: str, initial: Sequence[str], mask: str) -> tuple[str, list[str]]:
        """The output, steps in the order of the input's, and the last states."""
        b = tracer.builder
        steps = StepSequence.of(tracer, x)
        if mask and not steps.axis:
            mask = b.add("transpose", mask, permutation=(1, 0))
        kept = self._kept(tracer, steps.rows)
        given = iter(initial or kept or self.cell.first_states(tracer, steps.rows))
        found: list[str] = []
        for place, cell in enumerate(self.cells):
            is_last = place == len(self.cells) - 1
            loop = _Loop(cell, steps, mask, self.go_backwards, self.return_sequences or not is_last)
            begun = [next(given) for _ in cell.state_sizes]
            states, last, stacked = loop.append(begun, self.zero_output_for_mask)
            steps, found = StepSequence(tracer, steps.axis, stacked), [*found, *states]
        for name, state in zip(kept, found, strict=False):
            b.update(name, state)
        if not self.return_sequences:
            return self._last_output(tracer, steps.axis, last, mask), found
        return (b.add("transpose", stacked, permutation=(1, 0, 2)) if not steps.axis else stacked), found

    def _last_output(self, tracer: Tracer, axis: int, last: str, mask: str) -> str:
        """The last state, or zeros where the last step is masked and zeros are asked for."""
        if not (mask and self.zero_output_for_mask):
            return last
        b = tracer.builder
        lengths = b.type_of(mask).shape
        at, rows = 0 if self.go_backwards else lengths[axis] - 1, lengths[1 - axis]
        begin, shape = ((at, 0), (1, rows)) if axis == 0 else ((0, at), (rows, 1))
        counts = b.add("reshape", b.add("slice", mask, begin=begin, shape=shape), shape=(rows, 1))
        return b.add("select", counts, last, tracer.number(0.0))

    def _kept(self, tracer: Tracer, rows: int) -> list[str]:
        """The states that live on, of a layer that keeps them where that is asked for."""
        if not (self.stateful and tracer.keeping):
            return []
        return [tracer.state(self, place, (rows, size)) for place, size in enumerate(self.cell.state_sizes)]

    def signature(self) -> list[Any]:
        switches = [getattr(self, name) for name in _SWITCHES]
        cells = [[type(cell).__name__, *cell.signature()] for cell in self.cells]
        return [self.trainable, *switches, *cells]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        within = self.cell.cell if isinstance(self.cell, WrittenCell) else self.cell
        return {**config, "cell": serialize(within)} if "cell" in config else config

    @classmethod
    def from_config(cls, config: Any) -> Any:
        if "cell" not in cls.arguments or isinstance(config.get("cell"), Configurable):
            return super().from_config(config)
        return super().from_config({**config, "cell": cell_of(config.get("cell"))})


def states_told(layer: str, rows: Sequence[Shape], arguments: Any) -> list[Shape]:
    """The shapes of one row of the states that a call is told to begin with.

    Raises:
        UnsupportedError: it is told a mask that does not say of each step whether it counts.
    """
    places: tuple[Any, ...] = arguments[0] if arguments else ()
    mask = arguments[1].get("mask", places[2] if len(places) > 2 else None) if arguments else None
    at = getattr(mask, "index", -1)
    if mask is not None and (at < 1 or rows[at] != rows[0][:1]):
        raise UnsupportedError(
            f"a mask of layer {layer!r} has rows of shape {rows[0][:1]}: a number for each step",
            received=str(rows[at]) if at > 0 else repr(mask), remedy="Input((steps,)), 1 where a step counts",
        )  # fmt: skip
    return [row for place, row in enumerate(rows) if place not in (0, at)]


def counting(tracer: Tracer, x: str, mask: Any) -> str:
    """Which steps count: 1 where the mask that a call is told is not 0, else as the input's own mask says."""
    if mask is None:
        return tracer.mask_of(x)
    return tracer.builder.add("compare", mask, tracer.number(0.0))


def _listed(value: Any) -> list[str]:
    return [one for one in leaves_of(value) if one]


def as_cell(given: Any) -> Any:
    """A cell, or a list of them as one; those of one's own as the loop takes them."""
    if isinstance(given, (list, tuple)):
        return StackedRNNCells([as_cell(one) for one in given])
    return WrittenCell(given) if is_written_cell(given) else given


def cell_of(description: Any) -> Any:
    """A cell from its description in a model file.

    Raises:
        UnsupportedError: no cell of Keras's, and none of one's own that is told.
    """
    own = custom_object(description)
    if isinstance(own, type) and issubclass(own, Layer):
        return own.from_config(description.get("config", {}))
    if isinstance(description, (list, tuple)):
        return [cell_of(one) for one in description]
    kind = description.get("class_name") if isinstance(description, dict) else None
    found = getattr(cell_classes, str(kind), None) if str(kind).endswith(("Cell", "Cells")) else None
    if not (isinstance(found, type) and issubclass(found, (Cell, StackedRNNCells))) or found is Cell:
        require_cell(description)
        raise AssertionError
    config = dict(description["config"])
    if found is StackedRNNCells:
        config["cells"] = [as_cell(cell_of(each)) for each in config.get("cells", ())]
    return found.from_config(config)


class _Loop:
    """One cell's loop."""

    def __init__(self, cell: Cell, steps: StepSequence, mask: str, backwards: bool, stacks: bool) -> None:
        self._cell, self._steps, self._mask, self._backwards, self._stacks = cell, steps, mask, backwards, stacks
        cell.prepare_steps(steps)

    def append(self, initial: Sequence[str], zeros: bool) -> tuple[list[str], str, str]:
        """Add the loop; give the last states, what it gave last, and at each step if that is asked for."""
        steps, outer = self._steps, self._steps.tracer.builder
        states = len(initial)
        if not self._cell.gives_state:  # what it gave is carried on too
            first = np.zeros((steps.rows, self._cell.output_size), np.float32)
            initial = [*initial, outer.constant(first, "first_output")]
        sequences = [*steps.sequences, *([self._mask] if self._mask else [])]
        body = self._body(initial, sequences, zeros)
        axes = (steps.axis,) * (len(sequences) + self._stacks)
        made = outer.add_many(
            "scan", *initial, *sequences, *steps.captured, name=self._cell.name, body=body,
            length=outer.type_of(steps.value).shape[steps.axis], carried=len(initial), axes=axes,
            reverse=self._backwards,
        )  # fmt: skip
        last = made[0] if self._cell.gives_state else made[states]
        return list(made[:states]), last, made[-1] if self._stacks else ""

    def _body(self, initial: Sequence[str], sequences: Sequence[str], zeros: bool) -> Any:
        outer, axis = self._steps.tracer.builder, self._steps.axis
        b = GraphBuilder(f"{type(self._cell).__name__.lower()}_step")
        states = [b.input(f"state_{i}", outer.type_of(value).shape) for i, value in enumerate(initial)]
        slices = []
        for i, value in enumerate(sequences):
            lengths = outer.type_of(value).shape
            slices.append(b.input(f"slice_{i}", (*lengths[:axis], *lengths[axis + 1 :])))
        captured = iter([b.input(f"given_{i}", outer.type_of(v).shape) for i, v in enumerate(self._steps.captured)])
        reading = iter(slices)
        training = self._steps.tracer.training
        x = self._cell.read_step(b, training, lambda: next(reading), lambda: next(captured))
        own = states if self._cell.gives_state else states[:-1]
        following = self._cell.step(b, x, own, training, lambda: next(captured))
        given = 0 if self._cell.gives_state else -1
        output = following[given]
        if self._mask:
            counts = b.add("reshape", slices[-1], shape=(self._steps.rows, 1))
            following = tuple(b.add("select", counts, new, old) for new, old in zip(following, states, strict=True))
            output = b.add("select", counts, output, b.constant(0.0)) if zeros and self._stacks else following[given]
        return b.build([*following, *([output] if self._stacks else [])])


class OfCell(RNN):
    """What the layers below share: a cell of their own, whose arguments are theirs."""

    _kind: ClassVar[type[Cell]]
    refused = Cell.refused

    def __init__(self, units: int, *given: Any, **kwargs: Any) -> None:
        own = {key: kwargs.pop(key) for key in (*_SWITCHES, "time_major") if key in kwargs}
        own |= {key: kwargs.pop(key) for key in OF_ALL if key in kwargs}
        kwargs.pop("use_cudnn", None)
        kwargs |= {"name": snake_case(self._kind.__name__), "trainable": own.get("trainable", True)}
        super().__init__(self._kind(units, *given, **kwargs), **own)

    def __getattr__(self, name: str) -> Any:
        if name in type(self).arguments and "cell" in self.__dict__:
            return getattr(self.cell, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class SimpleRNN(OfCell):
    """``h' = activation(x @ kernel + h @ recurrent_kernel + bias)`` over the steps of a sequence.

    Args:
        units: how many states.
        activation: of the states; Keras's default is tanh.
        others: those of :class:`SimpleRNNCell`, then those of :class:`RNN` without the cell.
    """

    _kind = SimpleRNNCell
    arguments = (*SimpleRNNCell.arguments, *_SWITCHES)


class LSTM(OfCell):
    """A long short-term memory over the steps of a sequence.

    Args:
        units: how many states.
        activation, recurrent_activation: of states and of gates; Keras's defaults are tanh and sigmoid.
        others: those of :class:`LSTMCell`, then those of :class:`RNN` without the cell.
    """

    _kind = LSTMCell
    arguments = (*LSTMCell.arguments, *_SWITCHES)


class GRU(OfCell):
    """Gated recurrent units over the steps of a sequence.

    Args:
        units: how many states.
        activation, recurrent_activation: of states and of gates; Keras's defaults are tanh and sigmoid.
        reset_after: see :class:`GRUCell`.
        others: those of :class:`GRUCell`, then those of :class:`RNN` without the cell.
    """

    _kind = GRUCell
    arguments = (*GRUCell.arguments, *_SWITCHES)
