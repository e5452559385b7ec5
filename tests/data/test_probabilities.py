# SPDX-License-Identifier: Apache-2.0
"""Scores of probabilities against scikit-learn's."""

from __future__ import annotations

import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.preprocessing import label_binarize

from edgeling.data import probabilities as ours
from tests.support.close import DOUBLE, require_close
from tests.support.rounding import ELEMENTARY

SCORED = st.lists(st.tuples(st.booleans(), st.integers(0, 16)), min_size=2, max_size=50).map(
    lambda rows: (np.array([r[0] for r in rows]), np.array([r[1] / 16 for r in rows], np.float32))
)
CLASSES = st.integers(2, 4).flatmap(
    lambda n: st.lists(
        st.tuples(st.integers(0, n - 1), st.lists(st.integers(0, 20), min_size=n, max_size=n)), min_size=3, max_size=40
    )
)


def told(rows: list[tuple[int, list[int]]]) -> tuple[np.ndarray, np.ndarray]:
    """True classes, and probabilities with zeros, ones and ties among them."""
    parts = np.array([r[1] for r in rows], np.float64) + 1e-300
    return np.array([r[0] for r in rows]), (parts / parts.sum(axis=1, keepdims=True)).astype(np.float32)


def require_area(found: float, expected: float) -> None:
    """Sums of at most 60 trapezoids, each of two differences of shares up to 1."""
    require_close(found, expected, 2 * (60 + 5), of=1.0, unit=DOUBLE)


@settings(deadline=None)
@given(SCORED)
def test_curves_and_their_areas(rows: tuple[np.ndarray, np.ndarray]) -> None:
    positive, score = rows
    roc, precision = ours.roc_curve(positive, score), ours.precision_recall_curve(positive, score)
    if positive.any():
        p, r, _ = metrics.precision_recall_curve(positive, score)
        require_close(precision.x[::-1], r, 2, unit=DOUBLE)
        require_close(precision.y[::-1], p, 2, unit=DOUBLE)
        require_area(precision.area, metrics.average_precision_score(positive, score))
    else:
        assert np.isnan(precision.area)
    if positive.any() and not positive.all():
        x, y, _ = metrics.roc_curve(positive, score, drop_intermediate=False)
        require_close(roc.x, x, 2, unit=DOUBLE)
        require_close(roc.y, y, 2, unit=DOUBLE)
        require_area(roc.area, metrics.roc_auc_score(positive, score))
    else:
        assert np.isnan(roc.area)
        assert not len(roc.x)


@settings(deadline=None)
@given(CLASSES)
def test_log_loss(rows: list[tuple[int, list[int]]]) -> None:
    true, probabilities = told(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rows that sum to one only within float32
        expected = metrics.log_loss(true, probabilities, labels=range(probabilities.shape[1]))
    # scikit-learn's is float32: a logarithm a row, and their sum. Ours is double.
    require_close(expected, ours.log_loss(true, probabilities), 2 * ELEMENTARY + len(true) + 2)


@settings(deadline=None)
@given(SCORED)
def test_calibration(rows: tuple[np.ndarray, np.ndarray]) -> None:
    true, score = rows
    found = ours.calibration(true, score)
    assert found.rows.sum() == len(true)
    if true.any() and not true.all():
        share, mean = calibration_curve(true, score, n_bins=10)
        require_close(found.true, share, 2, unit=DOUBLE)
        require_close(found.told, mean, 2, unit=DOUBLE)
        by_hand = sum(n * abs(s - m) for n, s, m in zip(found.rows, share, mean, strict=True)) / len(true)
        require_close(found.expected_error, by_hand, 2 * (10 + 4), of=1.0, unit=DOUBLE)  # ten bins of shares up to 1


@settings(deadline=None)
@given(CLASSES)
def test_several_classes_are_a_mean_over_those_that_have_a_curve(rows: list[tuple[int, list[int]]]) -> None:
    true, probabilities = told(rows)
    found, classes = ours.probability_scores(true, probabilities), range(probabilities.shape[1])
    if len(classes) == 2:
        both = len(set(true)) == 2
        expected = metrics.roc_auc_score(true, probabilities[:, 1]) if both else np.nan
    else:
        onehot = label_binarize(true, classes=classes)
        areas = [
            metrics.roc_auc_score(onehot[:, c], probabilities[:, c]) for c in classes if 0 < onehot[:, c].mean() < 1
        ]
        expected = np.mean(areas) if areas else np.nan
        if set(true) == set(classes):
            average = metrics.average_precision_score(onehot, probabilities, average="macro")
            require_area(found["average_precision"], average)
    require_area(found["roc_auc"], expected)


def test_the_mean_over_classes_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    true, probabilities = rng.integers(0, 3, 60), rng.dirichlet([1, 1, 1], 60)
    expected = metrics.roc_auc_score(true, probabilities, multi_class="ovr", average="macro")
    require_area(ours.probability_scores(true, probabilities)["roc_auc"], expected)


def test_probabilities_that_are_no_numbers_have_no_scores() -> None:
    found = ours.probability_scores(np.array([0, 1]), np.array([[np.nan, np.nan], [0.5, 0.5]], np.float32))
    assert all(np.isnan(value) for value in found.values())


def test_of_several_classes_the_chosen_ones_probability_is_calibrated() -> None:
    """Three of four rows are right at 0.6: told too low by 0.15."""
    probabilities = np.tile(np.float32([0.6, 0.3, 0.1]), (4, 1))
    error = ours.class_calibration(np.array([0, 0, 0, 2]), probabilities).expected_error
    require_close(error, 0.15, 1, of=0.6)  # which float32 does not hold
