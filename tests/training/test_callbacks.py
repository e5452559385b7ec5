# SPDX-License-Identifier: Apache-2.0
"""Callbacks, driven by hand and by fits."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeling.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
)
from edgeling.errors import UnsupportedError
from edgeling.layers import Dense, Input
from edgeling.models import Sequential

X = np.linspace(-1, 1, 20, dtype=np.float32)[:, None]
Y = 2 * X + 1


class Recorder:
    """What a callback asks of a model."""

    def __init__(self) -> None:
        self.stop_training = False
        self.optimizer = self
        self.learning_rate = 1.0
        self.weights: list[Any] = [0]
        self.saved: list[str] = []

    def get_weights(self) -> list[Any]:
        return list(self.weights)

    def set_weights(self, weights: list[Any]) -> None:
        self.weights = weights

    def save(self, path: str) -> None:
        self.saved.append(path)

    save_weights = save


def _drive(callback: Callback, values: list[float], name: str = "val_loss") -> Recorder:
    """Run epochs that log these values, the weights numbered like the epochs, until the callback stops them."""
    model = Recorder()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        model.weights = [epoch]
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {name: value})
        if model.stop_training:
            break
    callback.on_train_end()
    return model


def test_early_stopping_waits_and_restores() -> None:
    model = _drive(EarlyStopping(patience=2, restore_best_weights=True), [3, 2, 1, 1.5, 1.2, 0.5])
    assert (model.stop_training, model.weights) == (True, [2])


def test_small_improvements_do_not_count() -> None:
    assert _drive(EarlyStopping(patience=2, min_delta=0.2), [1.0, 0.9, 0.85, 0.1]).weights == [2]
    assert not _drive(EarlyStopping(patience=2, min_delta=0.2), [1.0, 0.9, 0.75, 0.5]).stop_training


@pytest.mark.parametrize(("monitor", "mode", "stops"), [
    ("val_loss", "auto", False), ("val_accuracy", "auto", True), ("val_loss", "max", True), ("accuracy", "min", False),
])  # fmt: skip
def test_the_direction_follows_the_name_unless_told(monitor: str, mode: str, stops: bool) -> None:
    falling = [0.9, 0.8, 0.7, 0.6, 0.5]
    assert _drive(EarlyStopping(monitor, patience=2, mode=mode), falling, monitor).stop_training is stops


def test_a_baseline_must_be_beaten_and_first_epochs_may_be_skipped() -> None:
    assert _drive(EarlyStopping(patience=3, baseline=0.5), [2, 1.5, 1, 1.1, 0.4]).weights == [3]
    assert not _drive(EarlyStopping(patience=3, baseline=1.8), [2, 1.5, 1, 1.1, 0.4]).stop_training
    assert _drive(EarlyStopping(patience=1, start_from_epoch=3), [1, 2, 3, 4, 5, 6]).weights == [4]


def test_a_name_that_is_not_logged_is_said_once() -> None:
    with pytest.warns(UserWarning, match="'val_auc' is not logged; there is val_loss") as said:
        _drive(EarlyStopping("val_auc"), [1, 2, 3])
    assert len(said) == 1


def test_plateaus_reduce_the_rate_down_to_the_least() -> None:
    rates: list[float] = []
    callback = ReduceLROnPlateau(factor=0.5, patience=2, cooldown=1, min_lr=0.3)
    usual = callback.on_epoch_end
    callback.on_epoch_end = lambda e, logs=None: (usual(e, logs), rates.append(callback.model.learning_rate))[0]  # type: ignore[method-assign, assignment]
    _drive(callback, [1] * 9)
    assert rates == [1, 1, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3]


def test_checkpoints_of_the_best_epochs_only() -> None:
    saved = _drive(ModelCheckpoint("at-{epoch:02d}-{val_loss:.1f}.keras", save_best_only=True), [3, 2, 2.5, 1]).saved
    assert saved == ["at-01-3.0.keras", "at-02-2.0.keras", "at-04-1.0.keras"]
    assert len(_drive(ModelCheckpoint("x.npz", save_weights_only=True), [3, 2, 2.5]).saved) == 3


def test_a_scheduler_takes_one_or_two_arguments() -> None:
    assert _drive(LearningRateScheduler(lambda epoch: 1 / (epoch + 1)), [1, 1, 1]).learning_rate == 1 / 3
    assert _drive(LearningRateScheduler(lambda epoch, rate: rate / 2), [1, 1, 1]).learning_rate == 0.125


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="auto, min or max"):
        EarlyStopping(mode="up")
    with pytest.raises(UnsupportedError, match="below 1"):
        ReduceLROnPlateau(factor=1.0)
    with pytest.raises(UnsupportedError, match="save_freq is a whole number"):
        ModelCheckpoint("x.keras", save_freq="batch")
    with pytest.raises(UnsupportedError, match=r"\.keras"):
        ModelCheckpoint("x.h5")
    with pytest.raises(UnsupportedError, match="patience"):
        EarlyStopping(patience=2.5)
    with pytest.raises(UnsupportedError, match=r"callbacks are objects.*print"):
        _model().fit(X, Y, verbose=0, callbacks=[print])
    with pytest.raises(TypeError, match="on_sunday"):
        LambdaCallback(on_sunday=print)


def test_hooks_of_functions_always_get_logs() -> None:
    seen: list[str] = []
    hooks = ("on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end")
    functions = {h: (lambda *a, h=h: seen.append(f"{h} {type(a[-1]).__name__}")) for h in hooks}
    _model().fit(X, Y, verbose=0, callbacks=LambdaCallback(**functions))
    assert seen == ["on_train_begin dict", "on_epoch_begin dict", "on_epoch_end dict", "on_train_end dict"]


def test_checkpoints_are_written_every_few_batches(tmp_path: Path) -> None:
    path = tmp_path / "{epoch}-{batch}.keras"
    _model().fit(X, Y, batch_size=5, epochs=3, verbose=0, callbacks=ModelCheckpoint(path, save_freq=3))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1-3.keras", "2-2.keras", "3-1.keras", "3-4.keras"]


def test_the_learning_rate_is_a_number_that_may_be_assigned() -> None:
    model = _model()
    rate = model.optimizer.learning_rate
    assert rate.value == rate.numpy() == np.float32(rate)  # as steps use it
    assert rate * 2 == 2 * float(rate)
    rate.assign(0.25)
    assert model.optimizer.learning_rate == 0.25


def _model() -> Sequential:
    model = Sequential([Input((1,)), Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def test_hooks_are_called_in_kerass_order() -> None:
    calls: list[str] = []

    class Logging(Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            calls.append(f"train of {self.params['steps']} steps")

        def on_train_end(self, logs: Any = None) -> None:
            calls.append("train end")

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            calls.append(f"epoch {epoch}")

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            calls.append(f"epoch end {sorted(logs)}")

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            calls.append(f"batch {batch}")

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            calls.append(f"batch end {sorted(logs)}")

    _model().fit(X, Y, batch_size=10, verbose=0, callbacks=Logging())
    batch_end, epoch_end = "batch end ['loss', 'mae']", "epoch end ['loss', 'mae']"
    expected = ["train of 2 steps", "epoch 0", "batch 0", batch_end, "batch 1", batch_end, epoch_end, "train end"]
    assert calls == expected


def test_a_callback_sees_and_may_set_the_weights_of_the_moment() -> None:
    model = _model()
    zero = [np.zeros((1, 1), np.float32), np.zeros(1, np.float32)]
    seen = []

    def reset(epoch: int, logs: Any) -> None:
        seen.append(model.get_weights()[1][0])
        model.set_weights(zero)

    model.fit(X, Y, epochs=3, verbose=0, shuffle=False, callbacks=[LambdaCallback(on_epoch_end=reset)])
    assert seen[1] == seen[2] != 0
    np.testing.assert_array_equal(model.get_weights()[1], [0])


def test_a_table_of_epochs_is_written_and_appended(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    model = _model()
    history = model.fit(X, Y, epochs=2, verbose=0, callbacks=[CSVLogger(path)])
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[CSVLogger(path, append=True)])
    with path.open() as file:
        header, *lines = csv.reader(file)
    assert header == ["epoch", "loss", "mae", "val_loss", "val_mae"]  # as Keras writes it
    assert lines[0][3:] == ["NA", "NA"]
    assert [line[0] for line in lines] == ["0", "1", "0"]
    assert [float(line[1]) for line in lines[:2]] == history.history["loss"]


def test_the_history_says_what_it_holds() -> None:
    history = History()
    history.on_epoch_end(4, {"loss": 0.5})
    assert repr(history) == "<History of 1 epoch: loss=0.5000>"
