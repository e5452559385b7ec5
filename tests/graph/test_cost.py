# SPDX-License-Identifier: Apache-2.0
"""Costs counted by hand."""

from __future__ import annotations

from edgeling.graph import GraphBuilder
from edgeling.graph.cost import Cost, cost


def test_the_iris_network_and_its_preparation() -> None:
    b = GraphBuilder("iris")
    x = b.input("x", (1, 4))
    x = b.add("standardize", x, b.constant([0.0] * 4), b.constant([1.0] * 4))  # 4
    h = b.add("dense", x, b.constant([[0.0] * 8] * 4), b.constant([0.0] * 8), function="relu")  # 32 products, 8 relus
    h = b.add("dense", h, b.constant([[0.0] * 3] * 8), b.constant([0.0] * 3))  # 24 products
    assert cost(b.build([b.add("softmax", h)])) == Cost(32 + 24, 4 + 8 + 3)


def test_a_product_counts_by_its_inner_length_however_it_is_transposed() -> None:
    for ta, tb in ((False, False), (True, False), (False, True), (True, True)):
        b = GraphBuilder("product")
        left, right = b.input("a", (5, 2) if ta else (2, 5)), b.input("b", (3, 5) if tb else (5, 3))
        product = b.add("matmul", left, right, transpose_a=ta, transpose_b=tb)
        assert cost(b.build([product])) == Cost(2 * 5 * 3)


def test_a_batch_costs_its_rows() -> None:
    b = GraphBuilder("batch")
    y = b.add("dense", b.input("x", (10, 4)), b.constant([[0.0] * 8] * 4), b.constant([0.0] * 8))
    assert cost(b.build([b.add("reshape", y, shape=(80,))])) == Cost(10 * 32)
