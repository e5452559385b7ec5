# SPDX-License-Identifier: Apache-2.0
"""Every score against scikit-learn's."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from edgeling.data import scores
from tests.support.close import DOUBLE, require_close

CLASSES = 4
ROWS = st.integers(1, 30)
PAIRS = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=40).map(
    lambda pairs: np.array(pairs).T
)
REALS = st.lists(st.tuples(*[st.integers(-10_000, 10_000).map(lambda i: i / 16)] * 2), min_size=2, max_size=40).map(
    lambda pairs: np.array(pairs).T
)


def require_same(ours: Any, theirs: Any) -> None:
    """Of exact counts: a mean over the classes of what is at most four products and quotients."""
    require_close(ours, theirs, 2 * (CLASSES + 4), unit=DOUBLE)


@settings(deadline=None)
@given(PAIRS)
def test_classification(pairs: np.ndarray) -> None:
    true, predicted = pairs
    labels = list(range(CLASSES))
    matrix = scores.confusion_matrix(true, predicted, CLASSES)
    assert scores.accuracy(true, predicted) == metrics.accuracy_score(true, predicted)
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(true, predicted, labels=labels))
    ours = scores.class_scores(matrix)
    theirs = metrics.precision_recall_fscore_support(true, predicted, labels=labels, zero_division=0)
    require_same([(s.precision, s.recall, s.f1, s.support) for s in ours], np.array(theirs).T)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes without a true row, which do not count
        require_same(scores.balanced_accuracy(ours), metrics.balanced_accuracy_score(true, predicted))
    for average, found in (("macro", scores.macro_average(ours)), ("weighted", scores.weighted_average(ours))):
        expected = metrics.precision_recall_fscore_support(
            true, predicted, labels=labels, average=average, zero_division=0
        )
        require_same((found.precision, found.recall, found.f1), expected[:3])
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
    found = scores.regression_scores(true, predicted)
    assert found.keys() == expected.keys()
    # Errors are exact, squares and sums of up to 40 are not; r2 is 1 less a quotient, by deviations from a mean.
    far = 1 + np.abs(true).max() / true.std() if true.std() else 1
    magnitudes = [expected["mae"], expected["rmse"], (1 + abs(expected["r2"])) * far]
    require_close([found[key] for key in expected], [*expected.values()], 100, of=magnitudes, unit=DOUBLE)


def test_float32_answers_are_scored_in_double_precision() -> None:
    true = np.full(10_000, 1e4, np.float32)
    assert scores.mean_absolute_error(true, true + np.float32(0.5)) == 0.5


def test_the_whole_account_is_plain_values() -> None:
    account = json.loads(json.dumps(scores.classification_scores(np.array([0, 1, 1]), np.array([0, 1, 0]), ["a", "b"])))
    assert account["accuracy"] == 2 / 3
    assert account["confusion_matrix"] == [[1, 0], [1, 1]]
    assert account["classes"]["b"] == {"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "support": 2}
    assert account["macro_average"]["recall"] == 0.75
    assert account["weighted_average"]["support"] == 3
