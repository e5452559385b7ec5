# SPDX-License-Identifier: Apache-2.0
"""The range test: the losses are those of training at these rates, the model is left as it was, a rate is suggested."""

from __future__ import annotations

import base64
import copy
import re
import xml.etree.ElementTree as Tree

import numpy as np
import pytest

import edgeling
from edgeling.errors import DataError, TrainingError, UnsupportedError
from edgeling.graph.random import permutation
from edgeling.layers import BatchNormalization, Dense, Dropout, Input
from edgeling.models import Sequential
from edgeling.models.range_test import losses_at
from edgeling.utils import set_random_seed
from edgeling.workflow.learning_rate import DIVERGED, SMOOTHING, find_learning_rate, suggested
from tests.support.rounding import training_bounds

RNG = np.random.default_rng(2)
X = RNG.normal(size=(70, 3)).astype(np.float32)
Y = (X[:, 0] > 0.2).astype(int) + (X[:, 1] > 0.5)


def model(optimizer: str = "adam") -> Sequential:
    set_random_seed(1)
    made = Sequential([Input((3,)), Dense(6, activation="relu"), Dense(3, activation="softmax")])
    made.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_losses_are_those_of_training_batch_by_batch(optimizer: str) -> None:
    """Against ``train_on_batch`` at each rate, on rows in the order that the seed gives."""
    rates, size = np.geomspace(1e-3, 0.3, 12), 16
    batches = [permutation(70, seed=4, step=epoch)[i : i + size] for epoch in range(3) for i in range(0, 64, size)]

    def by_hand(twin: Sequential) -> list[float]:
        losses = []
        for rate, rows in zip(rates, batches, strict=False):
            twin.optimizer.learning_rate = float(rate)  # type: ignore[union-attr]
            losses.append(twin.train_on_batch(X[rows], Y[rows])[0])
        return losses

    bounds = training_bounds(model(optimizer), by_hand, samples=5)
    found = list(losses_at(model(optimizer), X, Y, rates, batch_size=size, seed=4))
    assert len(found) == len(rates)
    for bound, loss in zip(bounds, found, strict=False):
        bound.require(loss)


def test_everything_stays_as_it_was() -> None:
    tried = Sequential(
        [Input((3,)), Dense(6), BatchNormalization(), Dropout(0.5, seed=3), Dense(3, activation="softmax")]
    )
    tried.compile("adam", "sparse_categorical_crossentropy")
    tried.fit(X, Y, epochs=2, verbose=0)
    weights, state = tried.get_weights(), copy.deepcopy(tried.optimizer_state)
    iterations, history = tried.optimizer.iterations, tried.history  # type: ignore[union-attr]
    rate = float(tried.optimizer.learning_rate)  # type: ignore[union-attr]
    find_learning_rate(tried, X, Y)
    for before, after in zip(weights, tried.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert state.keys() == tried.optimizer_state.keys()
    for name, before in state.items():
        np.testing.assert_array_equal(before, tried.optimizer_state[name])
    assert (tried.optimizer.iterations, tried.history) == (iterations, history)  # type: ignore[union-attr]
    assert float(tried.optimizer.learning_rate) == rate  # type: ignore[union-attr]


def test_what_was_fitted_goes_on_as_if_nothing_had_been() -> None:
    def fitted(looks: bool) -> list[np.ndarray]:
        made = model()
        made.fit(X, Y, epochs=2, verbose=0)
        if looks:
            find_learning_rate(made, X, Y, batch_size=16)
        made.fit(X, Y, epochs=2, verbose=0)
        return made.get_weights()

    for one, other in zip(fitted(True), fitted(False), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_seed_repeats_it_and_the_test_ends_where_the_loss_takes_off() -> None:
    first, again = (find_learning_rate(model("sgd"), X, Y, seed=3, highest=1e6) for _ in range(2))
    np.testing.assert_array_equal(first.losses, again.losses)
    assert first.suggestion == again.suggestion
    assert not np.array_equal(first.losses, find_learning_rate(model("sgd"), X, Y, seed=5, highest=1e6).losses)
    assert len(first.rates) == len(first.losses) < 100
    assert (first.losses[:-1] <= DIVERGED * np.minimum.accumulate(first.losses[:-1])).all()
    ratios = first.rates[1:] / first.rates[:-1]
    assert ratios.min() > 1
    assert np.ptp(np.log(ratios)) < ratios.min() - 1  # grows by the same factor, as far as float64 has digits


def test_the_suggestion_lies_a_decade_before_the_least_loss() -> None:
    rates = np.geomspace(1e-4, 1.0, 9)
    losses = [1.0, 0.9, 0.8, 0.5, 0.3, 0.2, 0.25, 0.9, 4.0]
    assert suggested(rates, losses) == rates[5] / 10
    assert suggested(rates[:1], [2.0]) == rates[0] / 10
    assert 0 < SMOOTHING < 1


def test_a_model_whose_loss_takes_off_at_once_gets_a_low_rate() -> None:
    found = find_learning_rate(model("sgd"), 1e6 * X, Y)
    assert found.suggestion < find_learning_rate(model("sgd"), X, Y).suggestion


def test_the_plot_is_a_picture_of_its_own() -> None:
    found = find_learning_rate(model(), X, Y)
    root = Tree.fromstring(found.to_svg())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "suggested" in found.to_svg()
    encoded = re.search(r'base64,([^"]+)"', found._repr_html_())
    assert encoded
    assert base64.b64decode(encoded[1]).decode() == found.to_svg()
    assert f"{found.suggestion:.3g}" in found._repr_html_()


@pytest.mark.parametrize("how", [{"lowest": 0.0}, {"lowest": 1.0, "highest": 0.1}, {"highest": np.inf}])
def test_rates_that_do_not_grow_are_refused(how: dict[str, float]) -> None:
    with pytest.raises(UnsupportedError, match=r"rates grow|highest|lowest"):
        find_learning_rate(model(), X, Y, **how)  # type: ignore[arg-type]


def test_what_fit_refuses_is_refused() -> None:
    with pytest.raises(TrainingError, match="compiled"):
        edgeling.find_learning_rate(Sequential([Input((3,)), Dense(1)]), X, Y)
    with pytest.raises(DataError):
        edgeling.find_learning_rate(model(), X[:, :2], Y)
