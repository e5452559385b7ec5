# SPDX-License-Identifier: Apache-2.0
"""Cross-entropies read logits where there are some: values, gradients, and a network that begins far off."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgeling.graph import Graph, GraphBuilder, run
from edgeling.graph.losses import CROSS_ENTROPIES, EPSILON, LOSSES
from edgeling.graph.types import Array
from edgeling.layers import Activation, Dense, Input
from edgeling.losses import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    KLDivergence,
    SparseCategoricalCrossentropy,
)
from edgeling.models import Model, Sequential
from edgeling.passes import differentiate, through_logits
from edgeling.utils import set_random_seed
from tests.support.rounding import Bound, graph_bounds

ROWS, CLASSES = 7, 4
FUNCTIONS = [*CROSS_ENTROPIES]
OPTIONS: dict[str, dict[str, Any]] = {
    "binary_focal_crossentropy": {"gamma": 1.5, "alpha": 0.3, "apply_class_balancing": True},
    "categorical_focal_crossentropy": {"gamma": 0.5, "alpha": 0.7},
    "categorical_generalized_cross_entropy": {"q": 0.3},
}


def _loss_of(function: str) -> str:
    return function.replace("binary_kl", "kl")


def _truth(function: str) -> Array:
    dice = np.random.default_rng(3)
    labels = dice.integers(0, CLASSES, ROWS)
    if LOSSES[_loss_of(function)].sparse:
        return labels[:, None].astype(np.float32)
    if function.startswith("binary"):
        return dice.integers(0, 2, (ROWS, CLASSES)).astype(np.float32)
    return np.eye(CLASSES, dtype=np.float32)[labels]


def _graph(function: str, z: Array, smoothing: float = 0.0) -> tuple[Graph, str]:
    b = GraphBuilder("g")
    v, truth = b.variable(z, "z"), b.constant(_truth(function), "truth")
    p = b.add("activation", v, function="sigmoid") if function.startswith("binary") else b.add("softmax", v)
    rows = b.add("loss", truth, p, function=_loss_of(function), label_smoothing=smoothing, **OPTIONS.get(function, {}))
    return b.build([rows, p]), rows


def _with_gradient(graph: Graph, rows: str) -> Graph:
    b = GraphBuilder.of(graph)
    total = b.add("reshape", b.add("sum", rows, axes=(0,)), shape=(), name="total")
    return differentiate(b.build([*graph.outputs, total]), total, ["z"])


def _exact(function: str, z: Array, smoothing: float) -> Array:
    """The loss of each row in double precision, written from the definition with logaddexp."""
    z, t, options = z.astype(np.float64), _truth(function).astype(np.float64), OPTIONS.get(function, {})
    log_p = -np.logaddexp(0, -z) if function.startswith("binary") else z - np.logaddexp.reduce(z, axis=1, keepdims=True)
    if "kl" in function:
        t = np.clip(t, EPSILON, 1)
        return np.sum(t * (np.log(t) - log_p), axis=1)
    if function.startswith("binary"):
        t = t * (1 - smoothing) + smoothing / 2
        loss = -t * log_p + (1 - t) * np.logaddexp(0, z)
        if "focal" in function:
            wrong = t * np.exp(-np.logaddexp(0, z)) + (1 - t) * np.exp(log_p)
            loss *= wrong ** options["gamma"] * (t * options["alpha"] + (1 - t) * (1 - options["alpha"]))
        return np.mean(loss, axis=1)
    t = np.eye(CLASSES)[t[:, 0].astype(int)] if t.shape[1] == 1 else t
    if "generalized" in function:
        return (1 - np.exp(options["q"] * np.sum(t * log_p, axis=1))) / options["q"]
    t = t * (1 - smoothing) + smoothing / CLASSES
    focus = options["alpha"] * (-np.expm1(log_p)) ** options["gamma"] if "focal" in function else 1.0
    return -np.sum(t * focus * log_p, axis=1)


@pytest.mark.parametrize("scale", [0.5, 4.0, 300.0])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_loss_is_that_of_the_logits_however_large_they_are(function: str, scale: float) -> None:
    z = np.random.default_rng(1).normal(size=(ROWS, CLASSES), scale=scale).astype(np.float32)
    for smoothing in (0.0, 0.1):
        graph, _ = _graph(function, z, smoothing)
        changed = through_logits(graph)
        assert "cross_entropy" in [node.operation for node in changed.nodes]
        found = run(changed, []).outputs[0]
        (bound, *_) = graph_bounds(changed, {})
        bound.require(found)
        exact = Bound(_exact(function, z, smoothing), bound.spread).rounded_more(1)  # as a probability around 1 was
        exact.require(found, f"{function} of logits around {scale}")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_where_nothing_is_clipped_values_and_gradients_are_those_of_the_probabilities(function: str) -> None:
    z = np.random.default_rng(2).normal(size=(ROWS, CLASSES)).astype(np.float32)
    graph, rows = _graph(function, z)
    before, after = _with_gradient(graph, rows), _with_gradient(through_logits(graph), rows)
    bounds = graph_bounds(before, {})  # of the outputs, then of what is updated
    for old, new, bound in zip(run(before, []).outputs, run(after, []).outputs, bounds, strict=False):
        bound.require(old)
        bound.require(new)


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if "generalized" not in name])
def test_a_probability_that_is_zero_still_has_a_gradient(function: str) -> None:
    truth = _truth(function)
    right = truth > 0 if truth.shape[1] > 1 else truth == np.arange(CLASSES)
    wrong = np.where(right, -400, 400)
    graph, rows = _graph(function, wrong.astype(np.float32))
    before, after = (run(_with_gradient(g, rows), []).outputs[-1] for g in (graph, through_logits(graph)))
    assert not np.any(before)  # what Keras clips stays where it is for ever
    assert np.all(after[right] < 0)
    assert np.all(after[~right] >= 0)
    assert np.all(np.abs(after).sum(axis=1) > 0.3)  # alpha, and no less


def test_a_generalized_cross_entropy_forgets_such_rows_but_is_finite() -> None:
    function = "categorical_generalized_cross_entropy"
    graph, rows = _graph(function, np.where(_truth(function) == np.arange(CLASSES), -400, 400).astype(np.float32))
    assert not np.any(run(_with_gradient(through_logits(graph), rows), []).outputs[-1])


@pytest.mark.parametrize("function", ["binary_focal_crossentropy", "categorical_focal_crossentropy"])
def test_focal_losses_that_are_told_logits_are_those_of_their_probabilities(function: str) -> None:
    z = np.random.default_rng(4).normal(size=(ROWS, CLASSES), scale=40).astype(np.float32)
    graph, rows = _graph(function, z)
    b = GraphBuilder("g")
    v = b.variable(z, "z")
    told = b.add("loss", b.constant(_truth(function)), v, function=function, from_logits=True, **OPTIONS[function])
    of_logits, of_probabilities = b.build([told]), replace(graph, outputs=graph.outputs[:1])
    for found, wanted in zip(
        run(_with_gradient(through_logits(of_logits), told), []).outputs,
        run(_with_gradient(through_logits(of_probabilities), rows), []).outputs, strict=True,
    ):  # fmt: skip
        np.testing.assert_array_equal(found, wanted)


def test_the_pass_leaves_everything_else_alone() -> None:
    b = GraphBuilder("g")
    truth, z = b.input("truth", (2, 3)), b.input("z", (2, 3))
    for p, function in ((z, "categorical_crossentropy"), (b.add("softmax", z), "binary_crossentropy"),
                        (b.add("activation", z, function="sigmoid"), "categorical_focal_crossentropy"),
                        (b.add("activation", z, function="tanh"), "kl_divergence"),
                        (b.add("softmax", z), "mean_squared_error")):  # fmt: skip
        graph = b.graph([b.add("loss", truth, p, function=function)])
        assert through_logits(graph) is graph
    logits = b.graph([b.add("loss", truth, b.add("softmax", z), function="categorical_crossentropy", from_logits=True)])
    assert through_logits(logits) is logits


LAST = {
    "sigmoid": (1, "sigmoid", BinaryCrossentropy()),
    "softmax": (3, "softmax", SparseCategoricalCrossentropy()),
    "one-hot": (3, "softmax", CategoricalCrossentropy()),
    "focal": (1, "sigmoid", BinaryFocalCrossentropy()),
    "focal, logits": (1, "linear", BinaryFocalCrossentropy(from_logits=True)),
    "one-hot, focal": (3, "softmax", CategoricalFocalCrossentropy(alpha=1.0)),
    "one-hot, divergence": (3, "softmax", KLDivergence()),
}


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("last", LAST)
def test_a_network_that_begins_far_off_learns_all_the_same(last: str, apart: bool) -> None:
    """With a bias of -60 every probability is clipped, in Keras for ever: there is no gradient."""
    width, activation, loss = LAST[last]
    set_random_seed(1)
    final = [Dense(width), Activation(activation)] if apart else [Dense(width, activation=activation)]
    model = Sequential([Input((3,)), *final])
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    y = np.argmax(x, axis=1) if width > 1 else (x[:, 0] > 0).astype(int)
    kernel, _ = model.get_weights()
    model.set_weights([kernel, np.float32([-60, 60, 0][:width])])
    model.compile("sgd", loss, metrics=["accuracy"])
    model.optimizer.learning_rate = 1.0
    given = np.eye(3)[y] if last.startswith("one-hot") else y
    first = model.evaluate(x, given, verbose=0, return_dict=True)["loss"]
    assert first > 20  # Keras tells 16 at most, -log(1e-7)
    assert model.fit(x, given, epochs=60, verbose=0).history["accuracy"][-1] > 0.9


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "binary_focal_crossentropy"])
def test_so_do_one_of_several_outputs_and_one_of_several_places_a_row(loss: str) -> None:
    """Their probabilities are brought to a matrix by a reshape, behind which logits are looked for."""
    set_random_seed(1)
    x = np.random.default_rng(0).normal(size=(200, 2, 3)).astype(np.float32)
    width, activation, y = (
        (3, "softmax", np.argmax(x, -1)) if loss.startswith("sparse") else (1, "sigmoid", x[..., :1] > 0)
    )
    told = Input((2, 3))
    answer = Dense(width, activation=activation, name="answer")(told)
    model = Model(told, [answer, Dense(1, name="other")(told)])
    for layer in (layer for layer in model.layers if layer.get_weights()):
        layer.set_weights([layer.get_weights()[0], np.float32([-60, 60, 0][:width] if layer.name == "answer" else [0])])
    model.compile("sgd", [loss, "mse"], loss_weights=[1.0, 0.01])
    model.optimizer.learning_rate = 1.0
    goals = [y.astype(np.float32), np.zeros((200, 2, 1))]
    assert model.evaluate(x, goals, verbose=0, return_dict=True)["answer_loss"] > 4  # focal: half of the rows by 60 / 4
    assert model.fit(x, goals, epochs=60, verbose=0).history["answer_loss"][-1] < 1
