# SPDX-License-Identifier: Apache-2.0
"""Layers, activations, regularizers and losses: the same outputs and the same gradients as Keras's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from edgeling import losses, metrics  # noqa: E402
from tests.support.rounding import function_bound, require_same_answers, require_same_evaluation  # noqa: E402
from tests.training.keras_pairs import (  # noqa: E402
    FEATURES,
    ROWS,
    assert_same_step,
    compile_both,
    network,
    rows,
    twin,
)

pytestmark = pytest.mark.keras
L = keras.layers

ACTIVATIONS = [
    "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "softplus", "softsign", "sigmoid",
    "hard_sigmoid", "tanh", "exponential", "softmax", "log_softmax", "mish", "hard_silu", "hard_tanh",
    "log_sigmoid", "celu", "squareplus", "sparse_plus", "sparse_sigmoid", "soft_shrink", "hard_shrink", "tanh_shrink",
]  # fmt: skip
LAYERS = {
    "dense": lambda: [L.Dense(4, bias_initializer="random_normal")],
    "dense without bias": lambda: [L.Dense(4, use_bias=False)],
    "activation": lambda: [L.Dense(4), L.Activation("tanh")],
    "relu": lambda: [L.Dense(4), L.ReLU()],
    "relu6": lambda: [L.Dense(4), L.ReLU(max_value=6)],
    "relu with a slope": lambda: [L.Dense(4), L.ReLU(negative_slope=0.1)],
    "leaky relu": lambda: [L.Dense(4), L.LeakyReLU()],
    "elu": lambda: [L.Dense(4), L.ELU(alpha=0.7)],
    "softmax": lambda: [L.Dense(4), L.Softmax()],
    "flatten": lambda: [L.Flatten(), L.Dense(4)],
    "rescaling": lambda: [L.Rescaling(2.0, offset=-1.0), L.Dense(4)],
    "normalization": lambda: [L.Normalization(mean=[0.1] * FEATURES, variance=[2.0] * FEATURES), L.Dense(4)],
    "batch normalization": lambda: [L.Dense(6), L.BatchNormalization(), L.Activation("relu"), L.Dense(4)],
    "batch normalization, plain": lambda: [
        L.BatchNormalization(momentum=0.9, epsilon=0.01, center=False, scale=False), L.Dense(4)
    ],
    "frozen batch normalization": lambda: [L.Dense(6), L.BatchNormalization(trainable=False), L.Dense(4)],
    "frozen dense": lambda: [L.Dense(6, trainable=False), L.Dense(4)],
    "l1": lambda: [L.Dense(4, kernel_regularizer="l1")],
    "l2": lambda: [L.Dense(4, kernel_regularizer=keras.regularizers.L2(0.05))],
    "l1 and l2": lambda: [
        L.Dense(4, kernel_regularizer=keras.regularizers.L1L2(0.01, 0.02), bias_regularizer="l2",
                bias_initializer="random_normal")
    ],
    "regularised batch normalization": lambda: [
        L.Dense(4), L.BatchNormalization(gamma_regularizer="l2", beta_regularizer="l1")
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_has_kerass_outputs_and_gradients(name: str) -> None:
    keras.utils.set_random_seed(3)
    model = network(*LAYERS[name]())
    model.set_weights([w + 0.1 * np.abs(np.random.default_rng(1).normal(size=w.shape)) for w in model.get_weights()])
    ours = twin(model)
    x, y = 3 * rows(0), rows(1, features=4)
    require_same_answers(ours, model, x)
    compile_both(model, ours, keras.optimizers.SGD(1.0), "mse")
    assert_same_step(model, ours, x, y)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_has_kerass_values_and_gradients(name: str) -> None:
    model = network(L.Dense(4, activation=name, bias_initializer="random_normal"))
    ours = twin(model)
    x, y = 3 * rows(0), rows(1, features=4)
    require_same_answers(ours, model, x)
    compile_both(model, ours, keras.optimizers.SGD(0.5), "mse")
    assert_same_step(model, ours, x, y)


def _one_hot(seed: int, classes: int = 4) -> Any:
    return np.eye(classes, dtype=np.float32)[np.random.default_rng(seed).integers(0, classes, ROWS)]


def _labels(seed: int, low: int, high: int) -> Any:
    return np.random.default_rng(seed).integers(low, high, (ROWS, 1)).astype(np.float32)


K = keras.losses
# name -> (Keras's loss, our loss, units, activation of the last layer, targets)
LOSSES: dict[str, tuple[Any, Any, int, str, Any]] = {
    "mse": ("mse", "mse", 4, "linear", rows(1, features=4)),
    "mae": ("mean_absolute_error", "mean_absolute_error", 4, "linear", rows(1, features=4)),
    "msle": ("msle", "msle", 4, "softplus", np.abs(rows(1, features=4))),
    "log_cosh": ("log_cosh", "log_cosh", 4, "linear", rows(1, features=4)),
    "huber": ("huber", "huber", 4, "linear", 2 * rows(1, features=4)),
    "huber, delta": (K.Huber(delta=0.3), losses.Huber(delta=0.3), 4, "linear", rows(1, features=4)),
    "bce": ("binary_crossentropy", "bce", 1, "sigmoid", _labels(1, 0, 2)),
    "bce of several": ("bce", "bce", 4, "sigmoid", (rows(1, features=4) > 0).astype(np.float32)),
    "bce, logits": (
        K.BinaryCrossentropy(from_logits=True), losses.BinaryCrossentropy(from_logits=True), 1, "linear",
        _labels(1, 0, 2),
    ),
    "bce, smoothed": (
        K.BinaryCrossentropy(label_smoothing=0.2), losses.BinaryCrossentropy(label_smoothing=0.2), 1, "sigmoid",
        _labels(1, 0, 2),
    ),
    "cce": ("categorical_crossentropy", "categorical_crossentropy", 4, "softmax", _one_hot(1)),
    "cce, logits": (
        K.CategoricalCrossentropy(from_logits=True), losses.CategoricalCrossentropy(from_logits=True), 4, "linear",
        _one_hot(1),
    ),
    "cce, smoothed": (
        K.CategoricalCrossentropy(label_smoothing=0.1), losses.CategoricalCrossentropy(label_smoothing=0.1), 4,
        "softmax", _one_hot(1),
    ),
    "scce": ("sparse_categorical_crossentropy", "sparse_categorical_crossentropy", 4, "softmax", _labels(1, 0, 4)),
    "scce, logits": (
        K.SparseCategoricalCrossentropy(from_logits=True), losses.SparseCategoricalCrossentropy(from_logits=True), 4,
        "linear", _labels(1, 0, 4),
    ),
    "hinge": ("hinge", "hinge", 1, "tanh", 2 * _labels(1, 0, 2) - 1),
    "hinge, 0 and 1": ("hinge", "hinge", 1, "tanh", _labels(1, 0, 2)),
    "squared hinge": ("squared_hinge", "squared_hinge", 1, "linear", _labels(1, 0, 2)),
    "categorical hinge": ("categorical_hinge", "categorical_hinge", 4, "linear", _one_hot(1)),
    "kl": ("kl_divergence", "kld", 4, "softmax", np.float32(np.random.default_rng(1).dirichlet(np.ones(4), ROWS))),
    "mape": ("mape", "mape", 4, "linear", rows(1, features=4)),
    "cosine similarity": (K.CosineSimilarity(), losses.CosineSimilarity(), 4, "tanh", rows(1, features=4)),
    "binary focal": (
        K.BinaryFocalCrossentropy(True, 0.7, 1.5, label_smoothing=0.1),
        losses.BinaryFocalCrossentropy(True, 0.7, 1.5, label_smoothing=0.1), 4, "sigmoid",
        (rows(1, features=4) > 0).astype(np.float32),
    ),
    "binary focal, logits": (
        K.BinaryFocalCrossentropy(from_logits=True), losses.BinaryFocalCrossentropy(from_logits=True), 1, "linear",
        _labels(1, 0, 2),
    ),
    "categorical focal": (
        "categorical_focal_crossentropy", "categorical_focal_crossentropy", 4, "softmax", _one_hot(1),
    ),
    "categorical focal, logits": (
        K.CategoricalFocalCrossentropy(0.5, 3.0, True, 0.1), losses.CategoricalFocalCrossentropy(0.5, 3.0, True, 0.1),
        4, "linear", _one_hot(1),
    ),
    "poisson": ("poisson", "poisson", 4, "softplus", np.random.default_rng(1).poisson(2, (ROWS, 4)).astype(np.float32)),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_loss_has_kerass_value_and_gradient(name: str, weighted: bool) -> None:
    theirs, mine, units, activation, y = LOSSES[name]
    model = network(L.Dense(units, activation=activation))
    ours = twin(model)
    model.compile(keras.optimizers.SGD(0.5), theirs, run_eagerly=True)
    ours.compile("sgd", mine)
    assert ours.optimizer
    ours.optimizer.learning_rate = 0.5
    weights = {"sample_weight": np.linspace(0, 2, ROWS, dtype=np.float32)} if weighted else {}
    assert_same_step(model, ours, rows(0), y, **weights)


def _require_same_loss(mine: Any, theirs: Any, y: Any, prediction: Any) -> None:
    """Of what is taken away in a row, nothing but log_cosh's log 2 is larger than the arguments and what comes out."""
    bound = function_bound(mine, y, prediction, modules=(losses,), terms=prediction.size, summand=np.log(2))
    bound.require(theirs(y, prediction), "Keras's")
    bound.require(mine(y, prediction), "ours")


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_object_called_gives_kerass_number(name: str) -> None:
    theirs, mine, units, activation, y = LOSSES[name]
    function = theirs if isinstance(theirs, keras.losses.Loss) else getattr(keras.losses, K.get(theirs).__name__)
    prediction = np.asarray(keras.activations.get(activation)(rows(2, features=units)))
    _require_same_loss(losses.get(mine), lambda *data: float(np.mean(np.asarray(function(*data)))), y, prediction)


