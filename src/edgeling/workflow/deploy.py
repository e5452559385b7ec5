# SPDX-License-Identifier: Apache-2.0
"""What can be deployed, whatever it came from: a graph for each precision, and rows to try it on."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from edgeling import targets
from edgeling.codegen import generate, names
from edgeling.codegen.generate import EXPLAIN, RUN
from edgeling.codegen.interface import Decision, Interface
from edgeling.codegen.program import Program
from edgeling.errors import UnsupportedError
from edgeling.graph import Graph, run_rows
from edgeling.graph.cost import cost
from edgeling.graph.interpreter import row_shape
from edgeling.graph.types import Array, DType
from edgeling.passes import optimize
from edgeling.passes.quantize import quantize
from edgeling.targets import Target
from edgeling.toolchain.prove import Proof, prove
from edgeling.workflow.ports import Rows

if TYPE_CHECKING:
    from edgeling.explaining.graphs import ExplanationGraph

Precision = Literal["float32", "int8", "int16x8"]
PRECISIONS: tuple[Precision, ...] = ("float32", "int8", "int16x8")
AUTO: tuple[Precision, ...] = ("float32", "int8")  # what "auto" chooses from
PROOF_ROWS = 64
EMULATED_PRODUCTS = 16_000_000  # in all rows that are run on a chip unasked
# What float32 C may differ from the interpreter by, relative to the largest answer (at least 1): the orders of
# summation and the elementary functions differ, each by an ulp or two. Integers may not differ at all.
FLOAT32_TOLERANCE = 1e-5

MAX_NAME = 48
# NAME.h would be found in place of these.
_HEADERS = frozenset(
    """assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdarg stdbool stddef
    stdint stdio stdlib string tgmath time wchar wctype""".split()  # noqa: SIM905
)


@dataclass(frozen=True, eq=False)
class Deployable:
    """A network ready for code generation.

    Attributes:
        name: C identifier.
        graphs: by precision; any named inputs and outputs. What is variable lives on from row to row.
        rows: of each input [rows, ...] of its element type, inputs to prove it on.
        interface: what its header tells, and which inputs it answers; None: it answers all, and tells nothing.
        target: whose kernels the C calls; None: C for any compiler and core.
        explanation: what ``NAME_explain`` computes beside ``NAME_run``; None: there is none.
    """

    name: str
    graphs: Mapping[str, Graph]
    rows: Rows
    interface: Interface | None = None
    target: Target | None = None
    explanation: ExplanationGraph | None = None
    programs: dict[str, Program] = field(default_factory=dict)

    def for_target(self, target: Target) -> Deployable:
        """The same in C for one target."""
        return replace(self, target=target, programs={})

    def named(self, name: str) -> Deployable:
        """The same under another name."""
        return self if name == self.name else replace(self, name=name, programs={})

    def program(self, precision: str) -> Program:
        """The C of one precision, generated once.

        Raises:
            UnsupportedError: there is no graph of that precision.
        """
        if precision not in self.graphs:
            raise UnsupportedError(
                f"{self.name} can be built as {' or '.join(self.graphs)}",
                received=repr(precision),
                remedy="for integers, rows to calibrate on: calibration_data=X_train (--calibration TABLE); or train "
                "again with precision='auto' (--precision auto)",
            )
        if precision not in self.programs:
            graph = self.graphs[precision]
            beside = {EXPLAIN: self.explanation.graph} if self.explanation else {}
            self.programs[precision] = generate(
                {RUN: graph, **beside},
                self.name,
                initial_values=bool(graph.variables),
                target=self.target,
                interface=self.interface,
            )
        return self.programs[precision]

    def answers(self, precision: str, rows: Array | Rows) -> Rows:
        """What the C is to give, of each output [rows, ...]: the graph's meaning, one row after the other.

        A row that has no answer gives NaN (0 of integers), and leaves what is kept as it was.
        """

        def meant(*some: Array) -> Rows:
            with np.errstate(over="ignore", invalid="ignore"):
                return run_rows(self.graphs[precision], *some)

        return self.where_answerable(precision, _each(rows), meant)

    def where_answerable(self, precision: str, rows: Rows, answer: Callable[..., Rows]) -> Rows:
        """Answers of those rows that have one, among NaN (0 of integers) for the others."""
        answerable, graph = self.answerable(rows), self.graphs[precision]
        if answerable.all():
            return answer(*rows)
        found = answer(*(x[answerable] for x in rows)) if answerable.any() else ()
        whole = tuple(_unanswered(graph, output, len(answerable)) for output in graph.outputs)
        for every, some in zip(whole, found, strict=False):
            every[answerable] = some
        return whole

    def answerable(self, rows: Array | Rows) -> Array:
        """Of each row, whether it has an answer: its values are finite, or missing where they are filled in."""
        rows = _each(rows)
        answerable, at = np.ones(len(rows[0]) if rows else 1, bool), 0
        if self.interface is None:
            return answerable
        for x in rows:
            flat = x.reshape(len(x), -1)
            if x.dtype == np.float32:
                may_be_missing = np.asarray(self.interface.may_be_missing[at : at + flat.shape[1]] or (False,))
                answerable &= (np.isfinite(flat) | (np.isnan(flat) & may_be_missing)).all(axis=1)
            at += flat.shape[1]
        for name, x in zip(next(iter(self.graphs.values())).inputs, rows, strict=False):
            if name in self.interface.steps:
                told = x.reshape(len(x), -1)[:, 0]
                answerable &= (told == np.floor(told)) & (told >= 1) & (told <= self.interface.steps[name])
        return answerable

    def for_emulation(self, precision: str, chip: Target) -> Deployable:
        """With no more rows than an emulator of this chip runs in seconds.

        A product of floats takes about seventy instructions where there is no float unit.
        """
        graph = self.graphs[precision]
        slow = chip.float_unit == "none" and all(kind.dtype is DType.FLOAT32 for kind in graph.types.values())
        products = EMULATED_PRODUCTS // (30 if slow else 1)
        rows = max(1, products // max(1, cost(graph).multiply_accumulates))
        return replace(self, rows=tuple(x[:rows] for x in self.rows))

    def prove(self, precision: str, target: str | Target) -> Proof:
        """Run the C on a target against the meaning of the graph, and measure it.

        Raises:
            ToolchainError: it does not compile or does not run.
            TargetError: no such target.
        """
        chip = targets.get(target) if isinstance(target, str) else target
        expected = self.answers(precision, self.rows)
        return prove(self.program(precision), chip, self.rows, expected, tolerance_of(precision, expected))


def _each(rows: Array | Rows) -> Rows:
    return rows if isinstance(rows, tuple) else (rows,)


def _unanswered(graph: Graph, output: str, rows: int) -> Array:
    dtype = graph.types[output].dtype
    return np.full((rows, *row_shape(graph, output)), np.nan if dtype is DType.FLOAT32 else 0, dtype.numpy)


def tolerance_of(precision: str, expected: Sequence[Array]) -> float:
    """What C may differ from these answers by."""
    largest = [float(np.max(np.abs(y), initial=0, where=np.isfinite(y))) for y in expected]
    return FLOAT32_TOLERANCE * max(1.0, *largest) if precision == "float32" else 0.0


def deployable(
    name: str,
    graph: Graph,
    rows: Array | Rows,
    calibration: Array | Rows | None = None,
    precisions: Sequence[str] = AUTO,
    interface: Interface | None = None,
) -> Deployable:
    """Optimise a float graph, and quantise it for each integer precision.

    Args:
        graph: frozen, batch 1.
        rows: inputs to prove it on: of each [rows, ...], or of the only one.
        calibration: inputs whose ranges decide the scales of integers, likewise.
        interface: what the header tells; by default what can be told from the graph.

    Raises:
        UnsupportedError: integers are asked for, and the network holds what cannot be quantised.
    """
    small = optimize(graph)
    interface, graphs = interface or interface_of(small), {"float32": small}
    if calibration is not None:
        seen = dict(zip(graph.inputs, _each(calibration), strict=True))
        fine = interface.decides_finely
        graphs |= {p: quantize(small, seen, p, fine=fine) for p in precisions if p != "float32"}
    chosen = {p: graphs[p] for p in precisions if p in graphs}
    return Deployable(name, chosen, _each(rows), interface)


def interface_of(graph: Graph) -> Interface:
    """What a float graph tells of itself: whether it chooses a class, which columns are imputed, names."""
    columns = sum(graph.types[x].size for x in graph.inputs)
    names, labels = (tuple(map(str, graph.metadata.get(key) or ())) for key in ("input_names", "labels"))
    decision = _decision(graph)
    classes = {"largest": graph.types[graph.outputs[0]].size, "threshold": 2, "": 0}[decision]
    return Interface(
        decision=decision,
        labels=labels if len(labels) == classes else (),
        input_names=names if len(names) == columns and len(graph.inputs) == 1 else (),
        may_be_missing=_imputed(graph),
        steps=steps_of(graph),
    )


def steps_of(graph: Graph) -> dict[str, int]:
    """By input that tells how many steps of a sequence are there, how many there are at most."""
    told = graph.metadata.get("steps")
    return {str(name): int(most) for name, most in told.items()} if isinstance(told, dict) else {}


def _decision(graph: Graph) -> Decision:
    """How the last activation's outputs choose a class, as Keras's losses read them."""
    if len(graph.outputs) != 1:
        return ""
    (answer,) = graph.outputs
    maker = next((node for node in graph.nodes if answer in node.outputs), None)
    size = graph.types[answer].size
    if maker is None:
        return ""
    if maker.operation == "softmax":
        return "largest" if size > 1 else ""
    return "threshold" if size == 1 and maker.attributes.get("function") == "sigmoid" else ""


def _imputed(graph: Graph) -> tuple[bool, ...]:
    """Of each column of the inputs, whether everything that reads it fills in for NaN first."""
    every = tuple(flag for x in graph.inputs for flag in _imputed_of(graph, x))
    return every if any(every) else ()


def _imputed_of(graph: Graph, x: str) -> list[bool]:
    columns = graph.types[x].size
    readers = [node for node in graph.nodes if x in node.inputs]
    allowed = np.ones(columns, bool) if readers else np.zeros(columns, bool)
    for node in readers:
        within = list(node.attributes["indices"]) if node.operation == "gather" else list(range(columns))
        followers = [n for n in graph.nodes if node.output in n.inputs] if node.operation == "gather" else [node]
        if not all(n.operation in ("impute", "one_hot", "embedding") for n in followers):
            allowed[within] = False
    return list(allowed)


def identifier(text: str) -> str:
    """A name for a program as close to ``text`` as can be: a C identifier, and no header of C's own."""
    safe = re.sub("[^a-z0-9]+", "_", text.lower())[:MAX_NAME].strip("_")
    if not safe or safe[0].isdigit() or safe.startswith("edgeling"):
        safe = f"model_{safe}"[:MAX_NAME].rstrip("_")
    return f"{safe}_model" if safe in _HEADERS or names.identifier(safe) != safe else safe
