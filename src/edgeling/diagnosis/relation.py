# SPDX-License-Identifier: Apache-2.0
"""Whether targets have anything to do with inputs, and with one column alone: tests that assume no distribution.

Rows are compared with their nearest neighbours, for any dependence that a network could learn from so many rows shows
there sooner or later, and column by column. What counts as more than chance is told by permuting the targets (Fisher,
"The Design of Experiments", 1935): under no relation every order of them is as likely as the one there is.
"""

from __future__ import annotations

import numpy as np

from edgeling.graph.random import permutation, random_uniform
from edgeling.graph.types import Array

NEIGHBOURS = 5
PERMUTATIONS = 199
MOST_ROWS = 600  # compared with each other: 600 x 600 distances take some milliseconds
BESIDE = 20  # rows on either side of a threshold
CLOSE = 6.0  # mean steps between neighbours there: a step is larger by chance once in exp(6), 400, columns
MANY_COLUMNS, FEW_COLUMNS = 20, 6  # among more, neighbours are far; those that tell most are kept
LEAST_ROWS = 20  # below, no order of the targets is rare enough to tell


def some(rows: int, most: int = MOST_ROWS) -> Array:
    """Positions of at most so many rows, the same every time: one of each of as many equal stretches."""
    if rows <= most:
        return np.arange(rows)
    ends = np.arange(most + 1) * rows // most
    drawn = random_uniform(most, seed=0)
    return ends[:-1] + np.minimum(drawn * np.diff(ends), np.diff(ends) - 1).astype(np.int64)


def standardized(x: Array) -> Array:
    """Columns of mean 0 and deviation 1, constant ones 0: float64 [rows, columns]."""
    flat = np.asarray(x, np.float64).reshape(len(x), -1)
    deviation = flat.std(axis=0)
    return np.asarray((flat - flat.mean(axis=0)) / np.where(deviation > 0, deviation, np.inf))


def columns_of(y: Array, classes: int) -> Array:
    """Targets as columns of deviation 1: one a class, or the ranks of the numbers (so that no outlier decides)."""
    if classes:
        return standardized(np.asarray(y).reshape(-1, 1) == np.arange(classes))
    flat = np.asarray(y, np.float64).reshape(len(y), -1)
    return standardized(np.argsort(np.argsort(flat, axis=0, kind="stable"), axis=0, kind="stable"))


def neighbours(x: Array) -> Array:
    """int [rows, 5]: of each row the nearest others, columns weighing the same."""
    z = standardized(x)
    squares = np.einsum("ij,ij->i", z, z)
    distances = squares[:, None] + squares - 2 * z @ z.T
    np.fill_diagonal(distances, np.inf)
    return np.argpartition(distances, min(NEIGHBOURS, len(z) - 1) - 1, axis=1)[:, :NEIGHBOURS]


def explained_by_neighbours(x: Array, values: Array) -> float:
    """The share of the variance of values [rows, k] that the means of neighbours, left out themselves, account for.

    The correlation of each value with its neighbours' mean, squared where it is positive; 0 of values that do not vary.
    """
    chosen = some(len(x))
    columns, v = standardized(np.asarray(x)[chosen]), standardized(np.asarray(values)[chosen])
    told = _agreement_of_neighbours(columns, v)
    if columns.shape[1] <= MANY_COLUMNS:
        return told
    # In hundreds of columns nobody is near: half of the rows choose the columns, the others are compared in these.
    half = np.arange(len(v)) % 2 == 0
    wide = np.square(np.concatenate([columns, standardized(np.square(columns))], axis=1)[half].T @ v[half]).sum(axis=1)
    kept = np.argsort(-wide.reshape(2, -1).max(axis=0), kind="stable")[:FEW_COLUMNS]
    return max(told, _agreement_of_neighbours(columns[~half][:, kept], standardized(v[~half])))


def _agreement_of_neighbours(x: Array, v: Array) -> float:
    near = v[neighbours(x)].mean(axis=1)
    spread = near.std(axis=0)
    agreement = np.mean(v * (near - near.mean(axis=0)), axis=0) / np.where(spread > 0, spread, np.inf)
    return float(np.max(np.square(np.maximum(agreement, 0.0)), initial=0.0))