_BY_A_NUMBER = losses.CategoricalGeneralizedCrossEntropy  # whose function has no default in Keras


@pytest.mark.parametrize("loss_class", sorted({*losses.CLASSES} - {_BY_A_NUMBER}, key=str), ids=lambda c: c.__name__)
def test_a_loss_function_gives_kerass_rows(loss_class: type[losses.Loss]) -> None:
    name = loss_class().function
    y = _labels(1, 0, 4) if loss_class.sparse else _one_hot(1)
    prediction = np.asarray(keras.ops.softmax(rows(2, features=4)))
    function = getattr(losses, name)
    _require_same_loss(function, lambda *data: np.ravel(getattr(keras.losses, name)(*data)), y, prediction)
    assert losses.get(function) == loss_class()


METRICS: dict[str, tuple[Any, str, int, str, str]] = {
    "binary": (["accuracy", "mse", "mae"], "binary_crossentropy", 1, "sigmoid", "labels"),
    "acc": (["acc", "hinge", "squared_hinge"], "mse", 1, "tanh", "labels"),
    "one hot": (
        ["accuracy", "categorical_accuracy", "categorical_crossentropy", "categorical_hinge", "kl_divergence"],
        "categorical_crossentropy", 4, "softmax", "one hot",
    ),
    "sparse": (
        ["accuracy", "sparse_categorical_accuracy", "sparse_categorical_crossentropy"],
        "sparse_categorical_crossentropy", 4, "softmax", "classes",
    ),
    "regression": (
        ["mse", "MAE", "mean_squared_logarithmic_error", "root_mean_squared_error", "poisson"], "mse", 4, "softplus",
        "numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", METRICS)
def test_metrics_have_kerass_names_and_values(name: str) -> None:
    identifiers, loss, units, activation, form = METRICS[name]
    y = {
        "labels": _labels(1, 0, 2), "classes": _labels(1, 0, 4), "one hot": _one_hot(1),
        "numbers": np.abs(rows(1, features=4)),
    }[form]  # fmt: skip
    model = network(L.Dense(units, activation=activation))
    ours = twin(model)
    compile_both(model, ours, "sgd", loss, metrics=identifiers)
    require_same_evaluation(ours, model, rows(0), y)


def test_metric_objects_are_read_as_kerass() -> None:
    x, y = rows(0), _labels(1, 0, 2)
    model = network(L.Dense(1, activation="sigmoid"))
    ours = twin(model)
    model.compile("sgd", "bce", metrics=[keras.metrics.BinaryAccuracy(threshold=0.4, name="right")], run_eagerly=True)
    ours.compile("sgd", "bce", metrics=[metrics.BinaryAccuracy(threshold=0.4, name="right")])
    require_same_evaluation(ours, model, x, y)
