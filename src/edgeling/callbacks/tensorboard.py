# SPDX-License-Identifier: Apache-2.0
"""Logs for TensorBoard, which need neither TensorFlow nor TensorBoard to be written."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from edgeling.callbacks.core import Callback, Logs
from edgeling.callbacks.event_file import EventFile
from edgeling.checking import whole
from edgeling.configurable import refuse


class TensorBoard(Callback):
    """Writes event files under ``log_dir/train`` and ``log_dir/validation``, with Keras's tags.

    ``epoch_NAME`` of every log, of validation under the same tag as of training; ``epoch_learning_rate``; with
    ``update_freq="batch"`` (or every so many batches) ``batch_NAME``; after every evaluation
    ``evaluation_NAME_vs_iterations``.

    Args:
        histogram_freq: after how many epochs the weights' histograms are written, ``LAYER/WEIGHT``; 0: never.
        write_graph: changes nothing: there is no TensorFlow graph.
        write_steps_per_second: also write ``epoch_steps_per_second``.
        update_freq: "epoch", "batch", or after how many batches.

    Raises:
        UnsupportedError: images, embeddings or profiling are asked for.
    """

    def __init__(
        self,
        log_dir: str | Path = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        super().__init__()
        asked = {"write_images": write_images, "profile_batch": profile_batch, "embeddings_freq": embeddings_freq}
        for name, value in {**asked, "embeddings_metadata": embeddings_metadata}.items():
            refuse("TensorBoard", name, value or None)
        self.log_dir, self.write_graph = Path(log_dir).expanduser(), write_graph
        self.histogram_freq = whole("histogram_freq", histogram_freq, 0) if histogram_freq else 0
        self.write_steps_per_second, self.update_freq = write_steps_per_second, update_freq
        self._every = (
            1 if update_freq == "batch" else 0 if update_freq == "epoch" else whole("update_freq", update_freq)
        )
        self._files: dict[str, EventFile] = {}
        self._training, self._step, self._start = False, 0, 0.0
        if self._every:
            self.on_train_batch_end = self._batch  # type: ignore[method-assign]  # costs speed only then

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._training, self._step = True, 0

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._training = False
        self._close()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._start, self._first_step = perf_counter(), self.model.optimizer.iterations

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        train = {name: value for name, value in (logs or {}).items() if not name.startswith("val_")}
        train["learning_rate"] = float(self.model.optimizer.learning_rate)
        if self.write_steps_per_second:
            steps = self.model.optimizer.iterations - self._first_step
            train["steps_per_second"] = steps / max(perf_counter() - self._start, 1e-9)
        validation = {name[4:]: value for name, value in (logs or {}).items() if name.startswith("val_")}
        self._write("train", "epoch_{}", train, epoch)
        if validation:
            self._write("validation", "epoch_{}", validation, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._histograms(epoch)

    def on_test_end(self, logs: Logs | None = None) -> None:
        if self.model.optimizer is not None and self.model.optimizer.iterations:
            tag = "evaluation_{}_vs_iterations"
            self._write("validation", tag, dict(logs or {}), self.model.optimizer.iterations)
        if not self._training:
            self._close()

    def _batch(self, batch: int, logs: Logs | None = None) -> None:
        if self._step % self._every == 0:
            self._write("train", "batch_{}", dict(logs or {}), self._step)
        self._step += 1

    def _write(self, part: str, tag: str, logs: Logs, step: int) -> None:
        file = self._file(part)
        for name, value in logs.items():
            if np.ndim(value) == 0:
                file.scalar(tag.format(name), float(value), step)
        file.flush()

    def _histograms(self, epoch: int) -> None:
        for weight in self.model.weights:
            self._file("train").histogram(weight.path, weight.numpy(), epoch)
        self._file("train").flush()

    def _file(self, part: str) -> EventFile:
        if part not in self._files:
            self._files[part] = EventFile(self.log_dir / part)
        return self._files[part]

    def _close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()
