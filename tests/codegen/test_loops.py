# SPDX-License-Identifier: Apache-2.0
"""Loops in C: what they compute, and that on a chip nothing grows with their steps."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling import layers
from edgeling.codegen import generate
from edgeling.graph import DType, GraphBuilder
from edgeling.models import Sequential
from edgeling.network.network import inference_graph
from edgeling.passes import differentiate, optimize
from edgeling.targets import get
from edgeling.toolchain import firmware
from edgeling.toolchain.emulator import CortexM
from edgeling.toolchain.measure import measure
from tests.codegen.harness import Case, check
from tests.support.recurrent import add_lstm, rnn_body
from tests.support.rounding import require_rows


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def recurrent(rows: int, axis: int, reverse: bool) -> Case:
    steps, features, units = 5, 3, 4
    b = GraphBuilder("rnn")
    shapes = [(rows, units), tuple(np.insert([rows, features], axis, steps)), (features, units), (units, units)]
    inputs = [b.input(f"x{i}", shape) for i, shape in enumerate(shapes)]
    body = rnn_body(rows, features, units, results=2)
    made = b.add_many(
        "scan", *inputs, b.constant(normal(units), "bias"), body=body, length=steps, carried=1, axes=(axis, 1, 0),
        reverse=reverse,
    )  # fmt: skip
    title = f"rnn of {rows} rows along {axis}, reverse={reverse}"
    return Case(optimize(b.build(made)), tuple(normal(*s) for s in shapes), title=title)


def square_map(dtype: DType) -> Case:
    """A loop that carries nothing and sees bytes or integers a column at a time."""
    b = GraphBuilder("columns")
    body = b.build([b.add("reshape", b.input("x", (2, 3), dtype), shape=(3, 2))])
    b = GraphBuilder("map")
    x = b.input("x", (2, 4, 3), dtype)
    graph = b.build(b.add_many("scan", x, body=body, length=4, carried=0, axes=(1, 1)))
    return Case(graph, (np.arange(24).reshape(2, 4, 3).astype(dtype.numpy),), title=f"map of {dtype.value}")


def swapped() -> Case:
    """What is carried changes places at each step: neither may be overwritten before the other is read."""
    b = GraphBuilder("swap")
    p, q = b.input("p", (3,)), b.input("q", (3,))
    body = b.build([q, p, b.add("subtract", p, q)])
    b = GraphBuilder("swaps")
    x, y = b.input("x", (3,)), b.input("y", (3,))
    return Case(
        b.build(b.add_many("scan", x, y, body=body, length=3, carried=2, axes=(0,))), (normal(3), normal(3, seed=1))
    )


def with_state() -> Case:
    """What is carried begins with a variable and becomes it."""
    b = GraphBuilder("body")
    h, x = b.input("h", (2,)), b.input("x", (2,))
    total = b.add("add", b.add("square", h), x)
    body = b.build([total, h])
    b = GraphBuilder("stateful")
    v = b.variable([0.1, 0.2], "v")
    x = b.input("x", (4, 2))
    final, seen = b.add_many("scan", v, x, body=body, length=4, carried=1, axes=(0, 0))
    b.update(v, final)
    return Case(b.build([seen, final]), (normal(4, 2) * np.float32(0.1),))


def nested() -> Case:
    b = GraphBuilder("outer")
    h, row = b.input("h", (2, 2)), b.input("row", (2, 3, 2))
    inner = b.add_many(
        "scan", h, row, b.constant(normal(2, 2), "k"), b.constant(normal(2, 2, seed=1), "r"),
        b.constant(normal(2), "b"), body=rnn_body(2, 2, 2), length=3, carried=1, axes=(1, 1), reverse=True,
    )  # fmt: skip
    body = b.build([inner[0], b.add("square", inner[1])])
    b = GraphBuilder("net")
    h, x = b.input("h", (2, 2)), b.input("x", (2, 4, 3, 2))
    return Case(
        b.build(b.add_many("scan", h, x, body=body, length=4, carried=1, axes=(1, 1))),
        (normal(2, 2), normal(2, 4, 3, 2)),
    )


def gradient() -> Case:
    b = GraphBuilder("step")
    x = b.input("x", (3, 4, 2))
    shapes = {"kernel": (2, 12), "recurrent": (3, 12), "bias": (12,)}
    weights = tuple(b.variable(normal(*shape), name) for name, shape in shapes.items())
    y = b.add("sum", b.add("square", add_lstm(b, x, 3, weights, reverse=True)), axes=(0, 1, 2))
    total = b.add("reshape", y, shape=())
    graph = optimize(differentiate(b.build([total]), total, weights))
    return Case(graph, (normal(3, 4, 2),), title="gradient of an LSTM")


def test_loops_compute_what_they_mean() -> None:
    cases = [recurrent(rows, axis, reverse) for rows, axis, reverse in
             ((1, 1, False), (1, 1, True), (3, 1, True), (3, 0, False), (3, 2, False))]  # fmt: skip
    cases += [square_map(dtype) for dtype in DType]
    check([*cases, swapped(), with_state(), nested(), gradient()], steps=2)


PRODUCT, FUNCTION = 1.34, 40
"""Instructions on a Cortex-M4F: of a product in a dense layer's tile (docs/benchmarks.md), and of a gate: its
exponential by the polynomial, a division, the constants of both."""


@pytest.mark.parametrize(("kind", "gates", "functions"), [("LSTM", 4, 5), ("GRU", 3, 3), ("SimpleRNN", 1, 1)])
def test_on_a_chip_neither_code_nor_memory_grows_with_the_steps(kind: str, gates: int, functions: int) -> None:
    """And a step takes at most half as much again as its arithmetic."""
    target, features, units, found = get("cortex-m4"), 6, 32, {}
    for steps in (4, 40):
        layer = getattr(layers, kind)(units)
        graph = optimize(inference_graph(Sequential([layers.Input((steps, features)), layer])))
        image = firmware.build(generate(graph, "net", target=target), target)
        x, cost = normal(1, steps, features), measure(image)
        run = CortexM(image).run([x])
        require_rows(graph, run.outputs[0], x)
        found[steps] = cost.flash_code_bytes, cost.ram_bytes, run.instructions
    (code, ram, few), (more_code, more_ram, many) = found.values()
    assert abs(more_code - code) <= 32
    assert more_ram == ram
    bound = gates * units * (features + units) * PRODUCT + functions * units * FUNCTION
    assert (many - few) / 36 <= 1.5 * bound
