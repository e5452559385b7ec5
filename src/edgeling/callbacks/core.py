# SPDX-License-Identifier: Apache-2.0
"""The hooks of training, and the callbacks that watch, log and change what training does."""

from __future__ import annotations

import csv
import inspect
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, TextIO

from edgeling.checking import checked, number, whole
from edgeling.errors import UnsupportedError

Logs = dict[str, Any]
_WEIGHTS_ENDINGS = (".weights.h5", ".npz")


class Callback:
    """The hooks of ``fit``, ``evaluate`` and ``predict``; ``self.model`` is the model, ``self.params`` what it is told.

    Every hook gets ``logs``, a dict that later callbacks and the history see too.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls) and cls.__module__.startswith("edgeling."):
            cls.__init__ = checked(cls.__init__)  # type: ignore[method-assign]

    def __init__(self) -> None:
        self.model: Any = None
        self.params: dict[str, Any] = {}

    def set_params(self, params: dict[str, Any]) -> None:
        """Called before anything begins."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Called before anything begins."""
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
    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_predict_begin(self, logs: Logs | None = None) -> None: ...
    def on_predict_end(self, logs: Logs | None = None) -> None: ...
    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...


_BATCH_HOOKS = {
    "train": ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


class CallbackList:
    """Several callbacks as one.

    Args:
        callbacks: one, several or none; Keras's own are called too.
        params: what ``fit`` was told.

    Raises:
        UnsupportedError: something that is no callback.
    """

    def __init__(self, callbacks: Any, model: Any, params: dict[str, Any] | None = None) -> None:
        given = callbacks if isinstance(callbacks, (list, tuple)) else [] if callbacks is None else [callbacks]
        self.callbacks: list[Callback] = list(given)
        for callback in self.callbacks:
            if isinstance(callback, type) or not hasattr(callback, "set_model"):
                raise UnsupportedError(
                    "callbacks are objects of edgeling.callbacks.Callback", received=repr(callback),
                    remedy="EarlyStopping(), or LambdaCallback(on_epoch_end=function)",
                )  # fmt: skip
            callback.set_params(params or {})
            callback.set_model(model)

    def tell(self, hook: str, *given: Any) -> None:
        """Call a hook that Keras does not have, of those that have it."""
        for callback in self.callbacks:
            getattr(callback, hook, _ignore)(*given)

    def wants_batches(self, kind: str = "train") -> bool:
        """Whether any overrides a hook of single batches; without one whole epochs run natively.

        Args:
            kind: "train", "test" or "predict".
        """
        return any(_overrides(c, hook) for c in self.callbacks for hook in _BATCH_HOOKS[kind])

    def call(self, hook: str, *index: int, logs: Logs | None = None) -> None:
        """Call one hook of each, in order, with one dict of logs for all.

        Args:
            index: number of the epoch or batch, where the hook has one.
        """
        shared: Logs = {} if logs is None else logs
        for callback in self.callbacks:
            getattr(callback, hook)(*index, shared)


def _ignore(*_: Any) -> None:
    """Stands for a hook that a callback does not have."""


def _overrides(callback: Callback, hook: str) -> bool:
    """By the callback itself, not by Keras's or our base class."""
    method = getattr(type(callback), hook, None)
    return hook in vars(callback) or not getattr(method, "__qualname__", "Callback.").startswith("Callback.")


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

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for key, value in (logs or {}).items():
            self.history.setdefault(key, []).append(value)

    def _repr_html_(self) -> str:
        from edgeling.notebook.cards import history_card

        return history_card(self.history)

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
        mode: "min", "max", or "auto": what the loss or the metric of that name says of itself.
        min_delta: smaller changes do not count.
        best: the value to beat; None before there is one.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0, best: float | None = None) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise UnsupportedError("the mode is auto, min or max", received=repr(mode), remedy="mode='auto'")
        if not isinstance(monitor, str):
            raise UnsupportedError(
                "a monitor is the name of a logged value", received=repr(monitor), remedy="monitor='val_loss'"
            )
        self.monitor, self.mode, self.best = monitor, mode, best
        self.min_delta = abs(number("min_delta", min_delta))
        self._sign: float | None = {"max": 1.0, "min": -1.0}.get(mode)
        self._warned = False

    def improves(self, value: float, than: float | None) -> bool:
        """Whether ``value`` is better by more than ``min_delta``.

        Raises:
            UnsupportedError: nothing says which way is better.
        """
        if self._sign is None:
            self._sign = 1.0 if self._is_larger_better() else -1.0
        return than is None or self._sign * (value - than) > self.min_delta

    def _is_larger_better(self) -> bool:
        name = self.monitor.removeprefix("val_")
        direction = getattr(self.model, "metric_direction", _usual_direction)(name)
        if direction is None:
            raise UnsupportedError(
                "the mode is auto where a loss or metric says which way is better",
                received=f"monitor={self.monitor!r}",
                remedy="mode='min' or mode='max', or the name of a metric given to compile",
            )
        return bool(direction == "up")

    def watched(self, logs: Logs | None) -> float | None:
        """The value, or None (with one warning) if it is not logged.

        Raises:
            UnsupportedError: no loss or metric has that name, and the mode is left open.
        """
        value = (logs or {}).get(self.monitor)
        if value is None:
            self.improves(0.0, None)
            if not self._warned:
                self._warned = True
                text = f"{type(self).__name__}: {self.monitor!r} is not logged; there is {', '.join(logs or {})}"
                warnings.warn(text, stacklevel=2)
        return value


