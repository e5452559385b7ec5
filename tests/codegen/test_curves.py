# SPDX-License-Identifier: Apache-2.0
"""Sums over columns as tables of kinks and lines: the same function as the network's, wherever a value lies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeling.codegen import generate
from edgeling.graph import Graph, GraphBuilder
from edgeling.graph.types import Array
from edgeling.passes import optimize
from edgeling.targets import get
from edgeling.toolchain.native import load
from edgeling.toolchain.prove import prove
from tests.codegen.networks import dense_network
from tests.support.rounding import row_bounds

COLUMNS = 3


def network(
    seed: int, units: int = 5, outputs: int = 2, bent: tuple[int, ...] = (0, 1, 2), function: str = "linear",
    standard: bool = True,
) -> Graph:  # fmt: skip
    """Units of no slope, of no consequence, and several with one kink are among them."""
    dice = np.random.default_rng(seed)
    b = GraphBuilder("sum")
    x = b.input("x", (1, COLUMNS))
    if standard:
        mean, scale = dice.normal(size=COLUMNS) * 1000, np.exp(dice.normal(size=COLUMNS))
        x = b.add("standardize", x, b.constant(mean, "mean"), b.constant(scale, "scale"))
    hidden = len(bent) * units
    slope, offset = dice.choice([-1.0, 0.0, 0.5, 2.0], hidden), dice.choice([-1.0, 0.0, 0.7], hidden)
    kernel = dice.normal(size=(hidden + COLUMNS, outputs)) * (dice.random((hidden + COLUMNS, 1)) < 0.8)
    each = b.add("gather", x, indices=tuple(c for c in bent for _ in range(units)))
    scaled = b.add("multiply", each, b.constant(slope, "slope"))
    relu = b.add("activation", b.add("add", scaled, b.constant(offset, "offset")), function="relu")
    both = b.add("concatenate", relu, x)
    answer = b.add("dense", both, b.constant(kernel, "kernel"), b.constant(dice.normal(size=outputs), "bias"),
                   function=function, name="y")  # fmt: skip
    return optimize(b.build([answer]))


def rows_of(graph: Graph, rows: int = 60) -> Array:
    """Around what is usual, at it, and far away."""
    mean, scale = (graph.constants.get(name, default) for name, default in (("mean", 0.0), ("scale", 1.0)))
    usual = np.random.default_rng(1).choice([-40.0, -2.0, -1.0, -0.7, 0.0, 0.35, 0.5, 1.3, 9.0], (rows, COLUMNS))
    return (mean + scale * usual).astype(np.float32)


@pytest.mark.parametrize("how", [{}, {"function": "sigmoid", "outputs": 1}, {"bent": (1,)}, {"bent": (0, 2)},
                                 {"standard": False}, {"units": 2}, {"units": 12}], ids=str)  # fmt: skip
@pytest.mark.parametrize("seed", range(3))
def test_tables_answer_what_the_network_means(seed, how) -> None:
    graph = network(seed, **how)
    program = generate(graph, "sum")
    assert "edgeling_curves(" in program.files["sum.c"]
    assert "edgeling_dense(" not in program.files["sum.c"]
    x = rows_of(graph)
    (bound,) = row_bounds(graph, x)
    answers = np.empty((len(x), graph.types["y"].size), np.float32)
    load(program).rows("sum_run")(x, answers)
    bound.require(answers)


@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m0plus", "wasm32"])
def test_chips_do_too(target) -> None:
    graph = network(7, units=9)
    x = rows_of(graph, 20)
    (bound,) = row_bounds(graph, x)
    exact = bound.exact.reshape(len(x), -1).astype(np.float32)
    program = generate(graph, "sum", target=get(target))
    assert prove(program, get(target), [x], [exact], bound.tolerance).matches


@given(st.floats(-1e6, 1e6, width=32), st.integers(0, 2))
def test_any_value_is_on_its_line(value, column) -> None:
    graph = network(3, standard=False)
    x = np.zeros((1, COLUMNS), np.float32)
    x[0, column] = value
    (bound,) = row_bounds(graph, x)
    answers = np.empty((1, 2), np.float32)
    PROGRAM.rows("sum_run")(x, answers)
    bound.require(answers)


PROGRAM = load(generate(network(3, standard=False), "sum"))


def test_what_is_no_number_stays_none() -> None:
    answers = np.zeros((1, 2), np.float32)
    PROGRAM.rows("sum_run")(np.full((1, COLUMNS), np.nan, np.float32), answers)
    assert np.isnan(answers).all()


def test_what_else_is_read_stays_a_network() -> None:
    """Of a network whose hidden units are an output too there is nothing to leave out."""
    graph = network(0)
    hidden = next(node.output for node in graph.nodes if node.operation == "activation")
    both = Graph(graph.name, graph.inputs, (*graph.outputs, hidden), graph.nodes, graph.types, graph.constants)
    assert "edgeling_curves(" not in generate(both, "sum").files["sum.c"]


def test_a_sum_over_columns_takes_less_than_a_usual_network() -> None:
    """Of 16 units, which is as many as `train` begins with."""
    chip, graph = get("cortex-m4"), network(5, units=12, outputs=COLUMNS)
    usual = dense_network("usual", (COLUMNS, 16, 3), ("relu", "linear"), softmax=False)
    counts = []
    for each in (graph, usual):
        x = np.random.default_rng(0).normal(size=(4, COLUMNS)).astype(np.float32)
        (bound,) = row_bounds(each, x)
        made = generate(each, "net", target=chip)
        counts.append(prove(made, chip, [x], [bound.exact.reshape(4, -1).astype(np.float32)], bound.tolerance))
    assert all(proof.matches for proof in counts)
    assert counts[0].instructions < counts[1].instructions
    assert counts[0].ram_bytes < counts[1].ram_bytes
