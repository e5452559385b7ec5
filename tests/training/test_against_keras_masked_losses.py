# SPDX-License-Identifier: Apache-2.0
"""Masks in losses and metrics of outputs of several steps: those that are masked do not count, as in Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from edgeling import layers, losses, models, ops  # noqa: E402
from edgeling.errors import UnsupportedError  # noqa: E402
from tests.support.rounding import require_same_evaluation  # noqa: E402
from tests.training.keras_pairs import assert_same_fit, compile_both, twin  # noqa: E402

pytestmark = [pytest.mark.keras]
L = keras.layers
ROWS, STEPS, FEATURES = 7, 4, 3
DICE = np.random.default_rng(4)
X = DICE.normal(size=(ROWS, STEPS, FEATURES)).astype(np.float32)
X[DICE.random((ROWS, STEPS)) < 0.4] = 0
X[6] = 0  # alone in its batch: nothing counts there
Y = DICE.normal(size=(ROWS, STEPS, 2)).astype(np.float32)
CLASSES = DICE.integers(0, 3, (ROWS, STEPS))
WEIGHTS = DICE.random(ROWS).astype(np.float32)
REDUCTIONS = ["sum_over_batch_size", "sum", "mean_with_sample_weight"]
CASES = [(REDUCTIONS[0], None), *((reduction, WEIGHTS) for reduction in REDUCTIONS)]
TWO = {"batch_size": 6, "epochs": 2, "shuffle": False, "verbose": 0}


def tagger(units: int = 2, activation: Any = None) -> Any:
    keras.utils.set_random_seed(0)
    last = L.Dense(units, activation=activation, kernel_regularizer="l2")
    return keras.Sequential([L.Input((STEPS, FEATURES)), L.Masking(), last])


def small_tagger() -> Any:
    return models.Sequential([layers.Input((STEPS, FEATURES)), layers.Masking(), layers.Dense(2)])


def weighted(weights: Any) -> Any:
    """Weights of rows: what masks are [rows, steps] to, Keras takes them [rows, 1]."""
    return {} if weights is None else {"sample_weight": weights[:, None]}


@pytest.mark.parametrize(("reduction", "weights"), CASES, ids=["plain", *REDUCTIONS])
def test_a_fit_leaves_out_masked_steps(reduction: str, weights: Any) -> None:
    model = tagger()
    ours = twin(model)
    compile_both(model, ours, keras.optimizers.SGD(0.1), keras.losses.MeanSquaredError(reduction=reduction))
    assert_same_fit(model, ours, X, Y, **TWO, **weighted(weights))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_an_evaluation_is_that_of_batches(reduction: str) -> None:
    model = tagger(3, "softmax")
    ours, loss = twin(model), keras.losses.SparseCategoricalCrossentropy(reduction=reduction)
    compile_both(model, ours, "sgd", loss)
    told = {"metrics": ["accuracy", "sparse_categorical_crossentropy"], "weighted_metrics": ["accuracy"]}
    model.compile("sgd", loss, run_eagerly=True, **told)
    ours.compile("sgd", ours.loss, **told)
    require_same_evaluation(ours, model, X, CLASSES, batch_size=6, sample_weight=WEIGHTS[:, None])


CROSSENTROPIES = {
    "sparse_categorical_crossentropy": (3, "softmax", CLASSES),
    "binary_crossentropy": (1, "sigmoid", (CLASSES[..., None] > 0).astype(np.float32)),
}


@pytest.mark.parametrize("loss", CROSSENTROPIES)
def test_crossentropies(loss: str) -> None:
    units, activation, y = CROSSENTROPIES[loss]
    model = tagger(units, activation)
    ours = twin(model)
    compile_both(model, ours, keras.optimizers.SGD(0.1), loss)
    assert_same_fit(model, ours, X, y, **TWO)


def test_several_outputs_of_which_one_is_masked() -> None:
    keras.utils.set_random_seed(0)
    words = L.Input((STEPS,))
    read = L.Embedding(6, 2, mask_zero=True)(words)
    model = keras.Model(
        words, [L.Dense(2, name="tags")(read), L.Dense(1, name="whole")(L.GlobalAveragePooling1D()(read))]
    )
    ours, x, y = twin(model), DICE.integers(0, 6, (ROWS, STEPS)), [Y, Y[:, 0, :1]]
    x[:, 1] = 3
    compile_both(model, ours, keras.optimizers.SGD(0.1), ["mse", "mae"], loss_weights=[0.5, 2.0])
    ours.compile(ours.optimizer, ["mse", "mae"], loss_weights=[0.5, 2.0])
    assert_same_fit(model, ours, x, y, **{**TWO, "epochs": 1})
    require_same_evaluation(ours, model, x, y, batch_size=6)


def squared(y_true: Any, y_pred: Any) -> Any:
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


class Squared(losses.Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return squared(y_true, y_pred)


@pytest.mark.parametrize("loss", [squared, Squared(reduction="sum")], ids=["function", "class"])
def test_a_loss_of_ones_own_is_masked_as_ours_is(loss: Any) -> None:
    model = small_tagger()
    both = [models.Sequential.from_config(model.get_config()) for _ in range(2)]
    for one, given in zip(
        both, [loss, losses.MeanSquaredError(reduction=getattr(loss, "reduction", "mean"))], strict=True
    ):
        one.set_weights(model.get_weights())
        one.compile("sgd", given)
    compared = [[*one.fit(X, Y, **TWO).history["loss"], one.evaluate(X, Y, batch_size=3, verbose=0)] for one in both]
    np.testing.assert_allclose(*compared, rtol=64 * np.finfo(np.float32).eps)


def test_metrics_while_training_leave_out_masked_steps_too() -> None:
    """Keras's JAX trainer loses the mask there; on its other backends it does not."""
    model = small_tagger()
    model.compile("sgd", "mae", metrics=["mae"])
    logs = model.fit(X, Y, batch_size=ROWS, epochs=2, verbose=0, validation_data=(X, Y)).history
    assert logs["mae"] == pytest.approx(logs["loss"], rel=64 * float(np.finfo(np.float32).eps))
    model.fit(X, np.where(X[..., :1] == 0, np.float32(1e6), Y), epochs=1, verbose=0)  # what is masked may be anything
    assert model.history.history["mae"][0] < 100


