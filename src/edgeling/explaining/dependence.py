# SPDX-License-Identifier: Apache-2.0
"""How answers change with one column, for every row and on average; and how far two columns act together.

Sources: partial dependence: Friedman, "Greedy function approximation" (2001), as scikit-learn's ``partial_dependence``
with ``method="brute"``; a curve for each row: Goldstein et al., "Peeking inside the black box" (2015); interactions:
Friedman and Popescu, "Predictive learning via rule ensembles" (2008), section 8.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from edgeling.errors import DataError
from edgeling.graph.types import Array

GRID = 25
_ENDS = (0.05, 0.95)
_CHUNK = 1 << 22  # elements handed to one call of predict at most

Predict = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Dependence:
    """Answers with one column put to each value of a grid.

    Attributes:
        column: its position.
        grid: [points].
        curves: float64 [rows, points, outputs], one curve a row (ICE).
    """

    column: int
    grid: Array
    curves: Array

    @property
    def mean(self) -> Array:
        """float64 [points, outputs], the partial dependence."""
        mean: Array = self.curves.mean(axis=0)
        return mean

    @property
    def reach(self) -> float:
        """From the least to the largest mean answer, of the output where that is furthest."""
        return float(np.ptp(self.mean, axis=0).max())


@dataclass(frozen=True)
class Interaction:
    """Two columns, and how far they act together.

    Attributes:
        strength: Friedman and Popescu's H: the share (0 to 1, of the standard deviation) of the two columns' joint
            partial dependence that is not the sum of their own.
        size: that part's standard deviation, in the answer's unit.
        by_output: both of each output by itself.
    """

    columns: tuple[int, int]
    strength: float
    size: float
    by_output: tuple[tuple[float, float], ...] = ()


def grid_of(values: Array, points: int = GRID) -> Array:
    """Values to try: all, where they are few; else so many equally far apart between the 5th and 95th percentile.

    Raises:
        DataError: no value is known.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        raise DataError(
            "a column's values are known in some rows", received="none",
            remedy="another column, or a table with values in it",
        )  # fmt: skip
    distinct = np.sort(known)
    distinct = distinct[np.concatenate([[True], distinct[1:] != distinct[:-1]])]
    if len(distinct) < points:
        return distinct
    low, high = np.quantile(known, _ENDS)
    return np.linspace(low, high, points, dtype=np.float32) if low < high else distinct[[0, -1]]


def partial_dependence(predict: Predict, x: Array, column: int, grid: Array) -> Dependence:
    """Answers for every row [rows, columns] with one column put to each value of the grid."""
    return Dependence(column, grid, _curves(predict, x, (column,), grid[:, None]))


def interactions(predict: Predict, x: Array, columns: Sequence[int]) -> tuple[Interaction, ...]:
    """How far each two of some columns act together on these rows, the strongest first (by size).

    The partial dependences are taken at the rows' own values: ``rows ** 2`` answers for each column and each pair, so
    some dozens of rows are enough.
    """
    alone = {c: _centred(_curves(predict, x, (c,), x[:, [c]]).mean(axis=0)) for c in columns}
    found = [_interaction(predict, x, pair, alone) for pair in combinations(columns, 2)]
    return tuple(sorted(found, key=lambda each: -each.size))


def _interaction(predict: Predict, x: Array, pair: tuple[int, int], alone: dict[int, Array]) -> Interaction:
    together = _centred(_curves(predict, x, pair, x[:, pair]).mean(axis=0))
    left = np.square(together - alone[pair[0]] - alone[pair[1]])
    all_of_it = np.square(together)
    own = tuple(_strength(a, b, len(x)) for a, b in zip(left.sum(axis=0), all_of_it.sum(axis=0), strict=True))
    return Interaction(pair, *_strength(left.sum(), all_of_it.sum(), len(x)), own)


def _strength(left: float, all_of_it: float, rows: int) -> tuple[float, float]:
    """The share, and the size, of what is no sum; both given as sums of squares."""
    share = float(np.sqrt(min(1.0, left / all_of_it))) if all_of_it > 0 else 0.0
    return share, float(np.sqrt(left / rows))


def _centred(values: Array) -> Array:
    return values - values.mean(axis=0)


def _curves(predict: Predict, x: Array, columns: Sequence[int], grid: Array) -> Array:
    """float64 [rows, points, outputs]: answers with ``columns`` put to each point [points, columns]."""
    step, parts = max(1, _CHUNK // x.size), []
    for start in range(0, len(grid), step):
        some = grid[start : start + step]
        moved = np.repeat(x[None], len(some), axis=0)
        moved[:, :, list(columns)] = some[:, None, :]
        answers = predict(moved.reshape(-1, x.shape[1])).astype(np.float64)
        parts.append(answers.reshape(len(some), len(x), -1))
    return np.concatenate(parts).transpose(1, 0, 2)
