# SPDX-License-Identifier: Apache-2.0
"""What is learnt: mean test error of small networks over many seeds, beside Keras on the same splits. Not a timing.

The error is ``1 - accuracy``; of diabetes ``1 - R²``. Ratios near 1 are right; above 1, Edgeling erred less.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.comparison import Comparison, Contender, Measure, Prepare
from benchmarks.tasks import TASKS, Split, Task, split

SEEDS = 20


def comparisons() -> list[Comparison]:
    """One a data set: the mean error over :data:`SEEDS` splits and initial weights."""
    return [
        Comparison(
            f"test error on {name}, mean of {SEEDS} seeds", "of 1",
            Contender("Edgeling", _error(partial(edgeling, task))),
            (Contender("Keras 3 on JAX", _error(partial(keras, task))),),
        )
        for name, task in TASKS.items()
    ]  # fmt: skip


def edgeling(task: Task) -> float:
    """The mean score."""
    from benchmarks.edgeling_seeds import edgeling_scores

    return float(edgeling_scores(task, splits(task)).mean())


def keras(task: Task) -> float:
    """The mean score."""
    from benchmarks.keras_seeds import keras_scores

    return float(keras_scores(task, splits(task)).mean())


def splits(task: Task) -> list[Split]:
    """The same for both."""
    return [split(task, seed) for seed in range(SEEDS)]


def _error(mean_score: Callable[[], float]) -> Prepare:
    def prepare() -> Measure:
        error = 1.0 - mean_score()
        return lambda: error

    return prepare
