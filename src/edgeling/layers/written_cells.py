# SPDX-License-Identifier: Apache-2.0
"""Cells written in Python: ``call(inputs, states)`` runs on the values of a loop's body, once for all steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

from edgeling.configurable import OpaqueError
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.layers.base import Layer, Shape
from edgeling.layers.cells import Read, StepSequence, zeros_first
from edgeling.layers.symbolic import leaves_of
from edgeling.layers.traced import TracedValue, scratch, traced, tracing
from edgeling.network.tracing import Tracer

_ROWS = 2  # of the graph that a step is tried in


def is_written_cell(layer: Any) -> bool:
    """Whether a layer says in Python what a step is, and how many numbers its states have."""
    return isinstance(layer, Layer) and layer.traces_calls and hasattr(layer, "state_size")


@dataclass(frozen=True)
class _Draw:
    """What a step draws at random."""

    operation: str
    seed: int | None
    shape: tuple[int, ...]
    told: dict[str, Any]


class _Recording(Tracer):
    """Keeps what is drawn."""

    def drawn(self, operation: str, seed: int | None, **attributes: Any) -> str:
        if "shape" not in attributes:
            raise UnsupportedError(
                "a step of a loop draws masks and noise", received=f"{operation} in a cell of one's own",
                remedy="that layer before the recurrent layer",
            )  # fmt: skip
        shape = tuple(attributes["shape"])
        self.draws = [*getattr(self, "draws", []), _Draw(operation, seed, shape, attributes)]
        return self.builder.input(f"drawn_{len(self.draws)}", shape)


class _Replaying(Tracer):
    """Gives what was drawn for this step before the loop."""

    left: list[str]

    def drawn(self, operation: str, seed: int | None, **attributes: Any) -> str:
        return self.left.pop(0)


class WrittenCell(Layer):
    """A layer of one's own as a cell: ``call(inputs, states)`` gives the output, and the states that follow.

    Args:
        cell: with ``state_size``, a number or a list of them; ``output_size``, unless it is the first state's;
            ``get_initial_state(batch_size)``, unless states begin with zeros. What its call draws (Dropout) is drawn
            anew at each step.

    Attributes:
        gives_state: whether what it gives is its first state; here it need not be.
    """

    gives_state = False

    def __init__(self, cell: Layer) -> None:
        super().__init__(name=cell.name)
        self.cell = cell
        self._draws: list[_Draw] = []

    @property
    def state_size(self) -> Any:
        """As the cell says it."""
        return self.cell.state_size  # type: ignore[attr-defined]

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """How many numbers each of its states has."""
        return tuple(int(size) for size in leaves_of(self.state_size))

    @property
    def output_size(self) -> int:
        """How many numbers it gives a step."""
        return int(getattr(self.cell, "output_size", None) or self.state_sizes[0])

    @property
    def weight_count(self) -> int:
        """How many weights there are, once built."""
        return len(self.cell.weights)

    def weight_shapes(self, row: Shape) -> list[Shape]:
        self.build((None, *row))  # which alone tells
        return self.cell.weight_shapes(row)

    @property
    def parts_in_files(self) -> tuple[tuple[str, int], ...]:
        return self.cell.parts_in_files

    def _make(self, row: Shape) -> None:
        self.cell.build((None, *row))
        tracer = scratch()  # layers within it are built when they are called
        lengths = (row, *((size,) for size in self.state_sizes))
        given = [tracer.builder.input(f"x_{i}", (_ROWS, *each)) for i, each in enumerate(lengths)]
        self._made(tracer, given[0], given[1:])

    def output_shape_of(self, row: Shape) -> Shape:
        return (*row[:-1], self.output_size)

    def signature(self) -> list[Any]:
        raise OpaqueError(type(self.cell).__name__)

    def first_states(self, tracer: Tracer, rows: int) -> list[str]:
        """What a loop over so many rows begins with: what ``get_initial_state(batch_size)`` gives, else zeros.

        Raises:
            UnsupportedError: states of other shapes.
        """
        begin = getattr(self.cell, "get_initial_state", None)
        if begin is None:
            return zeros_first(tracer, rows, self.state_sizes)
        with tracing(tracer):
            told = begin(batch_size=rows) if "batch_size" in signature(begin).parameters else begin()
            values = [traced(one, tracer) for one in leaves_of(told)]
        lengths = [value.lengths for value in values]
        if len(values) != len(self.state_sizes) or any(
            own[-1:] != (size,) or own[:-1] not in ((), (1,), (rows,))
            for own, size in zip(lengths, self.state_sizes, strict=True)
        ):
            raise UnsupportedError(
                f"get_initial_state of cell {self.name!r} gives states [rows, size] of sizes {self.state_sizes}",
                received=str(lengths), remedy="edgeling.ops.zeros((batch_size, units))",
            )  # fmt: skip
        return [_for_rows(tracer, value.name, rows) for value in values]

    def prepare_steps(self, steps: StepSequence) -> None:
        """Say what the loop reads: the sequence, what it draws at each step, and all weights."""
        tracer, b = steps.tracer, steps.tracer.builder
        self.cell.penalize(tracer)
        self._draws = self._drawn_in(steps) if tracer.training else []
        steps.sequences.append(steps.value)
        length = b.type_of(steps.value).shape[steps.axis]
        for draw in self._draws:
            lead, rest = draw.shape[: steps.axis], draw.shape[steps.axis :]
            steps.sequences.append(
                tracer.drawn(draw.operation, draw.seed, **{**draw.told, "shape": (*lead, length, *rest)})
            )
        steps.captured += [tracer.value(weight) for weight in self.cell.weights]

    def _drawn_in(self, steps: StepSequence) -> list[_Draw]:
        """What one step draws: seen by tracing it in a graph that nobody runs."""
        tracer = _Recording(GraphBuilder("draws"), {}, training=True, lazily=True)
        *_, features = steps.tracer.builder.type_of(steps.value).shape
        sizes = (features, *self.state_sizes)
        given = [tracer.builder.input(f"x_{i}", (steps.rows, size)) for i, size in enumerate(sizes)]
        self._made(tracer, given[0], given[1:])
        return list(getattr(tracer, "draws", []))

    def read_step(self, b: GraphBuilder, training: bool, slices: Read, captured: Read) -> str:
        """A step of the sequence; then what is drawn for it."""
        x = slices()
        self._drawn = [slices() for _ in self._draws]
        return x

    def step(self, b: GraphBuilder, x: str, states: Sequence[str], training: bool, captured: Read) -> tuple[str, ...]:
        """The states after a step, in a loop's body, then what it gives."""
        tracer = _Replaying(b, {}, training=training)
        tracer.names = {weight: captured() for weight in self.cell.weights}
        tracer.left = list(self._drawn)
        return self._made(tracer, x, states)

    def _made(self, tracer: Tracer, x: str, states: Sequence[str]) -> tuple[str, ...]:
        given, *held = (TracedValue(tracer, name, True) for name in (x, *states))
        told = {"training": tracer.training} if "training" in signature(self.cell.call).parameters else {}
        with tracing(tracer):
            made = self.cell.call(given, held, **told)
        output, *following = leaves_of(made)
        sizes = [getattr(one, "row", None) for one in (output, *following)]
        if sizes != [(self.output_size,), *((size,) for size in self.state_sizes)]:
            raise UnsupportedError(
                f"call of cell {self.name!r} gives (output, states) of rows {self.output_size}, {self.state_sizes}",
                received=str(sizes), remedy="return output, [state]",
            )  # fmt: skip
        return (*(one.name for one in following), output.name)


def _for_rows(tracer: Tracer, state: str, rows: int) -> str:
    """A state [size] or [1, size] for each of so many rows."""
    b, shape = tracer.builder, tracer.builder.type_of(state).shape
    if len(shape) == 2 and shape[0] == rows:
        return state
    return b.add("broadcast", b.add("reshape", state, shape=(1, shape[-1])), shape=(rows, shape[-1]))
