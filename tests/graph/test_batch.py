# SPDX-License-Identifier: Apache-2.0
"""Many rows at once give what each gives alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder, run, run_rows
from edgeling.graph.batch import with_batch
from tests.support.close import require_close
from tests.support.recurrent import add_lstm
from tests.support.rounding import graph_bounds, row_bounds

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def network():
    """Preparation, layers, a softmax, and a constant that every row gets."""
    b = GraphBuilder("net")
    x = b.input("x", (1, 4))
    filled = b.add("impute", x, b.constant(normal(4)))
    code = b.add("one_hot", b.add("gather", filled, indices=(0,)), depth=3)
    scaled = b.add(
        "standardize", b.add("gather", filled, indices=(1, 2, 3)), b.constant(normal(3)), b.constant([1, 2, 3.0])
    )
    joined = b.add("concatenate", scaled, code, b.constant(normal(1, 2)))
    h = b.add("dense", joined, b.constant(normal(8, 6)), b.constant(normal(6)), function="tanh")
    h = b.add("reshape", b.add("reshape", h, shape=(1, 2, 3)), shape=(1, 6))
    h = b.add("add", b.add("multiply", h, b.constant(normal(1, 6))), b.constant(normal(6)))
    y = b.add("softmax", b.add("matmul", h, b.constant(normal(6, 3))))
    return b.build([y, b.add("sum", h, axes=(1,)), b.add("add", b.constant(normal(1, 2)), b.constant(normal(1, 2)))])


def lstm():
    b = GraphBuilder("lstm")
    x = b.input("x", (1, 5, 3))
    weights = tuple(b.constant(normal(*s)) for s in ((3, 8), (2, 8), (8,)))
    return b.build([add_lstm(b, x, 2, weights, reverse=True)])


def image_network():
    """An image, a matrix with a line for each pixel, an image again."""
    b = GraphBuilder("net")
    x = b.input("x", (1, 5, 4, 2))
    h = b.add("conv", x, b.constant(normal(3, 3, 2, 3)), b.constant(normal(3)), strides=(2, 1), padding=(1, 1, 1, 1))
    pixels = b.add("reshape", h, shape=(12, 3))
    both = b.add("concatenate", b.add("softmax", pixels), pixels)
    scaled = b.add("multiply", both, b.constant(normal(6)))
    h = b.add("max_pool", b.add("reshape", scaled, shape=(1, 3, 4, 6)), size=(2, 2), strides=(1, 2))
    h = b.add("pad", b.add("transpose", h, permutation=(0, 3, 1, 2)), begin=(0, 1, 0, 1), shape=(1, 8, 2, 4))
    return b.build([b.add("reshape", h, shape=(1, 64)), b.add("slice", h, begin=(0, 2, 0, 1), shape=(1, 3, 2, 2))])


@settings(max_examples=12, deadline=None)
@given(rows=st.integers(1, 9), which=st.sampled_from([network, lstm, image_network]))
def test_each_row_is_answered_as_alone(rows: int, which) -> None:
    graph = which()
    x = np.random.default_rng(rows).normal(size=(rows, *graph.types["x"].shape[1:])).astype(np.float32)
    together = run(with_batch(graph, rows), [x]).outputs
    for row, *answers in zip(x, *together, strict=True):
        for bound, answer in zip(graph_bounds(graph, [row[None]], samples=5), answers, strict=True):
            bound.require(answer)


def graph_of(build, shape=(1, 3)):
    b = GraphBuilder("g")
    return b.build([build(b, b.input("x", shape))])


@pytest.mark.parametrize(
    "graph",
    [
        graph_of(lambda b, x: b.add("sum", x, axes=(0,))),
        graph_of(lambda b, x: b.add("reshape", x, shape=(3,))),
        graph_of(lambda b, x: b.add("reshape", x, shape=(3, 1))),
        graph_of(lambda b, x: b.add("matmul", x, x, transpose_a=True)),
        graph_of(lambda b, x: b.add("add", x, b.constant(np.ones((2, 3))))),
        graph_of(lambda b, x: b.add("norm", x)),
        graph_of(lambda b, x: b.add("softmax", x), (1,)),
        graph_of(lambda b, x: b.add("add", x, b.constant(np.ones((1, 4)))), (1,)),
        graph_of(lambda b, x: b.add("square", x), (2, 3)),
    ],
    ids=lambda graph: graph.nodes[0].operation,
)
def test_what_would_mix_rows_is_refused(graph) -> None:
    with pytest.raises(UnsupportedError, match="row"):
        with_batch(graph, 4)


def test_state_is_refused() -> None:
    b = GraphBuilder("g")
    v = b.variable(np.zeros((1, 2)), "v")
    total = b.add("add", v, b.input("x", (1, 2)))
    b.update(v, total)
    with pytest.raises(UnsupportedError, match="state"):
        with_batch(b.build([total]), 4)


def test_many_ports_and_state_run_row_by_row() -> None:
    """A running total of two inputs' products: each row sees what the rows before it left."""
    b = GraphBuilder("totals")
    v, x, y = b.variable(np.zeros((1, 2)), "v"), b.input("x", (1, 2)), b.input("y", (1, 1))
    total = b.add("add", v, b.add("multiply", x, y), name="total")
    b.update(v, total)
    graph = b.build([total, b.add("square", y)])
    x, y = normal(1500, 2), normal(1500, 1)
    totals, squares = run_rows(graph, x, y)
    exact = x.astype(np.float64) * y
    count = np.arange(1, 1501)[:, None]  # a product and the sums so far
    require_close(totals, np.cumsum(exact, axis=0), count, of=np.cumsum(np.abs(exact), axis=0))
    np.testing.assert_array_equal(squares, y * y)


def test_more_rows_than_are_run_at_once() -> None:
    graph, x = network(), normal(2100, 4)
    for bound, got in zip(row_bounds(graph, x), run_rows(graph, x), strict=True):
        bound.require(got)
