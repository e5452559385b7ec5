# SPDX-License-Identifier: Apache-2.0
"""Weights alone, models as text and copies: with Keras both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

keras = pytest.importorskip("keras")

from edgeling import layers, models  # noqa: E402
from edgeling.errors import ArtifactError, DataError, UnsupportedError  # noqa: E402
from edgeling.models import Sequential  # noqa: E402
from tests.support.rounding import prediction_bound, require_same_answers, training_bounds  # noqa: E402

pytestmark = pytest.mark.keras
L = keras.layers
X = np.random.default_rng(0).normal(size=(24, 4)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 3, 24)


def theirs(fitted: bool = True) -> Any:
    norm = L.Normalization()
    norm.adapt(3 * X + 1)
    parts = [L.Dense(5, activation="tanh"), L.BatchNormalization(), L.Dropout(0.1), L.Dense(3, activation="softmax")]
    model = keras.Sequential([L.Input((4,)), norm, *parts])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    if fitted:
        model.fit(X, Y, epochs=2, verbose=0)
    return model


def ours() -> Sequential:
    parts = [layers.Dense(5, activation="tanh"), layers.BatchNormalization(), layers.Dropout(0.1)]
    norm = layers.Normalization(mean=0.0, variance=1.0)
    model = Sequential([layers.Input((4,)), norm, *parts, layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_weights_of_keras_are_read_with_the_optimizers_state(tmp_path: Path) -> None:
    model, mine = theirs(), ours()
    before = mine.predict(X)
    model.save_weights(tmp_path / "k.weights.h5")
    model.save(tmp_path / "k.keras")
    for name in ("k.weights.h5", "k.keras"):
        mine = ours()
        mine.load_weights(tmp_path / name)
        require_same_answers(mine, model, X)
        assert mine.optimizer is not None
        assert mine.optimizer.iterations == 2
        assert mine.optimizer_state
    assert prediction_bound(mine, X).error(before) > 1


def test_weights_of_ours_are_read_by_keras_and_by_us(tmp_path: Path) -> None:
    mine = Sequential([layers.Input((4,)), layers.Dense(5, activation="relu"), layers.Dense(3, activation="softmax")])
    mine.compile("adam", "sparse_categorical_crossentropy")
    mine.fit(X, Y, epochs=3, verbose=0)
    mine.save_weights(tmp_path / "o.weights.h5")
    model = keras.Sequential([L.Input((4,)), L.Dense(5, activation="relu"), L.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    model.load_weights(tmp_path / "o.weights.h5")
    require_same_answers(mine, model, X)
    assert int(model.optimizer.iterations) == mine.optimizer.iterations == 3
    copy = models.clone_model(mine)
    assert prediction_bound(mine, X).error(copy.predict(X)) > 1
    copy.load_weights(tmp_path / "o.weights.h5")
    np.testing.assert_array_equal(copy.predict(X), mine.predict(X))


def _legacy(path: Path, arrays: Any) -> None:
    """The layout of Keras 2: groups by name, arrays listed in an attribute."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"drop", b"first", b"second"]
        file.create_group("drop").attrs["weight_names"] = np.array([], "S1")
        for name, pair in zip(("first", "second"), (arrays[:2], arrays[2:]), strict=True):
            group = file.create_group(name)
            listed = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            group.attrs["weight_names"] = listed
            for key, array in zip(listed, pair, strict=True):
                group[key.decode()] = array


def _small() -> Sequential:
    return Sequential([layers.Input((4,)), layers.Dense(2), layers.Dense(1)])


