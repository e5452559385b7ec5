# SPDX-License-Identifier: Apache-2.0
"""Shapley values against the ``shap`` package's exact explainer, and against what is known exactly."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling.errors import DataError
from edgeling.explaining.shapley import exact_row, sampled_row, shapley
from tests.support.close import DOUBLE, require_close


def network(columns, outputs, seed=0):
    """Answers of a small network in double precision."""
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(columns, 6)), rng.normal(size=(6, outputs))

    def predict(x):
        hidden = np.tanh(np.asarray(x, np.float64) @ first)
        e = np.exp(hidden @ second)
        return e / e.sum(axis=1, keepdims=True) if outputs > 1 else hidden @ second

    return predict


def rows(count, columns, seed=1):
    return np.random.default_rng(seed).normal(size=(count, columns)).astype(np.float32)


@pytest.mark.parametrize(("columns", "outputs", "background"), [(1, 1, 7), (5, 3, 12), (8, 1, 9)])
def test_equals_the_exact_explainer_of_shap(columns, outputs, background):
    shap = pytest.importorskip("shap")
    predict, x, others = network(columns, outputs), rows(4, columns), rows(background, columns, 2)
    ours = shapley(predict, x, others)
    masker = shap.maskers.Independent(others, max_samples=background)
    theirs = shap.explainers.Exact(predict, masker)(x)
    values = theirs.values.reshape(ours.values.shape)
    # Each is a sum over all subsets, whose weights add up to two, of means over the background of sums of the network.
    roundings = 2**columns + background + 4 * columns * 6
    largest = 2 * np.abs(np.vstack([predict(x), predict(others)])).max() + 2 * 6 * outputs
    require_close(ours.values, values, 2 * roundings, of=np.full(values.shape, largest), unit=DOUBLE)
    assert ours.standard_errors is None


def test_adds_up_to_the_answers():
    predict, x, others = network(6, 3), rows(5, 6), rows(10, 6, 2)
    found = shapley(predict, x, others)
    require_close(found.base + found.values.sum(axis=1), predict(x), 2**8, of=np.ones((5, 3)), unit=DOUBLE)


def test_of_a_sum_each_column_adds_its_own_difference():
    weights = np.array([2.0, -1.0, 0.0])
    x, others = rows(3, 3), rows(8, 3, 2)
    found = shapley(lambda r: np.asarray(r, np.float64)[:, :, None].transpose(0, 2, 1) @ weights, x, others)
    exact = (x.astype(np.float64) - others.astype(np.float64).mean(axis=0)) * weights
    require_close(found.values[:, :, 0], exact, 2**5, of=np.full(exact.shape, 20.0), unit=DOUBLE)


def test_a_missing_value_is_a_value():
    """NaN of a row stands where the row's column is known, and nowhere else."""
    x, others = np.array([[np.nan, 1.0]], np.float32), np.zeros((1, 2), np.float32)
    found = shapley(lambda r: np.where(np.isnan(r), 5.0, r).sum(axis=1, keepdims=True), x, others)
    np.testing.assert_array_equal(found.values[0, :, 0], [5.0, 1.0])


def test_sampling_is_near_by_its_own_standard_errors():
    """Of 8 columns x 3 outputs, each within four standard errors: all fail together by chance once in 600 runs, and the
    seed is fixed."""
    predict, x, others = network(8, 3), rows(1, 8)[0], rows(16, 8, 2)
    exact, _ = exact_row(predict, x, others)
    found, errors = sampled_row(predict, x, others, seed=3)
    assert np.all(np.abs(found - exact) <= 4 * errors)
    assert np.all(errors < 0.2 * np.abs(exact).max())
    complete = predict(x[None])[0] - predict(others).mean(axis=0)
    require_close(found.sum(axis=0), complete, 2**8, of=np.full(3, 20.0), unit=DOUBLE)


def test_more_columns_than_subsets_allow_are_sampled_and_a_seed_repeats():
    predict, x, others = network(20, 1), rows(2, 20), rows(6, 20, 2)
    one, again, other = (shapley(predict, x, others, seed=s) for s in (4, 4, 5))
    assert one.standard_errors is not None
    np.testing.assert_array_equal(one.values, again.values)
    assert np.any(one.values != other.values)


@pytest.mark.parametrize("shapes", [((0, 3), (2, 3)), ((2, 3), (0, 3)), ((2, 3), (2, 4)), ((3,), (2, 3))])
def test_rows_that_cannot_be_compared_are_refused(shapes):
    x, others = (np.zeros(shape, np.float32) for shape in shapes)
    with pytest.raises(DataError, match="same columns"):
        shapley(network(3, 1), x, others)
