# SPDX-License-Identifier: Apache-2.0
"""Loss and metrics of rows that are not trained on, with the hooks of tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeling.callbacks import CallbackList
from edgeling.errors import DataError
from edgeling.graph.types import Array
from edgeling.models.batches import BatchSession
from edgeling.models.feeding import BatchFeed
from edgeling.models.reporting import Logs
from edgeling.models.session import Session
from edgeling.models.several import AnyReport
from edgeling.training.engine import Kept, TrainingData


@dataclass(frozen=True)
class Judge:
    """What rows are judged by.

    Attributes:
        batch_size: of what hooks, and losses that are no mean over rows, see.
        per_call: batches between two hooks of batches.
    """

    model: Any
    session: Session | BatchSession
    report: AnyReport
    hooks: CallbackList
    batch_size: int
    per_call: int = 1

    def __call__(self, data: TrainingData | BatchFeed) -> Logs:
        """Loss and metrics of these rows, with the model's weights. ``model.stop_evaluating`` ends it early."""
        self.model.stop_evaluating = False
        self.hooks.call("on_test_begin")  # which may change weights
        self.session.push()
        if isinstance(data, TrainingData) and not (self.session.of_batches or self.hooks.wants_batches("test")):
            logs = self.report.evaluated(*self.session.evaluate(data), self.batch_size)
        else:
            logs = self._by_parts(self._parts(data))
        self.hooks.call("on_test_end", logs=logs)
        return logs

    def _parts(self, data: TrainingData | BatchFeed) -> Iterator[TrainingData]:
        """So many batches at a time as one call takes."""
        if isinstance(data, BatchFeed):
            watched = self.hooks.wants_batches("test")
            at_most = 1 if self.session.of_batches else self.per_call if watched else None
            return (segment.data for segment in data.epoch(at_most))
        rows = self.batch_size * (1 if self.session.of_batches else self.per_call)
        return (data[start : start + rows] for start in range(0, len(data.x), rows))

    def _by_parts(self, parts: Iterator[TrainingData]) -> Logs:
        """The same, with a hook before and after each part; logs are those of all rows so far."""
        sums, seen, kept, batch = np.zeros(1), 0, None, 0
        for part in parts:
            self.hooks.call("on_test_batch_begin", batch)
            means, predicted = self.session.evaluate(part)
            sums, seen = sums + np.asarray(means) * len(part.x), seen + len(part.x)
            kept, batch = _together(kept, predicted), batch + self.per_call
            if self.hooks.wants_batches("test"):
                self.hooks.call("on_test_batch_end", batch - 1, logs=self._logs(sums / seen, kept))
            if self.model.stop_evaluating:
                break
        if not seen:
            raise DataError(
                "there is at least one batch", received="none",
                remedy="validation batches that can be begun anew, with one in it",
            )  # fmt: skip
        return self._logs(sums / seen, kept)

    def _logs(self, means: Array, kept: Kept | None) -> Logs:
        return self.report.evaluated(means.tolist(), kept, self.batch_size)


def _together(before: Kept | None, after: Kept | None) -> Kept | None:
    if before is None or after is None:
        return after
    weights = None
    if before.sample_weight is not None and after.sample_weight is not None:
        weights = _joined(before.sample_weight, after.sample_weight)
    return Kept(_joined(before.y, after.y), _joined(before.predictions, after.predictions), weights, after.target_row)


def _joined(*parts: Array) -> Array:
    return np.concatenate(parts)


@dataclass(frozen=True)
class Validation:
    """What validates a fit, and when.

    Attributes:
        every: every how many epochs, or after which (counted from 1).
    """

    judge: Judge
    data: TrainingData | BatchFeed
    every: int | frozenset[int] = 1

    def follows(self, epoch: int) -> bool:
        """Whether it follows this epoch (counted from 0)."""
        return (epoch + 1) % self.every == 0 if isinstance(self.every, int) else epoch + 1 in self.every

    def logs(self) -> Logs:
        """Its values, named ``val_...``."""
        return {f"val_{name}": value for name, value in self.judge(self.data).items()}
