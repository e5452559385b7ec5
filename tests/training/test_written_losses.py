# SPDX-License-Identifier: Apache-2.0
"""Losses written in Python, trained natively: against Keras, which runs the same functions with its own ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

import edgeling  # noqa: E402
from edgeling import layers, losses, ops  # noqa: E402
from edgeling.errors import EdgelingError  # noqa: E402
from edgeling.models import Model, Sequential  # noqa: E402
from tests.support.rounding import training_bounds  # noqa: E402
from tests.training.keras_pairs import assert_within, network, rows, twin  # noqa: E402

pytestmark = pytest.mark.keras


def focal(k: Any, o: Any) -> Any:
    """Of class numbers, with logarithms and powers."""

    def loss(y_true: Any, y_pred: Any) -> Any:
        p = o.sum(o.one_hot(y_true, 3) * y_pred, axis=-1)
        return -o.power(1 - p, 1.5) * o.log(o.clip(p, 1e-7, 1.0))

    return loss


def root(k: Any, o: Any) -> Any:
    """Of all rows together, and what gradients stop at."""

    def loss(y_true: Any, y_pred: Any) -> Any:
        weight = o.stop_gradient(o.abs(y_pred))
        return o.sqrt(o.mean(weight * o.square(y_true - y_pred)) + 0.1)

    return loss


def scaled(k: Any, o: Any) -> Any:
    """A class, a reduction, and a loss of Keras's within."""

    class Scaled(k.losses.Loss):  # type: ignore[misc, name-defined]
        def __init__(self, scale: float, **how: Any) -> None:
            super().__init__(**how)
            self.scale = scale

        def call(self, y_true: Any, y_pred: Any) -> Any:
            return self.scale * k.losses.mean_squared_error(y_true, y_pred) + o.maximum(o.max(y_pred, axis=-1), 0.0)

    return Scaled(2.0, reduction="sum")


CLASSES = np.random.default_rng(0).integers(0, 3, 12).astype(np.float32)
WEIGHTS = np.linspace(0.5, 2, 12).astype(np.float32)
CASES: dict[str, tuple[Callable[[Any, Any], Any], Any, str]] = {
    "focal": (focal, CLASSES, "softmax"),
    "root": (root, rows(1, features=3), "linear"),
    "scaled": (scaled, rows(1, features=3), "linear"),
}


@pytest.mark.parametrize("name", CASES)
def test_steps_and_evaluations_are_kerass(name: str) -> None:
    make, y, activation = CASES[name]
    keras.utils.set_random_seed(1)
    model = network(keras.layers.Dense(3, activation=activation, kernel_regularizer="l2"))
    ours, x = twin(model), rows(0)
    model.compile(keras.optimizers.SGD(0.1), make(keras, keras.ops))
    ours.compile(edgeling.optimizers.SGD(0.1), make(edgeling, ops))

    def train(one: Any) -> list[Any]:
        told = [one.train_on_batch(x, y, sample_weight=WEIGHTS), one.train_on_batch(x, y)]
        return [*told, one.evaluate(x, y, batch_size=5, verbose=0)]

    bounds = training_bounds(ours, train)
    theirs, mine = train(model), train(ours)
    assert_within(bounds, [*mine, *ours.get_weights()], [*theirs, *model.get_weights()])


def test_outputs_may_each_have_one_of_whatever_shape() -> None:
    def of_rows(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.square(y_true - y_pred), axis=(1, 2))

    def model(loss: Any) -> Model:
        x = layers.Input((5,))
        a = layers.Dense(2, kernel_initializer="ones", name="a")(x)
        made = Model(x, [a, layers.Reshape((2, 3), name="b")(layers.Dense(6, kernel_initializer="ones")(x))])
        made.compile("sgd", {"a": "mse", "b": loss}, loss_weights={"b": 2.0})
        return made

    def fit(made: Model) -> list[Any]:
        made.fit(rows(0), [rows(1, features=2), rows(2, features=6).reshape(-1, 2, 3)], verbose=0, shuffle=False)
        return []

    written, known = model(of_rows), model("mse")
    fit(written)
    fit(known)
    bounds = training_bounds(model("mse"), fit)
    assert_within(bounds, [*written.get_weights()], [*known.get_weights()])


