# SPDX-License-Identifier: Apache-2.0
"""Layers and models called with arrays, and what their penalties are, against Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeling import layers, regularizers
from edgeling.errors import DataError, UnsupportedError
from edgeling.layers import eager
from edgeling.models import Sequential
from tests.support.close import require_close
from tests.support.rounding import (
    interpreted_bounds,
    prediction_bound,
    require_same_answers,
    require_same_evaluation,
    training_bounds,
)

keras: Any = pytest.importorskip("keras")
pytestmark = pytest.mark.keras

X = np.random.default_rng(3).normal(size=(6, 4)).astype(np.float32)


def pair(make: Any) -> tuple[Any, Any]:
    """A layer here and in Keras, with the same weights."""
    ours, theirs = make(layers), make(keras.layers)
    ours(X), theirs(X)
    if ours.weights:
        theirs.set_weights(ours.get_weights())
    return ours, theirs


@pytest.mark.parametrize(
    "make",
    [
        lambda k: k.Dense(3, activation="tanh"),
        lambda k: k.Activation("relu"),
        lambda k: k.BatchNormalization(),
        lambda k: k.Rescaling(2.0, 1.0),
    ],
    ids=["Dense", "Activation", "BatchNormalization", "Rescaling"],
)
@pytest.mark.parametrize("training", [False, True])
def test_a_layer_called_with_an_array_gives_keras_values(make: Any, training: bool) -> None:
    ours, theirs = pair(make)
    told = {"training": training} if "training" in theirs._call_signature.parameters else {}
    answers: list[Any] = []
    (allowed,), moved = interpreted_bounds(eager, lambda: answers.append(ours(X, training=training)))
    for answer in (*answers, theirs(X, **told)):
        allowed.require(answer)
    assert len(moved) == len(ours.weights)
    for bound, mine, their in zip(moved.values(), ours.get_weights(), theirs.get_weights(), strict=True):
        bound.require(mine, "ours")
        bound.require(their, "Keras's")


def test_a_model_called_while_training_uses_and_moves_the_batchs_statistics() -> None:
    built = [
        k.Sequential([k.layers.Input((4,)), k.layers.Dense(3), k.layers.BatchNormalization()]) for k in (KERAS, keras)
    ]
    ours, theirs = built
    theirs.set_weights(ours.get_weights())
    answers = [theirs(X, training=True)]
    (allowed,), _ = interpreted_bounds(eager, lambda: answers.append(ours(X, training=True)))
    for answer in answers:
        allowed.require(answer)
    require_same_answers(ours, theirs, X)
    prediction_bound(ours, X).require(ours(X))


def test_rows_of_several_dimensions_are_trained_as_in_keras() -> None:
    def make(k: Any) -> Any:
        chain = [
            k.layers.Input((3, 4)), k.layers.Dense(5, "relu"), k.layers.BatchNormalization(), k.layers.Identity(),
            k.layers.Reshape((5, -1)), k.layers.Dense(2), k.layers.Flatten(), k.layers.Dense(1),
        ]  # fmt: skip
        model = k.Sequential(chain)
        model.compile("sgd", "mse")
        return model

    ours, theirs = make(KERAS), make(keras)
    theirs.set_weights(ours.get_weights())
    x = np.random.default_rng(5).normal(size=(8, 3, 4)).astype(np.float32)

    def results(model: Any) -> list[Any]:
        how = {"epochs": 2, "batch_size": 4, "shuffle": False, "verbose": 0}
        return [model.fit(x, x[:, 0, 0], **how).history["loss"], model.predict(x, verbose=0)]

    allowed = training_bounds(ours, results)[:2]
    for model in (ours, theirs):
        for bound, result in zip(allowed, results(model), strict=True):
            bound.require(result)


def test_normalization_adapts_to_batches_as_to_a_table() -> None:
    batches = [X[:2], X[2:4], X[4:]]
    moments = []
    for given in (X, batches, iter(batches), [(b, b[:, 0]) for b in batches]):
        layer = layers.Normalization()
        layer.adapt(given)
        moments.append((layer.mean, layer.variance))
    assert moments[1:] == moments[:1] * 3
    for wrong in ([], iter([]), [X, X[:, :2]], [42]):
        with pytest.raises(DataError):
            layers.Normalization().adapt(wrong)


def test_a_model_called_while_training_drops() -> None:
    model = Sequential([layers.Input((50,)), layers.Dropout(0.5)])
    ones = np.ones((20, 50), np.float32)
    assert set(np.unique(model(ones, training=True))) == {0.0, 2.0}
    assert (model(ones) == 1).all()


def test_dropout_with_a_seed_repeats_and_without_one_does_not() -> None:
    ones = np.ones((20, 50), np.float32)
    first, second = layers.Dropout(0.5, seed=7), layers.Dropout(0.5, seed=7)
    drawn = [first(ones, training=True) for _ in range(2)]
    np.testing.assert_array_equal(second(ones, training=True), drawn[0])
    assert (drawn[0] != drawn[1]).any()
    free = layers.Dropout(0.5)
    assert (free(ones, training=True) != free(ones, training=True)).any()


@pytest.mark.parametrize("trainable", [True, False])
def test_penalties_are_those_of_layers_that_train(trainable: bool) -> None:
    def make(k: Any) -> Any:
        return k.layers.Dense(3, kernel_regularizer="l2", bias_regularizer=k.regularizers.L1(0.5), trainable=trainable)

    models = [
        k.Sequential([k.layers.Input((4,)), make(k), k.layers.Dense(1, kernel_regularizer="l1")])
        for k in (KERAS, keras)
    ]
    ours, theirs = models
    ours.set_weights([w + 0.5 for w in ours.get_weights()])
    theirs.set_weights(ours.get_weights())
    # A sum of at most 12 magnitudes or squares and two products; ours is double but for its last rounding.
    require_close([float(x) for x in theirs.losses], np.array(ours.losses, np.float64), 12 + 3)
    for model in models:
        model.compile("sgd", "mse")
    y = X.sum(axis=1)
    require_same_evaluation(ours, theirs, X, y)

    def lost(model: Any) -> Any:
        return model.fit(X, y, verbose=0, shuffle=False).history["loss"]

    allowed = training_bounds(ours, lambda model: [lost(model)])[0]
    for model in models:
        allowed.require(lost(model))


class KERAS:
    """Edgeling by Keras's module names."""

    Sequential, layers, regularizers = Sequential, layers, regularizers


