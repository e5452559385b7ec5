# SPDX-License-Identifier: Apache-2.0
"""Dividing rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeling.data import split, split_whole
from edgeling.errors import DataError

CODES = st.lists(st.integers(2, 30), min_size=1, max_size=6).map(lambda sizes: np.repeat(np.arange(len(sizes)), sizes))


@given(CODES, st.integers(0, 2**32 - 1), st.floats(0, 0.5), st.floats(0.01, 0.49))
def test_every_row_once_and_every_class_where_it_fits(
    codes: np.ndarray, seed: int, validation: float, test: float
) -> None:
    parts = split(len(codes), codes, validation=validation, test=test, seed=seed)
    assert sorted(np.concatenate([parts.train, parts.validation, parts.test])) == list(range(len(codes)))
    for code, count in enumerate(np.bincount(codes)):
        train, held, judged = ((codes[part] == code).sum() for part in (parts.train, parts.validation, parts.test))
        assert train >= 1
        assert judged >= 1
        assert held >= 1 or count < 3 or validation == 0
        assert train == 1 or abs(judged - test * count) <= 1


def test_iris_is_divided_evenly() -> None:
    codes = np.repeat([0, 1, 2], 50)
    parts = split(150, codes, validation=0.2, test=0.2)
    assert [np.bincount(codes[p]).tolist() for p in (parts.train, parts.validation, parts.test)] == [
        [30] * 3, [10] * 3, [10] * 3,
    ]  # fmt: skip


def test_a_seed_repeats_and_another_differs() -> None:
    first, again, other = (split(100, seed=seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.train, again.train)
    np.testing.assert_array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)
    assert split(100, seed=7).test.tolist()[:5] == first.test.tolist()[:5]


def test_every_row_is_as_likely_to_be_tested() -> None:
    counts = np.zeros(20)
    for seed in range(2000):
        counts[split(20, test=0.25, seed=seed).test] += 1
    assert np.abs(counts / 2000 - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / 2000)


def test_parts_do_not_hold_one_class_after_another() -> None:
    codes = np.repeat([0, 1], 100)
    train = codes[split(200, codes).train]
    assert 20 < np.count_nonzero(np.diff(train)) < 110


@pytest.mark.parametrize(("validation", "test"), [(0.5, 0.5), (1, 0), (-0.1, 0.2), (0.1, 1), (float("nan"), 0.2)])
def test_fractions_that_leave_nothing(validation: float, test: float) -> None:
    with pytest.raises(DataError):
        split(100, validation=validation, test=test)


UNITS = st.lists(st.integers(1, 12), min_size=3, max_size=25).map(lambda sizes: np.repeat(np.arange(len(sizes)), sizes))


@given(UNITS, st.booleans(), st.integers(0, 99))
def test_whole_units_fall_to_one_part_each(units: np.ndarray, shuffled: bool, seed: int) -> None:
    parts = split_whole(units, shuffled=shuffled, seed=seed)
    rows = (parts.train, parts.validation, parts.test)
    assert sorted(np.concatenate(rows)) == list(range(len(units)))
    kinds = [set(units[part]) for part in rows]
    assert all(kinds)
    assert sum(map(len, kinds)) == units[-1] + 1
    if not shuffled:
        assert max(kinds[0]) < min(kinds[1])
        assert max(kinds[1]) < min(kinds[2])
    largest = np.bincount(units).max()
    for part, share in zip(rows, (0.65, 0.15, 0.2), strict=True):
        assert abs(len(part) - share * len(units)) <= 2 * largest + 2


def test_units_may_be_kept_from_testing_where_other_rows_judge() -> None:
    parts = split_whole(np.arange(100) // 10, shuffled=True, test=0.0)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (80, 20, 0) or len(parts.validation) == 10
    assert len(split(100, test=0.0).test) == 0


@pytest.mark.parametrize("units", [[0, 0, 0], [0, 1, 1]])
def test_too_few_units_to_divide(units: list[int]) -> None:
    with pytest.raises(DataError, match="part"):
        split_whole(np.array(units), shuffled=False)


def test_a_class_of_one_row_cannot_be_divided() -> None:
    with pytest.raises(DataError):
        split(5, np.array([0, 0, 0, 0, 1]))
