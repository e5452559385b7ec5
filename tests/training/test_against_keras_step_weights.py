# SPDX-License-Identifier: Apache-2.0
"""Weights of single steps, of single outputs, and losses of one's own whose targets have another shape than outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

import edgeling  # noqa: E402
from edgeling import layers, ops  # noqa: E402
from edgeling.errors import DataError, UnsupportedError  # noqa: E402
from edgeling.models import Model, Sequential  # noqa: E402
from tests.support.rounding import require_same_evaluation, training_bounds  # noqa: E402
from tests.training.keras_pairs import assert_same_fit, assert_same_step, assert_within, compile_both, twin  # noqa: E402

pytestmark = [pytest.mark.keras]
L = keras.layers
ROWS, STEPS = 7, 4
DICE = np.random.default_rng(8)
X = DICE.normal(size=(ROWS, STEPS, 3)).astype(np.float32)
X[DICE.random((ROWS, STEPS)) < 0.3] = 0
Y = DICE.normal(size=(ROWS, STEPS, 2)).astype(np.float32)
CLASSES = DICE.integers(0, 3, (ROWS, STEPS))
WEIGHTS = DICE.random((ROWS, STEPS)).astype(np.float32)
LOSSES = {"MeanSquaredError": (2, None, Y), "SparseCategoricalCrossentropy": (3, "softmax", CLASSES)}
TWO = {"batch_size": 5, "shuffle": False, "verbose": 0}


CASES = [  # reduction, loss, whether steps are masked, shape of the weights
    ("sum_over_batch_size", "MeanSquaredError", True, (ROWS, STEPS)),
    ("sum", "SparseCategoricalCrossentropy", False, (ROWS, STEPS, 1)),
    ("mean_with_sample_weight", "MeanSquaredError", False, (ROWS, STEPS)),
    ("mean_with_sample_weight", "SparseCategoricalCrossentropy", False, (ROWS, 1)),
]


@pytest.mark.parametrize(("reduction", "kind", "masks", "shape"), CASES)
def test_steps_count_by_their_weights(reduction: str, kind: str, masks: bool, shape: tuple[int, ...]) -> None:
    units, activation, y = LOSSES[kind]
    keras.utils.set_random_seed(0)
    last = L.Dense(units, activation=activation, kernel_regularizer="l2")
    model = keras.Sequential([L.Input((STEPS, 3)), *([L.Masking()] if masks else []), last])
    ours, loss = twin(model), getattr(keras.losses, kind)(reduction=reduction)
    compile_both(model, ours, keras.optimizers.SGD(0.1), loss)
    weights = (WEIGHTS if shape[1] == STEPS else WEIGHTS[:, 0]).reshape(shape)
    assert_same_step(model, ours, X, y, sample_weight=weights)
    metrics = ["mae"] if units == 2 else ["accuracy"]
    model.compile("sgd", loss, run_eagerly=True, weighted_metrics=metrics)
    ours.compile("sgd", ours.loss, weighted_metrics=metrics)
    require_same_evaluation(ours, model, X, y, batch_size=5, sample_weight=weights)


def both_outputs(k: Any) -> Any:
    x = k.layers.Input((STEPS, 3), name="x")
    steps = k.layers.Dense(2, name="steps")(x)
    return k.models.Model(x, [steps, k.layers.Dense(1, name="whole")(k.layers.Flatten()(steps))])


def test_each_output_has_weights_of_its_own_in_fits_validation_and_batches() -> None:
    keras.utils.set_random_seed(0)
    theirs = both_outputs(keras)
    ours, y, weights = both_outputs(edgeling), [Y, Y[:, 0, :1]], [WEIGHTS, WEIGHTS[:, 1]]
    ours.set_weights(theirs.get_weights())
    for one in (theirs, ours):
        one.compile("sgd", ["mse", "mae"], loss_weights=[0.5, 2.0], weighted_metrics=[["mae"], ["mse"]])
    held = (X[:4], [part[:4] for part in y], [part[:4] for part in weights])
    assert_same_fit(theirs, ours, X, y, **TWO, sample_weight=weights, validation_data=held)
    batches = [(X[a : a + 4], [p[a : a + 4] for p in y], [w[a : a + 4] for w in weights]) for a in (0, 3)]
    before = ours.get_weights()
    ours.fit(iter(batches), steps_per_epoch=2, verbose=0)
    by_batches = ours.get_weights()
    ours.set_weights(before)
    for batch in batches:
        ours.train_on_batch(*batch)
    for one, other in zip(by_batches, ours.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_losses_see_targets_of_whatever_shape() -> None:
    """Class numbers of steps, a target of a whole sequence, and columns that say what to do."""

    def make(k: Any, o: Any) -> Any:
        def tags(y_true: Any, y_pred: Any) -> Any:
            p = o.sum(o.one_hot(y_true, 2) * o.softmax(y_pred), axis=-1)
            return -o.log(p + 1e-7) * o.cast(y_true >= 0, "float32")

        def whole(y_true: Any, y_pred: Any) -> Any:
            return o.mean(o.square(y_true[:, :1] - y_pred), axis=-1) * y_true[:, 2]

        made = both_outputs(k)
        made.compile("sgd", {"steps": tags, "whole": whole})
        return made

    keras.utils.set_random_seed(0)
    theirs, ours = make(keras, keras.ops), make(edgeling, ops)
    ours.set_weights(theirs.get_weights())
    y = [CLASSES % 2, DICE.random((ROWS, 3)).astype(np.float32)]

    def train(one: Any) -> list[Any]:
        history = one.fit(X, y, **TWO).history
        return [*(history[name] for name in ("loss", "steps_loss", "whole_loss")), *one.evaluate(X, y, verbose=0)]

    bounds = training_bounds(ours, train)
    expected, found = train(theirs), train(ours)
    assert_within(bounds, [*found, *ours.get_weights()], [*expected, *theirs.get_weights()])


def sequence() -> Model:
    made: Model = Sequential([layers.Input((STEPS, 3)), layers.Dense(2)])
    made.compile("sgd", "mse")
    return made


@pytest.mark.parametrize("weights", [np.ones((ROWS, 3)), np.ones((ROWS, STEPS, 2)), np.ones(5), -WEIGHTS])
def test_weights_that_do_not_fit_are_told(weights: Any) -> None:
    with pytest.raises(DataError, match="sample_weight has one weight a row"):
        sequence().fit(X, Y, sample_weight=weights, verbose=0)


@pytest.mark.parametrize("of_steps", [False, True], ids=["rows", "steps"])
def test_an_output_without_weights_counts_all_rows_alike(of_steps: bool) -> None:
    """Of one output None says what ones say, wherever it stands in the list."""
    model, y = both_outputs(edgeling), [Y, Y[:, 0, :1]]
    model.compile("sgd", ["mse", "mse"])
    some = WEIGHTS if of_steps else WEIGHTS[:, 0]
    late = WEIGHTS[:, 1]
    for weights, ones in (([None, late], [np.ones_like(some), late]), ([some, None], [some, np.ones(ROWS)])):
        told, same = (model.evaluate(X, y, sample_weight=each, verbose=0) for each in (weights, ones))
        np.testing.assert_allclose(told, same, rtol=64 * np.finfo(np.float32).eps)


def test_weights_of_outputs_that_are_not_there_are_told() -> None:
    model = both_outputs(edgeling)
    model.compile("sgd", ["mse", "mse"])
    with pytest.raises(DataError, match="sample_weight goes by the outputs' names, steps, whole"):
        model.fit(X, [Y, Y[:, 0, :1]], sample_weight={"hole": np.ones(ROWS)}, verbose=0)
    with pytest.raises(DataError, match="all batches have sample weights, or none has"):
        model.fit(iter([(X, [Y, Y[:, 0, :1]], [WEIGHTS, None]), (X, [Y, Y[:, 0, :1]])]), steps_per_epoch=2, verbose=0)


def test_weights_of_classes_are_for_one_class_a_row() -> None:
    """Keras refuses them too, with an error of Python's."""
    with pytest.raises(UnsupportedError, match="class_weight is for a model of one output"):
        sequence().fit(X, Y, class_weight={0: 2.0}, verbose=0)
