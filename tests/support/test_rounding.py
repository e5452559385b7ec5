# SPDX-License-Identifier: Apache-2.0
"""Bounds by drawn roundings: they hold any order of summation, and catch a formula that is wrong in the fifth digit."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling.graph import Graph, GraphBuilder
from tests.support.rounding import Bound, graph_bounds

ROWS = np.random.default_rng(0).normal(size=(64, 5)).astype(np.float32)


def summed(factor: float = 1.0) -> Graph:
    """Columns less their means, summed: zero in exact arithmetic, whatever is left is rounding."""
    b = GraphBuilder("sums")
    x = b.input("x", (64, 5))
    mean = b.add("multiply", b.add("sum", x, axes=(0,)), b.constant(factor / 64, "share"))
    left = b.add("sum", b.add("subtract", x, mean), axes=(0,))
    return b.build([left, b.add("sum", b.add("square", x), axes=(0,))])


def bounds_of(graph: Graph) -> list[Bound]:
    return graph_bounds(graph, [ROWS])


@pytest.mark.parametrize("order", [np.arange(64), np.arange(64)[::-1], np.argsort(np.abs(ROWS[:, 0]))])
def test_any_order_of_sums_in_float32_is_within(order: np.ndarray) -> None:
    zero, squares = bounds_of(summed())
    x = ROWS[order]
    mean = np.float32(1 / 64) * np.add.reduce(x, axis=0, dtype=np.float32)
    zero.require(np.add.accumulate(x - mean, axis=0, dtype=np.float32)[-1], "in order")
    zero.require(np.sum(x - mean, axis=0), "as NumPy does")
    squares.require(np.add.accumulate(x * x, axis=0, dtype=np.float32)[-1])
    assert np.max(zero.room) < 64 * 2.0**-24 * np.max(np.sum(np.abs(x), axis=0))  # the worst case of the textbook
    assert np.max(squares.room / squares.exact) < 65 * 2.0**-24


@pytest.mark.parametrize("change", [1e-5, -1e-5])
def test_a_wrong_fifth_digit_is_not(change: float) -> None:
    right, wrong = bounds_of(summed()), bounds_of(summed(1 + change))
    assert right[0].error(wrong[0].exact) > 1
    assert right[1].error(right[1].exact * (1 + change)) > 1
    assert right[1].error(right[1].exact) == 0
