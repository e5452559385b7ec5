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

    Raises:
        DataError: fractions that leave nothing to learn from, or fewer than two rows in a class.
    """
    if not (0 <= validation < 1 and 0 < test < 1 and validation + test < 1):
        raise DataError(
            "validation and test are fractions that leave rows to train on",
            received=f"validation {validation}, test {test}",
            remedy="validation=0.15, test=0.2",
        )
    order = random_order(rows, seed)
    codes = np.zeros(rows, np.int32) if classes is None else np.asarray(classes)
    groups = [order[codes[order] == code] for code in distinct_values(codes)]
    parts = [_divide(group, validation, test) for group in groups]
    ranks = np.argsort(order)
    train, held, judged = (_in_order(part, ranks) for part in zip(*parts, strict=True))
    return Split(train, held, judged)


def random_order(size: int, seed: int, substream: int = 0) -> Array:
    """A random permutation: positions sorted by a random word each (ties, at 2**-32 a pair, keep their order)."""
    return np.argsort(random_bits(size, seed=seed, stream=SPLIT_STREAM, substream=substream), kind="stable")


def _divide(group: Array, validation: float, test: float) -> tuple[Array, Array, Array]:
    """Cut one class into train, validation and test."""
    if len(group) < 2:
        raise DataError("every class needs at least 2 rows to be divided", received=f"{len(group)}")
    judged = min(max(1, round(test * len(group))), len(group) - 1)
    wanted = max(1, round(validation * len(group))) if validation else 0
    held = min(wanted, len(group) - judged - 1)
    return group[judged + held :], group[judged : judged + held], group[:judged]


def _in_order(parts: tuple[Array, ...], ranks: Array) -> Array:
    """The classes' shares mixed again: without this a part would hold one class after another."""
    mixed = np.concatenate(parts)
    return mixed[np.argsort(ranks[mixed])]
