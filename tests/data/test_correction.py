# SPDX-License-Identifier: Apache-2.0
"""Corrected probabilities, against scipy's minimiser of the likelihood written anew, and against known truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.data.correction import (
    LARGEST_LOGIT,
    SAME_SHIFT_ROWS,
    SHIFT_ROWS,
    SMALL_STEP,
    TEMPERATURE_ROWS,
    Correction,
    fit_correction,
)
from edgeling.errors import DataError
from tests.support.close import DOUBLE, allowed


def drawn(seed: int, classes: int, rows: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits [rows, 1 or classes], and classes that come as likely as they would say were they divided by ``scale``."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, 1 if classes == 2 else classes)) * 2
    told = np.concatenate([0 * logits, logits], axis=1) if classes == 2 else logits
    shares = np.exp(told - told.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    y = (rng.random((rows, 1)) > np.cumsum(shares, axis=1)).sum(axis=1)
    return logits * scale, np.minimum(y, classes - 1)


def cost(logits: np.ndarray, truth: np.ndarray, slope: float, shift: np.ndarray) -> float:
    from scipy.special import log_softmax

    told = np.concatenate([0 * logits, logits], axis=1) if logits.shape[1] == 1 else logits
    told = np.clip(told - told.mean(axis=1, keepdims=True), -LARGEST_LOGIT, LARGEST_LOGIT)
    loss = -np.sum(log_softmax(slope * told + shift, axis=1)[np.arange(len(truth)), truth])
    return float(loss + TEMPERATURE_ROWS * (slope - 1 - np.log(slope)) + SHIFT_ROWS * np.sum(shift**2) / 2)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 5), st.integers(1, 60), st.floats(0.2, 5))
def test_nothing_is_likelier(seed: int, classes: int, rows: int, scale: float) -> None:
    from scipy.optimize import minimize

    logits, truth = drawn(seed, classes, rows, scale)
    found = fit_correction(logits, truth)
    shift = np.array([0, *found.shift]) if classes == 2 else np.array(found.shift)
    mine = cost(logits, truth, 1 / found.temperature, shift - shift.mean())
    best = minimize(
        lambda at: cost(logits, truth, np.exp(at[0]), at[1:]), np.zeros(1 + classes), method="BFGS"
    ).fun  # fmt: skip
    assert mine <= best + allowed(best, 100 * (rows + classes), of=abs(best) + rows, unit=DOUBLE)


def test_a_known_temperature_is_found() -> None:
    """The information of a slope of 20,000 rows: its standard error is 1 / sqrt(sum p (1 - p) z²)."""
    logits, truth = drawn(0, 2, 20_000, 3.0)
    found = fit_correction(logits, truth)
    z = logits[:, 0]
    p = 1 / (1 + np.exp(-z / 3))
    error = 1 / np.sqrt(np.sum(p * (1 - p) * z**2))
    assert abs(1 / found.temperature - 1 / 3) < 5 * error


@pytest.mark.parametrize("weight", [30.0, 1 / 7])
def test_what_weights_shift_is_taken_out(weight: float) -> None:
    """Logits of a network that learned with weights tell log w too much; told beforehand, few rows suffice."""
    logits, truth = drawn(1, 2, 40, 1.0)
    plain = fit_correction(logits, truth)
    weighted = fit_correction(logits + np.log(weight), truth, (0.0, float(np.log(weight))))
    room = allowed(1.0, 10_000, unit=DOUBLE)
    assert abs(plain.temperature - weighted.temperature) < room * plain.temperature
    np.testing.assert_array_less(
        np.abs(plain.probabilities(logits) - weighted.probabilities(logits + np.log(weight))), room
    )


def test_what_is_told_on_average_is_the_share() -> None:
    """The likelihood's own equation: the sum told of each class is its rows, less the pull of the prior."""
    logits, truth = drawn(2, 4, 300, 2.0)
    logits = logits + np.arange(4)
    found = fit_correction(logits, truth)
    told, rows = found.probabilities(logits).sum(axis=0), np.bincount(truth, minlength=4)
    off = np.abs(told + SHIFT_ROWS * np.array(found.shift) - rows)
    assert np.all(off < SMALL_STEP * np.sum(1 + np.abs(logits)))  # curvature is at most that, times the last step


def test_rows_that_are_all_right_do_not_ask_for_certainty() -> None:
    found = fit_correction(np.array([[9.0], [-9.0]] * 10), np.array([1, 0] * 10))
    assert 0.5 < found.temperature <= 1


def test_what_counted_the_same_is_shifted_by_many_rows_only() -> None:
    """The likelihood's own equation, with the stronger belief; of few rows little is left of a shift."""
    for rows in (30, 3000):
        logits, truth = drawn(3, 2, rows, 1.0)
        found = [fit_correction(logits + 1, truth, known) for known in ((), (0.0, 0.0))]
        each = [correction.shift[0] for correction in found]
        assert each[0] < each[1] < 0
        assert (each[1] < 0.9 * each[0]) == (rows == 3000)
        told = found[1].probabilities(logits + 1).sum(axis=0)
        off = np.abs(told + SAME_SHIFT_ROWS * np.array([-0.5, 0.5]) * found[1].shift[0] - np.bincount(truth))
        assert np.all(off < SMALL_STEP * np.sum(2 + np.abs(logits)))


def test_no_rows_leave_only_what_is_known() -> None:
    assert fit_correction(np.empty((0, 1)), np.empty(0, int), (0.0, 2.0)) == Correction(1.0, (-2.0,))
    assert not Correction()


def test_logits_are_finite() -> None:
    with pytest.raises(DataError, match="finite"):
        fit_correction(np.array([[np.inf]]), np.array([1]))
