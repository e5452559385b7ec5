# SPDX-License-Identifier: Apache-2.0
"""Every score against scikit-learn's."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from edgeling.data import scores

CLASSES = 4
ROWS = st.integers(1, 30)
PAIRS = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=40).map(
    lambda pairs: np.array(pairs).T
)
REALS = st.lists(st.tuples(*[st.integers(-10_000, 10_000).map(lambda i: i / 16)] * 2), min_size=2, max_size=40).map(
    lambda pairs: np.array(pairs).T
)


@settings(deadline=None)
@given(PAIRS)
def test_classification(pairs: np.ndarray) -> None:
    true, predicted = pairs
    labels = list(range(CLASSES))
    matrix = scores.confusion_matrix(true, predicted, CLASSES)
    assert scores.accuracy(true, predicted) == pytest.approx(metrics.accuracy_score(true, predicted))
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(true, predicted, labels=labels))
    ours = scores.class_scores(matrix)
    theirs = metrics.precision_recall_fscore_support(true, predicted, labels=labels, zero_division=0)
    np.testing.assert_allclose([(s.precision, s.recall, s.f1, s.support) for s in ours], np.array(theirs).T)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes without a true row, which do not count
        assert scores.balanced_accuracy(ours) == pytest.approx(metrics.balanced_accuracy_score(true, predicted))
    for average, found in (("macro", scores.macro_average(ours)), ("weighted", scores.weighted_average(ours))):
        expected = metrics.precision_recall_fscore_support(
            true, predicted, labels=labels, average=average, zero_division=0
        )
        np.testing.assert_allclose((found.precision, found.recall, found.f1), expected[:3])
        assert found.support == len(true)


@settings(deadline=None)
@given(REALS)
def test_regression(pairs: np.ndarray) -> None:
    true, predicted = pairs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = {
            "mae": metrics.mean_absolute_error(true, predicted),
            "rmse": metrics.root_mean_squared_error(true, predicted),
            "r2": metrics.r2_score(true, predicted),
        }
    assert scores.regression_scores(true, predicted) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_float32_answers_are_scored_in_double_precision() -> None:
    true = np.full(10_000, 1e4, np.float32)
    assert scores.mean_absolute_error(true, true + np.float32(0.5)) == 0.5


def test_the_whole_account_is_plain_values() -> None:
    account = json.loads(json.dumps(scores.classification_scores(np.array([0, 1, 1]), np.array([0, 1, 0]), ["a", "b"])))
    assert account["accuracy"] == pytest.approx(2 / 3)
    assert account["confusion_matrix"] == [[1, 0], [1, 1]]
    assert account["classes"]["b"] == {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2}
    assert account["macro_average"]["recall"] == pytest.approx(0.75)
    assert account["weighted_average"]["support"] == 3
