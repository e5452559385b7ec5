# SPDX-License-Identifier: Apache-2.0
"""Finite differences know how far off they are: a known gradient is within, one wrong in the seventh digit is not."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling.graph import Graph, GraphBuilder
from tests.support.finite import STEP, numeric_gradient, require_gradient

AT = np.random.default_rng(0).normal(size=(4, 3))


def total_of(function: str, power: int = 1) -> Graph:
    b = GraphBuilder("total")
    value = b.add("activation", b.variable(AT, "v"), function=function)
    for _ in range(power - 1):
        value = b.add("multiply", value, value)
    return b.build([b.add("reshape", b.add("sum", value, axes=(0, 1)), shape=())])


GRADIENTS = {"tanh": lambda v: 1 - np.tanh(v) ** 2, "exponential": np.exp}


@pytest.mark.parametrize("function", GRADIENTS)
def test_the_seventh_digit_is_seen(function: str) -> None:
    graph = total_of(function)
    right = GRADIENTS[function](graph.variables["v"].astype(np.float64))
    require_gradient(graph, [], "v", right)
    _, error = numeric_gradient(graph, [], "v")
    assert np.all(error < STEP**2 * (1 + np.abs(right)))
    with pytest.raises(AssertionError, match="gradient by v"):
        require_gradient(graph, [], "v", right * (1 + 1e-6))


def test_where_functions_bend_more_the_differences_are_trusted_less() -> None:
    (_, plain), (_, steep) = (numeric_gradient(total_of("exponential", power), [], "v") for power in (1, 4))
    assert np.median(steep) > 10 * np.median(plain)