def test_weights_of_keras_2_are_read_in_order(tmp_path: Path) -> None:
    arrays = _small().get_weights()
    _legacy(tmp_path / "old.h5", arrays)
    model = _small()
    model.load_weights(tmp_path / "old.h5")
    for got, wanted in zip(model.get_weights(), arrays, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_weights_of_another_model_change_nothing(tmp_path: Path) -> None:
    model = _small()
    model.save_weights(tmp_path / "m.weights.h5")
    model.save_weights(tmp_path / "m.npz")
    _legacy(tmp_path / "old.h5", model.get_weights())
    (tmp_path / "bad.weights.h5").write_bytes(b"nothing of the kind")
    other = Sequential([layers.Input((4,)), layers.Dense(2), layers.Dense(3)])
    deeper = Sequential([layers.Input((4,)), layers.Dense(2), layers.Dense(1), layers.Dense(1)])
    for reader in (other, deeper):
        before = reader.get_weights()
        for name in ("m.weights.h5", "m.npz", "old.h5", "bad.weights.h5", "missing.weights.h5"):
            with pytest.raises((ArtifactError, DataError)):
                reader.load_weights(tmp_path / name)
        assert all((a == b).all() for a, b in zip(before, reader.get_weights(), strict=True))


def test_formats_and_settings_that_are_not_supported_are_refused(tmp_path: Path) -> None:
    model = _small()
    with pytest.raises(UnsupportedError, match=r"\.weights\.h5"):
        model.save_weights(tmp_path / "m.h5")
    with pytest.raises(UnsupportedError, match="skip_mismatch"):
        model.load_weights(tmp_path / "m.weights.h5", skip_mismatch=True)
    with pytest.raises(UnsupportedError, match="not built"):
        Sequential([layers.Dense(1)]).save_weights(tmp_path / "m.weights.h5")
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(DataError, match="already"):
        model.save_weights(tmp_path / "m.weights.h5", overwrite=False)


def test_models_as_text_both_ways() -> None:
    model, mine = theirs(fitted=False), ours()
    again = models.model_from_json(model.to_json())
    assert [type(x).__name__ for x in again.layers] == [type(x).__name__ for x in model.layers]
    assert again.get_compile_config()["loss"] == "sparse_categorical_crossentropy"
    back = keras.models.model_from_json(mine.to_json())
    assert back.count_params() == mine.count_params()
    assert models.model_from_json(mine.to_json()).to_json() == mine.to_json()
    unbuilt = models.model_from_json(Sequential([layers.Dense(2)]).to_json())
    assert not unbuilt.built
    for wrong in ("", "[1]", '{"class_name": "Sequential"}', '{"class_name": "Sequential", "config": {"layers": [3]}}'):
        with pytest.raises((ArtifactError, UnsupportedError)):
            models.model_from_json(wrong)


def test_copies_have_new_weights_or_other_layers() -> None:
    model = ours()

    def wider(layer: Any) -> Any:
        config = layer.get_config()
        return type(layer).from_config({**config, "units": 7} if config.get("units") == 5 else config)

    assert models.clone_model(model).get_config() == model.get_config()
    assert models.clone_model(model, clone_function=wider).layers[1].units == 7
    with pytest.raises(UnsupportedError, match="input_tensors"):
        models.clone_model(model, input_tensors=X)


def test_one_batch_is_tested_as_keras_tests_it() -> None:
    model, mine = theirs(), ours()
    mine.set_weights(model.get_weights()[3:])
    mine.layers[0].mean, mine.layers[0].variance = (w.tolist() for w in model.layers[0].get_weights()[:2])

    def tested(one: Any) -> dict[str, Any]:
        return one.test_on_batch(X, Y, return_dict=True)

    allowed = training_bounds(mine, lambda twin: [*tested(twin).values()])
    got, expected = tested(mine), tested(model)
    assert got.keys() == expected.keys()
    for bound, name in zip(allowed, got, strict=False):
        bound.require(got[name], name)
        bound.require(expected[name], name)
    prediction_bound(mine, X).require(model.predict_on_batch(X))
    prediction_bound(mine, X).require(mine.predict_on_batch(X))


def test_how_steps_run_is_kept_and_changes_nothing() -> None:
    model = _small()
    model.compile("sgd", "mse", run_eagerly=True, steps_per_execution=8, jit_compile=False)
    assert (model.run_eagerly, model.steps_per_execution, model.jit_compile) == (True, 8, False)
    config = model.get_compile_config()
    assert config is not None
    assert (config["run_eagerly"], config["steps_per_execution"], config["jit_compile"]) == (True, 8, False)
    model.fit(X, X[:, :1], verbose=0)
    with pytest.raises(UnsupportedError, match="steps_per_execution"):
        model.compile("sgd", "mse", steps_per_execution=0)