def _of_each(labels: Array, classes: int) -> Array:
    """Positions of as many rows of each class as there are and are wanted, that a rare one is heard. (Without a
    relation a row's place does not depend on its label: any choice by labels leaves every order as likely.)"""
    places = [np.flatnonzero(labels == label) for label in range(classes)]
    most = max(2, MOST_ROWS // classes)
    return np.sort(np.concatenate([place[some(len(place), most)] for place in places]))


def chance_of_no_relation(x: Array, y: Array, classes: int) -> float:
    """How often targets in any other order agree as well with the inputs: a p-value of the better of two tests, each
    of them counted (Bonferroni). 0 of too few rows: nothing can be said against them.
    """
    chosen = _of_each(np.asarray(y), classes) if classes else some(len(x))
    if len(chosen) < LEAST_ROWS:
        return 0.0
    z, v = standardized(np.asarray(x)[chosen]), columns_of(np.asarray(y)[chosen], classes)
    near, wide = neighbours(z), np.concatenate([z, standardized(np.abs(z))], axis=1)

    def agreement(values: Array) -> tuple[float, float]:
        single = np.square(wide.T @ values / len(values)).sum(axis=1)
        return float(np.sum(values * values[near].mean(axis=1))), float(np.max(single))

    found = agreement(v)
    orders = (permutation(len(v), seed=1, step=step) for step in range(PERMUTATIONS))
    drawn = np.array([agreement(v[order]) for order in orders])
    least = (1 + np.sum(drawn >= np.asarray(found), axis=0)).min() / (PERMUTATIONS + 1)
    return float(min(1.0, 2 * least))


def told_by_one(column: Array, y: Array, classes: int) -> float:
    """How much of the targets one column tells by itself: 1 where it gives the answer away.

    Of numbers the largest of the squared correlation, that of the ranks (any rising function), and what the neighbours
    along the column tell (any smooth one). Of classes, the share of rows of the commonest class of their value where
    values repeat, else how much of the column's variance the classes account for: a copy of the label, with noise or
    without.
    """
    v = np.asarray(column, np.float64).ravel()
    if not len(v) or v.min() == v.max():
        return 0.0
    if classes:
        return _told_of_classes(v, np.asarray(y).ravel().astype(int), classes)
    t = np.asarray(y, np.float64).reshape(len(v), -1)[:, 0]
    if t.min() == t.max():
        return 0.0
    linear = float(np.corrcoef(v, t)[0, 1] ** 2)
    order = np.lexsort((t, v))
    inner = t[order]
    if len(np.unique(v)) < len(v) / 2:
        return linear  # values repeat: their neighbours are sorted by the target itself
    between = (inner[:-2] + inner[2:]) / 2
    smooth = 1 - np.mean(np.square(inner[1:-1] - between)) / (1.5 * t.var()) if len(t) > 2 else 0.0
    ranks = np.corrcoef(np.argsort(np.argsort(v, kind="stable")), np.argsort(np.argsort(t, kind="stable")))[0, 1]
    return max(linear, float(ranks**2), float(smooth))


def _told_of_classes(v: Array, labels: Array, classes: int) -> float:
    values, places, counts = np.unique(v, return_inverse=True, return_counts=True)
    if len(values) <= len(v) / 5:
        table = np.zeros((len(values), classes))
        np.add.at(table, (places, labels), 1)
        return float(np.sum(table.max(axis=1)[counts > 1]) / len(v))
    if _is_cut(v, labels, classes):
        return 1.0
    members = np.bincount(labels, minlength=classes)
    means = np.bincount(labels, v, minlength=classes) / np.maximum(members, 1)
    return float(np.sum(members * np.square(means - v.mean())) / (len(v) * v.var()))


def _is_cut(v: Array, labels: Array, classes: int) -> bool:
    """Whether the classes are stretches of the column, one after the other, with nothing between them.

    A measurement that tells classes apart has either rows on the wrong side, or a gap that keeps them apart. Where
    values come as close across an end of a stretch as they do beside it, and yet none is on the wrong side, the class
    was made of the column.
    """
    order = np.argsort(v, kind="stable")
    ends = np.flatnonzero(np.diff(labels[order])) + 1
    if len(ends) != classes - 1 or len(np.unique(labels)) != classes:
        return False
    sizes = np.diff([0, *ends, len(v)])
    steps = np.diff(v[order])
    return bool(sizes.min() >= BESIDE) and all(
        0 < steps[end - 1] <= CLOSE * np.mean(steps[end - BESIDE : end + BESIDE - 1]) for end in ends
    )


def most_related(columns: dict[str, Array], y: Array, classes: int, most: int = 50) -> dict[str, Array]:
    """Those columns that go with the targets best, by their correlation with each class or number."""
    if len(columns) <= most:
        return columns
    z, v = standardized(np.column_stack([*columns.values()])), columns_of(y, classes)
    order = np.argsort(-np.square(z.T @ v).sum(axis=1), kind="stable")[:most]
    names = [*columns]
    return {names[i]: columns[names[i]] for i in order}
