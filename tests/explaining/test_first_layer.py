# SPDX-License-Identifier: Apache-2.0
"""The first layer updated for a shuffled column, against the whole network run again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.explaining.first_layer import UpdatedFirstLayer, split
from edgeling.graph import GraphBuilder, run_rows
from tests.support.rounding import require_rows

RNG = np.random.default_rng(3)
ORDERS = [np.random.default_rng(i).permutation(50) for i in range(3)]


def network(units=(5, 1), function="relu", mixed=False, past=False, bare=False):
    """Columns 0 and 2 numbers with gaps, 1 a category of three, 3 minutes of which the calendar tells two parts."""
    b = GraphBuilder("net")
    x = b.input("x", (1, 4))
    numbers = b.add("gather", x, indices=(0, 2, 3))
    parts = b.add("calendar", b.add("gather", x, indices=(3,)), parts=(1, 3), units_per_day=1440, epoch_days=18262)
    value = b.add("concatenate", numbers, parts)
    value = b.add("impute", value, b.constant(np.full(5, 0.5)))
    value = b.add("standardize", value, b.constant(np.arange(5.0)), b.constant([2.0, 3.0, 1e5, 4.0, 2.0]))
    if mixed:
        value = b.add("softmax", value)
    value = b.add("concatenate", value, b.add("one_hot", b.add("gather", x, indices=(1,)), depth=3))
    first = value
    for place, width in enumerate(units):
        rows = b._types[value].shape[1]
        kernel, bias = b.constant(RNG.normal(size=(rows, width))), b.constant(RNG.normal(size=width))
        value = b.add("dense", value, kernel, bias, function=function if place < len(units) - 1 else "sigmoid")
    if past:
        value = b.add("concatenate", value, first)
    return b.build([first if bare else value])


def rows(scale=1.0):
    rng = np.random.default_rng(4)
    x = np.stack(
        [rng.normal(size=50) * scale, rng.integers(-1, 3, 50), rng.normal(size=50), rng.integers(0, 9**6, 50)], 1
    )
    x[rng.random(50) < 0.2, 0] = np.nan
    return x.astype(np.float32)


def answers(graph):
    return lambda x: run_rows(graph, x)[0]


def require_general(graph, x, column, order, found):
    """What the whole network means for the moved column, up to rounding."""
    moved = x.copy()
    moved[:, column] = x[order, column]
    require_rows(graph, found, moved)


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from([(1,), (4, 1), (6, 5, 3)]),
    st.sampled_from(["relu", "linear", "tanh", "leaky_relu"]),
    st.integers(0, 3),
)
def test_equals_the_whole_network_run_again(units, function, column):
    graph, x = network(units, function), rows()
    cut = split(graph)
    assert cut is not None
    found = list(UpdatedFirstLayer(cut, x, answers(cut.tail))(column, ORDERS))
    for order, one in zip(ORDERS, found, strict=True):
        require_general(graph, x, column, order, one)


def test_a_large_share_that_is_taken_out_leaves_no_error_behind():
    graph, x = network((4, 1), "tanh"), rows()
    x[7, 2] = 1e9  # 1e9 of float32 leaves steps of 64 beside it
    cut = split(graph)
    order = np.roll(np.arange(50), 1)
    (found,) = UpdatedFirstLayer(cut, x, answers(cut.tail))(2, [order])
    require_general(graph, x, 2, order, found)


def test_the_layers_before_run_once_and_only_sums_go_on():
    graph, x, seen = network(), rows(), []
    cut = split(graph)
    updated = UpdatedFirstLayer(cut, x, lambda sums: seen.append(sums.shape) or sums)
    for column in range(4):
        list(updated(column, ORDERS))
    assert seen == [(50, 5)] * 12
    assert "dense" not in {node.operation for node in cut.head.nodes}
    assert "standardize" not in {node.operation for node in cut.tail.nodes}


@pytest.mark.parametrize("odd", [{"mixed": True}, {"past": True}, {"bare": True}])
def test_a_network_that_mixes_columns_before_or_reads_past_the_layer_is_not_cut(odd):
    assert split(network(**odd)) is None


def test_a_network_of_several_inputs_or_with_state_is_not_cut():
    graph = network()
    assert split(replace(graph, variables={"state": np.zeros(1, np.float32)})) is None
    assert split(replace(graph, inputs=(*graph.inputs, "other"))) is None


def test_infinite_sums_are_known():
    cut = split(network())
    x = rows()
    assert UpdatedFirstLayer(cut, x, answers(cut.tail)).is_finite
    x[3, 2] = 3e38
    assert not UpdatedFirstLayer(replace(cut, kernel=cut.kernel * 1e9), x, answers(cut.tail)).is_finite
