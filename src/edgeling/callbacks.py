# SPDX-License-Identifier: Apache-2.0
"""What happens between epochs: Keras's callbacks. Own subclasses of :class:`Callback` override the hooks they need.

Hooks of single batches cost speed only where they are overridden: without them whole epochs run natively.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf, isfinite
from pathlib import Path
from typing import Any, TextIO

from edgeling.errors import UnsupportedError

Logs = dict[str, float]


class Callback:
    """The hooks of training. ``self.model`` is the model, ``self.params`` what ``fit`` was told."""

    def __init__(self) -> None:
        self.model: Any = None
        self.params: dict[str, Any] = {}

    def set_params(self, params: dict[str, Any]) -> None:
        """Called before training begins."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Called before training begins."""
        self.model = model

    def on_train_begin(self, logs: Logs | None = None) -> None: ...
    def on_train_end(self, logs: Logs | None = None) -> None: ...
    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None: ...
    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None: ...
    def on_test_end(self, logs: Logs | None = None) -> None: ...


_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


class CallbackList:
    """Several callbacks as one."""

    def __init__(self, callbacks: Iterable[Callback], model: Any, params: dict[str, Any]) -> None:
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            callback.set_params(params)
            callback.set_model(model)
        self.wants_batches = any(_overrides(c, hook) for c in self.callbacks for hook in _BATCH_HOOKS)

    def call(self, hook: str, *arguments: Any) -> None:
        """Call one hook of each, in order."""
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments)


def _overrides(callback: Callback, hook: str) -> bool:
    return hook in vars(callback) or getattr(type(callback), hook, None) is not getattr(Callback, hook)


class History(Callback):
    """What ``fit`` returns.

    Attributes:
        history: a list of values an epoch, by name.
        epoch: the epochs' numbers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for key, value in (logs or {}).items():
            self.history.setdefault(key, []).append(value)

    def extend(self, first_epoch: int, logs: Mapping[str, Sequence[float]]) -> None:
        """As ``on_epoch_end`` for several epochs in a row, whose logs come by name: one value an epoch."""
        for key, values in logs.items():
            self.history.setdefault(key, []).extend(values)
        self.epoch += range(first_epoch, first_epoch + len(next(iter(logs.values()))))

    def __repr__(self) -> str:
        last = ", ".join(f"{key}={values[-1]:.4f}" for key, values in self.history.items() if values)
        count = len(self.epoch)
        return f"<History of {count} epoch{'s' * (count != 1)}: {last}>"


class Monitor(Callback):
    """Watches one of the logged values and knows when it got better.

    Args:
        monitor: the value's name.
        mode: "min", "max", or "auto": the larger the better for accuracies, else the smaller.
        min_delta: smaller changes do not count.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise UnsupportedError("the mode is auto, min or max", received=repr(mode))
        larger = mode == "max" or (mode == "auto" and monitor.rpartition("_")[2] in ("acc", "accuracy", "auc"))
        self.monitor, self.mode, self.sign = monitor, mode, 1.0 if larger else -1.0
        self.min_delta = abs(min_delta)
        self._warned = False

    @property
    def worst(self) -> float:
        """Worse than any value."""
        return -self.sign * inf

    def improves(self, value: float, than: float) -> bool:
        """Whether ``value`` is better by more than ``min_delta``."""
        return self.sign * (value - than) > self.min_delta

    def watched(self, logs: Logs | None) -> float | None:
        """The value, or None (with one warning) if it is not logged."""
        value = (logs or {}).get(self.monitor)
        if value is None and not self._warned:
            self._warned = True
            _say(f"{type(self).__name__}: {self.monitor!r} is not logged; there is {', '.join(logs or {})}")
        return value


def _say(text: str) -> None:
    print(text, file=sys.stderr)


