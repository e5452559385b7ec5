# SPDX-License-Identifier: Apache-2.0
"""The callback leaves the fit as it is, and losses that do not fit warn at once."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from edgeling.callbacks import Callback, Diagnose, LearningRateScheduler
from edgeling.callbacks.rates_used import RatesUsed
from edgeling.errors import TrainingError
from edgeling.layers import Activation, Dense, Input
from edgeling.losses import BinaryCrossentropy
from edgeling.models import Sequential
from edgeling.optimizers import SGD, Adam
from edgeling.optimizers.schedules import CosineDecay, LearningRateSchedule
from edgeling.utils import next_seed, set_random_seed

X = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


def _model(last: Dense, optimizer: Any = "adam", loss: Any = "binary_crossentropy") -> Sequential:
    model = Sequential([Input((4,)), Dense(6, activation="relu"), last])
    model.compile(optimizer, loss)
    return model


@pytest.mark.parametrize(("rate", "names"), [(0.01, []), (1e-6, ["learning_rate_too_small"])])
def test_the_fit_is_as_without_and_so_is_what_is_drawn_next(rate: float, names: list[str]) -> None:
    left = []
    for callbacks in ([], [Diagnose(verbose=0)]):
        set_random_seed(3)
        model = _model(Dense(1, activation="sigmoid"), Adam(rate))
        history = model.fit(X, Y, epochs=30, verbose=0, callbacks=callbacks).history
        left.append((history, model.get_weights(), model.optimizer.iterations, next_seed(), callbacks))
    (one, weights, steps, seed, _), (other, same, again, next_one, asked) = left
    assert (one, steps, seed) == (other, again, next_one)
    for first, second in zip(weights, same, strict=True):
        np.testing.assert_array_equal(first, second)
    assert [f.name for f in asked[0].findings] == names


def test_findings_are_printed_and_those_of_a_loss_that_is_not_finite_too(capsys) -> None:
    set_random_seed(1)
    asked = Diagnose()
    model = _model(Dense(1), SGD(1e5), "mse")
    with pytest.raises(TrainingError):
        model.fit(X, X.sum(axis=1), epochs=5, verbose=0, callbacks=asked)
    assert asked.findings[0].name == "learning_rate_too_large"
    assert capsys.readouterr().err.startswith("error: The learning rate 100000 is too large")


def test_batches_that_come_one_by_one_are_looked_at_too() -> None:
    set_random_seed(1)
    asked = Diagnose(verbose=0)
    model = _model(Dense(1, activation="sigmoid"))
    model.fit(((X * 1000, Y) for _ in range(10)), epochs=2, steps_per_epoch=5, verbose=0, callbacks=asked)
    assert asked.findings[0].name == "unscaled_inputs"


class OfOnesOwn(LearningRateSchedule):
    def __call__(self, step: Any) -> float:
        return 0.001 / (1 + step)


def test_of_a_schedule_that_ends_at_nothing_what_it_has_at_most_is_the_rate() -> None:
    """As recipes of `train` have it, and schedules of one's own. Of an optimizer that is set to 0 no other is tried."""
    found = {}
    for rate in (CosineDecay(0.001, 20), OfOnesOwn(), 0.0):
        set_random_seed(1)
        asked = Diagnose(verbose=0)
        _model(Dense(1, activation="sigmoid"), SGD(rate)).fit(X, Y, epochs=10, verbose=0, callbacks=asked)
        found[rate] = [f.name for f in asked.findings]
    led, own, none = found.values()
    assert led == own == ["learning_rate_too_small"]
    assert none
    assert not [name for name in none if "rate" in name]


class CosineOfOnesOwn(LearningRateSchedule):
    def __call__(self, step: Any) -> float:
        return 10.0 * 0.5 * (1 + np.cos(np.pi * min(step / 300, 1.0)))


