# SPDX-License-Identifier: Apache-2.0
"""Edgeling learns as well as Keras: test scores over 20 seeds, on the same splits, compared by Welch's t-test.

Keras's own layers, loss and optimizer run in one JAX loop for all seeds (``benchmarks/keras_seeds.py``); that the loop
is what ``keras.Model.fit`` does is tested here too, and so is that the comparison notices a network
trained too little.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from benchmarks.edgeling_seeds import edgeling_scores
from benchmarks.tasks import TASKS, Array, Split, Task, split
from edgeling.layers import Dense
from edgeling.models import Sequential
from tests.support.rounding import weight_bounds

pytestmark = [pytest.mark.keras, pytest.mark.slow]

SEEDS = 20
REJECTED = 0.001  # five data sets: one false alarm in 200 changes to the arithmetic


@pytest.fixture(scope="module", params=TASKS, ids=str)
def task(request: pytest.FixtureRequest) -> Task:
    return TASKS[request.param]


@pytest.fixture(scope="module")
def splits(task: Task) -> list[Split]:
    return [split(task, seed) for seed in range(SEEDS)]


@pytest.fixture(scope="module")
def our_scores(task: Task, splits: list[Split]) -> Array:
    return edgeling_scores(task, splits)


@pytest.fixture(scope="module")
def keras_scores(task: Task, splits: list[Split]) -> Array:
    pytest.importorskip("keras")
    from benchmarks.keras_seeds import keras_scores

    return keras_scores(task, splits)


def welch_p_value(a: Array, b: Array) -> float:
    return float(stats.ttest_ind(a, b, equal_var=False).pvalue)


def test_scores_have_the_mean_of_keras(our_scores: Array, keras_scores: Array) -> None:
    assert welch_p_value(our_scores, keras_scores) > REJECTED, (our_scores.mean(), keras_scores.mean())


def test_scores_after_a_fifth_of_the_epochs_have_not(task: Task, splits: list[Split], keras_scores: Array) -> None:
    ours = edgeling_scores(task, splits, epochs=task.epochs // 5)
    assert welch_p_value(ours, keras_scores) < REJECTED, (ours.mean(), keras_scores.mean())


def test_scores_spread_as_those_of_keras_do(our_scores: Array, keras_scores: Array) -> None:
    """Of two samples of 20 from one normal distribution, one in 1000 has a ratio of variances beyond 5."""
    ratio = np.var(our_scores) / np.var(keras_scores)
    assert 1 / 5 < ratio < 5


def test_the_loop_over_seeds_is_keras_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows in the same order, the last batch short: the same weights as ``keras.Model.fit`` gives."""
    keras = pytest.importorskip("keras")
    from benchmarks import keras_seeds

    task = TASKS["wine"]
    given = split(task, 0)
    model = task.model(keras.Sequential, keras.layers.Dense)
    model.build((None, given.x_train.shape[1]))
    start = [np.array(w) for w in model.get_weights()]
    model.compile(loss=task.loss, optimizer="adam")
    how = {"epochs": 3, "batch_size": task.batch_size, "shuffle": False, "verbose": 0}
    twin = task.model(Sequential, Dense)
    twin.build((None, given.x_train.shape[1]))
    twin.set_weights(start)
    twin.compile(loss=task.loss, optimizer="adam")
    allowed = weight_bounds(twin, given.x_train, given.y_train, **how)
    model.fit(given.x_train, given.y_train, **how)
    monkeypatch.setattr(keras_seeds, "shuffled", lambda generator, rows: np.arange(rows))
    (trained,) = keras_seeds.train(replace(task, epochs=3), [given], [start], first_seed=0)
    for bound, ours, theirs in zip(allowed, trained, model.get_weights(), strict=True):
        bound.require(ours, "the loop's")
        bound.require(theirs, "fit's")
