# SPDX-License-Identifier: Apache-2.0
"""Dividing rows into those learned from, those that decide when to stop, and those that judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeling.data.table import distinct_values
from edgeling.errors import DataError
from edgeling.graph.random import SPLIT_STREAM, random_bits
from edgeling.graph.types import Array


@dataclass(frozen=True, eq=False)
class Split:
    """Row positions, int64, each row in exactly one part and each part in random order."""

    train: Array
    validation: Array
    test: Array


def split(
    rows: int, classes: Array | None = None, *, validation: float = 0.15, test: float = 0.2, seed: int = 0
) -> Split:
    """Divide ``rows`` rows at random; the same arguments always give the same division.

    With ``classes`` (int [rows]) every class is divided in these proportions (stratified), and a class of two rows
    or more appears in both train and test; one of three or more in validation too, if that is wanted at all.
    Without, all rows are treated as one class.

    A ``test`` of 0 is for those who judge on other rows.

    Raises:
        DataError: fractions that leave nothing to learn from, or fewer than two rows in a class.
    """
    _require_fractions(validation, test)
    order = random_order(rows, seed)
    codes = np.zeros(rows, np.int32) if classes is None else np.asarray(classes)
    groups = [order[codes[order] == code] for code in distinct_values(codes)]
    parts = [_divide(group, validation, test) for group in groups]
    ranks = np.argsort(order)
    train, held, judged = (_in_order(part, ranks) for part in zip(*parts, strict=True))
    return Split(train, held, judged)


def split_whole(units: Array, *, shuffled: bool, validation: float = 0.15, test: float = 0.2, seed: int = 0) -> Split:
    """Divide rows so that no unit lies in two parts: rows of one patient, or of one point in time.

    Args:
        units: int [rows], each row's unit, numbered in their order from 0.
        shuffled: groups: units fall to the parts at random. Otherwise times: what comes last is tested on, what comes
            before it validates, and the past is learned from.

    The parts' shares are as near to the fractions as whole units allow, with one unit to learn from at the least.

    Raises:
        DataError: fewer units than parts.
    """
    _require_fractions(validation, test)
    sizes = np.bincount(units)
    if len(sizes) < 2 + (validation > 0 and test > 0):
        raise DataError(
            "every part needs a group or a point in time of its own",
            received=f"{len(sizes)} different value{'s' * (len(sizes) != 1)} to divide by",
            remedy="another column to divide by, or divide at random",
        )
    order = random_order(len(sizes), seed) if shuffled else np.arange(len(sizes))
    ends = np.cumsum(sizes[order])
    judged = _cut(ends, 1 - test, 1 + (validation > 0)) if test else len(sizes)
    held = _cut(ends[:judged], 1 - validation / (1 - test), 1) if validation else judged
    place = np.empty(len(sizes), np.int64)
    place[order] = np.arange(len(sizes))
    rows = random_order(len(units), seed, substream=1)
    part = np.searchsorted([held, judged], place[units[rows]], side="right")
    return Split(rows[part == 0], rows[part == 1], rows[part == 2])


def _cut(ends: Array, share: float, least: int) -> int:
    """How many units, ``least`` at the least and one fewer than all at the most, hold a share of the rows."""
    nearest = int(np.argmin(np.abs(ends - share * ends[-1]))) + 1
    return min(max(nearest, least), len(ends) - 1)


def _require_fractions(validation: float, test: float) -> None:
    if not (0 <= validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise DataError(
            "validation and test are fractions that leave rows to train on",
            received=f"validation {validation}, test {test}", remedy="validation=0.15, test=0.2",
        )  # fmt: skip


def random_order(size: int, seed: int, substream: int = 0) -> Array:
    """A random permutation: positions sorted by a random word each (ties, at 2**-32 a pair, keep their order)."""
    return np.argsort(random_bits(size, seed=seed, stream=SPLIT_STREAM, substream=substream), kind="stable")


def _divide(group: Array, validation: float, test: float) -> tuple[Array, Array, Array]:
    """Cut one class into train, validation and test."""
    if len(group) < 2:
        raise DataError(
            "every class needs at least 2 rows to be divided", received=f"{len(group)}",
            remedy="add rows of the class, or remove it",
        )  # fmt: skip
    judged = min(max(1, round(test * len(group))), len(group) - 1) if test else 0
    wanted = max(1, round(validation * len(group))) if validation else 0
    held = min(wanted, len(group) - judged - 1)
    return group[judged + held :], group[judged : judged + held], group[:judged]


def _in_order(parts: tuple[Array, ...], ranks: Array) -> Array:
    """The classes' shares mixed again: without this a part would hold one class after another."""
    mixed = np.concatenate(parts)
    return mixed[np.argsort(ranks[mixed])]