class LowerEachEpoch(Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.optimizer.learning_rate = 10.0 * 0.7**epoch


WAYS_DOWN: dict[str, tuple[Any, Any]] = {
    "a schedule": (CosineDecay(10.0, 300), []),
    "one's own schedule": (CosineOfOnesOwn(), []),
    "a function of the epoch": (10.0, [LearningRateScheduler(lambda epoch: 10.0 * 0.7**epoch)]),
    "a callback of one's own": (10.0, [LowerEachEpoch()]),
}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("way", WAYS_DOWN)
def test_a_rate_that_began_far_too_large_is_seen_whoever_lowered_it_since(way: str, first: bool) -> None:
    rate, lowering = WAYS_DOWN[way]
    set_random_seed(1)
    asked = Diagnose(verbose=0)
    callbacks = [asked, *lowering] if first else [*lowering, asked]
    _model(Dense(1, activation="sigmoid"), Adam(rate)).fit(X, Y, epochs=30, verbose=0, callbacks=callbacks)
    assert asked.findings[0].name == "learning_rate_too_large"
    assert "rate 10 is too large" in asked.findings[0].seen


def test_a_way_of_rates_is_gone_again_in_other_steps() -> None:
    used = RatesUsed()
    for rates, batches in ((np.float32([4, 3, 2, 1]), 4), (np.float32(0.5), 2), (np.float32(0.5), 2)):
        used.add(rates, batches)
    assert used.largest == 4
    assert [float(used.again(16)(step)) for step in range(17)] == [4, 4, 3, 3, 2, 2, 1, 1] + [0.5] * 9
    assert [float(used.again(4)(step)) for step in range(4)] == [4, 2, 0.5, 0.5]
    constant = RatesUsed()
    constant.add(np.float32(0.25), 10_000)
    assert constant.again(7) == 0.25
    long = RatesUsed()
    long.add(np.arange(1, 1_000_001, dtype=np.float32), 1_000_000)
    assert long.largest == 1_000_000
    assert len(long.again(10).values) == 256


MISFITS = {
    "softmax on one unit": (Dense(1, activation="softmax"), "binary_crossentropy", "one unit always gives 1"),
    "sigmoid with three classes": (Dense(3, activation="sigmoid"), "sparse_categorical_crossentropy", "softmax"),
    "one-hot with sigmoid": (Dense(3, activation="sigmoid"), "categorical_crossentropy", "softmax"),
    "binary with softmax": (Dense(2, activation="softmax"), "binary_crossentropy", "categorical"),
    "squares with softmax": (Dense(3, activation="softmax"), "mse", "categorical"),
    "no activation": (Dense(3), "categorical_crossentropy", "from_logits=True"),
    "binary without activation": (Dense(1), "binary_crossentropy", "sigmoid"),
    "a sigmoid too many": (Dense(1, activation="sigmoid"), BinaryCrossentropy(from_logits=True), "already"),
    "one class": (Dense(1, activation="sigmoid"), "sparse_categorical_crossentropy", "one class"),
    "hinge with sigmoid": (Dense(1, activation="sigmoid"), "hinge", "both signs"),
    "counts that may be negative": (Dense(1), "poisson", "softplus"),
    "divergence of anything": (Dense(3), "kl_divergence", "softmax"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_loss_that_does_not_fit_warns_at_compile(case: str) -> None:
    last, loss, words = MISFITS[case]
    with pytest.warns(UserWarning, match=words):
        _model(type(last).from_config({**last.get_config(), "name": None}), loss=loss)


def test_what_is_built_later_warns_at_fit_and_only_once() -> None:
    model = Sequential([Dense(3), Activation("sigmoid")])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.compile("adam", "sparse_categorical_crossentropy")
    with pytest.warns(UserWarning, match="softmax"):
        model.fit(X, Y, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y, verbose=0)


@pytest.mark.parametrize(
    ("activation", "y"),
    [("relu", X[:, 0]), ("tanh", 3 * X[:, 0]), ("sigmoid", X[:, 0]), ("softplus", X[:, 0])],
)
def test_targets_out_of_reach_warn_at_fit(activation: str, y: Any) -> None:
    model = _model(Dense(1, activation=activation), loss="mse")
    with pytest.warns(UserWarning, match=f"{activation} gives"):
        model.fit(X, y, verbose=0)


FITTING = {
    "yes or no": (Dense(1, activation="sigmoid"), "binary_crossentropy"),
    "a number": (Dense(1), "mse"),
    "a margin": (Dense(1), "hinge"),
    "a number from 0 to 1": (Dense(1, activation="sigmoid"), "mse"),
    "a count": (Dense(1, activation="exponential"), "poisson"),
    "several numbers": (Dense(3), "huber"),
    "several answers": (Dense(4, activation="sigmoid"), "binary_crossentropy"),
    "a distribution": (Dense(3, activation="softmax"), "kl_divergence"),
}


@pytest.mark.parametrize("case", FITTING)
def test_losses_that_fit_do_not_warn(case: str) -> None:
    last, loss = FITTING[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _model(type(last).from_config({**last.get_config(), "name": None}), loss=loss)
