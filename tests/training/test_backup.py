# SPDX-License-Identifier: Apache-2.0
"""Fits that are interrupted and go on; logs that TensorBoard reads."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeling import optimizers
from edgeling.callbacks import BackupAndRestore, Callback, LambdaCallback, TensorBoard
from edgeling.callbacks.event_file import crc32c
from edgeling.errors import DataError, UnsupportedError
from edgeling.layers import Dense, Dropout, Input
from edgeling.models import Sequential
from edgeling.utils import set_random_seed
from tests.support.close import DOUBLE, require_close

X = np.random.default_rng(0).normal(size=(22, 3)).astype(np.float32)
Y = X[:, :1] * 2


def _model(units: int = 4) -> Sequential:
    set_random_seed(11)
    model = Sequential([Input((3,)), Dense(units, activation="tanh"), Dropout(0.2), Dense(1)])
    model.compile(optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


class Fail(Callback):
    """Stops a fit as a power cut would, at an epoch or a batch."""

    def __init__(self, epoch: int = -1, batches: int = -1) -> None:
        super().__init__()
        self.epoch, self.batches = epoch, batches
        if batches >= 0:
            self.on_train_batch_end = self._count  # type: ignore[method-assign]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == self.epoch:
            raise RuntimeError("power cut")

    def _count(self, batch: int, logs: Any = None) -> None:
        self.batches -= 1
        if self.batches < 0:
            raise RuntimeError("power cut")


def _fit(model: Sequential, *callbacks: Callback) -> Any:
    return model.fit(X, Y, epochs=6, batch_size=8, verbose=0, callbacks=list(callbacks))


@pytest.mark.parametrize(("fail", "freq"), [(Fail(epoch=3), "epoch"), (Fail(batches=7), 2)])
def test_a_fit_begun_anew_ends_as_if_nothing_had_happened(tmp_path: Path, fail: Fail, freq: Any) -> None:
    whole = _model()
    expected = _fit(whole).history["loss"]
    folder = tmp_path / "backup"
    with pytest.raises(RuntimeError, match="power cut"):
        _fit(_model(), BackupAndRestore(folder, save_freq=freq), fail)
    again, epochs = _model(), []
    again.set_weights([np.zeros_like(w) for w in again.get_weights()])  # all comes from the backup
    watch = LambdaCallback(on_epoch_begin=lambda epoch, logs: epochs.append(epoch))
    history = _fit(again, BackupAndRestore(folder, save_freq=freq), watch)
    if freq == "epoch":  # with batches, those since the last epoch are trained again
        assert epochs == [3, 4, 5]
        assert history.history["loss"] == expected[3:]
        for one, other in zip(again.get_weights(), whole.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    assert epochs[0] > 0
    assert epochs[-1] == 5
    assert not folder.exists()


def test_a_backup_is_of_one_model_and_can_be_kept(tmp_path: Path) -> None:
    keep = BackupAndRestore(tmp_path, delete_checkpoint=False, double_checkpoint=True)
    (tmp_path / "mine.txt").write_text("kept")
    _fit(_model(), keep)
    assert keep.path.exists()
    done = _model()
    assert _fit(done, BackupAndRestore(tmp_path)).history == {}  # all epochs were done
    assert (tmp_path / "mine.txt").read_text() == "kept"
    assert not keep.path.exists()
    _fit(_model(), keep)
    other = _model(units=5)
    before = other.get_weights()
    with pytest.raises(DataError, match="backup_dir"):
        _fit(other, BackupAndRestore(tmp_path))
    keep.path.write_bytes(keep.path.read_bytes()[:100])
    with pytest.raises(DataError, match="delete it"):
        _fit(other, BackupAndRestore(tmp_path))
    assert all((a == b).all() for a, b in zip(before, other.get_weights(), strict=True))
    for wrong in (lambda: BackupAndRestore(""), lambda: BackupAndRestore("x", save_freq=0)):
        with pytest.raises((DataError, UnsupportedError)):
            wrong()


def _records(path: Path) -> Iterator[bytes]:
    """TFRecords: length, its checksum, data, its checksum."""
    content = path.read_bytes()
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        for data, stored in (
            (content[:8], content[8:12]),
            (content[12 : 12 + length], content[12 + length : 16 + length]),
        ):
            crc = crc32c(data)
            assert struct.unpack("<I", stored)[0] == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32
        yield content[12 : 12 + length]
        content = content[16 + length :]


def _fields(message: bytes) -> dict[int, Any]:
    """A protocol buffer's fields: numbers, doubles, floats and bytes."""
    found, at = {}, 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        size = {0: 0, 1: 8, 5: 4}.get(key & 7)
        if size is None:
            size = varint()
        raw = varint() if key & 7 == 0 else message[at : at + size]
        at += size
        found[key >> 3] = struct.unpack({1: "<d", 5: "<f"}[key & 7], raw)[0] if key & 7 in (1, 5) else raw
    return found


