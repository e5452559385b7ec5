# SPDX-License-Identifier: Apache-2.0
"""Shapley values of a row's columns: what each adds to the answer, over all orders in which columns become known.

What is known of a row are some of its columns; the others are those of rows of a background, one row after the other,
and the answer is the mean over them. A category is one column, whatever the network makes of it.

Sources: Shapley, "A value for n-person games" (1953); the game is the interventional one of Lundberg and Lee, "A
unified approach to interpreting model predictions" (2017), as the ``shap`` package plays it with an Independent masker;
sampling by orders and their reverses: Mitchell et al., "Sampling permutations for Shapley value estimation" (2022).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import factorial

import numpy as np

from edgeling.errors import DataError
from edgeling.graph.random import permutation
from edgeling.graph.types import Array

MOST_EXACT = 12
"""Columns up to which every subset is asked: 4,096 of them."""
_CHUNK = 1 << 22  # elements handed to one call of predict at most
_PAIRS = 8  # of an order and its reverse, for each row of the background

Predict = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Attributions:
    """What each column adds to the answers of some rows, in the answers' unit.

    Attributes:
        values: float64 [rows, columns, outputs].
        base: float64 [outputs], the mean answer over the background.
        answers: float64 [rows, outputs]. ``base + values.sum(axis=1)`` is ``answers``.
        standard_errors: as ``values``, where orders were sampled; None where every subset was asked.
    """

    values: Array
    base: Array
    answers: Array
    standard_errors: Array | None = None

    @property
    def completeness(self) -> float:
        """How far the sums of what columns add are from what they are to explain, at the most."""
        return float(np.max(np.abs(self.base + self.values.sum(axis=1) - self.answers), initial=0))


def shapley(predict: Predict, x: Array, background: Array, seed: int = 0) -> Attributions:
    """Shapley values: exact up to ``MOST_EXACT`` columns, sampled beyond, with their standard errors.

    Args:
        predict: from inputs [n, columns] to answers [n, outputs]; rows must not depend on each other.
        x: [rows, columns], the rows to explain.
        background: [any, columns], rows to compare with.
        seed: of the orders drawn.

    Raises:
        DataError: no rows, or shapes that do not fit together.
    """
    _require_rows(x, background)
    explain_row = exact_row if x.shape[1] <= MOST_EXACT else _sampled_row(seed)
    found = [explain_row(predict, row, background) for row in x]
    base = predict(background).astype(np.float64).mean(axis=0)
    errors = [each for _, each in found if each is not None]
    return Attributions(
        np.stack([values for values, _ in found]), base, predict(x).astype(np.float64),
        np.stack(errors) if errors else None,
    )  # fmt: skip


def exact_row(predict: Predict, row: Array, background: Array) -> tuple[Array, None]:
    """float64 [columns, outputs] of one row, from the answers to every subset of its columns."""
    columns = len(row)
    worth = subset_answers(predict, row, background)
    return np.tensordot(subset_weights(columns), worth, axes=(1, 0)), None


def subset_answers(predict: Predict, row: Array, background: Array) -> Array:
    """float64 [2 ** columns, outputs]: the mean answer where the columns in each subset (bit i: column i) are known."""
    masks = _masks(len(row))
    step = max(1, _CHUNK // background.size)
    parts = []
    for start in range(0, len(masks), step):
        known = masks[start : start + step, None, :]
        mixed = np.where(known, row, background[None])
        answers = predict(mixed.reshape(-1, len(row))).astype(np.float64)
        parts.append(answers.reshape(len(known), len(background), -1).mean(axis=1))
    return np.concatenate(parts)


def _masks(columns: int) -> Array:
    """bool [2 ** columns, columns]"""
    return (np.arange(1 << columns)[:, None] >> np.arange(columns) & 1).astype(bool)


@cache
def subset_weights(columns: int) -> Array:
    """float64 [columns, 2 ** columns]: how each subset's answer counts for each column."""
    known = _masks(columns)
    size = known.sum(axis=1)
    with_it, without = size_weights(columns)
    return np.where(known.T, with_it[size], -without[size])


def size_weights(columns: int) -> tuple[Array, Array]:
    """float64 [columns + 1] each: what a subset of 0, 1... columns counts for one in it, and against one not."""
    total = factorial(columns)
    orders = [factorial(n) * factorial(columns - 1 - n) / total for n in range(columns)]
    return np.array([0.0, *orders]), np.array([*orders, 0.0])


def _sampled_row(seed: int) -> Callable[[Predict, Array, Array], tuple[Array, Array]]:
    def explain_row(predict: Predict, row: Array, background: Array) -> tuple[Array, Array]:
        return sampled_row(predict, row, background, seed=seed)

    return explain_row


def sampled_row(
    predict: Predict, row: Array, background: Array, *, pairs: int = _PAIRS, seed: int = 0
) -> tuple[Array, Array]:
    """Estimates [columns, outputs] and their standard errors, from ``pairs`` orders and their reverses for each row of
    the background.

    Every row of the background counts the same, so what the columns add is complete whatever the draw.
    """
    columns, count = len(row), len(background)
    means = np.zeros((pairs, count, columns, 0))
    for pair in range(pairs):
        orders = np.stack([permutation(columns, seed=seed, step=pair * count + b) for b in range(count)])
        both = [_along(predict, row, background, one) for one in (orders, orders[:, ::-1])]
        if not means.shape[-1]:
            means = np.zeros((pairs, count, columns, both[0].shape[-1]))
        means[pair] = (both[0] + both[1]) / 2
    spread = means.var(axis=0, ddof=1) if pairs > 1 else np.full(means.shape[1:], np.nan)
    return means.mean(axis=(0, 1)), np.sqrt(spread.sum(axis=0) / pairs) / count


def _along(predict: Predict, row: Array, background: Array, orders: Array) -> Array:
    """[background, columns, outputs]: what each column adds where columns become known in one order a row."""
    columns = orders.shape[1]
    ranks = np.argsort(orders, axis=1)
    known = ranks[:, None, :] < np.arange(columns + 1)[None, :, None]
    mixed = np.where(known, row, background[:, None, :])
    parts = [
        predict(chunk.reshape(-1, columns)).astype(np.float64).reshape(len(chunk), columns + 1, -1)
        for chunk in np.array_split(mixed, max(1, -(-mixed.size // _CHUNK)))
        if len(chunk)
    ]
    gains = np.diff(np.concatenate(parts), axis=1)
    return np.take_along_axis(gains, ranks[:, :, None], axis=1)


def _require_rows(x: Array, background: Array) -> None:
    if x.ndim != 2 or background.ndim != 2 or x.shape[1:] != background.shape[1:] or not x.size or not background.size:
        raise DataError(
            "rows to explain and rows to compare them with have the same columns, and there are some of each",
            received=f"shapes {x.shape} and {background.shape}", remedy="the same columns in both, and a row at least",
        )  # fmt: skip
