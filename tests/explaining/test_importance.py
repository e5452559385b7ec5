# SPDX-License-Identifier: Apache-2.0
"""Permutation importance against scikit-learn's, and against what is known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.inspection import permutation_importance as sklearn_importance

from edgeling.errors import DataError
from edgeling.explaining import importance, permutation_importance

NAMES = ("strong", "weak", "useless")
WEIGHTS = np.array([3.0, 1.0, 0.0])


def predict(x):
    """Column by column, so that a row's bits do not depend on how many rows there are."""
    return x[:, 0] * WEIGHTS[0] + x[:, 1] * WEIGHTS[1] + x[:, 2] * WEIGHTS[2]


def minus_mse(y, predicted):
    return -float(np.mean((y - predicted) ** 2))


class Fixed(BaseEstimator):
    """The fixed model, dressed for scikit-learn."""

    def fit(self, x, y):
        return self

    def predict(self, x):
        return predict(x)


@pytest.fixture
def table():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 3))
    return x, predict(x) + rng.normal(scale=0.1, size=400)


def test_equals_scikit_learn_within_sampling_error(table):
    x, y = table
    ours = permutation_importance(predict, x, y, NAMES, minus_mse, repeats=40, seed=1)
    theirs = sklearn_importance(Fixed().fit(x, y), x, y, scoring="neg_mean_squared_error", n_repeats=40, random_state=1)
    standard_error = np.hypot(ours.std, theirs.importances_std) / np.sqrt(40)
    assert np.all(np.abs(ours.mean - theirs.importances_mean) <= 4 * standard_error)
    # A standard deviation of n numbers has the relative standard error 1 / sqrt(2 (n - 1)); here are two of them.
    np.testing.assert_allclose(ours.std[:2], theirs.importances_std[:2], rtol=4 / np.sqrt(40 - 1))


def test_expected_fall_is_twice_the_variance_explained(table):
    """Under squared error a column x with weight w costs 2 w^2 var(x) + 2 w cov(x, residual), over all orders."""
    x, y = table
    result = permutation_importance(predict, x, y, NAMES, minus_mse, repeats=40, seed=3)
    residual = y - predict(x)
    expected = 2 * WEIGHTS**2 * x.var(axis=0) + 2 * WEIGHTS * ((x - x.mean(axis=0)).T @ residual) / len(x)
    assert np.all(np.abs(result.mean - expected) <= 4 * result.std / np.sqrt(40))


def test_ranks_the_informative_column_first_and_a_useless_one_is_exactly_zero(table):
    x, y = table
    moved = [2, 0, 1]
    result = permutation_importance(
        lambda rows: rows @ WEIGHTS[moved], x[:, moved], y, [NAMES[i] for i in moved], minus_mse
    )
    assert [result.feature_names[i] for i in result.ranking] == ["strong", "weak", "useless"]
    assert result.mean[0] == 0.0
    assert result.std[0] == 0.0


def test_baseline_is_the_score_of_the_untouched_rows(table):
    x, y = table
    assert permutation_importance(predict, x, y, NAMES, minus_mse).baseline == minus_mse(y, predict(x))


def test_a_seed_repeats_and_another_differs(table):
    x, y = table
    one, again, other = (permutation_importance(predict, x, y, NAMES, minus_mse, seed=s).mean for s in (7, 7, 8))
    np.testing.assert_array_equal(one, again)
    assert np.any(one != other)


def test_repeats_are_batched_into_one_call_a_column(table):
    x, y = table
    calls = []

    def counting(rows):
        calls.append(len(rows))
        return predict(rows)

    permutation_importance(counting, x, y, NAMES, minus_mse, repeats=10)
    assert calls == [400, 4000, 4000, 4000]


def test_small_batches_give_the_same_numbers(table, monkeypatch):
    x, y = table
    whole = permutation_importance(predict, x, y, NAMES, minus_mse, repeats=5)
    monkeypatch.setattr(importance, "_BATCH_ELEMENTS", 2 * x.size)
    parts = permutation_importance(predict, x, y, NAMES, minus_mse, repeats=5)
    np.testing.assert_array_equal(parts.mean, whole.mean)


def test_the_input_is_left_alone(table):
    x, y = table
    before = x.copy()
    permutation_importance(predict, x, y, NAMES, minus_mse)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize(
    ("x", "y", "names", "repeats"),
    [
        (np.zeros(3), np.zeros(3), ("a",), 1),
        (np.zeros((0, 1)), np.zeros(0), ("a",), 1),
        (np.zeros((3, 1)), np.zeros(2), ("a",), 1),
        (np.zeros((3, 2)), np.zeros(3), ("a",), 1),
        (np.zeros((3, 1)), np.zeros(3), ("a",), 0),
    ],
)
def test_bad_input_is_refused(x, y, names, repeats):
    with pytest.raises(DataError, match="importance needs"):
        permutation_importance(predict, x, y, names, minus_mse, repeats=repeats)
