# SPDX-License-Identifier: Apache-2.0
"""Loss and metrics of rows that are not trained on, with the hooks of tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from edgeling.callbacks import CallbackList
from edgeling.errors import DataError
from edgeling.models.batches import BatchSession
from edgeling.models.feeding import BatchFeed
from edgeling.models.reporting import Logs, Seen
from edgeling.models.session import Session
from edgeling.models.several import AnyReport
from edgeling.training.engine import TrainingData


@dataclass(frozen=True)
class Judge:
    """What rows are judged by.

    Attributes:
        session_of: what evaluates rows of that length.
        batch_size: of what hooks, and losses that are no mean over rows, see.
        per_call: batches between two hooks of batches.
        of_batches: rows are evaluated batch by batch.
    """

    model: Any
    session_of: Callable[[TrainingData], Session | BatchSession]
    report: AnyReport
    hooks: CallbackList
    batch_size: int
    per_call: int = 1
    of_batches: bool = False

    def __call__(self, data: TrainingData | BatchFeed) -> Logs:
        """Loss and metrics of these rows, with the model's weights. ``model.stop_evaluating`` ends it early."""
        self.model.stop_evaluating = False
        self.hooks.call("on_test_begin")  # which may change weights
        if isinstance(data, TrainingData) and not (self.of_batches or self.hooks.wants_batches("test")):
            logs = self._by_parts(iter([data]))
        else:
            logs = self._by_parts(self._parts(data))
        self.hooks.call("on_test_end", logs=logs)
        return logs

    def _parts(self, data: TrainingData | BatchFeed) -> Iterator[TrainingData]:
        """So many batches at a time as one call takes."""
        if isinstance(data, BatchFeed):
            watched = self.hooks.wants_batches("test")
            at_most = 1 if self.of_batches else self.per_call if watched else None
            return (segment.data for segment in data.epoch(at_most))
        rows = self.batch_size * (1 if self.of_batches else self.per_call)
        return (data[start : start + rows] for start in range(0, len(data.x), rows))

    def _by_parts(self, parts: Iterator[TrainingData]) -> Logs:
        """The same, with a hook before and after each part; logs are those of all rows so far."""
        seen: list[Seen] = []
        pushed: list[Any] = []
        rows: Any = ()
        batch, watched = 0, self.hooks.wants_batches("test")
        for part in parts:
            if watched:
                self.hooks.call("on_test_batch_begin", batch)
            session = self.session_of(part)
            if session not in pushed:
                session.push()
                pushed = [session]
            means, kept = session.evaluate(part)
            now = Seen(np.asarray(means), len(part.x), kept, partial(self.session_of, part))
            seen[-1:] = [seen[-1].and_then(now)] if seen and part.rows == rows else [*seen[-1:], now]
            rows, batch = part.rows, batch + self.per_call
            if watched:
                self.hooks.call("on_test_batch_end", batch - 1, logs=self.report.evaluated(seen, self.batch_size))
            if self.model.stop_evaluating:
                break
        if not seen:
            raise DataError(
                "there is at least one batch", received="none",
                remedy="validation batches that can be begun anew, with one in it",
            )  # fmt: skip
        return self.report.evaluated(seen, self.batch_size)


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
