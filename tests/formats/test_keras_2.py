# SPDX-License-Identifier: Apache-2.0
"""Files that Keras 2 wrote: models of the MLPerf Tiny benchmark (TensorFlow 2.3 to 2.10)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeling.formats.keras_file import load_keras, save_keras
from tests.support.rounding import prediction_bound
from tests.support.shared import needs, shared_data

TINY = shared_data("mlperf_tiny")
pytestmark = needs(TINY)


def sounds() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(20, 640)).astype(np.float32)


def test_the_autoencoder_is_read_whole() -> None:
    model = load_keras(TINY / "ad01.h5")
    assert len(model.layers) == 29  # with its input
    assert model.input_shape == model.output_shape == (None, 640)
    assert model.count_params() == 269_992
    assert model.optimizer is not None
    assert type(model.optimizer).__name__ == "Adam"
    assert model.loss == "mean_squared_error"


@pytest.mark.keras
def test_the_autoencoder_predicts_as_in_keras(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = load_keras(TINY / "ad01.h5")
    theirs = keras.models.load_model(TINY / "ad01.h5", compile=False)
    expected = theirs.predict(sounds(), verbose=0)
    allowed = prediction_bound(model, sounds())
    allowed.require(expected, "Keras")
    allowed.require(model.predict(sounds(), verbose=0), "Edgeling")
    save_keras(model, tmp_path / "ad01.keras")
    back = keras.models.load_model(tmp_path / "ad01.keras")
    allowed.require(back.predict(sounds(), verbose=0), "Keras, of our file")


@pytest.mark.parametrize(
    ("name", "tflite"), [("pretrainedResnet.h5", "pretrainedResnet.tflite"), ("vww_96.h5", "vww_96_float.tflite")]
)
def test_convolutional_models_answer_as_tensorflow_lite_does(name: str, tflite: str) -> None:
    """Branches, convolutions, depthwise ones, pools: by its reference kernels."""
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    model = load_keras(TINY / name, compile=False)
    x = np.random.default_rng(1).random((1, *model.input_shape[1:])).astype(np.float32)
    interpreter = runtime.Interpreter.from_file(str(TINY / tflite), arena_size=1 << 22)
    interpreter.set_input(x, 0)
    interpreter.invoke()
    allowed = prediction_bound(model, x)
    allowed.require(interpreter.get_output(0), "TensorFlow Lite")
    allowed.require(model.predict(x, verbose=0), "Edgeling")


def test_a_streaming_model_is_read() -> None:
    with pytest.warns(UserWarning, match="optimizer"):
        model = load_keras(TINY / "str_ww_ref_model.h5")
    assert model.predict(np.zeros((1, *model.input_shape[1:]), np.float32)).shape == (1, 3)
