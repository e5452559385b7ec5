# SPDX-License-Identifier: Apache-2.0
"""A fit that was interrupted goes on where its last backup was made."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from edgeling.callbacks.core import Callback, Logs
from edgeling.checking import whole
from edgeling.errors import ArtifactError, DataError
from edgeling.files.arrays import arrays_to_npz, npz_to_arrays
from edgeling.files.whole import write_file
from edgeling.graph.types import Array

_FILE = "latest.npz"
_COUNTS = ("epoch", "iterations", "seed")


class BackupAndRestore(Callback):
    """Backs a fit up, and takes the next fit with the same folder on from there.

    A backup is one file, written whole or not at all: the weights, what the optimizer keeps, the epoch, and the seed
    by which rows are shuffled. A fit that was interrupted and begun anew thus ends with the weights it would have had.

    Args:
        backup_dir: a folder for this fit alone; made if it is not there.
        save_freq: "epoch", or after how many batches. What batches of an epoch did is done again.
        double_checkpoint: changes nothing: a backup replaces the one before in one step.
        delete_checkpoint: delete the backup when the fit has ended.

    Raises:
        DataError: a backup of another model (when the fit begins).
    """

    def __init__(
        self,
        backup_dir: str | Path,
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not str(backup_dir):
            raise DataError("backups need a folder of their own", received="backup_dir=''", remedy="'backup'")
        self.backup_dir, self.delete_checkpoint = Path(backup_dir).expanduser(), delete_checkpoint
        self.save_freq = save_freq if save_freq == "epoch" else whole("save_freq", save_freq)
        self.double_checkpoint, self._epoch, self._batches = double_checkpoint, 0, 0
        if save_freq != "epoch":
            self.on_train_batch_end = self._count_batches  # type: ignore[method-assign]  # costs speed only then

    @property
    def path(self) -> Path:
        """The backup."""
        return self.backup_dir / _FILE

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self.path.exists():
            self._restore()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch + 1)

    def _count_batches(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self._batches % int(self.save_freq) == 0:
            self._save(self._epoch)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.delete_checkpoint:
            self.path.unlink(missing_ok=True)
            with suppress(OSError):  # other files are in it
                self.backup_dir.rmdir()

    def _save(self, epoch: int) -> None:
        """Whatever a fit goes on with, whose next epoch is this."""
        model = self.model
        counts = {"epoch": epoch, "iterations": model.optimizer.batches, "seed": model.shuffle_seed}
        held = {name: np.asarray(value, np.uint64) for name, value in counts.items()}
        held |= {f"weights/{i}": w for i, w in enumerate(model.get_weights())}
        held |= {f"optimizer/{name}": array for name, array in model.optimizer_state.items()}
        held["learning_rate"] = np.asarray(model.optimizer.learning_rate, np.float64)
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        write_file(self.path, arrays_to_npz(held))

    def _restore(self) -> None:
        try:
            held = npz_to_arrays(self.path.read_bytes())
            epoch, iterations, seed = (int(held.pop(name)) for name in _COUNTS)
            rate = float(held.pop("learning_rate"))
        except (OSError, ArtifactError, KeyError, TypeError, ValueError) as error:
            raise self._unfit(str(error)) from None
        weights = [held[f"weights/{i}"] for i in range(len(held)) if f"weights/{i}" in held]
        try:
            self.model.set_weights(weights)
        except DataError as error:
            raise self._unfit(error.received) from None
        self._restore_optimizer(held, iterations, rate)
        self.model._resume(epoch, seed)

    def _restore_optimizer(self, held: dict[str, Array], iterations: int, rate: float) -> None:
        optimizer: Any = self.model.optimizer
        state = {name.removeprefix("optimizer/"): a for name, a in held.items() if name.startswith("optimizer/")}
        self.model.optimizer_state.clear()
        self.model.optimizer_state.update(state)
        optimizer.batches = iterations
        if isinstance(optimizer.get_config()["learning_rate"], float):  # else a schedule tells
            optimizer.learning_rate = rate

    def _unfit(self, received: str) -> DataError:
        return DataError(
            "a backup is of the model that is trained",
            received=f"{self.path}: {received}",
            remedy="delete it, or give the callback another backup_dir",
        )
