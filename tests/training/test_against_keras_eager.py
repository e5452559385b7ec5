# SPDX-License-Identifier: Apache-2.0
"""Layers and models called with arrays, and what their penalties are, against Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from edgeling import layers, regularizers
from edgeling.errors import DataError, UnsupportedError
from edgeling.models import Sequential

keras: Any = pytest.importorskip("keras")
pytestmark = pytest.mark.keras

# Two float32 evaluations of sums of at most eight products of numbers around one: a few units in the last place.
CLOSE = {"rtol": 1e-5, "atol": 1e-6}
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
    assert_allclose(ours(X, training=training), theirs(X, **told), **CLOSE)
    for mine, their in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert_allclose(mine, their, **CLOSE)


def test_a_model_called_while_training_uses_and_moves_the_batchs_statistics() -> None:
    built = [
        k.Sequential([k.layers.Input((4,)), k.layers.Dense(3), k.layers.BatchNormalization()]) for k in (KERAS, keras)
    ]
    ours, theirs = built
    theirs.set_weights(ours.get_weights())
    assert_allclose(ours(X, training=True), theirs(X, training=True), **CLOSE)
    assert_allclose(ours(X), theirs(X), **CLOSE)
    assert_allclose(ours(X), ours.predict(X), **CLOSE)


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
    losses = [
        m.fit(x, x[:, 0, 0], epochs=2, batch_size=4, shuffle=False, verbose=0).history["loss"] for m in (ours, theirs)
    ]
    assert_allclose(*losses, rtol=1e-4)  # four steps, each through a variance of twelve float32 values
    assert_allclose(ours.predict(x), theirs.predict(x, verbose=0), rtol=1e-3, atol=1e-4)


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
    assert_allclose(second(ones, training=True), drawn[0])
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
    assert_allclose(ours.losses, [float(x) for x in theirs.losses], **CLOSE)
    for model in models:
        model.compile("sgd", "mse")
    y = X.sum(axis=1)
    assert_allclose(ours.evaluate(X, y, verbose=0), theirs.evaluate(X, y, verbose=0), **CLOSE)
    losses = [model.fit(X, y, verbose=0, shuffle=False).history["loss"] for model in models]
    assert_allclose(*losses, **CLOSE)


class KERAS:
    """Edgeling by Keras's module names."""

    Sequential, layers, regularizers = Sequential, layers, regularizers


REFUSED: dict[str, Any] = {
    "a layer's call": (layers.Layer, "call"),
    "a built-in layer's call": (layers.Dense, "call"),
    "a model's train_step": (Sequential, "train_step"),
    "a model's test_step": (Sequential, "test_step"),
    "a model's predict_step": (Sequential, "predict_step"),
    "a model's call": (Sequential, "call"),
    "a model's compute_loss": (Sequential, "compute_loss"),
    "a regularizer's call": (regularizers.Regularizer, "__call__"),
    "a built-in regularizer's call": (regularizers.L2, "__call__"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_methods_that_would_be_ignored_are_refused_when_the_class_is_made(name: str) -> None:
    base, method = REFUSED[name]
    with pytest.raises(UnsupportedError, match=f"^{method} of a {base.__name__}.*Mine"):
        type("Mine", (base,), {method: lambda self, *a: None})


def test_layers_are_not_called_with_symbols_or_rows_of_another_shape() -> None:
    with pytest.raises(UnsupportedError, match="Sequential"):
        layers.Dense(3)(layers.Input((4,)))
    dense = layers.Dense(3)
    dense(X)
    with pytest.raises(DataError, match=r"\(4,\)"):
        dense(X[:, :2])
