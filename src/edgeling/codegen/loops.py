# SPDX-License-Identifier: Apache-2.0
"""The ``for`` loop that a ``scan`` becomes.

What is carried lives in the memory of the scan's own outputs: the body reads it there and leaves the next there, as
a step leaves a variable. A slice is a pointer into its sequence where its elements lie side by side; where they do not
(several rows, each with steps of its own) it is copied to scratch and back. Code does not grow with the steps.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from edgeling.codegen.memory import words_of
from edgeling.codegen.names import Names
from edgeling.codegen.text import shape_text
from edgeling.graph.scan import Scan
from edgeling.graph.types import DType, Graph, TensorType


@dataclass(frozen=True)
class Slices:
    """The slices of one sequence, or of one stack of results: ``outer`` runs of ``inner`` elements for each step.

    Attributes:
        stride: from a slice to the next, where they are not copied: more than ``inner`` where a loop is over some rows.
        row: elements of all steps from a row to the next.
    """

    value: str
    type: TensorType
    outer: int
    inner: int
    stride: int
    row: int

    @property
    def is_copied(self) -> bool:
        """Whether a slice's elements lie apart."""
        return self.outer > 1


@dataclass(frozen=True)
class Loop:
    """A ``scan``, and how its slices lie in memory."""

    scan: Scan
    sequences: tuple[Slices, ...]
    stacks: tuple[Slices, ...]

    @classmethod
    def of(cls, scan: Scan, rows: int = 0) -> Loop:
        """The loop of a scan; ``rows``: how many there are, if it is over some of them."""
        _, inside, _ = scan.split_inputs(scan.body.inputs)
        _, results = scan.split_outputs(scan.body.outputs)
        return cls(
            scan,
            tuple(_slices(scan, v, axis, rows) for v, axis in zip(inside, scan.sequence_axes, strict=True)),
            tuple(_slices(scan, v, axis, rows) for v, axis in zip(results, scan.stack_axes, strict=True)),
        )  # fmt: skip

    @property
    def copied(self) -> tuple[Slices, ...]:
        """Slices that need memory of their own."""
        return tuple(s for s in (*self.sequences, *self.stacks) if s.is_copied)

    @property
    def copied_words(self) -> int:
        """How much."""
        return sum(words_of(s.type) for s in self.copied)

    @property
    def copied_dtypes(self) -> frozenset[DType]:
        """Of what elements."""
        return frozenset(s.type.dtype for s in self.copied)

    def graph(self) -> Graph:
        """The body as a step that keeps variables: what is carried."""
        scan, body = self.scan, self.scan.body
        carried, sequences, captured = scan.split_inputs(body.inputs)
        following, results = scan.split_outputs(body.outputs)
        return Graph(
            body.name, (*sequences, *captured), tuple(results), body.nodes, body.types, body.constants,
            {name: np.zeros((), body.types[name].dtype.numpy) for name in carried},
            tuple(zip(carried, following, strict=True)), body.metadata,
        )  # fmt: skip


def _slices(scan: Scan, value: str, axis: int, rows: int) -> Slices:
    kind = scan.body.types[value]
    outer, inner = prod(kind.shape[:axis]), prod(kind.shape[axis:])
    stride = rows * prod(kind.shape[1:]) if rows and axis == 0 else inner
    return Slices(value, kind, outer, inner, stride, prod(kind.shape[1:]) * (scan.length if axis else 1))


