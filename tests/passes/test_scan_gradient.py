# SPDX-License-Identifier: Apache-2.0
"""Gradients through loops, against finite differences in float64; products with cotangents of many outputs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.graph import DType, Graph, GraphBuilder, run
from edgeling.passes import differentiate, optimize
from edgeling.passes.differentiate import vector_jacobian
from tests.support.close import DOUBLE, require_close
from tests.support.finite import require_gradient
from tests.support.recurrent import add_lstm, rnn_body


def total_of(b: GraphBuilder, values: list[str], rng: np.random.Generator) -> str:
    """A scalar that every element of the values moves."""
    total = b.constant(0.0, "zero")
    for value in values:
        shape = b.type_of(value).shape
        weighted = b.add("multiply", value, b.constant(rng.normal(size=shape), "weights"))
        part = b.add("sum", weighted, axes=tuple(range(len(shape)))) if shape else weighted
        total = b.add("add", total, b.add("reshape", part, shape=()))
    return total


def check_all(graph: Graph, variables: list[str]) -> None:
    total = graph.outputs[0]
    whole = optimize(differentiate(graph, total, variables))
    gradients = run(whole, [], float64=True).outputs[1:]
    for variable, gradient in zip(variables, gradients, strict=True):
        require_gradient(graph, [], variable, gradient)


@settings(max_examples=20, deadline=None)
@given(
    rows=st.integers(1, 3), steps=st.integers(1, 4), features=st.integers(1, 3), units=st.integers(1, 3),
    axis=st.integers(0, 2), reverse=st.booleans(), ends=st.sampled_from([(0,), (1,), (0, 1), (0, 1, 2)]),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_a_recurrent_loop(rows, steps, features, units, axis, reverse, ends, seed) -> None:
    rng = np.random.default_rng(seed)
    b = GraphBuilder("rnn")
    shape = np.insert([rows, features], axis, steps)
    shapes = ((rows, units), shape, (features, units), (units, units), (units,))
    variables = [b.variable(rng.normal(size=s), f"v{i}") for i, s in enumerate(shapes)]
    made = b.add_many(
        "scan", *variables, body=rnn_body(rows, features, units, results=2), length=steps, carried=1,
        axes=(axis, axis, 0), reverse=reverse,
    )  # fmt: skip
    check_all(b.build([total_of(b, [made[i] for i in ends], rng)]), variables)


def test_an_lstm() -> None:
    rng = np.random.default_rng(1)
    b = GraphBuilder("net")
    x = b.variable(rng.normal(size=(2, 4, 3)), "x")
    weights = tuple(b.variable(rng.normal(size=s), n) for n, s in (("k", (3, 8)), ("r", (2, 8)), ("b", (8,))))
    y = add_lstm(b, x, 2, weights)
    check_all(b.build([total_of(b, [y], rng)]), ["x", *weights])


def test_a_loop_in_a_loop() -> None:
    """Rows of images: the inner loop runs along a row and what it leaves is carried down."""
    rng = np.random.default_rng(2)
    b = GraphBuilder("outer")
    h, row = b.input("h", (1, 2)), b.input("row", (3, 1, 2))
    kernel, recurrent, bias = b.input("k", (2, 2)), b.input("r", (2, 2)), b.input("b", (2,))
    inner = b.add_many(
        "scan", h, row, kernel, recurrent, bias, body=rnn_body(1, 2, 2), length=3, carried=1, axes=(0, 0)
    )
    body = b.build([inner[0], b.add("square", inner[1])])
    b = GraphBuilder("net")
    shapes = ((1, 2), (4, 3, 1, 2), (2, 2), (2, 2), (2,))
    variables = [b.variable(rng.normal(size=s), f"v{i}") for i, s in enumerate(shapes)]
    made = b.add_many("scan", *variables, body=body, length=4, carried=1, axes=(0, 0), reverse=True)
    check_all(b.build([total_of(b, list(made), rng)]), variables)


def test_integers_are_carried_without_a_gradient() -> None:
    b = GraphBuilder("body")
    step, h = b.input("step", (), DType.UINT32), b.input("h", (2,))
    body = b.build([b.add("count", step), b.add("square", h)])
    b = GraphBuilder("net")
    h = b.variable(np.array([0.5, 1.5]), "h")
    zero = b.constant(np.zeros((), np.uint32), "zero")
    made = b.add_many("scan", zero, h, body=body, length=3, carried=2, axes=())
    check_all(b.build([total_of(b, [made[1]], np.random.default_rng(0))]), ["h"])


def test_the_way_back_keeps_what_it_reads_and_no_more() -> None:
    """A sum of squares: the squared value is read on the way back, the sums are not."""
    b = GraphBuilder("body")
    total, x = b.input("total", ()), b.input("x", ())
    body = b.build([b.add("add", total, b.add("square", x))])
    b = GraphBuilder("net")
    x = b.variable(np.arange(4.0), "x")
    (made,) = b.add_many("scan", b.constant(0.0), x, body=body, length=4, carried=1, axes=(0,))
    graph = differentiate(b.build([made]), made, ["x"])
    forward = next(node for node in graph.nodes if node.operation == "scan")
    assert len(forward.outputs) == 1
    np.testing.assert_array_equal(run(graph, []).outputs[1], 2 * np.arange(4.0))


@pytest.mark.parametrize("outputs", [("double",), ("square",), ("double", "square")])
def test_cotangents_of_many_outputs(outputs) -> None:
    b = GraphBuilder("g")
    x = b.input("x", (3,))
    values = {"double": b.add("add", x, x, name="double"), "square": b.add("square", x, name="square")}
    graph = vector_jacobian(b.build([values[o] for o in outputs]), outputs, ["x"])
    rng = np.random.default_rng(3)
    at, *cotangents = (rng.normal(size=3) for _ in range(1 + len(outputs)))
    slopes = {"double": np.full(3, 2.0), "square": 2 * at}
    terms = [slopes[o] * c for o, c in zip(outputs, cotangents, strict=True)]
    got = run(graph, [at, *cotangents], float64=True).outputs[-1]
    require_close(got, sum(terms), 4, of=sum(map(np.abs, terms)), unit=DOUBLE)  # each side: a product and a sum
