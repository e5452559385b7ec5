# SPDX-License-Identifier: Apache-2.0
"""Edgeling trained for many seeds, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.tasks import Array, Split, Task, score


def edgeling_scores(task: Task, splits: Sequence[Split], first_seed: int = 0, epochs: int | None = None) -> Array:
    """The test score of every split, float64 [splits], after the task's epochs or these."""
    return np.array([_score(task, s, first_seed + i, epochs or task.epochs) for i, s in enumerate(splits)])


def _score(task: Task, split: Split, seed: int, epochs: int) -> float:
    from edgeling.layers import Dense
    from edgeling.models import Sequential
    from edgeling.utils import set_random_seed

    set_random_seed(seed)
    model = task.model(Sequential, Dense)
    model.compile(loss=task.loss, optimizer="adam")
    model.fit(split.x_train, split.y_train, epochs=epochs, batch_size=task.batch_size, verbose=0)
    return score(task, model.predict(split.x_test, verbose=0), split.y_test)
