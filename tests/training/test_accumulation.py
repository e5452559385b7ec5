# SPDX-License-Identifier: Apache-2.0
"""``gradient_accumulation_steps``: several batches a step, against Keras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeling import layers, optimizers
from edgeling.callbacks import BackupAndRestore, Callback
from edgeling.errors import UnsupportedError
from edgeling.layers import BatchNormalization, Dense, Dropout, Input
from edgeling.models import Sequential, load_model
from tests.support.rounding import training_bounds

keras: Any = pytest.importorskip("keras")

from tests.training.keras_pairs import assert_within  # noqa: E402

pytestmark = pytest.mark.keras

RNG = np.random.default_rng(4)
X = RNG.normal(size=(22, 3)).astype(np.float32)
Y = (X @ [1.0, -2.0, 0.5] + 0.1).astype(np.float32)[:, None]


class KERAS:
    """Edgeling by Keras's module names."""

    Sequential, layers, optimizers = Sequential, layers, optimizers


RULES: dict[str, Callable[[Any], Any]] = {
    "sgd": lambda k: k.optimizers.SGD(0.1, gradient_accumulation_steps=4),
    "adam, clipped and decayed": lambda k: k.optimizers.Adam(
        0.05, clipnorm=0.5, weight_decay=0.01, gradient_accumulation_steps=4
    ),
    "nadam": lambda k: k.optimizers.Nadam(0.05, gradient_accumulation_steps=5),
    "a schedule": lambda k: k.optimizers.RMSprop(
        k.optimizers.schedules.ExponentialDecay(0.05, 3, 0.5), gradient_accumulation_steps=3
    ),
}


def model_of(k: Any, rule: Any) -> Any:
    model = k.Sequential(
        [k.layers.Input((3,)), k.layers.Dense(4, "tanh", kernel_initializer="ones"), k.layers.BatchNormalization(),
         k.layers.Dense(1, kernel_initializer="ones")]
    )  # fmt: skip
    model.compile(rule(k), "mse")
    return model


def train(model: Any) -> list[Any]:
    """Six batches an epoch, the last of two rows: no epoch ends where a step does; then another fit, and a batch."""
    how = {"batch_size": 4, "shuffle": False, "verbose": 0}
    first = model.fit(X, Y, epochs=3, **how).history["loss"]
    second = model.fit(X[:10], Y[:10], epochs=1, **how).history["loss"]
    model.train_on_batch(X[:4], Y[:4])
    return [first, second, int(model.optimizer.iterations)]


@pytest.mark.parametrize("rule", RULES)
def test_weights_move_by_the_mean_of_several_batches_as_in_keras(rule: str) -> None:
    ours, theirs = model_of(KERAS, RULES[rule]), model_of(keras, RULES[rule])
    allowed = training_bounds(ours, train, samples=6)
    got, expected = train(ours), train(theirs)
    assert got[-1] == expected[-1] > 0
    assert_within(allowed, [*got, *ours.get_weights()], [*expected, *theirs.get_weights()])


def test_a_step_by_hand_is_kerass() -> None:
    gradients = [RNG.normal(size=(3, 2)).astype(np.float32) for _ in range(7)]
    moved = []
    for k in (KERAS, keras):
        layer = k.layers.Dense(2, kernel_initializer="ones", use_bias=False)
        layer.build((None, 3))
        rule = k.optimizers.Adam(0.1, gradient_accumulation_steps=3)
        counts = [int(rule.apply_gradients([(gradient, layer.kernel)])) for gradient in gradients]
        moved.append((np.asarray(layer.kernel), counts, int(rule.iterations)))
    (ours, *counted), (theirs, *expected) = moved
    assert counted == expected == [[1, 2, 3, 4, 5, 6, 7], 2]
    assert np.abs(ours - 1).max() > 0.1
    np.testing.assert_array_max_ulp(ours, theirs, 32)  # two steps of a dozen roundings each


