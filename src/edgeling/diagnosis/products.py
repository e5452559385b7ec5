# SPDX-License-Identifier: Apache-2.0
"""What products of two columns tell that no column tells by itself: in hundreds of columns neighbours are too far to.

Half of the rows choose the products, the others are asked what those tell: so that choosing among thousands of pairs
does not count as telling.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from edgeling.diagnosis.relation import PERMUTATIONS, some, standardized
from edgeling.graph.random import permutation
from edgeling.graph.types import Array

LEAST_COLUMNS, MOST_COLUMNS = 2, 512  # their squares and products of all pairs take about a tenth of a second
MOST_ROWS, MOST_VALUES = 2000, 8
PAIRS = 2  # of sums of several products the strongest
REACH = 3.0  # deviations: a row further out counts as one there
_NONE = (0, 0)


@dataclass(frozen=True, eq=False)
class Products:
    """Products of pairs, chosen by one half of the rows.

    Attributes:
        pair: the columns of the strongest.
        told: what their weighted sum says of the other half's values, [others, k].
        values: those, [others, k].
    """

    pair: tuple[int, int]
    told: Array
    values: Array

    @property
    def share(self) -> float:
        """The share of a value's variance in the other half that is told, of the value of which it is the most."""
        return self._shares([np.arange(len(self.values))])[0]

    def chance(self) -> float:
        """How often values in any other order are told as much: a p-value."""
        orders = (permutation(len(self.values), seed=2, step=step) for step in range(PERMUTATIONS))
        drawn = self._shares(orders)
        return (1 + sum(share >= self.share for share in drawn)) / (PERMUTATIONS + 1)

    def _shares(self, orders: Iterable[Array]) -> list[float]:
        told, values = standardized(self.told), standardized(self.values)
        agreements = (np.mean(told * values[order], axis=0) for order in orders)
        return [float(np.square(np.maximum(each, 0.0)).max(initial=0.0)) for each in agreements]


def products(x: Array, values: Array) -> Products:
    """The products that go best with values [rows, k], squares among them; none of more than 512 columns."""
    chosen = some(len(x), MOST_ROWS)
    z = np.clip(standardized(np.asarray(x)[chosen]), -REACH, REACH)
    v = standardized(np.asarray(values, np.float64)[chosen])
    v = v[:, np.sort(np.argsort(-np.std(np.asarray(values)[chosen], axis=0), kind="stable")[:MOST_VALUES])]
    half = np.arange(len(v)) % 2 == 0
    if not LEAST_COLUMNS <= z.shape[1] <= MOST_COLUMNS or len(v) < 4:
        return Products(_NONE, np.zeros((np.sum(~half), v.shape[1])), v[~half])
    strengths = _strengths(z[half], v[half])
    first, second = np.triu_indices(z.shape[1])
    told, pair, most = [], _NONE, 0.0
    for strength in strengths:
        each = strength[first, second]
        *best, next_best = np.argsort(-np.abs(each), kind="stable")[: PAIRS + 1]
        weights = np.sign(each[best]) * (np.abs(each[best]) - np.abs(each[next_best]))  # so much is chance's
        told.append((z[~half][:, first[best]] * z[~half][:, second[best]]) @ weights)
        if abs(each[best[0]]) > most:
            most, pair = float(abs(each[best[0]])), (int(first[best[0]]), int(second[best[0]]))
    return Products(pair, np.stack(told, axis=1), v[~half])


def _strengths(z: Array, v: Array) -> list[Array]:
    """Of each value the correlations with the product of every pair of columns, [columns, columns]."""
    mean = z.T @ z / len(z)
    spread = np.sqrt(np.maximum(np.square(z).T @ np.square(z) / len(z) - np.square(mean), 1e-9))
    centred = v - v.mean(axis=0)
    return [(z * column[:, None]).T @ z / len(z) / spread for column in centred.T]
