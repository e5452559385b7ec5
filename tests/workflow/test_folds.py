# SPDX-License-Identifier: Apache-2.0
"""Rows are left out in turns: any, whole groups, or what comes after the rows learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.data import Preparation, check, from_data, split, split_whole
from edgeling.report.comparing import comparison_section
from edgeling.workflow.folds import Units, folds
from edgeling.workflow.problem import Problem
from edgeling.workflow.settings import Settings
from edgeling.workflow.summary import trained_content
from edgeling.workflow.train import train

RNG = np.random.default_rng(8)
ROWS = 120
A = RNG.normal(size=ROWS)


def problem(y: Any) -> Problem:
    checked = check(from_data({"a": A[: len(y)], "y": y}), "y")
    return Problem.of(checked, Preparation.fit(checked, np.arange(len(y))), Settings())


NUMBERS, WORDS = problem(A * A), problem(np.where(A > 0.5, "yes", "no"))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 40), min_size=ROWS, max_size=ROWS).filter(lambda told: len(set(told)) > 4))
def test_what_is_left_out_is_later_than_what_is_learned_from(times: list[int]) -> None:
    units = np.unique(times, return_inverse=True)[1]
    parts = split_whole(units, shuffled=False)
    cut = folds(NUMBERS, parts, 5, Units("time", units))
    for learn, out in cut:
        assert units[learn].max() < units[out].min()
    told = np.concatenate([out for _, out in cut])
    assert len(set(told)) == len(told)
    assert not set(told) & set(parts.test)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 12), min_size=ROWS, max_size=ROWS).filter(lambda told: len(set(told)) > 4))
def test_no_group_is_learned_from_and_left_out(told: list[int]) -> None:
    units = np.unique(told, return_inverse=True)[1]
    parts = split_whole(units, shuffled=True)
    cut = folds(NUMBERS, parts, 5, Units("group", units))
    assert not any(set(units[learn]) & set(units[out]) for learn, out in cut)
    known = np.concatenate([parts.train, parts.validation])
    assert sorted(np.concatenate([out for _, out in cut])) == sorted(known)


def test_time_is_scikit_learns_series_of_later_and_later_parts() -> None:
    from sklearn.model_selection import TimeSeriesSplit

    parts = split(ROWS, validation=0.2, test=0.0)
    ordered = np.sort(parts.train)
    theirs = TimeSeriesSplit(n_splits=4, test_size=len(ordered) // 8).split(ordered)
    ours = folds(NUMBERS, parts, 5, Units("time", np.arange(ROWS)))[1:]
    for (_, out), (_, test) in zip(ours, theirs, strict=True):
        assert sorted(out) == ordered[test].tolist()


@pytest.mark.parametrize("kind", ["time", "group"])
def test_every_class_is_learned_in_every_fold(kind: Any) -> None:
    units = np.arange(ROWS) // 3
    late = problem(np.where(np.arange(ROWS) < 70, "early", "late"))
    for known in (WORDS, late):
        parts = split_whole(units, shuffled=kind == "group")
        cut = folds(known, parts, 5, Units(kind, units))
        assert all(len(np.unique(known.y[learn])) == 2 for learn, _ in cut[1:])


def test_a_table_in_time_is_compared_on_several_parts_and_the_page_says_so() -> None:
    table = from_data({"day": np.arange(300), "a": RNG.normal(size=300), "y": RNG.normal(size=300)})
    trained = train(table, "y", split="time:day", targets=("native",), importance=False)
    assert trained.selection
    assert trained.selection.folds == 5
    comparison = trained_content(trained, "").comparison
    assert comparison
    assert "each later than those that were learned from" in str(comparison_section(comparison))
