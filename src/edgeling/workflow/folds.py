# SPDX-License-Identifier: Apache-2.0
"""Rows left out in turns: any rows, whole groups, or what comes after the rows learned from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from edgeling.data import Split
from edgeling.data.split import random_order
from edgeling.data.table import distinct_values
from edgeling.graph.types import Array
from edgeling.workflow.problem import Problem

FOLDS = 5
LEAST_PAST = 0.5  # of the rows learned from, in time: fewer tell little of what is deployed in the end

Fold = tuple[Array, Array]
"""Positions of rows to learn from, and of those left out."""


@dataclass(frozen=True, eq=False)
class Units:
    """What is never cut in two.

    Attributes:
        kind: groups, or points in time.
        of_rows: int [rows] of the table, each row's unit, in their order.
    """

    kind: Literal["group", "time"]
    of_rows: Array


def folds(problem: Problem, parts: Split, count: int, units: Units | None = None) -> list[Fold]:
    """The division's own rows to validate first; then those it learns from, left out in turns.

    Every class is left out in the same proportion, and of each some row is always learned from. Of groups whole ones
    are left out; of rows in time the later half, each part told by what learned from the rows before it (as
    scikit-learn's ``TimeSeriesSplit``). Units that leave a class nothing to learn from are not left out.

    Args:
        count: at the most.
        units: None: any rows.
    """
    found = [(parts.train, parts.validation)]
    if count < 3:
        return found
    if units is None:
        turns = _dealt(problem, parts.train, count - 1)
        cut = ((parts.train[turns != turn], parts.train[turns == turn], turn) for turn in range(count - 1))
        return found + [(np.concatenate([learn, parts.validation]), out) for learn, out, _ in cut if len(out)]
    made = _after(units, parts.train, count - 1) if units.kind == "time" else _groups(problem, units, parts, count - 1)
    return found + [fold for fold in made if _tells_every_class(problem, fold[0])]


def _dealt(problem: Problem, rows: Array, turns: int) -> Array:
    """int [rows]: in which turn each is left out; -1 never."""
    dealt = np.full(len(rows), -1)
    codes = problem.y[rows] if problem.classes else np.zeros(len(rows), np.int32)
    order = random_order(len(rows), problem.settings.seed, substream=2)
    for code in distinct_values(codes):
        members = order[codes[order] == code]
        if len(members) > 1:
            dealt[members] = np.arange(len(members)) % turns
    return dealt


def _groups(problem: Problem, units: Units, parts: Split, turns: int) -> Iterator[Fold]:
    """Groups at random, so that as many rows as can be fall to each turn."""
    own = units.of_rows[parts.train]
    known, sizes = np.unique(own, return_counts=True)
    order = random_order(len(known), problem.settings.seed, substream=2)
    middles = np.cumsum(sizes[order]) - sizes[order] / 2
    turn_of = np.empty(len(known), np.int64)
    turn_of[order] = (turns * middles / len(own)).astype(np.int64)
    turn = turn_of[np.searchsorted(known, own)]
    for each in range(turns):
        out = turn == each
        if out.any() and not out.all():
            yield np.concatenate([parts.train[~out], parts.validation]), parts.train[out]


def _after(units: Units, rows: Array, turns: int) -> Iterator[Fold]:
    """Parts of the later rows, and what comes before each."""
    own = units.of_rows[rows]
    begins = np.sort(own)[(len(own) * np.linspace(LEAST_PAST, 1, turns, endpoint=False)).astype(np.int64)]
    ends = np.append(begins, own.max() + 1)
    for begin, end in pairwise(ends):
        before, out = own < begin, (own >= begin) & (own < end)
        if before.any() and out.any():
            yield rows[before], rows[out]


def _tells_every_class(problem: Problem, rows: Array) -> bool:
    return not problem.classes or len(distinct_values(problem.y[rows])) == problem.classes