def test_an_edited_function_is_another_loss() -> None:
    model = Sequential([layers.Input((1,)), layers.Dense(1, kernel_initializer="zeros")])
    found = []
    for factor in (1.0, 3.0):
        model.compile("sgd", lambda y_true, y_pred, factor=factor: factor * ops.abs(y_true - y_pred))
        found.append(model.evaluate(np.zeros((4, 1)), np.ones((4, 1)), verbose=0))
        model.compile("sgd", lambda y_true, y_pred, factor=factor: ops.sqrt(ops.sum(ops.square(y_true - factor))))
        found.append(model.evaluate(np.zeros((4, 1)), np.zeros((4, 1)), verbose=0))
    assert found == [1.0, 2.0, 3.0, 6.0]


BAD: dict[str, tuple[Any, str]] = {
    "NumPy": (lambda y_true, y_pred: np.square(y_true - y_pred), "edgeling.ops.square"),
    "nothing": (lambda y_true, y_pred: None, "gives a value for each row"),
    "columns": (lambda y_true, y_pred: ops.sum(y_pred, axis=0), "gives a value for each row"),
    "a number of Python's": (lambda y_true, y_pred: float(y_pred), "a number made of it"),
    "no call": (type("Empty", (losses.Loss,), {})(), "without call"),
    "no function": (3, "the loss is not supported"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_loss_is_told(name: str) -> None:
    loss, words = BAD[name]
    model = Sequential([layers.Input((5,)), layers.Dense(3)])

    def fit() -> None:
        model.compile("sgd", loss)
        model.fit(rows(0), rows(1, features=3), verbose=0)

    with pytest.raises(EdgelingError, match=words):
        fit()


X = np.random.default_rng(3).uniform(0.1, 2, size=(3, 4)).astype(np.float32)
Y = np.random.default_rng(4).normal(size=(4, 2)).astype(np.float32)
OPS: dict[str, tuple[Any, Any]] = {
    "log": (lambda: ops.log(X), lambda x, y: np.log(x)),
    "log2": (lambda: ops.log2(X), lambda x, y: np.log2(x)),
    "log10": (lambda: ops.log10(X), lambda x, y: np.log10(x)),
    "logsumexp": (lambda: ops.logsumexp(X, axis=0), lambda x, y: np.log(np.exp(x).sum(axis=0))),
    "power": (lambda: ops.power(X, 0.3), lambda x, y: np.power(x, 0.3)),
    "any": (lambda: ops.any(X > 1.9, axis=1), lambda x, y: (x > 1.9).any(axis=1)),
    "all": (lambda: ops.all(X > 0.2, axis=0, keepdims=True), lambda x, y: (x > 0.2).all(axis=0, keepdims=True)),
    "dot": (lambda: ops.dot(X, Y), lambda x, y: x @ y),
    "dot of a vector": (lambda: ops.dot(X, Y[:, 0]), lambda x, y: x @ y[:, 0]),
    "einsum": (lambda: ops.einsum("ij,jk->ik", X, Y), lambda x, y: x @ y),
    "einsum, diagonal": (lambda: ops.einsum("bi,bi->b", X, X), lambda x, y: (x * x).sum(axis=1)),
    "einsum, transposed": (lambda: ops.einsum("ij->ji", X), lambda x, y: x.T),
    "einsum, summed": (lambda: ops.einsum("ij,k->k", X, Y[:, 0]), lambda x, y: x.sum() * y[:, 0]),
    "arange": (lambda: ops.arange(1, 7, 2), lambda x, y: np.arange(1, 7, 2)),
}


@pytest.mark.parametrize("name", OPS)
def test_an_operation_is_numpys(name: str) -> None:
    found, meant = OPS[name][0](), OPS[name][1](X.astype(np.float64), Y.astype(np.float64))
    assert np.shape(found) == np.shape(meant)
    magnitude = np.abs(meant) + np.abs(X).max() * np.abs(Y).max() * X.size  # of any sum of products here
    assert (np.abs(found - meant) <= 4 * X.size * np.finfo(np.float32).eps * magnitude).all()


@pytest.mark.parametrize("subscripts", ["ii,ij->j", "i...->i", "ij,jk->il", "ij", "ji,jk->ik", "ij,jk->iik"])
def test_einsum_refuses_by_name(subscripts: str) -> None:
    with pytest.raises(EdgelingError, match=r"einsum|letter"):
        ops.einsum(subscripts, X, Y)
