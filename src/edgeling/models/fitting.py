# SPDX-License-Identifier: Apache-2.0
"""The loop over epochs, as far as Python is in it: hooks, validation, display. Epochs themselves run natively."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from edgeling.callbacks import CallbackList, History, TerminateOnNaN
from edgeling.errors import TrainingError
from edgeling.graph.random import permutation
from edgeling.models.display import Display
from edgeling.models.reporting import Logs, Report
from edgeling.models.session import Session
from edgeling.optimizers import Optimizer
from edgeling.training.engine import Epochs, TrainingData


@dataclass(frozen=True)
class Plan:
    """What ``fit`` was told.

    Attributes:
        first_epoch, last_epoch: as in ``range``.
        steps: batches an epoch.
        validation_freq: every how many epochs, or after which (counted from 1).
        validation_batch_size: of what losses that are no mean over rows are reduced over.
    """

    batch_size: int
    first_epoch: int
    last_epoch: int
    shuffle: bool
    seed: int
    steps: int
    validation: TrainingData | None = None
    validation_freq: int | Collection[int] = 1
    validation_batch_size: int = 32

    def validates(self, epoch: int) -> bool:
        """Whether validation follows this epoch (counted from 0)."""
        if self.validation is None:
            return False
        if isinstance(self.validation_freq, int):
            return (epoch + 1) % self.validation_freq == 0
        return epoch + 1 in self.validation_freq


class Fit:
    """One call of ``fit``."""

    def __init__(
        self,
        model: Any,
        optimizer: Optimizer,
        session_of: Callable[[int, int], Session],
        report: Report,
        data: TrainingData,
        plan: Plan,
        callbacks: CallbackList,
        history: History,
        display: Display | None,
    ) -> None:
        self._model, self._optimizer, self._report, self._data, self._plan = model, optimizer, report, data, plan
        self._callbacks, self._history, self._display = callbacks, history, display
        self._session_of = session_of
        self._session = session_of(plan.batch_size, len(data.x) % plan.batch_size)

    def run(self) -> None:
        """Train; the model's weights are then those of the last whole epoch.

        Raises:
            TrainingError: a loss that is not finite.
            KeyboardInterrupt: Ctrl-C. The weights are those of the last whole epoch, the history is the model's; as
                in Keras, ``on_train_end`` is not called.
        """
        self._callbacks.call("on_train_begin")
        self._resume()
        self._session.push()
        try:
            if self._callbacks.callbacks or self._display or self._plan.validation or self._report.streams:
                self._epoch_by_epoch()
            else:
                self._all_at_once()
        finally:
            if self._display:
                self._display.close()
        self._callbacks.call("on_train_end")

    def _resume(self) -> None:
        """Go on where an interrupted fit was, if a callback brought its state back."""
        if self._model.resumed:
            epoch, seed = self._model.resumed
            self._plan = replace(self._plan, first_epoch=epoch, seed=seed)
            self._model.shuffle_seed = seed

    def _all_at_once(self) -> None:
        first = self._plan.first_epoch
        result = self._native(first, self._plan.last_epoch - first)
        if len(result.logs):
            self._history.extend(first, self._report.by_name(result.logs))
        self._stop_where_it_did(result, first + len(result.logs))

    def _epoch_by_epoch(self) -> None:
        for epoch in range(self._plan.first_epoch, self._plan.last_epoch):
            start = perf_counter()
            self._callbacks.call("on_epoch_begin", epoch)
            self._session.push()
            self._report.begin()
            result = self._batch_by_batch(epoch) if self._callbacks.wants_batches() else self._whole_epoch(epoch)
            self._stop_where_it_did(result, epoch)
            if not len(result.logs):
                return
            self._end_epoch(epoch, self._report(result.logs[0].tolist()), start)
            if self._model.stop_training:
                return

    def _end_epoch(self, epoch: int, logs: Logs, start: float) -> None:
        if self._plan.validates(epoch):
            assert self._plan.validation
            seen = self._session.evaluate(self._plan.validation)
            validated = self._report.evaluated(*seen, self._plan.validation_batch_size)
            logs |= {f"val_{k}": v for k, v in validated.items()}
        self._callbacks.call("on_epoch_end", epoch, logs=logs)
        self._history.on_epoch_end(epoch, logs)
        if self._display:
            self._display.epoch(epoch, logs, perf_counter() - start, self._plan.steps)

    def _whole_epoch(self, epoch: int) -> Epochs:
        result = self._native(epoch, 1)
        if len(result.logs):
            self._report.add(result.kept, self._plan.batch_size)
        return result

    def _native(self, epoch: int, count: int) -> Epochs:
        """Run whole epochs; fewer than asked for if the run was stopped."""
        plan = self._plan
        result = self._session.run_epochs(
            self._data, batch_size=plan.batch_size, epochs=count, shuffle=plan.shuffle, seed=plan.seed,
            first_epoch=epoch, learning_rates=np.asarray(self._optimizer.learning_rates(count * plan.steps)),
            steps_per_epoch=plan.steps, planned_steps=(plan.last_epoch - plan.first_epoch) * plan.steps,
        )  # fmt: skip
        self._optimizer.iterations += len(result.logs) * plan.steps
        self._session.pull()
        return result

    def _batch_by_batch(self, epoch: int) -> Epochs:
        """One epoch with the hooks of batches; what stops it brings back the weights it began with."""
        before, iterations = self._session.state(), self._optimizer.iterations
        try:
            result = self._batches(epoch)
        except KeyboardInterrupt:
            result = Epochs(np.empty((0, 0), np.float32), interrupted=True)
        if result.interrupted or result.diverged:
            self._session.restore(before)
            self._optimizer.iterations = iterations
        else:
            self._session = self._session_of(self._plan.batch_size, len(self._data.x) % self._plan.batch_size)
            self._session.push()
        return result

    def _batches(self, epoch: int) -> Epochs:
        plan, rows = self._plan, len(self._data.x)
        order = permutation(rows, seed=plan.seed, step=epoch) if plan.shuffle else np.arange(rows)
        sums, seen = np.zeros(1), 0
        for batch in range(plan.steps):
            chosen = order[batch * plan.batch_size : (batch + 1) * plan.batch_size]
            self._callbacks.call("on_train_batch_begin", batch)
            result = self._one_batch(chosen, epoch)
            if not len(result.logs):
                return result
            self._report.add(result.kept, len(chosen))
            sums, seen = sums + result.logs[0] * float(len(chosen)), seen + len(chosen)
            self._callbacks.call("on_train_batch_end", batch, logs=self._report((sums / seen).tolist()))
            if self._model.stop_training:
                break
        return Epochs(np.asarray([sums / seen]))

    def _one_batch(self, chosen: Any, epoch: int) -> Epochs:
        data, size = self._data, len(chosen)
        weight = None if data.sample_weight is None else data.sample_weight[chosen]
        session = self._session_of(size, 0)
        session.push()
        result = session.run_epochs(
            TrainingData(data.x[chosen], data.y[chosen], weight), batch_size=size, epochs=1, shuffle=False,
            seed=self._plan.seed, first_epoch=epoch, learning_rates=np.asarray(self._optimizer.learning_rates(1)),
        )  # fmt: skip
        session.pull()
        self._optimizer.iterations += len(result.logs)
        return result

    def _stop_where_it_did(self, result: Epochs, epoch: int) -> None:
        """Raise what stopped the run in this epoch, if Ctrl-C or a loss that is not finite did."""
        if result.interrupted:
            raise KeyboardInterrupt
        if result.diverged:
            self._diverged(epoch)

    def _diverged(self, epoch: int) -> None:
        self._model.stop_training = True
        quiet = [c for c in self._callbacks.callbacks if isinstance(c, TerminateOnNaN)]
        if quiet:
            self._callbacks.call("on_epoch_end", epoch, logs={"loss": float("nan")})
            return
        raise TrainingError(
            "the loss stays a finite number",
            received=f"a loss that is NaN or infinite in epoch {epoch + 1} (the weights of the epoch before are kept)",
            remedy=f"a lower learning rate than {self._optimizer.learning_rate:g}, clipnorm=1.0 in the optimizer,"
            " inputs scaled to about -1 to 1, and check the targets",
        )
