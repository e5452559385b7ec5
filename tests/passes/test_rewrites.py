# SPDX-License-Identifier: Apache-2.0
"""Folding, fusing and removing change what a graph looks like, never what it means."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.graph import Graph, GraphBuilder, check, run
from edgeling.passes import fold, fuse, optimize, remove_dead
from edgeling.passes.rewrite import rename
from tests.support.rounding import graph_bounds


def deployed(seed: int = 0, offset: float = 3.0, normalise: str = "both") -> Graph:
    """standardize, dense, batch normalisation, relu, dense, softmax: what a trained pipeline looks like."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder("net")
    x = b.input("x", (1, 4))
    scale = rng.uniform(0.5, 2, 4)
    h = b.add("standardize", x, b.constant(offset * scale, "mean"), b.constant(scale, "scale"))
    h = b.add("dense", h, b.constant(rng.normal(size=(4, 5)), "k1"), b.constant(rng.normal(size=5), "b1"))
    if normalise in ("after", "both"):
        h = _normalised(b, h, rng)
    h = b.add("activation", h, function="relu")
    if normalise in ("before", "both"):
        h = _normalised(b, h, rng)
    h = b.add("dense", h, b.constant(rng.normal(size=(5, 3)), "k2"), b.constant(rng.normal(size=3), "b2"))
    return b.build([b.add("softmax", h)])


def _normalised(b: GraphBuilder, h: str, rng) -> str:
    parameters = [rng.uniform(0.5, 2, 5), rng.normal(size=5), rng.normal(size=5), rng.uniform(0.5, 2, 5)]
    names = [b.constant(p, n) for p, n in zip(parameters, ("gamma", "beta", "mean", "variance"), strict=True)]
    return b.add("batch_normalization", h, *names, epsilon=1e-3)


def operations(graph: Graph) -> list[str]:
    return [node.operation for node in graph.nodes]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["none", "after", "before", "both"]))
def test_a_deployed_network_becomes_two_dense_layers_and_means_the_same(seed: int, normalise: str) -> None:
    graph = deployed(seed, normalise=normalise)
    small = check(optimize(graph))
    assert operations(small) == ["dense", "dense", "softmax"]
    x = np.random.default_rng(seed + 1).normal(size=(1, 4)) * 3
    graph_bounds(graph, [x])[0].require(run(small, [x]).outputs[0])


def test_the_error_of_fusing_a_standardisation_is_bounded_and_said() -> None:
    graph = deployed(normalise="none", offset=5.0)
    small = optimize(graph)
    pre = [next(n for n in g.nodes if n.operation == "dense") for g in (graph, small)]
    worst = 0.0
    for seed in range(200):
        x = graph.constants["mean"] + np.random.default_rng(seed).normal(size=(1, 4)) * graph.constants["scale"]
        exact = run(graph, [x], float64=True).values[pre[0].output]
        exact = np.maximum(exact, 0)  # the fused node holds its relu
        worst = max(worst, float(np.max(np.abs(run(small, [x]).values[pre[1].output] - exact))))
    assert 0 < worst <= 2 * small.metadata["fusion_error"]


def test_a_standardisation_whose_mean_dwarfs_its_scale_stays() -> None:
    assert "standardize" in operations(optimize(deployed(normalise="none", offset=300.0)))


def test_a_regression_answer_in_its_unit_costs_nothing() -> None:
    b = GraphBuilder("net")
    h = b.add("dense", b.input("x", (1, 2)), b.constant([[1.0], [2.0]]), b.constant([0.5]))
    h = b.add("add", b.add("multiply", h, b.constant([10.0])), b.constant([100.0]))
    small = optimize(b.build([h]))
    assert operations(small) == ["dense"]
    np.testing.assert_array_equal(run(small, [[[1, 1]]]).outputs[0], [[135]])


def test_what_is_read_twice_is_not_fused() -> None:
    b = GraphBuilder("net")
    h = b.add("dense", b.input("x", (1, 2)), b.constant(np.ones((2, 2))), b.constant(np.zeros(2)))
    graph = b.build([b.add("activation", h, function="tanh"), h])
    assert fuse(graph) is graph


def test_trainable_weights_are_not_touched() -> None:
    b = GraphBuilder("net")
    x = b.add("standardize", b.input("x", (1, 2)), b.constant([1.0, 1.0]), b.constant([2.0, 2.0]))
    h = b.add("dense", x, b.variable(np.ones((2, 2)), "kernel"), b.variable(np.zeros(2), "bias"))
    graph = b.build([h])
    assert fuse(graph) is graph


def test_folding_computes_constants_and_leaves_the_rest() -> None:
    b = GraphBuilder("net")
    x = b.input("x", (2,))
    two = b.add("add", b.constant([1.0, 1.0]), b.constant([1.0, 1.0]), name="two")
    graph = fold(b.build([b.add("multiply", x, two, name="y")]))
    assert operations(graph) == ["multiply"]
    np.testing.assert_array_equal(graph.constants["two"], [2, 2])
    np.testing.assert_array_equal(run(graph, [np.array([3.0, 4.0])]).outputs[0], [6, 8])


def test_dead_nodes_constants_and_types_go_and_updates_stay() -> None:
    b = GraphBuilder("net")
    x, v = b.input("x", (2,)), b.variable([0.0, 0.0], "v")
    b.add("multiply", x, b.constant([9.0, 9.0], "unused"), name="dead")
    b.update(v, b.add("square", x, name="alive"))
    graph = remove_dead(b.build([b.add("add", x, x, name="y")]))
    assert set(graph.types) == {"x", "v", "alive", "y"}
    assert "unused" not in graph.constants


def test_renaming_changes_names_alone() -> None:
    graph = optimize(deployed())
    renamed = check(rename(graph, "softmax", "x"))  # taken, so the next free one
    assert renamed.outputs == ("x_2",)
    x = np.ones((1, 4), np.float32)
    np.testing.assert_array_equal(run(renamed, [x]).outputs[0], run(graph, [x]).outputs[0])


@pytest.mark.parametrize("apply", [fold, fuse, remove_dead, optimize])
def test_a_pass_with_nothing_to_do_gives_the_same_object_back(apply) -> None:
    small = optimize(deployed())
    assert apply(small) is small