def _usual_direction(name: str) -> str:
    """By the name alone: the larger the better for accuracies."""
    return "up" if name.rpartition("_")[2] in ("acc", "accuracy", "auc") else "down"


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
        self.patience, self.verbose, self.baseline = whole("patience", patience, 0), verbose, baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = whole("start_from_epoch", start_from_epoch, 0)
        self._begin_anew()  # Ctrl-C may come before training begins, and whoever keeps the best epoch asks for it

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = None
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
    """Saves the model after every epoch or ``save_freq`` batches, or only where it is the best so far.

    ``filepath`` may hold ``{epoch}``, ``{batch}`` and logged names. What is watched and not logged, is saved anyway.
    """

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
        super().__init__(monitor, mode, best=initial_value_threshold)
        self.save_freq = save_freq if save_freq == "epoch" else whole("save_freq", save_freq)
        self.filepath, self.verbose = str(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        endings = _WEIGHTS_ENDINGS if save_weights_only else (".keras",)
        if not self.filepath.endswith(endings):
            raise UnsupportedError(
                f"a checkpoint's name ends in {' or '.join(endings)}", received=self.filepath, remedy=endings[0]
            )
        self._epoch = self._unsaved = 0
        if save_freq != "epoch":
            self.on_train_batch_end = self._count_batches  # type: ignore[method-assign]  # costs speed only then

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch, self._last_batch = epoch, -1

    def _count_batches(self, batch: int, logs: Logs | None = None) -> None:
        self._unsaved, self._last_batch = self._unsaved + batch - self._last_batch, batch
        if self._unsaved >= int(self.save_freq):
            self._unsaved = 0
            self._save(logs or {}, batch=batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._epoch = epoch
            self._save(logs or {})

    def _save(self, logs: Logs, **counted: int) -> None:
        value = self.watched(logs) if self.save_best_only else None
        if value is not None:
            if not self.improves(value, self.best):
                return
            self.best = value
        path = self.filepath.format(epoch=self._epoch + 1, **counted, **logs)
        if self.verbose:
            _say(f"Epoch {self._epoch + 1}: saving model to {path}")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
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
        if number("factor", factor) >= 1.0:
            raise UnsupportedError("the factor lies below 1", received=str(factor), remedy="factor=0.5")
        self.factor, self.min_lr, self.verbose = float(factor), number("min_lr", min_lr, 0.0), verbose
        self.patience, self.cooldown = whole("patience", patience, 0), whole("cooldown", cooldown, 0)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best, self.wait, self.cooldown_counter = None, 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)
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
        given = (epoch, float(self.model.optimizer.learning_rate))
        rate = number("the rate a schedule gives", self.schedule(*given[: _arity(self.schedule)]), 0.0)
        self.model.optimizer.learning_rate = rate
        if self.verbose:
            _say(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate:g}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


def _arity(schedule: Callable[..., float]) -> int:
    """Whether a schedule takes the rate beside the epoch."""
    try:
        inspect.signature(schedule).bind(0, 0.0)
    except TypeError:
        return 1
    return 2


class CSVLogger(Callback):
    """Writes a line of logged values after every epoch; "NA" where a value is missing.

    Columns are those of the first epoch in the order of their names, and where it has none of validation, the same
    again with ``val_``.
    """

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
            if not any(name.startswith("val_") for name in self._names):
                self._names += [f"val_{name}" for name in self._names]
            if self._header:
                writer.writerow(["epoch", *self._names])
        writer.writerow([epoch, *(values.get(name, "NA") for name in self._names)])
        if self._file:
            self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._file:
            self._file.close()


class LambdaCallback(Callback):
    """Hooks given as functions: ``LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))``.

    Other arguments become attributes.
    """

    def __init__(self, **hooks: Any) -> None:
        super().__init__()
        for name, function in hooks.items():
            if name.startswith("on_") and not hasattr(Callback, name):
                raise TypeError(f"LambdaCallback has no hook {name!r}")
            if function is not None:
                setattr(self, name, function)


class TerminateOnNaN(Callback):
    """Ends a fit whose loss is not finite: quietly, where ``fit`` would raise. The last good epoch's weights stay.

    Args:
        raise_error: raise all the same.
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = bool(raise_error)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if not isfinite((logs or {}).get("loss", 0.0)):
            self.model.stop_training = True
