# SPDX-License-Identifier: Apache-2.0
"""Cells written in Python: ``call(inputs, states)`` runs on the values of a loop's body, once for all steps."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import Any

from edgeling.configurable import OpaqueError
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.layers.base import Layer, Shape
from edgeling.layers.cells import Read, StepSequence
from edgeling.layers.symbolic import leaves_of
from edgeling.layers.traced import TracedValue, scratch, tracing
from edgeling.network.tracing import Tracer

_ROWS = 2  # of the graph that a step is tried in


def is_written_cell(layer: Any) -> bool:
    """Whether a layer says in Python what a step is, and how many numbers its states have."""
    return isinstance(layer, Layer) and layer.traces_calls and hasattr(layer, "state_size")


class WrittenCell(Layer):
    """A layer of one's own as a cell: ``call(inputs, states)`` gives the output, and the states that follow.

    Args:
        cell: with ``state_size``, a number or a list of them; ``output_size``, unless it is the first state's.

    Attributes:
        gives_state: whether what it gives is its first state; here it need not be.
    """

    gives_state = False

    def __init__(self, cell: Layer) -> None:
        super().__init__(name=cell.name)
        if hasattr(cell, "get_initial_state"):
            raise UnsupportedError(
                "states of a cell of one's own begin with zeros, or with what the layer is told",
                received=f"get_initial_state of {cell.name!r}", remedy="initial_state=[...] of the layer's call",
            )  # fmt: skip
        self.cell = cell

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
        return self.cell.weight_shapes(row)

    def make(self, row: Shape) -> None:
        self.cell.build((None, *row))
        tracer = scratch()  # layers within it are built when they are called
        lengths = (row, *((size,) for size in self.state_sizes))
        given = [tracer.builder.input(f"x_{i}", (_ROWS, *each)) for i, each in enumerate(lengths)]
        self._made(tracer, given[0], given[1:])

    def output_shape_of(self, row: Shape) -> Shape:
        return (*row[:-1], self.output_size)

    def signature(self) -> list[Any]:
        raise OpaqueError(type(self.cell).__name__)

    def prepare_steps(self, steps: StepSequence) -> None:
        """Say what the loop reads: the sequence, and all weights."""
        self.cell.penalize(steps.tracer)
        steps.sequences.append(steps.value)
        steps.captured += [steps.tracer.value(weight) for weight in self.cell.weights]

    def read_step(self, b: GraphBuilder, training: bool, slices: Read, captured: Read) -> str:
        """A step of the sequence."""
        return slices()

    def step(self, b: GraphBuilder, x: str, states: Sequence[str], training: bool, captured: Read) -> tuple[str, ...]:
        """The states after a step, in a loop's body, then what it gives."""
        tracer = Tracer(b, {}, training=training)
        tracer.names = {weight: captured() for weight in self.cell.weights}
        made = self._made(tracer, x, states)
        if tracer.has_drawn:
            raise UnsupportedError(
                "a step of a loop draws nothing", received=f"call of cell {self.name!r}",
                remedy="Dropout before the recurrent layer",
            )  # fmt: skip
        return made

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