class EarlyStopping(Monitor):
    """Stops when the watched value has not improved for ``patience`` epochs."""

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = self.worst
        self.best_weights: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.watched(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._remember(epoch)
        self.wait += 1
        if self.improves(value, self.best):
            self.best = value
            self._remember(epoch)
            if self.baseline is None or self.improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            _say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)

    def _remember(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()


class ModelCheckpoint(Monitor):
    """Saves the model after every epoch, or every best one. ``filepath`` may hold ``{epoch}`` and logged names."""

    def __init__(
        self,
        filepath: str | Path,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        if save_freq != "epoch":
            raise UnsupportedError("checkpoints are written at the end of epochs", received=f"save_freq={save_freq!r}")
        self.filepath, self.verbose = str(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.best = self.worst if initial_value_threshold is None else initial_value_threshold

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_best_only:
            value = self.watched(logs)
            if value is None or not self.improves(value, self.best):
                return
            self.best = value
        path = self.filepath.format(epoch=epoch + 1, **(logs or {}))
        if self.verbose:
            _say(f"Epoch {epoch + 1}: saving model to {path}")
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)


class ReduceLROnPlateau(Monitor):
    """Multiplies the learning rate by ``factor`` when the watched value has not improved for ``patience`` epochs."""

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if factor >= 1.0:
            raise UnsupportedError("the factor lies below 1", received=str(factor))
        self.factor, self.patience, self.verbose, self.cooldown, self.min_lr = (
            factor,
            patience,
            verbose,
            cooldown,
            min_lr,
        )

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best, self.wait, self.cooldown_counter = self.worst, 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = self.model.optimizer.learning_rate
        value = self.watched(logs)
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter, self.wait = self.cooldown_counter - 1, 0
        if self.improves(value, self.best):
            self.best, self.wait = value, 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        rate = self.model.optimizer.learning_rate
        if rate > self.min_lr:
            rate = max(rate * self.factor, self.min_lr)
            self.model.optimizer.learning_rate = rate
            self.cooldown_counter, self.wait = self.cooldown, 0
            if self.verbose:
                _say(f"Epoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {rate:g}.")


class LearningRateScheduler(Callback):
    """Sets the learning rate of every epoch to ``schedule(epoch, rate)`` (or ``schedule(epoch)``)."""

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        try:
            rate = self.schedule(epoch, self.model.optimizer.learning_rate)
        except TypeError:
            rate = self.schedule(epoch)
        self.model.optimizer.learning_rate = float(rate)
        if self.verbose:
            _say(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {float(rate):g}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = self.model.optimizer.learning_rate


class CSVLogger(Callback):
    """Writes a line of logged values after every epoch."""

    def __init__(self, filename: str | Path, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename, self.separator, self.append = Path(filename), separator, append
        self._file: TextIO | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._header = not (self.append and self.filename.exists() and self.filename.stat().st_size)
        self._file = self.filename.open("a" if self.append else "w", newline="", encoding="utf-8")
        self._names: list[str] = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        values = dict(logs or {})
        writer = csv.writer(self._file, delimiter=self.separator)  # type: ignore[arg-type]
        if not self._names:
            self._names = sorted(values)
            if self._header:
                writer.writerow(["epoch", *self._names])
        writer.writerow([epoch, *(values.get(name, "NA") for name in self._names)])
        if self._file:
            self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._file:
            self._file.close()


class LambdaCallback(Callback):
    """Hooks given as functions: ``LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))``."""

    def __init__(self, **hooks: Callable[..., Any] | None) -> None:
        super().__init__()
        for name, function in hooks.items():
            if not name.startswith("on_") or not hasattr(Callback, name):
                raise TypeError(f"LambdaCallback has no hook {name!r}")
            if function is not None:
                setattr(self, name, function)


class TerminateOnNaN(Callback):
    """Stops quietly when the loss is not finite, where ``fit`` would raise. The last good epoch's weights stay."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if not isfinite((logs or {}).get("loss", 0.0)):
            self.model.stop_training = True