REFUSED: dict[str, Any] = {
    "a model's train_step": (Sequential, "train_step"),
    "a model's test_step": (Sequential, "test_step"),
    "a model's predict_step": (Sequential, "predict_step"),
    "a model's call": (Sequential, "call"),
    "a model's compute_loss": (Sequential, "compute_loss"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_methods_that_would_be_ignored_are_refused_when_the_class_is_made(name: str) -> None:
    base, method = REFUSED[name]
    with pytest.raises(UnsupportedError, match=f"^{method} of a {base.__name__}.*Mine"):
        type("Mine", (base,), {method: lambda self, *a: None})


class Twice(layers.Layer):
    """A layer written in Python."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2.0


class Doubled(layers.Dense):
    """One that goes on from a built-in layer's."""

    def call(self, inputs: Any) -> Any:
        return super().call(inputs) * 2.0


def test_layers_written_in_python_compute_what_they_say() -> None:
    np.testing.assert_array_equal(Sequential([layers.Input((4,)), Twice()]).predict(X, verbose=0), X * 2)
    model = Sequential([layers.Input((4,)), Doubled(2)])
    plain = Sequential([layers.Input((4,)), layers.Dense(2)])
    plain.set_weights(model.get_weights())
    np.testing.assert_array_equal(model.predict(X, verbose=0), plain.predict(X, verbose=0) * 2)


def test_layers_are_not_called_with_symbols_or_rows_of_another_shape() -> None:
    dense = layers.Dense(3)
    dense(X)
    with pytest.raises(DataError, match=r"\(4,\)"):
        dense(X[:, :2])
