# SPDX-License-Identifier: Apache-2.0
"""What surrounds a convolution goes into it: zeros before, channels scaled and an activation after."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling.graph import GraphBuilder, run
from edgeling.passes import optimize
from tests.support.rounding import graph_bounds


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(list(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("groups", [1, 4])
def test_zeros_channels_and_activation_go_into_the_convolution(groups: int) -> None:
    b = GraphBuilder("net")
    x = b.input("x", (1, 6, 5, 4))
    around = b.add("pad", x, begin=(0, 1, 2, 0), shape=(1, 8, 9, 4))
    y = b.add("conv", around, b.constant(normal(3, 2, 4 // groups, 8)), b.constant(normal(8)), groups=groups,
              strides=(2, 1), padding=(0, 1, 0, 0))  # fmt: skip
    moments = [b.constant(normal(8)), b.constant(normal(8)), b.constant(normal(8)), b.constant(abs(normal(8)))]
    y = b.add("batch_normalization", y, *moments)
    y = b.add("activation", b.add("multiply", y, b.constant(0.5)), function="relu")
    graph = b.build([y])
    fused = optimize(graph)
    assert [node.operation for node in fused.nodes] == ["conv"]
    (node,) = fused.nodes
    assert node.attributes["padding"] == (1, 2, 2, 2)
    image = normal(1, 6, 5, 4)
    for bound, got in zip(graph_bounds(graph, [image]), run(fused, [image]).outputs, strict=True):
        bound.rounded_more(3).require(got)


def test_what_is_not_of_channels_alone_stays() -> None:
    b = GraphBuilder("net")
    x = b.input("x", (1, 4, 4, 2))
    ones = b.add("pad", x, begin=(0, 1, 1, 0), shape=(1, 6, 6, 2), value=1.0)
    y = b.add("conv", ones, b.constant(normal(3, 3, 2, 2)), b.constant(normal(2)))
    y = b.add("multiply", y, b.constant(normal(4, 4, 2)))
    fused = optimize(b.build([y]))
    assert [node.operation for node in fused.nodes] == ["pad", "conv", "multiply"]


def test_what_follows_a_layer_of_another_shape_goes_into_it_too() -> None:
    b = GraphBuilder("net")
    x = b.input("x", (1, 6, 4))
    y = b.add("dense", b.add("reshape", x, shape=(6, 4)), b.constant(normal(4, 3)), b.constant(normal(3)))
    y = b.add("reshape", y, shape=(1, 6, 3))
    moments = [b.constant(normal(3)), b.constant(normal(3)), b.constant(normal(3)), b.constant(abs(normal(3)))]
    y = b.add("activation", b.add("batch_normalization", y, *moments), function="relu")
    graph = b.build([y])
    fused = optimize(graph)
    assert [node.operation for node in fused.nodes] == ["reshape", "dense", "reshape"]
    rows = normal(1, 6, 4)
    for bound, got in zip(graph_bounds(graph, [rows]), run(fused, [rows]).outputs, strict=True):
        bound.rounded_more(3).require(got)
