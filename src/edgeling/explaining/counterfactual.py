# SPDX-License-Identifier: Apache-2.0
"""The least change of one or two columns of a row that changes its answer.

Source of the question: Wachter, Mittelstadt and Russell, "Counterfactual explanations without opening the black box"
(2018). One or two columns can be searched through: every value of a grid, then the way from the row to the nearest that
does, halved until it is as short as can be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from edgeling.graph.types import Array

_POINTS_ALONE, _POINTS_TOGETHER = 201, 61
_HALVINGS = 24

Predict = Callable[[Array], Array]
Wanted = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Range:
    """What may be tried of a column.

    Attributes:
        values: float32, from the least to the largest of numbers; of a category its codes.
        unit: the difference that counts as one: a standard deviation; of a category any other kind counts as one.
        is_category: whether there is nothing between two values.
    """

    values: Array
    unit: float = 1.0
    is_category: bool = False

    @classmethod
    def between(cls, low: float, high: float, unit: float, points: int) -> Range:
        """Numbers equally far apart."""
        return cls(np.linspace(low, high, points, dtype=np.float32), unit or 1.0)

    def distance(self, value: float, others: Array) -> Array:
        """How far others are from a value."""
        if self.is_category:
            return (others != value).astype(np.float64)
        return np.abs(others.astype(np.float64) - np.nan_to_num(value)) / self.unit


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """A change that changes the answer.

    Attributes:
        columns: that are changed, one or two.
        values: float64, what they become.
        distance: how far they move together (root of the sum of squares), in standard deviations; a category is one.
        answer: float [outputs], the answer then.
    """

    columns: tuple[int, ...]
    values: tuple[float, ...]
    distance: float
    answer: Array


def counterfactual(
    predict: Predict, row: Array, ranges: dict[int, Callable[[int], Range]], wanted: Wanted, together: int = 2
) -> tuple[Counterfactual, ...]:
    """The least change of each column alone that has one; or, where no column does alone, of each two; nearest first.

    Args:
        predict: from inputs [n, columns] to answers [n, outputs].
        row: float32 [columns].
        ranges: by column that may be changed, what may be tried of it, in about so many points.
        wanted: from answers [n, outputs] to bool [n], whether they are what is to be reached.
        together: how many columns at most.
    """
    for count, points in zip(range(1, together + 1), (_POINTS_ALONE, _POINTS_TOGETHER), strict=False):
        tried = {column: make(points) for column, make in ranges.items()}
        found = list(_of_each(predict, row, tried, wanted, count))
        if found:
            return tuple(sorted(found, key=lambda each: each.distance))
    return ()


def _of_each(
    predict: Predict, row: Array, tried: dict[int, Range], wanted: Wanted, count: int
) -> Iterator[Counterfactual]:
    for columns in combinations(tried, count):
        found = _nearest(predict, row, columns, [tried[c] for c in columns], wanted)
        if found is not None:
            yield found


def _nearest(
    predict: Predict, row: Array, columns: Sequence[int], ranges: Sequence[Range], wanted: Wanted
) -> Counterfactual | None:
    grid = np.stack(np.meshgrid(*(r.values for r in ranges), indexing="ij"), axis=-1).reshape(-1, len(columns))
    hits = np.flatnonzero(wanted(predict(_moved(row, columns, grid))))
    if not len(hits):
        return None
    start = row[list(columns)].astype(np.float64)
    far = _distances(start, grid[hits], ranges)
    value = _nearer(predict, row, columns, ranges, grid[hits[np.argmin(far)]].astype(np.float64), wanted)
    value = _in_few_digits(predict, row, columns, value, wanted)
    answer = predict(_moved(row, columns, value[None]))[0]
    values = tuple(float(np.float32(v)) for v in value)
    return Counterfactual(tuple(columns), values, float(_distances(start, value[None], ranges)[0]), answer)


def _nearer(
    predict: Predict, row: Array, columns: Sequence[int], ranges: Sequence[Range], value: Array, wanted: Wanted
) -> Array:
    """Along the straight way back to the row, as near as the answer lasts; categories stay as they are."""
    start = row[list(columns)].astype(np.float64)
    moving = np.array([not r.is_category for r in ranges]) & np.isfinite(start)
    near, far = 0.0, 1.0
    for _ in range(_HALVINGS if moving.any() else 0):
        middle = (near + far) / 2
        tried = np.where(moving, start + middle * (value - start), value)
        holds = bool(wanted(predict(_moved(row, columns, tried[None])))[0])
        near, far = (near, middle) if holds else (middle, far)
    return np.where(moving, start + far * (value - start), value)


def _in_few_digits(predict: Predict, row: Array, columns: Sequence[int], value: Array, wanted: Wanted) -> Array:
    """In as few significant digits, of 3 to 6, as still do: people are told it, and may try it."""
    for digits in range(3, 7):
        short = np.array([float(f"{v:.{digits}g}") for v in value])
        if bool(wanted(predict(_moved(row, columns, short[None])))[0]):
            return short
    return value


def _moved(row: Array, columns: Sequence[int], values: Array) -> Array:
    moved = np.repeat(row[None], len(values), axis=0)
    moved[:, list(columns)] = values
    return moved


def _distances(start: Array, values: Array, ranges: Sequence[Range]) -> Array:
    parts = [np.square(r.distance(s, v)) for r, s, v in zip(ranges, start, values.T, strict=True)]
    distances: Array = np.sqrt(np.sum(parts, axis=0))
    return distances