class LoopText:
    """The lines around a loop's body.

    Args:
        names: of the C scope it stands in.
        given, made: C expressions of the inputs and outputs of the node, in order.
        results: the body's values that are stacked, as scheduled.
        scratch: the arena's word where slices that are copied lie, behind ``part`` (see :class:`BlockWriter`).

    Attributes:
        expressions: C expressions of what the body takes and gives, by value.
        declarations, before, after: lines inside the loop, around the body's statements.
    """

    def __init__(
        self, loop: Loop, names: Names, given: Sequence[str], made: Sequence[str], results: Sequence[str], scratch: int,
        part: str,
    ) -> None:  # fmt: skip
        self._loop, self._names, self._scratch, self._part = loop, names, scratch, part
        self._step = names.take("step")
        self.declarations: list[str] = []
        self.before: list[str] = []
        self.after: list[str] = []
        carried, _, captured = loop.scan.split_inputs(loop.scan.body.inputs)
        _, from_sequences, from_captured = loop.scan.split_inputs(given)
        final, stacks = loop.scan.split_outputs(made)
        self.expressions = {**dict(zip(carried, final, strict=True)), **dict(zip(captured, from_captured, strict=True))}
        for slices, sequence in zip(loop.sequences, from_sequences, strict=True):
            self._bind(slices, slices.value, sequence, is_result=False)
        for slices, value, stack in zip(loop.stacks, results, stacks, strict=True):
            self._bind(slices, value, stack, is_result=True)

    @property
    def head(self) -> str:
        """The ``for`` line."""
        step, length, name = self._step, self._loop.scan.length, self._loop.scan.body.name
        if self._loop.scan.reverse:
            return f"for (int32_t {step} = {length - 1}; {step} >= 0; {step}--) {{ /* {name} */"
        return f"for (int32_t {step} = 0; {step} < {length}; {step}++) {{ /* {name} */"

    @property
    def step_of_part(self) -> str:
        """The line that stands for it where a part of some work is a step."""
        return f"const int32_t {self._step} = part; /* {self._loop.scan.body.name} */"

    def _bind(self, slices: Slices, value: str, whole: str, *, is_result: bool) -> None:
        kind, c_type = slices.type, slices.type.dtype.c_name
        c_name = self.expressions[value] = self._names.take(f"{value}_slice")
        const = "const " if not is_result else ""
        if not slices.is_copied:
            place = f"{whole} + {self._step} * {slices.stride}"
            self.declarations.append(f"{const}{c_type} *const {c_name} = {place}; /* {shape_text(kind)} */")
            return
        place = f"({c_type} *)&arena->words[{self._part}{self._scratch}]"
        self._scratch += words_of(kind)
        self.declarations.append(f"{c_type} *const {c_name} = {place}; /* {shape_text(kind)} */")
        sizes = f"{slices.outer}, {self._loop.scan.length}, {slices.inner}, {self._step}"
        if is_result:
            self.after.append(f"edgeling_put_{kind.dtype.value}({sizes}, {c_name}, {whole});")
        else:
            self.before.append(f"edgeling_take_{kind.dtype.value}({sizes}, {whole}, {c_name});")


class RowPointers:
    """What a function that does a loop for some rows is handed, and what it calls that.

    Args:
        loop: over some of the rows.
        divided: the values of its body that have a line for each row.
        given, made: as of :class:`LoopText`, in the scope that calls the function.

    Attributes:
        outer: expressions in the scope of the caller, in order.
        given, made: names of the same in the function.
        declarations: of those names, from ``arrays`` and the row ``first``.
    """

    def __init__(
        self, loop: Loop, divided: Collection[str], names: Names, given: Sequence[str], made: Sequence[str]
    ) -> None:
        scan, body = loop.scan, loop.scan.body
        rows = {s.value: s.row for s in (*loop.sequences, *loop.stacks)}
        stacks = list(zip(body.outputs[scan.carried :], made[scan.carried :], strict=True))
        self.outer = [*given, *(stack for _, stack in stacks)]
        self.declarations, inner = list[str](), list[str]()
        for at, value in enumerate((*body.inputs, *(value for value, _ in stacks))):
            kind, is_read = body.types[value], scan.carried <= at < len(body.inputs)
            c_type, name = f"{'const ' if is_read else ''}{kind.dtype.c_name} *", names.take(f"{value}_rows")
            place = f" + first * {rows.get(value, prod(kind.shape[1:]))}" if value in divided else ""
            self.declarations.append(f"{c_type}const {name} = ({c_type})arrays[{at + 1}]{place};")
            inner.append(name)
        self.given = inner[: len(body.inputs)]
        self.made = [*inner[: scan.carried], *inner[len(body.inputs) :]]
