# SPDX-License-Identifier: Apache-2.0
"""Compiles many graphs as one program, runs each, and compares it with the interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeling.codegen import generate
from edgeling.graph.batch import with_batch
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.interpreter import run
from edgeling.graph.types import Array, DType, Graph
from edgeling.targets import Target
from edgeling.toolchain.native import NativeProgram, load, sharing_units
from tests.support.rounding import ELEMENTARY, UNIT, Bound, graph_bounds

SAMPLES = 5


@dataclass(frozen=True)
class Case:
    """A graph, and what to feed it; ``exact``: every operation of it rounds at most once, so C gives the same bits."""

    graph: Graph
    inputs: tuple[Array, ...]
    title: str = ""
    exact: bool = False


def case(operation: str, *inputs: Array, exact: bool = False, **attributes: object) -> Case:
    """One node, all of its inputs coming from the caller, all of its outputs going back."""
    b = GraphBuilder(operation)
    stored = [np.asarray(x, np.float32) if np.asarray(x).dtype.kind == "f" else np.asarray(x) for x in inputs]
    names = [b.input(f"in_{i}", x.shape, DType.of(x)) for i, x in enumerate(stored)]
    outputs = b.add_many(operation, *names, **attributes)
    shapes = " ".join(str(x.shape) for x in stored)
    return Case(b.build(outputs), tuple(stored), f"{operation} {attributes} on {shapes}", exact)


@dataclass(frozen=True)
class Expected:
    """What a value must be: as its meaning gives it in float32, or as near the truth as rounding allows."""

    meaning: Array
    bound: Bound | None

    def require(self, got: Array, what: str, near_ulps: float = ELEMENTARY**2) -> None:
        """Integers, NaN and infinities exactly; other floats within the bound, if there is one.

        Near the meaning in float32 is right too: where a constant beside 1, as 1 - 1e-7, is rounded once for ever,
        double precision is no guide. Near is ``near_ulps``.
        """
        if self.bound is None:
            np.testing.assert_array_equal(got, self.meaning, what)
            return
        finite = np.isfinite(self.meaning)
        np.testing.assert_array_equal(got[~finite], self.meaning[~finite], what)
        with np.errstate(all="ignore"):
            off = np.abs(got.astype(np.float64) - self.bound.exact) / self.bound.room
            near = np.abs(got - self.meaning) <= near_ulps * UNIT * np.abs(self.meaning)
        wrong = finite & ~near & ~(off <= 1)
        where = tuple(axis[:4] for axis in np.atleast_1d(wrong).nonzero())
        assert not wrong.any(), (
            f"{what}: {np.nanmax(off[wrong]):.3g} times what rounding may cost, {got[wrong][:4]} for "
            f"{self.bound.exact[wrong][:4]} at {where}"
        )


def expected_of(item: Case, held: Mapping[str, Array] | None = None) -> tuple[list[Expected], dict[str, Expected]]:
    """Of the outputs, and of the variables afterwards."""
    graph = item.graph
    start = {**graph.variables, **(held or {})}
    with np.errstate(all="ignore"):
        meant = run(graph, item.inputs, start)
        arrays = [*meant.outputs, *meant.variables.values()]
        if item.exact:
            found: list[Bound | None] = [None] * len(arrays)
        else:
            found = [*graph_bounds(graph, item.inputs, start, SAMPLES)]
    each = [Expected(a, b if a.dtype.kind == "f" else None) for a, b in zip(arrays, found, strict=True)]
    count = len(graph.outputs)
    return each[:count], dict(zip(graph.variables, each[count:], strict=True))


def expected_rows(graph: Graph, rows: Array) -> Expected:
    """Of the first output of a graph of one row, for each of many."""
    return expected_of(Case(with_batch(graph, len(rows)), (rows,)))[0][0]


def compile_cases(
    cases: Sequence[Case], name: str = "cases", target: Target | None = None, linked: bool = False
) -> NativeProgram:  # fmt: skip
    """One program with an entry ``NAME_cN`` for the N-th case; variables do not meet. ``linked``: as this process runs
    programs, with kernels that are compiled once, and threads where the target has some."""
    graphs = {f"c{i}": apart(c.graph, f"c{i}_") for i, c in enumerate(cases)}
    program = generate(graphs, name, initial_values=True, target=target)
    return load(program, units=sharing_units() if linked else (), linked=linked)


def apart(graph: Graph, prefix: str) -> Graph:
    """The graph with its variables renamed, so that cases do not share them."""
    new = {v: prefix + v for v in graph.variables}

    def name(value: str) -> str:
        return new.get(value, value)

    def rename(items: Mapping[str, object]) -> dict[str, object]:
        return {name(k): v for k, v in items.items()}

    return replace(
        graph,
        inputs=tuple(map(name, graph.inputs)),
        outputs=tuple(map(name, graph.outputs)),
        nodes=tuple(replace(n, inputs=tuple(map(name, n.inputs))) for n in graph.nodes),
        types=rename(graph.types),
        variables=rename(graph.variables),
        updates=tuple((name(a), name(b)) for a, b in graph.updates),
    )


def run_case(native: NativeProgram, index: int, item: Case) -> tuple[list[Array], dict[str, Array]]:
    """Outputs, and variables afterwards, of one case in C."""
    graph = item.graph
    outputs = [np.full(graph.types[o].shape, 77, graph.types[o].dtype.numpy) for o in graph.outputs]
    native.function(f"{native.program.name}_c{index}")(
        *(np.ascontiguousarray(x).reshape(x.shape) for x in item.inputs), *outputs
    )
    variables = {v: native.variable(f"c{index}_{v}", graph.types[v]).copy() for v in graph.variables}
    return outputs, variables


def check(cases: Sequence[Case], steps: int = 1, target: Target | None = None, linked: bool = False) -> None:
    """Every case's C, with the kernels of a target, gives what the graph means, step after step (of many, every sixth).

    Each step begins where the C's last one ended, so that errors do not add up.
    """
    native = compile_cases(cases, target=target, linked=linked)
    for index, item in enumerate(cases):
        held: Mapping[str, Array] = item.graph.variables
        for step in range(steps):
            before = held
            got, held = run_case(native, index, item)
            if steps < 12 or step % 6 == 0:
                _compare(item, before, got, held, f"step {step}")


def _compare(item: Case, before: Mapping[str, Array], got: Sequence[Array], held: Mapping[str, Array], at: str) -> None:
    outputs, variables = expected_of(item, before)
    for name, array, expected in zip(item.graph.outputs, got, outputs, strict=True):
        expected.require(array, f"{item.title or item.graph.name}: output {name}, {at}")
    for name, expected in variables.items():
        expected.require(held[name], f"{item.title or item.graph.name}: variable {name}, {at}")
