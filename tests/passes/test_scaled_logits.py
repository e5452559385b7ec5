# SPDX-License-Identifier: Apache-2.0
"""Logits scaled and shifted, where a layer takes it up and where it does not, against NumPy's own softmax."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling.errors import GraphError
from edgeling.graph import Graph, GraphBuilder, run_rows
from edgeling.passes import optimize
from edgeling.passes.scaled_logits import logits, scale_logits
from tests.support.rounding import require_rows

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)


def network(outputs: int, skip: bool = False) -> Graph:
    """A dense layer and its activation; with a skip no single layer makes the logits. What a bias takes up is exact."""
    rng = np.random.default_rng(1)
    b = GraphBuilder("net")
    x = b.input("x", (1, 3))
    dense = b.add(
        "dense",
        x,
        b.constant(rng.normal(size=(3, outputs)), "kernel"),
        b.constant(np.round(64 * rng.normal(size=outputs)) / 64, "bias"),
    )
    z = b.add("add", dense, b.add("gather", x, indices=tuple(range(outputs)))) if skip else dense
    last = b.add("softmax", z) if outputs > 1 else b.add("activation", z, function="sigmoid")
    return b.build([last])


def told(z: np.ndarray) -> np.ndarray:
    if z.shape[1] == 1:
        return 1 / (1 + np.exp(-z))
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("outputs", [1, 3])
def test_probabilities_are_those_of_the_scaled_logits(outputs: int, skip: bool) -> None:
    graph, shift = network(outputs, skip), [0.5, -1.0, 2.0][:outputs]
    made = scale_logits(graph, 0.25, shift)
    z = run_rows(logits(graph), X)[0].astype(np.float64)
    require_rows(made, told(0.25 * z + shift), X)
    assert (len(made.nodes) == len(graph.nodes)) == (not skip)


def test_where_a_layer_takes_it_up_it_costs_nothing() -> None:
    graph = optimize(network(3))
    assert [n.operation for n in optimize(scale_logits(network(3), 2.0, (1, 2, 3))).nodes] == [
        n.operation for n in graph.nodes
    ]


def test_nothing_to_do_gives_the_same_object() -> None:
    graph = network(1)
    assert scale_logits(graph, 1.0) is graph
    assert scale_logits(graph, 1.0, (0.0,)) is graph


def test_what_is_no_classifier_is_refused() -> None:
    b = GraphBuilder("line")
    line = b.build([b.add("square", b.input("x", (1, 3)))])
    for broken in (line, optimize(network(1))):  # once fused, a layer's activation is no node of its own
        with pytest.raises(GraphError, match="sigmoid"):
            logits(broken)
    with pytest.raises(GraphError, match="each logit"):
        scale_logits(network(3), 1.0, (1.0,))
