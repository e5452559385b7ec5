# SPDX-License-Identifier: Apache-2.0
"""Losses at ever other learning rates, of a model that stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np

from edgeling.graph.random import permutation
from edgeling.graph.types import Array
from edgeling.models.trained import Trainable


def losses_at(
    model: Trainable, x: Any, y: Any, rates: Array, sample_weight: Any = None, *, batch_size: int = 32, seed: int = 0
) -> Iterator[float]:  # fmt: skip
    """The loss of one batch after the other, before the step that follows it at its own learning rate.

    Weights, optimizer and history stay as they are. Ends early where a loss is not finite.

    Args:
        x, y, sample_weight: as ``fit`` takes rows.
        rates: float [steps], of each step.
        seed: of the order of rows; whole batches go round and round.

    Raises:
        DataError, TrainingError, CompilerNotFoundError, KeyboardInterrupt: as ``fit``.
    """
    session, data, size = model._steps_on(x, y, batch_size, sample_weight)
    starts = range(0, len(data.x) - size + 1, size)
    orders = (permutation(len(data.x), seed=seed, step=epoch) for epoch in count())
    batches = (order[start : start + size] for order in orders for start in starts)
    for step, (rate, rows) in enumerate(zip(np.asarray(rates, np.float32), batches, strict=False)):
        run = session.run_epochs(
            data[rows], batch_size=size, epochs=1, shuffle=False, seed=seed, first_epoch=step, learning_rates=rate,
            planned_steps=len(rates),
        )  # fmt: skip
        if run.interrupted:
            raise KeyboardInterrupt
        if run.diverged:
            return
        yield float(run.logs[0][0])
