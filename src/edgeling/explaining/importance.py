# SPDX-License-Identifier: Apache-2.0
"""Permutation importance: how much worse a model does when one input column no longer tells it anything.

Source: Breiman, "Random Forests", Machine Learning 45 (2001), section 10; with repeats, as in scikit-learn's
``permutation_importance``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from edgeling.errors import DataError
from edgeling.graph.random import permutation
from edgeling.graph.types import Array

# What one predict call is handed at most (unless one repeat alone is larger): 32 MB of float32.
_BATCH_ELEMENTS = 1 << 23

Shuffled = Callable[[int, Sequence[Array]], Iterable[Array]]


@dataclass(frozen=True, eq=False)
class PermutationImportance:
    """How far the score falls when a column is shuffled; in units of the score, larger means more important.

    Attributes:
        feature_names: one a column.
        mean: float64 [features], mean fall over the repeats; about zero, or below, for a column of no use.
        std: float64 [features], standard deviation over the repeats (population formula).
        baseline: the score with nothing shuffled.
        repeats: number of shuffles a column.
        by_class: of each class float64 [features], the mean fall of the score of its rows alone; empty for numbers.
    """

    feature_names: tuple[str, ...]
    mean: Array
    std: Array
    baseline: float
    repeats: int
    by_class: Mapping[str, Array] = field(default_factory=dict)

    def class_json(self) -> dict[str, dict[str, float | None]]:
        """By class and column; None where a class has no row."""
        return {
            label: {n: float(v) if np.isfinite(v) else None for n, v in zip(self.feature_names, own, strict=True)}
            for label, own in self.by_class.items()
        }

    @property
    def ranking(self) -> tuple[int, ...]:
        """Column indices, the most important first; equals keep their order."""
        return tuple(int(i) for i in np.argsort(-self.mean, kind="stable"))


def permutation_importance(
    predict: Callable[[Array], Array],
    x_raw: Array,
    y: Array,
    feature_names: Sequence[str],
    score: Callable[[Array, Array], Any],
    *,
    repeats: int = 10,
    seed: int = 0,
    shuffled: Shuffled | None = None,
    classes: Sequence[str] = (),
) -> PermutationImportance:
    """Shuffle each column of held-out rows in turn, and measure how far the score falls.

    A column is moved as a whole before preparation, so the one-hot indicators of a category stay together.
    Every column sees the same ``repeats`` orders: chance then weighs on all columns alike and disturbs their
    ranking less.

    Args:
        predict: from inputs [n, features] to predictions, first axis n; rows must not depend on each other.
        x_raw: [rows, features], as the model's raw inputs are.
        y: [rows, ...], true targets.
        feature_names: one a column.
        score: ``score(y, predictions)``, greater is better.
        repeats: shuffles a column, at least 1.
        seed: the same seed gives the same result anywhere.
        shuffled: what predicts for ``x_raw`` with a column in each of some orders; by default ``predict`` does.
        classes: names of what ``score`` gives behind the score: [1 + classes], that of each class's rows.

    Raises:
        DataError: shapes that do not fit together, no rows, or no repeats.
    """
    _check(x_raw, y, feature_names, repeats)
    orders = [permutation(len(x_raw), seed=seed, step=repeat) for repeat in range(repeats)]
    baseline = np.atleast_1d(score(y, predict(x_raw)))
    shuffled = shuffled or partial(_shuffled_predictions, predict, x_raw)
    falls = np.array(
        [
            [baseline - score(y, predicted) for predicted in shuffled(column, orders)]
            for column in range(x_raw.shape[1])
        ],
        dtype=np.float64,
    )
    falls, own = falls[..., 0], falls[..., 1:].mean(axis=1)
    return PermutationImportance(
        tuple(feature_names), falls.mean(axis=1), falls.std(axis=1), float(baseline[0]), repeats,
        {label: own[:, i] for i, label in enumerate(classes)},
    )  # fmt: skip


def _shuffled_predictions(
    predict: Callable[[Array], Array], x: Array, column: int, orders: Sequence[Array]
) -> Iterator[Array]:
    """Predictions with one column in each of the orders, as many orders a call as memory allows."""
    per_call = max(1, _BATCH_ELEMENTS // x.size)
    for start in range(0, len(orders), per_call):
        chunk = orders[start : start + per_call]
        stacked = np.tile(x, (len(chunk), 1))
        stacked[:, column] = x[np.concatenate(chunk), column]
        yield from np.split(predict(stacked), len(chunk))


def _check(x: Array, y: Array, feature_names: Sequence[str], repeats: int) -> None:
    if x.ndim != 2 or x.size == 0:
        raise DataError(
            "importance needs inputs of shape [rows, features], neither zero", received=f"shape {x.shape}",
            remedy="x.reshape(rows, features)",
        )  # fmt: skip
    if len(y) != len(x):
        raise DataError(
            "importance needs one target a row", received=f"{len(x)} rows and {len(y)} targets",
            remedy="a target for each row, and no more",
        )  # fmt: skip
    if len(feature_names) != x.shape[1]:
        raise DataError(
            "importance needs one name a column", received=f"{len(feature_names)} names for {x.shape[1]} columns",
            remedy=f"list {x.shape[1]} names",
        )  # fmt: skip
    if repeats < 1:
        raise DataError("importance needs at least one repeat", received=f"repeats={repeats}", remedy="repeats=5")
