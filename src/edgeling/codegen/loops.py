# SPDX-License-Identifier: Apache-2.0
"""The ``for`` loop that a ``scan`` becomes.

What is carried lives in the memory of the scan's own outputs: the body reads it there and leaves the next there, as
a step leaves a variable. A slice is a pointer into its sequence where its elements lie side by side; where they do not
(several rows, each with steps of its own) it is copied to scratch and back. Code does not grow with the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from edgeling.codegen.memory import words_of
from edgeling.codegen.names import Names
from edgeling.codegen.text import shape_text
from edgeling.graph.scan import Scan
from edgeling.graph.types import DType, Graph, Node, TensorType


@dataclass(frozen=True)
class Slices:
    """The slices of one sequence, or of one stack of results: ``outer`` runs of ``inner`` elements for each step."""

    value: str
    type: TensorType
    outer: int
    inner: int

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
    def of(cls, node: Node) -> Loop:
        """The loop of a ``scan`` node."""
        scan = Scan.of(node.attributes)
        _, inside, _ = scan.split_inputs(scan.body.inputs)
        _, results = scan.split_outputs(scan.body.outputs)
        return cls(
            scan,
            tuple(_slices(scan, v, axis) for v, axis in zip(inside, scan.sequence_axes, strict=True)),
            tuple(_slices(scan, v, axis) for v, axis in zip(results, scan.stack_axes, strict=True)),
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


def _slices(scan: Scan, value: str, axis: int) -> Slices:
    kind = scan.body.types[value]
    return Slices(value, kind, prod(kind.shape[:axis]), prod(kind.shape[axis:]))


class LoopText:
    """The lines around a loop's body.

    Args:
        names: of the C scope it stands in.
        given, made: C expressions of the inputs and outputs of the node, in order.
        results: the body's values that are stacked, as scheduled.
        scratch: C expression of the arena's word where slices that are copied lie.

    Attributes:
        expressions: C expressions of what the body takes and gives, by value.
        declarations, before, after: lines inside the loop, around the body's statements.
    """

    def __init__(
        self, loop: Loop, names: Names, given: Sequence[str], made: Sequence[str], results: Sequence[str], scratch: int
    ) -> None:
        self._loop, self._names, self._scratch = loop, names, scratch
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

    def _bind(self, slices: Slices, value: str, whole: str, *, is_result: bool) -> None:
        kind, c_type = slices.type, slices.type.dtype.c_name
        c_name = self.expressions[value] = self._names.take(f"{value}_slice")
        const = "const " if not is_result else ""
        if not slices.is_copied:
            place = f"{whole} + {self._step} * {slices.inner}"
            self.declarations.append(f"{const}{c_type} *const {c_name} = {place}; /* {shape_text(kind)} */")
            return
        place = f"({c_type} *)&arena->words[{self._scratch}]"
        self._scratch += words_of(kind)
        self.declarations.append(f"{c_type} *const {c_name} = {place}; /* {shape_text(kind)} */")
        sizes = f"{slices.outer}, {self._loop.scan.length}, {slices.inner}, {self._step}"
        if is_result:
            self.after.append(f"edgeling_put_{kind.dtype.value}({sizes}, {c_name}, {whole});")
        else:
            self.before.append(f"edgeling_take_{kind.dtype.value}({sizes}, {whole}, {c_name});")