def _scalars(folder: Path) -> dict[str, dict[int, float]]:
    (path,) = folder.glob("events.out.tfevents.*")
    events = [_fields(r) for r in _records(path)]
    assert events[0][3] == b"brain.Event:2"
    found: dict[str, dict[int, float]] = {}
    for event in events[1:]:
        value = _fields(_fields(event[5])[1])
        if 2 in value:
            found.setdefault(value[1].decode(), {})[event[2]] = value[2]
    return found


def test_event_files_hold_what_was_logged(tmp_path: Path) -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    model = _model()
    board = TensorBoard(tmp_path, histogram_freq=2, write_steps_per_second=True, update_freq=2)
    history = model.fit(X, Y, epochs=3, batch_size=8, verbose=0, callbacks=[board], validation_split=0.3).history
    train, validation = _scalars(tmp_path / "train"), _scalars(tmp_path / "validation")
    for tag, name in (("epoch_loss", "loss"), ("epoch_mae", "mae")):
        np.testing.assert_array_equal(list(train[tag].values()), np.float32(history[name]))
        np.testing.assert_array_equal(list(validation[tag].values()), np.float32(history[f"val_{name}"]))
    assert list(train["epoch_learning_rate"].values()) == [np.float32(0.01)] * 3
    assert list(train["batch_loss"]) == [0, 2, 4]  # two steps an epoch
    assert min(train["epoch_steps_per_second"].values()) > 0
    model.evaluate(X, Y, verbose=0, callbacks=[TensorBoard(tmp_path / "test")])
    assert "evaluation_loss_vs_iterations" in _scalars(tmp_path / "test" / "validation")


def test_tensorboard_reads_the_files(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    model = _model()
    history = model.fit(X, Y, epochs=2, verbose=0, callbacks=[TensorBoard(tmp_path, histogram_freq=1)]).history
    read = accumulator.EventAccumulator(str(tmp_path / "train"))
    read.Reload()
    np.testing.assert_array_equal([e.value for e in read.Scalars("epoch_loss")], np.float32(history["loss"]))
    tags = read.Tags()["histograms"]
    assert tags == [w.path for w in model.weights]
    last = read.Histograms(tags[0])[-1].histogram_value
    kernel = model.weights[0].numpy().astype(np.float64)
    assert (last.min, last.max, last.num) == (kernel.min(), kernel.max(), kernel.size)
    sums = [kernel.sum(), (kernel**2).sum()]
    magnitudes = [np.abs(kernel).sum(), sums[1]]
    require_close([last.sum, last.sum_squares], sums, 2 * kernel.size, of=magnitudes, unit=DOUBLE)
    assert sum(last.bucket) == kernel.size
    assert last.bucket_limit[-1] == kernel.max()


@pytest.mark.parametrize("asked", ["write_images", "profile_batch", "embeddings_freq", "embeddings_metadata"])
def test_what_tensorboard_gets_from_tensorflow_alone_is_refused(asked: str) -> None:
    with pytest.raises(UnsupportedError, match=asked):
        TensorBoard(**{asked: 2})
