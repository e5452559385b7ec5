# SPDX-License-Identifier: Apache-2.0
"""Compiles many graphs as one program, runs each, and compares it with the interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeling.codegen import generate
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.interpreter import Run, run
from edgeling.graph.types import Array, DType, Graph
from edgeling.targets import Target
from edgeling.toolchain.native import NativeProgram, load


@dataclass(frozen=True)
class Case:
    """A graph, what to feed it, and how near C must come to its meaning."""

    graph: Graph
    inputs: tuple[Array, ...]
    relative: float = 2e-6
    absolute: float = 1e-6
    title: str = ""


def case(operation: str, *inputs: Array, relative: float = 2e-6, absolute: float = 1e-6, **attributes: object) -> Case:
    """One node, all of its inputs coming from the caller, all of its outputs going back."""
    b = GraphBuilder(operation)
    stored = [np.asarray(x, np.float32) if np.asarray(x).dtype.kind == "f" else np.asarray(x) for x in inputs]
    names = [b.input(f"in_{i}", x.shape, DType.of(x)) for i, x in enumerate(stored)]
    outputs = b.add_many(operation, *names, **attributes)
    shapes = " ".join(str(x.shape) for x in stored)
    title = f"{operation} {attributes} on {shapes}"
    return Case(b.build(outputs), tuple(stored), relative, absolute, title)


def compile_cases(cases: Sequence[Case], name: str = "cases", target: Target | None = None) -> NativeProgram:
    """One program with an entry ``NAME_cN`` for the N-th case; variables do not meet."""
    graphs = {f"c{i}": apart(c.graph, f"c{i}_") for i, c in enumerate(cases)}
    return load(generate(graphs, name, initial_values=True, target=target))


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


def check(cases: Sequence[Case], steps: int = 1, target: Target | None = None) -> None:
    """Every case's C, with the kernels of a target, gives what the interpreter gives, ``steps`` times in a row."""
    native = compile_cases(cases, target=target)
    for index, item in enumerate(cases):
        held: Mapping[str, Array] = item.graph.variables
        for step in range(steps):
            with np.errstate(all="ignore"):
                expected = run(item.graph, item.inputs, held)
            outputs, variables = run_case(native, index, item)
            _compare(item, expected, outputs, variables, step)
            held = variables


def _compare(item: Case, expected: Run, outputs: list[Array], variables: dict[str, Array], step: int) -> None:
    for name, got, wanted in zip(item.graph.outputs, outputs, expected.outputs, strict=True):
        close(got, wanted, item, f"output {name}, step {step}")
    for name, got in variables.items():
        close(got, expected.variables[name], item, f"variable {name}, step {step}")


def close(got: Array, wanted: Array, item: Case, what: str) -> None:
    """Integers exactly; floats to the case's tolerances; NaN and infinity in the same places."""
    message = f"{item.title or item.graph.name}: {what}"
    if got.dtype.kind != "f":
        np.testing.assert_array_equal(got, wanted, message)
    else:
        np.testing.assert_allclose(got, wanted, item.relative, item.absolute, equal_nan=True, err_msg=message)
