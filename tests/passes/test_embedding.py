# SPDX-License-Identifier: Apache-2.0
"""Rows of a table named by codes: what it means, its gradient, and the C of both, for any number as a code."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling import targets
from edgeling.codegen import generate
from edgeling.graph import Graph, GraphBuilder, run, run_rows
from edgeling.passes import differentiate, optimize
from edgeling.toolchain.native import load
from edgeling.toolchain.prove import prove
from tests.support.finite import require_gradient

STARTS, SIZES, WIDTH = (0, 3), (3, 2), 2
TABLE = np.arange(10, dtype=np.float32).reshape(5, WIDTH) - 4.5
ODD = [-1, -0.0, 0.5, 1, 2, 3, 2.9999998, 1e9, 3e38, -3e38, np.inf, -np.inf, np.nan, 1e-45]
CODES = np.array([[a, b] for a in ODD for b in (0, 1, 2, np.nan)], np.float32)


def by_hand(codes: np.ndarray) -> np.ndarray:
    rows = []
    for row in codes.tolist():
        found = [
            TABLE[start + int(code)] if code in range(size) else np.zeros(WIDTH)
            for code, start, size in zip(row, STARTS, SIZES, strict=True)
        ]
        rows.append(np.concatenate(found))
    return np.array(rows, np.float32)


def graph() -> Graph:
    b = GraphBuilder("net")
    codes, table = b.input("codes", (1, 2)), b.constant(TABLE, "table")
    return b.build([b.add("embedding", codes, table, starts=STARTS, sizes=SIZES)])


def test_what_it_means() -> None:
    np.testing.assert_array_equal(run_rows(graph(), CODES)[0], by_hand(CODES))


def test_its_c_does_the_same() -> None:
    out = np.empty((len(CODES), 4), np.float32)
    load(generate(graph(), "net")).rows("net_run")(CODES, out)
    np.testing.assert_array_equal(out, by_hand(CODES))


@pytest.mark.parametrize("chip", ["cortex-m4", "cortex-m0plus", "wasm32"])
def test_its_c_does_the_same_on_a_chip(chip: str) -> None:
    assert prove(generate(graph(), "net"), targets.get(chip), [CODES], [by_hand(CODES)], tolerance=0).matches


def test_its_gradient_is_what_differences_say_and_the_c_computes_it() -> None:
    codes = np.float32([[0, 1], [2, 1], [2, -1], [0.5, 0], [2, 7]])
    share = np.random.default_rng(0).integers(-9, 9, (5, 4)).astype(np.float32)  # so that every sum is exact
    b = GraphBuilder("loss")
    table, given = b.variable(TABLE, "table"), b.input("codes", codes.shape)
    seen = b.add("square", b.add("embedding", given, table, starts=STARTS, sizes=SIZES))
    total = b.add("sum", b.add("multiply", seen, b.constant(share, "share")), axes=(0, 1))
    loss = b.add("reshape", total, shape=())
    forward = b.build([loss])
    backward = optimize(differentiate(forward, loss, ["table"]))
    assert "embedding_gradient" in {node.operation for node in backward.nodes}
    _, exact = run(backward, [codes]).outputs
    require_gradient(forward, [codes], "table", exact)
    assert not exact[1].any()  # nobody names that row
    native = load(generate(backward, "loss"))
    value, gradient = np.empty((), np.float32), np.empty(TABLE.shape, np.float32)
    native.variable("table", backward.types["table"])[...] = TABLE
    native.function("loss_run")(codes, value, gradient)
    np.testing.assert_array_equal(gradient, exact)
