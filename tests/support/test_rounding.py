# SPDX-License-Identifier: Apache-2.0
"""Bounds by drawn roundings: they hold any order of summation, and catch a formula that is wrong in the fifth digit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgeling import activations
from edgeling.graph import Graph, GraphBuilder
from edgeling.layers import Dense, Input, eager
from edgeling.models import Sequential
from edgeling.network.network import inference_graph
from tests.support.close import allowed, product_magnitude
from tests.support.rounding import (
    UNIT,
    Bound,
    function_bound,
    graph_bounds,
    in_double,
    interpreted_bounds,
    prediction_bound,
    row_bounds,
    training_bounds,
)

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


X = np.random.default_rng(1).normal(size=(6, 32)).astype(np.float32)
KERNEL = np.random.default_rng(2).normal(size=(32, 3)).astype(np.float32)
BIAS = np.array([0.5, -1.5, 2.25], np.float32)
MAGNITUDE = product_magnitude(X, KERNEL, BIAS)


def network() -> Sequential:
    model = Sequential([Input((32,)), Dense(3)])
    model.set_weights([KERNEL, BIAS])
    return model


HELPERS: dict[str, Callable[[], Bound]] = {
    "prediction_bound": lambda: prediction_bound(network(), X),
    "row_bounds": lambda: row_bounds(inference_graph(network()), X)[0],
    "function_bound": lambda: function_bound(lambda x, k: x @ k + BIAS, X, KERNEL, modules=(), terms=32),
    "interpreted_bounds": lambda: interpreted_bounds(eager, lambda: network()(X, training=True))[0][0],
}


@pytest.mark.parametrize("helper", HELPERS)
def test_every_helper_allows_what_float32_does_and_less_than_the_textbook(helper: str) -> None:
    bound, worst = HELPERS[helper](), allowed(0, 33, of=MAGNITUDE)  # 32 products, each summed
    bound.require(X @ KERNEL + BIAS, "as NumPy does")
    in_order = np.add.accumulate(X[:, :, None] * KERNEL, axis=1, dtype=np.float32)[:, -1] + BIAS
    bound.require(in_order, "in order")
    assert np.all(bound.room < worst)
    for sign in (1, -1):
        assert bound.error(bound.exact + sign * worst) > 1


def test_a_module_is_in_double_only_inside() -> None:
    with in_double(activations):
        assert activations.relu(X, threshold=0.1).dtype == np.float64
    assert activations.relu(X, threshold=0.1).dtype == np.float32


def test_one_step_of_training_is_bounded_to_the_fifth_digit() -> None:
    model = network()
    model.compile("sgd", "mse")
    y = X[:, :3]
    loss, kernel, bias = training_bounds(model, lambda twin: [twin.train_on_batch(X, y)])
    loss.require(model.train_on_batch(X, y))
    kernel.require(model.get_weights()[0])
    bias.require(model.get_weights()[1])
    for bound in (loss, kernel, bias):
        assert bound.error(bound.exact * (1 + 2.0**-17)) > 1


def test_a_bound_knows_nan_and_what_is_rounded_more() -> None:
    bound = Bound(np.array([1.0, np.nan, np.inf]), np.array([0.0, np.nan, np.nan]))
    bound.require([1.0, np.nan, np.inf])
    for wrong in ([np.nan, np.nan, np.inf], [1, 1, np.inf], [1, np.nan, -np.inf]):
        assert bound.error(wrong) == np.inf
    further = np.array([1 + 20 * UNIT, np.nan, np.inf])
    assert bound.error(further) > 1 >= bound.rounded_more(16).error(further)