@pytest.mark.parametrize("where", ["from keras", "to keras"])
def test_a_file_keeps_what_was_added_up(where: str, tmp_path: Path) -> None:
    """Saved after six batches of four a step, and trained on in the other library."""
    path, how = str(tmp_path / "model.keras"), {"batch_size": 4, "shuffle": False, "verbose": 0}
    rule = RULES["adam, clipped and decayed"]
    maker, reader = (keras, load_model) if where == "from keras" else (KERAS, keras.models.load_model)
    whole, begun = model_of(KERAS, rule), model_of(maker, rule)
    begun.fit(X, Y, epochs=1, **how)
    begun.save(path)
    read = reader(path)
    read.fit(X, Y, epochs=1, **how)
    allowed = training_bounds(whole, lambda m: [m.fit(X, Y, epochs=2, **how).history["loss"]], samples=6)
    history = whole.fit(X, Y, epochs=2, **how).history["loss"]
    assert_within(allowed, [history, *read.get_weights()], [history, *whole.get_weights()])


def test_a_backup_goes_on_in_the_middle_of_a_step(tmp_path: Path) -> None:
    def fitted(epochs: int, **how: Any) -> list[Any]:
        model = model_of(KERAS, RULES["nadam"])
        model.fit(X, Y, batch_size=4, epochs=epochs, verbose=0, shuffle=False, **how)
        return list(model.get_weights())

    class Power(Exception):
        pass

    class Off(Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 3:
                raise Power

    backup = BackupAndRestore(str(tmp_path / "backup"))
    with pytest.raises(Power):
        fitted(5, callbacks=[backup, Off()])
    for one, other in zip(fitted(5, callbacks=[backup]), fitted(5), strict=True):
        np.testing.assert_array_equal(one, other)


def test_some_batches_a_step_are_one_of_all_their_rows() -> None:
    """Independent of Keras: with a mean over rows, plain descent and no layer that mixes rows."""

    def made(steps: int | None) -> Any:
        model = Sequential(
            [Input((3,)), Dense(4, "tanh", kernel_initializer="ones"), Dense(1, kernel_initializer="ones")]
        )
        model.compile(optimizers.SGD(0.1, gradient_accumulation_steps=steps), "mse")
        return model

    def fit(model: Any, size: int = 8) -> list[Any]:
        return [model.fit(X[:16], Y[:16], batch_size=size, epochs=3, shuffle=False, verbose=0).history["loss"]]

    allowed, whole = training_bounds(made(None), fit, samples=6)[1:], made(None)
    fit(whole)
    for steps, size in ((2, 4), (4, 2)):
        model = made(steps)
        fit(model, size)
        assert model.optimizer.iterations == whole.optimizer.iterations == 6
        assert_within(allowed, model.get_weights(), whole.get_weights())


def test_bits_are_the_same_with_threads_and_with_layers_that_keep_state(monkeypatch: pytest.MonkeyPatch) -> None:
    x = RNG.normal(size=(200, 130)).astype(np.float32)
    found = []
    for threads in "12":
        monkeypatch.setenv("EDGELING_THREADS", threads)
        model = Sequential([Input((130,)), Dense(140, "relu", kernel_initializer="ones"), BatchNormalization(),
                            Dropout(0.3, seed=1), Dense(130, kernel_initializer="ones")])  # fmt: skip
        model.compile(optimizers.Adam(gradient_accumulation_steps=3), "mse")
        model.fit(x, x, batch_size=64, epochs=3, shuffle=False, verbose=0)
        found.append(model.get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("given", [1, -2, 2.5, True])
def test_fewer_than_two_batches_are_refused(given: Any) -> None:
    with pytest.raises((UnsupportedError, TypeError), match="gradient_accumulation_steps"):
        optimizers.Adam(gradient_accumulation_steps=given)


def test_a_program_for_devices_leaves_it_to_its_caller() -> None:
    model = model_of(KERAS, RULES["sgd"])
    with pytest.raises(UnsupportedError, match=r"gradient_accumulation_steps=4.*average what `gradients` gives"):
        model.learning_program(Y, 4)
