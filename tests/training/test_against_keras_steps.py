# SPDX-License-Identifier: Apache-2.0
"""Optimizers, clipping, decay, schedules and weights of rows: the same training as Keras's, step after step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from edgeling import optimizers as our_optimizers  # noqa: E402
from edgeling.optimizers import get as optimizer_of  # noqa: E402
from edgeling.optimizers import schedules as our_schedules  # noqa: E402
from tests.support.close import require_close  # noqa: E402
from tests.support.rounding import ELEMENTARY  # noqa: E402
from tests.training.keras_pairs import (  # noqa: E402
    ROWS,
    assert_same_fit,
    assert_same_step,
    compile_both,
    network,
    rows,
    twin,
)

pytestmark = pytest.mark.keras
L, Opt = keras.layers, keras.optimizers
S = keras.optimizers.schedules
BATCH, EPOCHS = 4, 17  # 3 steps an epoch: 51 steps

OPTIMIZERS = {
    "sgd": lambda: Opt.SGD(0.05),
    "momentum": lambda: Opt.SGD(0.02, momentum=0.9),
    "nesterov": lambda: Opt.SGD(0.02, momentum=0.9, nesterov=True),
    "rmsprop": lambda: Opt.RMSprop(0.005),
    "rmsprop, centered, momentum": lambda: Opt.RMSprop(0.005, momentum=0.5, centered=True, epsilon=1e-3),
    "adagrad": lambda: Opt.Adagrad(0.05),
    "adam": lambda: Opt.Adam(0.01),
    "amsgrad": lambda: Opt.Adam(0.01, amsgrad=True),
    "adamw": lambda: Opt.AdamW(0.01, weight_decay=0.1),
    "adamax": lambda: Opt.Adamax(0.01),
    "nadam": lambda: Opt.Nadam(0.01),
    "lion": lambda: Opt.Lion(0.002, weight_decay=0.01),
    "adadelta": lambda: Opt.Adadelta(1.0),
    "ftrl": lambda: Opt.Ftrl(0.1),
    "ftrl, regularised": lambda: Opt.Ftrl(
        0.1,
        learning_rate_power=-0.4,
        l1_regularization_strength=0.01,
        l2_regularization_strength=0.1,
        l2_shrinkage_regularization_strength=0.05,
        beta=0.1,
    ),
    "lamb": lambda: Opt.Lamb(0.01, weight_decay=0.1),
    "adafactor": lambda: Opt.Adafactor(0.05),
    "weight decay": lambda: Opt.SGD(0.05, weight_decay=0.2),
    "clipnorm": lambda: Opt.SGD(0.05, clipnorm=0.3),
    "clipvalue": lambda: Opt.SGD(0.05, clipvalue=0.05),
    "global clipnorm": lambda: Opt.Adam(0.01, global_clipnorm=0.3),
    "schedule": lambda: Opt.SGD(S.ExponentialDecay(0.1, 10, 0.5), momentum=0.5),
}


def _pair() -> Any:
    keras.utils.set_random_seed(5)
    model = network(L.Dense(6, activation="tanh"), L.Dense(3, activation="softmax"))
    return model, twin(model)


def _labels(seed: int = 1) -> Any:
    return np.random.default_rng(seed).integers(0, 3, ROWS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fifty_steps_of_an_optimizer_are_kerass(name: str) -> None:
    model, ours = _pair()
    x, y = rows(0), _labels()
    compile_both(
        model, ours, OPTIMIZERS[name](), "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=False
    )
    how = {"batch_size": BATCH, "epochs": EPOCHS, "shuffle": False, "verbose": 0}
    assert_same_fit(model, ours, x, y, **how)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_one_step_of_an_optimizer_is_kerass(name: str) -> None:
    model, ours = _pair()
    compile_both(model, ours, OPTIMIZERS[name](), "sparse_categorical_crossentropy")
    assert_same_step(model, ours, rows(0), _labels())


def test_weights_of_classes_and_a_last_smaller_batch() -> None:
    model, ours = _pair()
    x, y = rows(0)[:10], _labels()[:10]
    compile_both(
        model, ours, Opt.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=False
    )
    how = {"batch_size": BATCH, "epochs": 5, "shuffle": False, "verbose": 0, "class_weight": {0: 1.0, 1: 5.0, 2: 0.5}}
    how["validation_split"] = 0.25  # whose rows the classes do not weigh
    assert_same_fit(model, ours, x, y, **how)


def test_weights_of_rows_and_validation() -> None:
    model, ours = _pair()
    x, y = rows(0), _labels()
    compile_both(model, ours, "adam", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=False)
    how = {
        "batch_size": BATCH, "epochs": 4, "shuffle": False, "verbose": 0, "sample_weight": np.linspace(0.1, 2, ROWS),
        "validation_split": 1 / 3,
    }  # fmt: skip
    assert_same_fit(model, ours, x, y, **how)


def test_batch_normalization_follows_the_batches_as_keras_does() -> None:
    keras.utils.set_random_seed(6)
    # Without a bias before it: its gradient is exactly zero, and Adam would follow the rounding of either side.
    first = L.Dense(6, use_bias=False)
    model = network(first, L.BatchNormalization(momentum=0.8), L.Activation("relu"), L.Dense(2))
    ours = twin(model)
    compile_both(model, ours, Opt.Adam(0.01), "mse", run_eagerly=False)
    how = {"batch_size": BATCH, "epochs": EPOCHS, "shuffle": False, "verbose": 0}
    x, y = rows(0), rows(1, features=2)
    assert sum("moving" in weight.name for weight in ours.weights) == 2
    assert_same_fit(model, ours, x, y, **how)


def test_a_second_fit_goes_on_with_the_optimizers_state() -> None:
    model, ours = _pair()
    compile_both(model, ours, Opt.Adam(S.InverseTimeDecay(0.05, 5, 0.5)), "sparse_categorical_crossentropy")
    for seed in range(3):
        assert_same_step(model, ours, rows(seed), _labels(seed))


def test_callbacks_change_the_learning_rate_as_kerass_do() -> None:
    model, ours = _pair()
    x, y = rows(0), _labels()
    compile_both(model, ours, Opt.SGD(0.5), "sparse_categorical_crossentropy", run_eagerly=False)
    how = {"batch_size": ROWS, "epochs": 14, "shuffle": False, "verbose": 0}

    def callbacks(module: Any) -> Any:
        return [
            module.LearningRateScheduler(lambda epoch, rate: rate * 0.9 if epoch < 5 else rate),
            module.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=2, min_delta=0.02, cooldown=1),
            module.EarlyStopping(monitor="loss", min_delta=0.01, patience=4, restore_best_weights=True),
        ]

    expected, got = assert_same_fit(model, ours, x, y, callbacks=callbacks, **how)
    # One float32 product an epoch, and one for each reduction.
    require_close(got["learning_rate"], expected["learning_rate"], 2 * 14)


@pytest.mark.parametrize("excluded", [{"var_names": ["bias", "nothing"]}, {"var_list": 0}])
def test_weights_that_do_not_decay(excluded: dict[str, Any]) -> None:
    model, ours = _pair()
    compile_both(model, ours, Opt.AdamW(0.01, weight_decay=0.5), "sparse_categorical_crossentropy")
    for side, optimizer in ((model, model.optimizer), (ours, ours.optimizer)):
        told = {"var_list": [side.layers[0].kernel]} if "var_list" in excluded else excluded
        optimizer.exclude_from_weight_decay(**told)
    assert_same_step(model, ours, rows(0), _labels())
    gradients = [np.ones(w.shape, np.float32) for w in ours.trainable_weights]
    before = [w.numpy() for w in ours.trainable_weights]
    by_hand = our_optimizers.SGD(0.1, weight_decay=1.0)
    by_hand.exclude_from_weight_decay(var_names=["^bias$"])
    by_hand.apply(gradients, ours.trainable_weights)
    for old, weight in zip(before, ours.trainable_weights, strict=True):
        expected = (old if weight.name == "bias" else 0.9 * old) - 0.1
        require_close(weight.numpy(), expected, 3, of=np.ones(weight.shape))  # three roundings below 1


SCHEDULES = {
    "ExponentialDecay": (0.1, 7, 0.6),
    "InverseTimeDecay": (0.1, 7, 0.6, True),
    "PiecewiseConstantDecay": ([3, 9], [1.0, 0.5, 0.1]),
    "PolynomialDecay": (0.1, 10, 0.01, 2.0),
    "CosineDecay": (0.1, 10, 0.2),
    "CosineDecayRestarts": (0.1, 4, 2.0, 0.8, 0.1),
}


def require_same_rates(ours: Any, theirs: Any) -> None:
    """Ours are double; Keras's round what is at most the largest rate.

    A quotient and a product with pi or a logarithm, both of at most 8 and so each as good as 8 roundings of a power or
    cosine of them; that itself (4 ulps), and no more than 8 sums and products.
    """
    require_close(theirs, ours, 8 + 8 + 2 * ELEMENTARY + 8, of=np.full(np.shape(ours), np.max(ours)))


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_is_kerass(name: str) -> None:
    theirs = getattr(S, name)(*SCHEDULES[name])
    mine = getattr(our_schedules, name).from_config(theirs.get_config())
    assert mine.get_config() == theirs.get_config()
    steps = np.array([0, 1, 3, 5, 9, 10, 14, 31])  # off the restarts, where Keras's float32 rounds either way
    expected = [float(theirs(int(step))) for step in steps]
    require_same_rates(mine(steps), expected)
    require_same_rates(mine(5), float(theirs(5)))


def test_cosine_decay_warms_up_as_kerass() -> None:
    theirs = S.CosineDecay(0.01, 20, alpha=0.1, warmup_target=0.2, warmup_steps=5)
    mine = our_schedules.get(keras.saving.serialize_keras_object(theirs))
    require_same_rates(mine(np.arange(0, 40, 3)), [float(theirs(s)) for s in range(0, 40, 3)])


def test_cycling_and_staircases_are_kerass() -> None:
    for theirs in (S.PolynomialDecay(0.1, 6, cycle=True), S.ExponentialDecay(0.1, 6, 0.5, staircase=True)):
        mine = our_schedules.get(keras.saving.serialize_keras_object(theirs))
        require_same_rates(mine(np.arange(0, 30, 3)), [float(theirs(s)) for s in range(0, 30, 3)])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizers_configuration_is_kerass(name: str) -> None:
    theirs = OPTIMIZERS[name]()
    mine = optimizer_of(keras.saving.serialize_keras_object(theirs))
    expected, got = theirs.get_config(), mine.get_config()
    assert {k: expected[k] for k in got if k != "learning_rate"} == {
        k: v for k, v in got.items() if k != "learning_rate"
    }
    assert np.float32(mine.learning_rate) == np.float32(theirs.learning_rate)