def of_rows(y_true: Any, y_pred: Any) -> Any:
    return ops.mean(ops.square(y_true - y_pred), axis=(1, 2))


def of_all(y_true: Any, y_pred: Any) -> Any:
    return ops.mean(ops.square(y_true - y_pred))


def test_a_loss_that_knows_no_steps_is_refused_unless_it_is_one_number() -> None:
    model = small_tagger()
    model.compile("sgd", of_rows)
    for run in (model.fit, model.evaluate):
        with pytest.raises(UnsupportedError, match="loss 'of_rows' gives a value for each step, or one number"):
            run(X, Y, verbose=0)
    model.compile("sgd", of_all)
    expected = np.mean(np.square(Y - model.predict(X, verbose=0)))
    found = [model.evaluate(X, Y, verbose=0), model.fit(X, Y, batch_size=ROWS, verbose=0).history["loss"][0]]
    np.testing.assert_allclose(found, expected, rtol=64 * np.finfo(np.float32).eps)


class Wider(layers.Layer):
    supports_masking = True

    def call(self, x: Any) -> Any:
        return ops.expand_dims(x, -1)


def test_a_masked_output_of_more_axes_is_refused() -> None:
    model = models.Sequential([layers.Input((STEPS, 2)), layers.Masking(), Wider()])
    with pytest.raises(UnsupportedError, match="tells of everything before the features"):
        model.compile("sgd", "mse")
