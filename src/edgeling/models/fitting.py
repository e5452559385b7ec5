# SPDX-License-Identifier: Apache-2.0
"""The loop over epochs, as far as Python is in it: hooks, validation, display. Epochs themselves run natively."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from edgeling.callbacks import CallbackList, History, TerminateOnNaN
from edgeling.errors import TrainingError
from edgeling.graph.types import Array
from edgeling.models.display import Display
from edgeling.models.feeding import BatchFeed, RowFeed, Segment
from edgeling.models.judging import Validation
from edgeling.models.reporting import Logs
from edgeling.models.session import Session
from edgeling.models.several import AnyReport
from edgeling.optimizers import Optimizer
from edgeling.optimizers.averaging import average
from edgeling.training.engine import Epochs, TrainingData


@dataclass(frozen=True)
class FitPlan:
    """What ``fit`` was told.

    Attributes:
        first_epoch, last_epoch: as in ``range``.
        seed: what dropout draws from.
        per_call: batches between two hooks of batches (``steps_per_execution``).
        finalizes: the weights become their moving averages in the end, if the optimizer has these.
    """

    first_epoch: int
    last_epoch: int
    seed: int
    per_call: int = 1
    validation: Validation | None = None
    finalizes: bool = True


class Fit:
    """One call of ``fit``.

    Args:
        session_of: compiled training for rows of that length, and for a size of batches.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Optimizer,
        session_of: Callable[[TrainingData], Callable[[int], Session]],
        report: AnyReport,
        feed: RowFeed | BatchFeed,
        plan: FitPlan,
        callbacks: CallbackList,
        history: History,
        display: Display | None,
    ) -> None:
        self._model, self._optimizer, self._report, self._feed, self._plan = model, optimizer, report, feed, plan
        self._callbacks, self._history, self._display = callbacks, history, display
        self._session_of = session_of

    def run(self) -> None:
        """Train; the model's weights are then those of the last whole epoch.

        Raises:
            TrainingError: a loss that is not finite.
            KeyboardInterrupt: Ctrl-C. The weights are those of the last whole epoch, the history is the model's; as
                in Keras, ``on_train_end`` is not called.
        """
        self._callbacks.call("on_train_begin")
        self._resume()
        watched = self._callbacks.callbacks or self._display or self._plan.validation or self._report.streams
        try:
            if isinstance(self._feed, RowFeed) and self._feed.whole and not watched:
                self._all_at_once(self._feed)
            else:
                self._epoch_by_epoch()
        finally:
            if self._display:
                self._display.close()
            if isinstance(self._feed, BatchFeed) and sys.exc_info()[0] is not None:
                self._feed.close()
            self._finalize()
        self._callbacks.call("on_train_end", logs=self._last_logs())

    def _finalize(self) -> None:
        """Have the weights become their moving averages, if the optimizer asks for it and has made a step."""
        if self._optimizer.averaging and self._plan.finalizes:
            network, state = self._model._as_network(), self._model.optimizer_state
            for weight, name in network.names.items():
                weight.value = state.get(average(name), weight.value)

    def _resume(self) -> None:
        """Go on where an interrupted fit was, if a callback brought its state back."""
        if self._model.resumed:
            epoch, seed = self._model.resumed
            self._plan = replace(self._plan, first_epoch=epoch, seed=seed)
            self._model.shuffle_seed = seed
            if isinstance(self._feed, RowFeed):
                self._feed.begin_at(epoch, seed)

    def _last_logs(self) -> Logs:
        return {name: values[-1] for name, values in self._history.history.items() if values}

    def _all_at_once(self, feed: RowFeed) -> None:
        first = self._plan.first_epoch
        result = self._native(feed, first, self._plan.last_epoch - first)
        if len(result.logs):
            self._history.extend(first, self._report.by_name(result.logs))
        self._stop_where_it_did(result, first + len(result.logs))

    def _epoch_by_epoch(self) -> None:
        for epoch in range(self._plan.first_epoch, self._plan.last_epoch):
            start, before = perf_counter(), self._optimizer.batches
            self._callbacks.call("on_epoch_begin", epoch)
            self._report.begin()
            result = self._epoch(epoch)
            self._stop_where_it_did(result, epoch)
            if not len(result.logs):
                return
            steps = self._optimizer.batches - before
            self._end_epoch(epoch, self._report(result.logs[0].tolist()), perf_counter() - start, steps)
            if self._model.stop_training:
                return

    def _end_epoch(self, epoch: int, logs: Logs, seconds: float, steps: int) -> None:
        if self._plan.validation and self._plan.validation.follows(epoch):
            logs |= self._plan.validation.logs()
        self._callbacks.call("on_epoch_end", epoch, logs=logs)
        self._history.on_epoch_end(epoch, logs)
        if self._display:
            self._display.epoch(epoch, logs, seconds, steps)

    def _epoch(self, epoch: int) -> Epochs:
        """One epoch: natively, or where hooks or the data ask for it segment by segment."""
        feed, in_batches = self._feed, self._callbacks.wants_batches()
        if isinstance(feed, RowFeed) and feed.whole and not in_batches:
            result = self._native(feed, epoch, 1)
            if len(result.logs):
                self._report.add(result.kept, feed.batch_size)
            return result
        return self._all_or_nothing(epoch, feed.epoch(self._plan.per_call if in_batches else None), in_batches)

    def _native(self, feed: RowFeed, epoch: int, count: int) -> Epochs:
        """Run whole epochs; fewer than asked for if the run was stopped."""
        session = self._session_of(feed.data)(feed.batch_size)
        session.push()
        result = session.run_epochs(
            feed.data, batch_size=feed.batch_size, epochs=count, shuffle=feed.shuffle, seed=feed.seed,
            first_epoch=epoch, learning_rates=self._rates(count * feed.steps),
            planned_steps=(self._plan.last_epoch - self._plan.first_epoch) * feed.steps,
            accumulated=self._accumulated(),
        )  # fmt: skip
        self._optimizer.batches += len(result.logs) * feed.steps
        session.pull()
        return result

    def _rates(self, batches: int) -> Array:
        """The rates of the next batches, or the one that they all have; who wants to know is told."""
        rates = np.asarray(self._optimizer.learning_rates(batches))
        self._callbacks.tell("on_rates", rates, batches)
        return rates

    def _accumulated(self) -> int:
        """How many batches of the present step have been seen."""
        return self._optimizer.batches % self._optimizer.batches_a_step

    def _all_or_nothing(self, epoch: int, segments: Iterable[Segment], in_batches: bool) -> Epochs:
        """One epoch in segments; what stops it brings back the weights it began with."""
        weights, state = self._model.get_weights(), dict(self._model.optimizer_state)
        iterations = self._optimizer.batches
        try:
            result = self._segments(epoch, segments, in_batches)
        except KeyboardInterrupt:
            result = Epochs(np.empty((0, 0), np.float32), interrupted=True)
        if result.interrupted or result.diverged:
            self._model.set_weights(weights)
            self._model.optimizer_state.clear()
            self._model.optimizer_state.update(state)
            self._optimizer.batches = iterations
        return result

    def _segments(self, epoch: int, segments: Iterable[Segment], in_batches: bool) -> Epochs:
        sums, seen, batch = np.zeros(1), 0, 0
        for segment in segments:
            if in_batches:
                self._callbacks.call("on_train_batch_begin", batch)
            result = self._segment(segment, epoch)
            if not len(result.logs):
                return result
            self._report.add(result.kept, segment.batch_size)
            rows = len(segment.data.x)
            sums, seen = sums + result.logs[0].astype(np.float64) * rows, seen + rows
            batch += self._plan.per_call
            if in_batches:
                self._callbacks.call("on_train_batch_end", batch - 1, logs=self._report((sums / seen).tolist()))
            if self._model.stop_training:
                break
        if not seen:
            self._model.stop_training = True  # a generator that had nothing left
            return Epochs(np.empty((0, 0), np.float32))
        return Epochs(np.asarray([sums / seen]))

    def _segment(self, segment: Segment, epoch: int) -> Epochs:
        size = min(segment.batch_size, len(segment.data.x))
        session = self._session_of(segment.data)(size)
        session.push()
        result = session.run_epochs(
            segment.data, batch_size=size, epochs=1, shuffle=False, seed=self._plan.seed, first_epoch=epoch,
            learning_rates=self._rates(segment.batches), accumulated=self._accumulated(),
        )  # fmt: skip
        session.pull()
        self._optimizer.batches += len(result.logs) * segment.batches
        return result

    def _stop_where_it_did(self, result: Epochs, epoch: int) -> None:
        """Raise what stopped the run in this epoch, if Ctrl-C or a loss that is not finite did."""
        if result.interrupted:
            raise KeyboardInterrupt
        if result.diverged:
            self._diverged(epoch)

    def _diverged(self, epoch: int) -> None:
        self._model.stop_training = True
        self._callbacks.tell("on_divergence", epoch)
        quiet = [c for c in self._callbacks.callbacks if isinstance(c, TerminateOnNaN)]
        if quiet and not any(callback.raise_error for callback in quiet):
            logs = dict.fromkeys(self._names(epoch), float("nan"))
            self._callbacks.call("on_epoch_end", epoch, logs=logs)
            self._history.on_epoch_end(epoch, logs)
            return
        raise TrainingError(
            "the loss stays a finite number",
            received=f"a loss that is NaN or infinite in epoch {epoch + 1} (the weights of the epoch before are kept)",
            remedy=f"a lower learning rate than {self._optimizer.learning_rate:g}, clipnorm=1.0 in the optimizer,"
            " inputs scaled to about -1 to 1, and check the targets",
        )

    def _names(self, epoch: int) -> list[str]:
        """What this epoch would have logged."""
        names = ["loss", *(each.name for each in self._report.reported)]
        validated = self._plan.validation is not None and self._plan.validation.follows(epoch)
        return names + [f"val_{name}" for name in names if validated]
