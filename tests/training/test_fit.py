# SPDX-License-Identifier: Apache-2.0
"""The whole way of training: native epochs against the plain loop, seeds, hooks, interruptions, divergence."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from edgeling.callbacks import Callback, EarlyStopping, LambdaCallback, TerminateOnNaN
from edgeling.errors import CompilerNotFoundError, TrainingError
from edgeling.layers import BatchNormalization, Dense, Dropout, Input
from edgeling.models import Sequential, session
from edgeling.optimizers import SGD, Adam
from edgeling.optimizers.schedules import ExponentialDecay
from edgeling.training.engine import Engine, Epochs
from edgeling.utils import set_random_seed
from tests.support.interpreter_engine import InterpreterEngine
from tests.support.rounding import Bound, prediction_bound, training_bounds

X = np.random.default_rng(0).normal(size=(22, 3)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


@pytest.fixture(autouse=True)
def _own_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_kept", type(session._kept)())


def _model(*layers: Any, optimizer: Any = None, seed: int = 2) -> Sequential:
    set_random_seed(seed)
    model = Sequential([Input((3,)), *(layers or (Dense(4, activation="tanh"),)), Dense(1, activation="sigmoid")])
    model.compile(optimizer or Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    return model


def _rich() -> Sequential:
    rate = ExponentialDecay(0.05, 10, 0.8)
    return _model(Dense(6, activation="relu"), BatchNormalization(), Dropout(0.3), optimizer=Adam(rate))


def _same_weights(one: Sequential, two: Sequential) -> None:
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def _fit(model: Sequential, x: Any = X, y: Any = Y, seed: int = 8, **how: Any) -> Any:
    """A fit that draws (orders, dropout) from that seed, whatever was drawn before."""
    set_random_seed(seed)
    return model.fit(x, y, verbose=0, **how)


HOW: dict[str, Any] = {"batch_size": 5, "epochs": 4}


def _results(model: Sequential, **how: Any) -> list[Any]:
    """The history and an evaluation after it."""
    return [*_fit(model, **HOW, **how).history.values(), model.evaluate(X, Y, verbose=0)]


def _require(allowed: list[Bound], results: list[Any], model: Sequential) -> None:
    for bound, result in zip(allowed, [*results, *model.get_weights()], strict=True):
        bound.require(result)


def test_the_native_loop_is_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    how = {"sample_weight": np.linspace(0.5, 2, len(X))}
    native, plain = _rich(), _rich()
    allowed = training_bounds(native, partial(_results, **how))
    _require(allowed, _results(native, **how), native)
    monkeypatch.setattr(session, "Engine", InterpreterEngine)
    session._kept.compiled.clear()
    _require(allowed, _results(plain, **how), plain)


def test_a_seed_repeats_a_run_bit_for_bit() -> None:
    one, two, other = _rich(), _rich(), _rich()
    histories = [_fit(m, seed=s, **HOW).history for m, s in ((one, 1), (two, 1), (other, 2))]
    _same_weights(one, two)
    assert histories[0] == histories[1] != histories[2]


def test_epochs_one_by_one_and_batches_one_by_one_train_the_same() -> None:
    at_once, by_epoch, by_batch = _rich(), _rich(), _rich()
    seen: list[int] = []
    allowed = training_bounds(at_once, _results)
    _require(allowed, _results(at_once), at_once)
    _fit(by_epoch, **HOW, callbacks=[LambdaCallback(on_epoch_end=lambda epoch, logs: None)])
    results = _results(by_batch, callbacks=[LambdaCallback(on_train_batch_end=lambda b, logs: seen.append(b))])
    assert seen == [0, 1, 2, 3, 4] * 4
    _same_weights(at_once, by_epoch)
    _require(allowed, results, by_batch)


def test_two_fits_are_one_longer_fit_without_shuffling() -> None:
    long, short = _model(), _model()
    _fit(long, batch_size=4, epochs=6, shuffle=False)
    _fit(short, batch_size=4, epochs=2, shuffle=False)
    history = _fit(short, batch_size=4, epochs=6, initial_epoch=2, shuffle=False)
    _same_weights(long, short)
    assert history.epoch == [2, 3, 4, 5]


def test_models_of_one_structure_share_an_engine_and_keep_their_states_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    class Counted(Engine):
        def __init__(self, *arguments: Any) -> None:
            made.append(arguments[0])
            super().__init__(*arguments)

    monkeypatch.setattr(session, "Engine", Counted)
    one, two, alone = _model(seed=5), _model(seed=6), _model(seed=5)
    _fit(one, batch_size=5, shuffle=False)
    _fit(two, batch_size=5, shuffle=False)
    _fit(one, batch_size=5, shuffle=False)
    _fit(alone, batch_size=5, epochs=2, shuffle=False)
    _same_weights(one, alone)
    assert len(made) == 1


@pytest.mark.parametrize("optimizer", [Adam(), SGD(clipnorm=1.0), SGD(global_clipnorm=1.0)])
def test_a_frozen_model_reports_and_does_not_move(optimizer: Any) -> None:
    model = _model(optimizer=optimizer)
    model.trainable = False
    before = model.get_weights()
    losses = _fit(model, epochs=3, shuffle=False).history["loss"]
    assert losses[0] == losses[2]
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_epochs_are_no_epochs() -> None:
    assert _fit(_model(), epochs=0).history == _fit(_model(), epochs=2, initial_epoch=5).history == {}


def test_steps_per_epoch_takes_the_first_batches() -> None:
    model, few = _model(), _model()
    _fit(model, batch_size=5, steps_per_epoch=2, shuffle=False)
    _fit(few, X[:10], Y[:10], batch_size=5, shuffle=False)
    _same_weights(model, few)


def test_a_loss_that_is_not_finite_stops_and_says_what_to_try() -> None:
    model = Sequential([Input((3,)), Dense(1)])
    model.compile(SGD(1e4), "mse")
    with pytest.raises(TrainingError, match=r"in epoch \d+ .*lower learning rate than 10000, clipnorm"):
        _fit(model, epochs=200)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert model.history
    assert np.isfinite(model.history.history["loss"]).all()


def test_terminate_on_nan_stops_quietly() -> None:
    model = Sequential([Input((3,)), Dense(1)])
    model.compile(SGD(1e4), "mse")
    history = _fit(model, epochs=200, callbacks=[TerminateOnNaN()])
    assert len(history.epoch) < 200


def test_ctrl_c_keeps_the_last_whole_epoch_and_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _model()
    _fit(whole, epochs=3)
    usual = Engine.run_epochs

    def interrupted(self: Engine, data: Any, **how: Any) -> Epochs:
        result = usual(self, data, **{**how, "epochs": 3})
        return Epochs(result.logs, interrupted=True)

    monkeypatch.setattr(Engine, "run_epochs", interrupted)
    model = _model()
    with pytest.raises(KeyboardInterrupt):
        _fit(model, epochs=1000)
    assert model.history
    assert len(model.history.history["loss"]) == 3
    _same_weights(model, whole)


class Impatient(Callback):
    """Ctrl-C in a hook of the third epoch; notes which hooks are called."""

    def __init__(self, hook: str) -> None:
        super().__init__()
        self.called: list[str] = []
        self.epoch = -1
        for name in (hook, "on_train_end"):
            setattr(self, name, lambda *_, name=name, **__: self._note(name, name == hook))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._note("on_epoch_begin", False)

    def _note(self, name: str, stops: bool) -> None:
        self.called.append(name)
        self.epoch += name == "on_epoch_begin"
        if stops and self.called.count(name) >= 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("hook", "epochs"), [("on_epoch_begin", 2), ("on_epoch_end", 3), ("on_train_batch_end", 0)])
def test_ctrl_c_in_a_callback_is_raised_after_the_last_whole_epoch(hook: str, epochs: int) -> None:
    model, whole, impatient = _model(), _model(), Impatient(hook)
    if epochs:
        _fit(whole, batch_size=5, epochs=epochs)
    with pytest.raises(KeyboardInterrupt):
        _fit(model, batch_size=5, epochs=9, callbacks=[impatient])
    _same_weights(model, whole)
    assert "on_train_end" not in impatient.called  # as in Keras
    assert model.history
    assert model.history.epoch == list(range(min(epochs, 2)))
    _fit(model, epochs=9)  # and goes on
    assert len(model.history.epoch) == 9


def test_ctrl_c_ends_evaluate_and_predict(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgeling.toolchain import predictor
    from edgeling.training import engine

    model = _model()
    _fit(model, epochs=1)
    whole = model.evaluate(X, Y, verbose=0), model.predict(X)
    monkeypatch.setattr(engine, "EVALUATED_ROWS", 7)
    monkeypatch.setattr(predictor, "_CHUNK_ROWS", 7)
    allowed = training_bounds(model, lambda twin: [twin.evaluate(X, Y, verbose=0), twin.predict(X)])
    for loss, answers in (whole, (model.evaluate(X, Y, verbose=0), model.predict(X))):
        _require(allowed, [loss, answers], model)
    usual, calls = Engine._means, []

    def stopped(self: Engine, *given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return usual(self, *given)

    monkeypatch.setattr(Engine, "_means", stopped)
    with pytest.raises(KeyboardInterrupt):
        model.evaluate(X, Y, verbose=0)
    assert len(calls) == 2


def test_early_stopping_gives_the_best_weights_back() -> None:
    model = _model(optimizer=SGD(3.0))
    seen: list[Any] = []
    keep = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((logs["val_loss"], model.get_weights())))
    stop = EarlyStopping(patience=3, restore_best_weights=True)
    history = _fit(model, epochs=200, validation_split=0.3, callbacks=[keep, stop])
    best = min(range(len(seen)), key=lambda i: seen[i][0])
    assert len(history.epoch) == best + 4 < 200
    for mine, kept in zip(model.get_weights(), seen[best][1], strict=True):
        np.testing.assert_array_equal(mine, kept)


def test_validation_measures_what_evaluate_measures() -> None:
    model = _model()
    history = _fit(model, X[:15], Y[:15], epochs=3, validation_data=(X[15:], Y[15:]), validation_freq=2)
    assert len(history.history["val_loss"]) == 1
    _fit(model, X[:15], Y[:15], epochs=1, validation_data=(X[15:], Y[15:]))
    assert model.history
    expected = model.evaluate(X[15:], Y[15:], verbose=0, return_dict=True)
    assert {k: model.history.history[f"val_{k}"][-1] for k in expected} == expected


def test_training_without_a_compiler_says_what_to_install_and_predicting_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from edgeling.toolchain import predictor
    from edgeling.training import engine

    def missing(*_: Any, **__: Any) -> Any:
        raise CompilerNotFoundError("a C compiler is needed", remedy="pip install ziglang")

    allowed, compiled = prediction_bound(_model(), X), _model().predict(X)
    monkeypatch.setattr(engine, "load", missing)
    monkeypatch.setattr(predictor, "load", missing)
    session._kept.compiled.clear()
    model = _model()
    with pytest.raises(CompilerNotFoundError, match="ziglang"):
        _fit(model)
    with pytest.warns(RuntimeWarning, match="interpreter"):
        interpreted = model.predict(X)
    allowed.require(interpreted)
    allowed.require(compiled)
