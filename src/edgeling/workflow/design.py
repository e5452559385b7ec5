# SPDX-License-Identifier: Apache-2.0
"""Rows as a linear model sees them: numbers, and columns of categories that stand for a column of 0 and 1 each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeling.graph.types import Array
from edgeling.workflow.category_embedding import starts_of

_STEPS, _SMALL = 200, 1e-8


@dataclass(frozen=True, eq=False)
class Design:
    """A matrix [rows, weights], never written out: numbers, indicators of categories, and a one for the bias.

    Attributes:
        numbers: float64 [rows, columns].
        places: int [rows, k]: which indicator is 1, for each of k columns; -1: none.
        depth: how many indicators.
    """

    numbers: Array
    places: Array
    depth: int = 0

    @classmethod
    def of(cls, x: Array, sizes: Sequence[int] = ()) -> Design:
        """Of prepared rows, whose last columns are codes of so many categories each."""
        wide = np.asarray(x, np.float64)
        columns = wide.shape[1] - len(sizes)
        codes, most = wide[:, columns:].astype(np.int64), np.array(sizes, np.int64)
        known = (codes >= 0) & (codes < most)
        places = np.where(known, codes + np.array(starts_of(sizes), np.int64), -1)
        return cls(wide[:, :columns], places, int(sum(sizes)))

    @property
    def weights(self) -> int:
        """How many there are for each output: of numbers, of indicators, the bias."""
        return self.numbers.shape[1] + self.depth + 1

    def times(self, w: Array) -> Array:
        """The product with [weights, outputs]."""
        columns = self.numbers.shape[1]
        told: Array = self.numbers @ w[:columns] + w[-1]
        table = np.concatenate([w[columns:-1], np.zeros((1, w.shape[1]))])  # which -1 finds
        for place in self.places.T:
            told = told + table[place]
        return told

    def back(self, r: Array) -> Array:
        """The product of the transpose with [rows, outputs]."""
        found = np.zeros((self.depth + 1, r.shape[1]))
        for place in self.places.T:
            each = place % (self.depth + 1)
            found += np.stack([np.bincount(each, column, self.depth + 1) for column in r.T], axis=1)
        return np.concatenate([self.numbers.T @ r, found[:-1], r.sum(axis=0, keepdims=True)])

    def squares(self) -> Array:
        """[weights]: the sum of squares of each column."""
        counts = np.bincount(self.places[self.places >= 0], minlength=self.depth)
        return np.concatenate([np.square(self.numbers).sum(axis=0), counts, [len(self.numbers)]])


def ridge_of(design: Design, y: Array, strength: float) -> Array:
    """Weights [weights, 1] that make ``sum((design w - y)^2) + strength * sum(w^2)`` least, the bias left out of that.

    Conjugate gradients on the normal equations, scaled by their diagonal (Golub and Van Loan, algorithm 11.5.1).
    """
    held = np.full((design.weights, 1), strength)
    held[-1] = 0
    scale = np.maximum(design.squares()[:, None] + held, 1e-12)
    w = np.zeros((design.weights, 1))
    left = design.back(np.asarray(y, np.float64)[:, None])
    way = scaled = left / scale
    size = first = float(np.sum(left * scaled))
    for _ in range(_STEPS):
        if size <= _SMALL**2 * first:
            break
        turned = design.back(design.times(way)) + held * way
        step = size / float(np.sum(way * turned))
        w, left = w + step * way, left - step * turned
        scaled = left / scale
        size, before = float(np.sum(left * scaled)), size
        way = scaled + size / before * way
    return w
