# SPDX-License-Identifier: Apache-2.0
"""Loops whose rows threads divide: which are, and how. What stays of their bits: ``tests/training/test_threads.py``."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgeling.codegen import row_blocks
from edgeling.codegen.row_blocks import Blocks, blocks_of
from edgeling.graph import Graph, GraphBuilder
from edgeling.graph.types import Node
from edgeling.targets import get
from tests.support.recurrent import rnn_body

MACHINE = replace(get("native"), threads=3)


@pytest.fixture(autouse=True)
def _small_loops_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_blocks, "SHARED_PRODUCTS", 1)


def loop(body: Graph, rows: int, units: int, *captured: tuple[int, ...], threads: int = 3) -> Blocks | None:
    """How a loop over a body (state, slice, captured...) is divided."""
    b = GraphBuilder("net")
    given = [b.input("h", (rows, units)), b.input("x", (7, rows, 2))]
    given += [b.input(f"w{i}", shape) for i, shape in enumerate(captured)]
    made = b.add_many("scan", *given, body=body, length=7, carried=1, axes=(0, 0), reverse=False)
    node: Node = b.build(made).nodes[0]
    return blocks_of(node, replace(MACHINE, threads=threads))


def test_rows_are_divided_evenly_the_larger_blocks_first() -> None:
    found = loop(rnn_body(32, 2, 64), 32, 64, (2, 64), (64, 64), (64,))
    assert found
    assert found.rows == (11, 11, 10)
    assert {"h", "x"} <= found.divided
    assert not found.divided & {"kernel", "recurrent", "bias"}
    assert {rows: scan.body.types["x"].shape for rows, scan in found.scans.items()} == {11: (11, 2), 10: (10, 2)}


def test_kernels_as_large_as_a_batch_are_not_divided() -> None:
    """64 units and 64 rows: the state's kernel has as many lines as the state."""
    found = loop(rnn_body(64, 2, 64), 64, 64, (2, 64), (64, 64), (64,))
    assert found
    assert "recurrent" not in found.divided


@pytest.mark.parametrize(("rows", "units", "threads"), [(32, 64, 1), (7, 64, 3), (32, 10, 3)])
def test_one_thread_few_rows_or_other_places_in_vectors_divide_nothing(rows: int, units: int, threads: int) -> None:
    body = rnn_body(rows, 2, units)
    assert loop(body, rows, units, (2, units), (units, units), (units,), threads=threads) is None


def test_a_body_that_mixes_rows_is_left_as_it_is() -> None:
    b = GraphBuilder("mean")
    h, x = b.input("h", (32, 64)), b.input("x", (32, 2))
    product = b.add("matmul", x, b.input("kernel", (2, 64)))
    total = b.add("add", h, b.add("sum", product, axes=(0,)))
    assert loop(b.build([total, total]), 32, 64, (2, 64)) is None


def test_what_is_captured_for_each_row_is_divided_with_the_rows() -> None:
    b = GraphBuilder("dropped")
    h, x = b.input("h", (32, 64)), b.input("x", (32, 2))
    kept = b.add("multiply", h, b.input("mask", (32, 64)))
    total = b.add("add", b.add("matmul", kept, b.input("kernel", (64, 64))), b.add("matmul", x, b.input("k", (2, 64))))
    found = loop(b.build([total, total]), 32, 64, (32, 64), (64, 64), (2, 64))
    assert found
    assert "mask" in found.divided
