# SPDX-License-Identifier: Apache-2.0
"""Convolutions that go on learning on a device: their gradients, their C on a chip, and what does not learn."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder, run
from edgeling.layers import BatchNormalization, Conv2D, Dense, DepthwiseConv2D, Flatten, Input, MaxPooling2D
from edgeling.models import Sequential
from edgeling.passes import differentiate
from edgeling.passes.learnable import unfused, weights_of
from edgeling.targets import get
from edgeling.utils import set_random_seed
from edgeling.workflow.build import as_learning
from edgeling.workflow.learning import Learning, LearningModel
from tests.support.finite import require_gradient


@cache
def model(layers: str | int) -> LearningModel:
    """Two convolutions, one of each channel, a normalisation behind a rectifier, and two dense layers."""
    set_random_seed(4)
    network = Sequential([
        Input((6, 6, 2)), Conv2D(3, 3, padding="same", activation="relu"), MaxPooling2D(2),
        DepthwiseConv2D(2, activation="tanh"),
        BatchNormalization(), Flatten(), Dense(4, activation="relu"), Dense(3, activation="softmax"),
    ])  # fmt: skip
    network.compile("adam", "sparse_categorical_crossentropy")
    return as_learning(network, Learning(layers=layers))


@pytest.mark.parametrize(("layers", "weights"), [("last", 2), (3, 6), ("all", 8)])
def test_a_chip_learns_images(layers, weights) -> None:
    learning = model(layers)
    assert len(learning.learner.weights) == weights
    for target in ("cortex-m4", "native"):
        proof = learning.prove(get(target), learning.made_up(3))
        assert (proof.matches, proof.steps) == (True, 3)


def test_a_step_goes_along_finite_differences() -> None:
    learner = model("all").learner
    rows, truths = model("all").made_up(1)
    graph = learner.loss
    given = [x.reshape(graph.types[port].shape) for x, port in zip((rows, truths), graph.inputs, strict=True)]
    gradients = run(differentiate(unfused(graph), graph.outputs[0], learner.weights), given, float64=True).outputs[1:]
    for weight, gradient in zip(learner.weights, gradients, strict=True):
        require_gradient(graph, given, weight, gradient)
    start, after = learner.learn.variables, run(learner.learn, [*given, np.float64(1)], float64=True).variables
    for weight, gradient in zip(learner.weights, gradients, strict=True):
        assert np.sign(start[weight] - after[weight]).ravel()[np.abs(gradient).argmax()] == np.sign(
            gradient.flat[np.abs(gradient).argmax()]
        )


def test_all_does_not_leave_out_a_recurrent_layer() -> None:
    body = GraphBuilder("step")
    held, x = body.input("held", (1, 2)), body.input("x", (1, 2))
    inner = body.build([body.add("add", held, x)])
    b = GraphBuilder("recurrent")
    steps, nothing = b.input("x", (1, 3, 2)), b.constant(np.zeros((1, 2)), "nothing")
    last = b.add("scan", nothing, steps, body=inner, length=3, carried=1, axes=(1,))
    kernel, bias = b.constant(np.ones((2, 1)), "kernel"), b.constant(np.zeros(1), "bias")
    graph = b.build([b.add("dense", last, kernel, bias, name="y")])
    assert weights_of(graph, 1) == ["kernel", "bias"]
    with pytest.raises(UnsupportedError, match="received a recurrent layer"):
        weights_of(graph, None)
