# SPDX-License-Identifier: Apache-2.0
"""Keras's files, written and read by Edgeling alone."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeling import layers, losses, optimizers, utils
from edgeling.errors import ArtifactError, UnsupportedError
from edgeling.formats import archive
from edgeling.formats.keras_file import load_keras, save_keras
from edgeling.layers import Permute, RepeatVector
from edgeling.layers.heads import ManyHeads
from edgeling.layers.merging import Merging
from edgeling.layers.noise import SpatialDropout
from edgeling.layers.registry import TABLE
from edgeling.layers.row_normalization import NormalizedRows
from edgeling.layers.windows import Ranked
from edgeling.models import Sequential, load_model
from tests.formats.models import members_of, rows, varied
from tests.support.rounding import training_bounds

OPTIMIZERS = [
    optimizers.SGD(0.05),
    optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    optimizers.RMSprop(momentum=0.5, centered=True),
    optimizers.Adagrad(0.1),
    optimizers.Adam(optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)),
    optimizers.Adam(amsgrad=True),
    optimizers.AdamW(),
    optimizers.Adamax(),
    optimizers.Nadam(clipnorm=1.0),
    optimizers.Lion(0.01),
    optimizers.Adadelta(1.0),
    optimizers.Ftrl(0.1, l1_regularization_strength=0.01),
    optimizers.Lamb(0.01),
    optimizers.Adafactor(0.05),
]


@pytest.fixture(autouse=True)
def _no_warnings() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    model = varied()
    save_keras(model, tmp_path / "m.keras")
    back = load_keras(tmp_path / "m.keras")
    assert back.get_config() == model.get_config()
    assert back.get_compile_config() == model.get_compile_config()
    assert all(np.array_equal(a, b) for a, b in zip(back.get_weights(), model.get_weights(), strict=True))
    x, _ = rows()
    assert np.array_equal(back.predict(x, verbose=0), model.predict(x, verbose=0))


def test_the_shared_model_holds_every_layer_of_rows_of_one_dimension() -> None:
    """Of images, sequences and several inputs: tests/training/test_against_keras_windows.py, test_functional.py; what
    normalises, encodes and disturbs: test_against_keras_normalizing.py; attention, recurrence:
    test_against_keras_attention.py, test_against_keras_recurrent.py."""
    others: tuple[type, ...] = (Ranked, Merging, Permute, RepeatVector, layers.InputLayer, layers.Masking)
    others += (NormalizedRows, layers.RMSNormalization, layers.UnitNormalization, layers.PReLU, layers.Embedding)
    others += (layers.CategoryEncoding, layers.Discretization, SpatialDropout, layers.AlphaDropout)
    others += (layers.GaussianNoise, layers.GaussianDropout, layers.ActivityRegularization, ManyHeads)
    others += (layers.RNN, layers.Bidirectional, layers.TimeDistributed)
    of_rows = {name for name, kind in TABLE.items() if not issubclass(kind, others)}
    assert {type(layer).__name__ for layer in varied().layers} == of_rows


def go_on(model: Sequential) -> list[np.ndarray]:
    model.fit(*rows(), epochs=3, batch_size=8, shuffle=False, verbose=0)
    return model.get_weights()


def a_trained_model(optimizer: optimizers.Optimizer, path: Path) -> Sequential:
    utils.set_random_seed(3)
    model = Sequential([layers.Input((4,)), layers.Dense(5, activation="tanh"), layers.Dense(3, activation="softmax")])
    model.compile(
        optimizers.get(type(optimizer)).from_config(optimizer.get_config()), "sparse_categorical_crossentropy"
    )
    go_on(model)
    save_keras(model, path)
    return model


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: f"{type(o).__name__}-{o.operation}")
def test_training_goes_on_where_it_stopped(tmp_path: Path, optimizer: optimizers.Optimizer) -> None:
    model = a_trained_model(optimizer, tmp_path / "m.keras")
    back = load_keras(tmp_path / "m.keras")
    assert back.optimizer is not None
    assert back.optimizer.iterations == 12
    allowed = training_bounds(model, go_on, samples=6)
    for bound, mine, other in zip(allowed, go_on(model), go_on(back), strict=False):  # the weights again follow
        bound.require(mine)
        bound.require(other, "read back")


@pytest.mark.parametrize("optimizer", OPTIMIZERS[1:], ids=lambda o: f"{type(o).__name__}-{o.operation}")
def test_an_optimizer_that_begins_afresh_would_be_noticed(tmp_path: Path, optimizer: optimizers.Optimizer) -> None:
    model = a_trained_model(optimizer, tmp_path / "m.keras")
    back = load_keras(tmp_path / "m.keras")
    assert back.optimizer is not None
    back.optimizer.iterations = 0
    back.optimizer_state.clear()
    allowed = training_bounds(model, go_on, samples=6)
    assert max(bound.error(other) for bound, other in zip(allowed, go_on(back), strict=False)) > 1


def test_compile_false_leaves_training_out(tmp_path: Path) -> None:
    save_keras(varied(), tmp_path / "m.keras")
    assert load_keras(tmp_path / "m.keras", compile=False).optimizer is None


def test_a_model_that_was_never_compiled(tmp_path: Path) -> None:
    save_keras(Sequential([layers.Input((2,)), layers.Dense(1)]), tmp_path / "m.keras")
    assert load_keras(tmp_path / "m.keras").optimizer is None


def test_losses_and_metrics_with_settings_come_back(tmp_path: Path) -> None:
    from edgeling import metrics

    model = Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", losses.Huber(delta=2.0), metrics=["mae", metrics.BinaryAccuracy(threshold=0.3)])
    save_keras(model, tmp_path / "m.keras")
    back = load_keras(tmp_path / "m.keras")
    assert back.loss == losses.Huber(delta=2.0)
    assert back.get_compile_config() == model.get_compile_config()


def test_the_archive_is_what_keras_writes(tmp_path: Path) -> None:
    save_keras(varied(), tmp_path / "m.keras")
    members = members_of((tmp_path / "m.keras").read_bytes())
    assert list(members) == ["metadata.json", "config.json", "model.weights.h5"]
    assert json.loads(members["metadata.json"])["keras_version"]
    assert members["model.weights.h5"].startswith(b"\x89HDF")


def test_saving_and_loading_through_the_model(tmp_path: Path) -> None:
    model = varied()
    model.save(tmp_path / "m.keras")
    back = load_model(str(tmp_path / "m.keras"))
    assert isinstance(back, Sequential)
    assert back.get_config() == model.get_config()
    assert load_model(tmp_path / "m.keras", compile=False).optimizer is None
    with pytest.raises(UnsupportedError, match="custom_objects"):
        load_model(tmp_path / "m.keras", custom_objects={"Mine": "object"})
    with pytest.raises(UnsupportedError, match=r"\.keras"):
        model.save(tmp_path / "m.h5")


def test_a_model_that_is_not_built_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="shape of its input"):
        save_keras(Sequential([layers.Dense(3)]), tmp_path / "m.keras")
    assert list(tmp_path.iterdir()) == []


class Halving(optimizers.schedules.LearningRateSchedule):
    """A schedule that no file knows."""

    def __call__(self, step: Any) -> Any:
        return 0.1 / (1 + np.asarray(step))


def test_schedules_of_ones_own_cannot_be_written(tmp_path: Path) -> None:
    model = Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile(optimizers.SGD(Halving()), "mse")
    with pytest.raises(UnsupportedError, match="Halving"):
        save_keras(model, tmp_path / "m.keras")
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_are_not_finite_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="finite"):
        save_keras(Sequential([layers.Input((2,)), layers.Rescaling(float("inf"))]), tmp_path / "m.keras")


def test_a_loss_given_as_a_function(tmp_path: Path) -> None:
    model = Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", losses.mean_squared_error)
    save_keras(model, tmp_path / "m.keras")
    assert load_keras(tmp_path / "m.keras").loss == "mean_squared_error"


@pytest.mark.parametrize("stage", ["write", "replace"])
def test_a_failing_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(b"what was there")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if stage == "replace":
        monkeypatch.setattr(archive.os, "replace", fail)
    else:
        monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(ArtifactError, match="No space left"):
        save_keras(varied(), path)
    monkeypatch.undo()
    assert path.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_folder_that_is_none(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="written whole"):
        save_keras(varied(), tmp_path / folder / "m.keras")
    with pytest.raises(ArtifactError, match="must exist"):
        load_keras(tmp_path / folder / "m.keras")


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_keras(varied(), tmp_path / "m.keras")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UnsupportedError, match=r"edgeling\[keras-files\]"):
        load_keras(tmp_path / "m.keras")
    with pytest.raises(UnsupportedError, match=r"edgeling\[keras-files\]"):
        save_keras(varied(), tmp_path / "n.keras")
    assert not (tmp_path / "n.keras").exists()
