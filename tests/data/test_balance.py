# SPDX-License-Identifier: Apache-2.0
"""Rows made for rare classes, against scikit-learn's weights, imbalanced-learn's SMOTE, and what the papers say."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeling.data.balance import Balance, Layout, balanced_rows, balanced_weights, explicit_weights, oversample
from edgeling.errors import DataError, UnsupportedError
from tests.support.close import DOUBLE, SINGLE, allowed, require_close

CODES = st.lists(st.integers(2, 30), min_size=2, max_size=6).map(lambda sizes: np.repeat(np.arange(len(sizes)), sizes))
MADE: list[Balance] = ["oversample", "noise", "mixup", "smote"]
RNG = np.random.default_rng(0)
Y = np.repeat([0, 1, 2], [60, 9, 4])
# Two numbers, a category of three, one of two, and a code.
X = np.concatenate(
    [RNG.normal(size=(73, 2)), np.eye(3)[RNG.integers(0, 3, 73)], np.eye(2)[RNG.integers(0, 2, 73)],
     RNG.integers(0, 99, (73, 1))], axis=1,
).astype(np.float32)  # fmt: skip
LAYOUT = Layout(2, (3, 2), 1)


@given(CODES)
def test_weights_are_scikit_learns(codes: np.ndarray) -> None:
    from sklearn.utils.class_weight import compute_class_weight

    classes = np.unique(codes)
    expected = compute_class_weight("balanced", classes=classes, y=codes)
    found = balanced_weights(codes, len(classes))
    require_close(found, expected, 2 * 2, unit=DOUBLE)  # a product and a quotient of counts
    made = balanced_rows("weights", np.zeros((len(codes), 1), np.float32), codes, len(classes), Layout(1))
    np.testing.assert_array_equal(made.weights, found[codes].astype(np.float32))


@pytest.mark.parametrize("how", ["weights", *MADE])
def test_every_class_has_to_be_there(how: Balance) -> None:
    with pytest.raises(DataError, match="class 1"):
        balanced_rows(how, np.zeros((2, 1), np.float32), np.array([0, 2]), 3, Layout(1))


@given(CODES, st.integers(0, 100))
def test_sampling_evens_the_classes(codes: np.ndarray, seed: int) -> None:
    more = oversample(codes, seed=seed)
    assert set(np.bincount(codes[more])) == {np.bincount(codes).max()}
    assert set(more) == set(range(len(codes)))
    np.testing.assert_array_equal(more, oversample(codes, seed=seed))


def test_oversampling_repeats_rows_evenly() -> None:
    repeats = np.bincount(oversample(np.array([0] * 20 + [1] * 3)))[20:]
    assert repeats.max() - repeats.min() <= 1


@pytest.mark.parametrize("how", MADE)
def test_all_classes_count_the_same_and_a_seed_repeats(how: Balance) -> None:
    made, again, other = (balanced_rows(how, X, Y, 3, LAYOUT, seed=seed) for seed in (1, 1, 2))
    mass = np.bincount(made.y, weights=made.weights)
    # The share of the smaller part is below 1/2, so its variance below 1/16; of mixup, classes are even on average.
    room = 5 * np.sqrt(60 * 2 / 16) if how == "mixup" else allowed(60, len(made.y))
    assert np.all(np.abs(mass - 60) <= room)
    np.testing.assert_array_equal(made.x, again.x)
    assert not np.array_equal(made.x, other.x)
    assert made.x.dtype == np.float32
    assert np.isfinite(made.x).all()


@pytest.mark.parametrize("how", ["oversample", "noise", "smote"])
def test_the_rows_there_are_stay(how: Balance) -> None:
    made = balanced_rows(how, X, Y, 3, LAYOUT)
    np.testing.assert_array_equal(made.x[:73], X)
    np.testing.assert_array_equal(made.y[:73], Y)


@pytest.mark.parametrize("how", ["noise", "smote"])
def test_categories_and_codes_stay_what_they_are(how: Balance) -> None:
    made = balanced_rows(how, X, Y, 3, LAYOUT).x
    for indicators in (made[:, 2:5], made[:, 5:7]):
        assert set(np.unique(indicators)) <= {0, 1}
        np.testing.assert_array_equal(indicators.sum(axis=1), 1)
    assert set(made[:, 7]) <= set(X[:, 7])


def test_noise_is_a_smoothed_bootstrap() -> None:
    """The spread of the noise is Silverman's bandwidth: of N draws, its square is known to 3 of 100 at sqrt(2/N)."""
    y = np.repeat([0, 1], [20_000, 25])
    x = RNG.normal(size=(len(y), 3)).astype(np.float32) * np.float32([1, 5, 0.1])
    made = balanced_rows("noise", x, y, 2, Layout(3), seed=3).x[len(y) :]
    base = x[oversample(y, seed=3)][len(y) :]
    noise = (made - base).astype(np.float64) / x[y == 1].std(axis=0)
    bandwidth = (4 / ((3 + 2) * 25)) ** (1 / (3 + 4))
    spread = np.sqrt(2 / len(noise))
    assert np.all(np.abs(np.mean(noise**2, axis=0) / bandwidth**2 - 1) < 5 * spread)
    assert np.all(np.abs(np.mean(noise, axis=0)) < 5 * bandwidth / np.sqrt(len(noise)))


