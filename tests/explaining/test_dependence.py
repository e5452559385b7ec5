# SPDX-License-Identifier: Apache-2.0
"""Partial dependence against scikit-learn's, interactions and counterfactuals against what is known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import partial_dependence as sklearn_dependence

from edgeling.errors import DataError
from edgeling.explaining.counterfactual import Range, counterfactual
from edgeling.explaining.dependence import grid_of, interactions, partial_dependence
from tests.support.close import DOUBLE, require_close


def product(x):
    """a b + c, and d says nothing."""
    x = np.asarray(x, np.float64)
    return (x[:, 0] * x[:, 1] + x[:, 2])[:, None]


class Fixed(RegressorMixin, BaseEstimator):
    """The fixed function, dressed for scikit-learn."""

    def fit(self, x, y):
        self.fitted_ = True
        return self

    def predict(self, x):
        return product(x)[:, 0]


@pytest.fixture
def x():
    return np.random.default_rng(2).normal(size=(40, 4))


def test_equals_scikit_learn_for_each_row_and_on_average(x):
    theirs = sklearn_dependence(Fixed().fit(x, None), x, [1], kind="both", method="brute", grid_resolution=11)
    ours = partial_dependence(product, x, 1, theirs["grid_values"][0])
    size = np.abs(x).max() ** 2 + np.abs(x).max()
    require_close(ours.curves[:, :, 0], theirs["individual"][0], 4, of=np.full((40, 11), size), unit=DOUBLE)
    require_close(ours.mean[:, 0], theirs["average"][0], 2 * 44, of=np.full(11, size), unit=DOUBLE)


def test_the_rows_are_left_alone(x):
    before = x.copy()
    partial_dependence(product, x, 0, np.array([1.0]))
    interactions(product, x, [0, 1])
    np.testing.assert_array_equal(x, before)


def test_columns_that_are_multiplied_interact_and_those_that_are_added_do_not(x):
    found = {each.columns: each for each in interactions(product, x, [0, 1, 2, 3])}
    a, b = x[:, 0], x[:, 1]
    # Of a b, less what a and b do on their own on average, the product of the deviations is left.
    left = (a - a.mean()) * (b - b.mean())
    size = np.sqrt(np.mean(np.square(left - left.mean())))
    largest = np.abs(x).max() ** 2 + np.abs(x).max()
    require_close(found[0, 1].size, size, 600, of=largest, unit=DOUBLE)
    joint = a * b - np.mean(a * b)
    require_close(found[0, 1].strength, size / np.sqrt(np.mean(joint**2)), 600, of=largest, unit=DOUBLE)
    assert found[0, 1].by_output == ((found[0, 1].strength, found[0, 1].size),)
    for pair in ((0, 2), (2, 3), (0, 3)):
        require_close(found[pair].size, 0.0, 600, of=largest, unit=DOUBLE)


def test_a_grid_is_every_value_of_few_and_equal_steps_among_many():
    np.testing.assert_array_equal(grid_of(np.array([2.0, 0, np.nan, 2, 1])), [0, 1, 2])
    many = grid_of(np.arange(101.0))
    assert (len(many), many[0], many[-1]) == (25, 5, 95)
    with pytest.raises(DataError, match="known in some rows"):
        grid_of(np.array([np.nan]))


def above(limit):
    return lambda answers: answers[:, 0] > limit


def test_the_least_change_of_one_column_is_where_the_answer_changes():
    """c + a b > 1 from a = 1, b = 0, c = 0: b to 1 and c to 1 do it, d never."""
    row = np.array([1, 0, 0, 0], np.float32)
    ranges = {i: lambda points: Range.between(-3, 3, 2.0, points) for i in range(4)}
    found = counterfactual(product, row, ranges, above(1))
    assert {each.columns for each in found} == {(1,), (2,)}
    for each in found:
        assert each.answer[0] > 1
        steps = 6.0 / 2**24  # halved as often, the way is as short as float32 tells
        require_close(each.distance, 0.5, 8, of=1 + steps / DOUBLE / 8, unit=DOUBLE)


def test_two_columns_are_tried_together_where_neither_does_alone():
    row = np.array([0, 0, 0, 0], np.float32)
    ranges = {i: lambda points: Range.between(-3, 3, 1.0, points) for i in (0, 1)}
    (found,) = counterfactual(product, row, ranges, above(1))
    assert found.columns == (0, 1)
    assert product(np.array([[*found.values, 0, 0]]))[0, 0] > 1
    step = 6.0 / 60
    assert np.sqrt(2) <= found.distance <= np.sqrt(2) + step * np.sqrt(2)
    assert counterfactual(product, row, ranges, above(100)) == ()


def test_a_category_becomes_another_or_stays():
    row = np.array([2, 0, 0, 0], np.float32)
    ranges = {0: lambda _: Range(np.array([0, 1, 3], np.float32), is_category=True)}
    (found,) = counterfactual(lambda x: (x[:, :1] == 3).astype(float), row, ranges, above(0))
    assert (found.values, found.distance) == ((3.0,), 1.0)