def test_mixup_has_the_loss_of_mixed_labels() -> None:
    """Each mixed row comes twice, once for each label, and the two weigh what a row does; it lies between two rows."""
    made = balanced_rows("mixup", X, Y, 3, LAYOUT, seed=5)
    half = len(made.x) // 2
    assert made.weights is not None
    np.testing.assert_array_equal(made.x[:half], made.x[half:])
    require_close(made.weights[:half] + made.weights[half:], np.ones(half), 3)
    assert np.all(made.weights[:half] >= 0.5)
    base = X[oversample(Y, seed=5)]
    np.testing.assert_array_equal(made.x[:half, 7], base[:, 7])  # codes are the larger part's
    assert np.all(made.x[:, :2] <= X[:, :2].max(axis=0) + allowed(X[:, :2].max(axis=0), 4))
    for indicators in (made.x[:, 2:5], made.x[:, 5:7]):
        require_close(indicators.sum(axis=1), np.ones(2 * half), 8)


@pytest.mark.parametrize("numbers", [0, 2])
def test_smote_is_imbalanced_learns(numbers: int) -> None:
    from imblearn.over_sampling import SMOTE, SMOTEN

    x = X[:, :2] if numbers else X[:, 2:5].argmax(axis=1)[:, None]
    reference = (SMOTE if numbers else SMOTEN)(random_state=7, k_neighbors=3).fit_resample(x, Y)
    layout, mine = (Layout(2), x) if numbers else (Layout(0, (3,)), X[:, 2:5])
    made = balanced_rows("smote", mine, Y, 3, layout, seed=7)
    np.testing.assert_array_equal(made.x, reference[0] if numbers else np.eye(3, dtype=np.float32)[reference[0][:, 0]])
    np.testing.assert_array_equal(made.y, reference[1])


def test_smote_of_a_class_of_one_row_repeats_it() -> None:
    x, y = np.float32([[0], [1], [2], [9]]), np.array([0, 0, 0, 1])
    made = balanced_rows("smote", x, y, 2, Layout(1))
    assert made.x[made.y == 1].ravel().tolist() == [9, 9, 9]


def test_without_imbalanced_learn_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imblearn", None)
    with pytest.raises(UnsupportedError, match=r"edgeling\[balance\].*noise"):
        balanced_rows("smote", X, Y, 3, LAYOUT)


def test_explicit_weights_name_classes() -> None:
    assert explicit_weights({"b": 3}, ("a", "b")).tolist() == [1, 3]
    with pytest.raises(DataError, match=r"'bb'.*'b'"):
        explicit_weights({"bb": 3}, ("a", "b"))


def test_single_precision_is_what_weights_are_kept_in() -> None:
    made = balanced_rows("weights", X, Y, 3, LAYOUT)
    assert made.weights is not None
    require_close(made.weights.astype(np.float64).mean(), 1.0, len(Y), unit=SINGLE)
