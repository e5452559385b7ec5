# SPDX-License-Identifier: Apache-2.0
"""Networks that come with the package beside Keras: files both ways, answers, a step, Keras's own MobileNets."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras")

import keras

from edgeling import applications
from edgeling.graph.interpreter import run_rows
from edgeling.models import load_model
from edgeling.network.network import inference_graph
from tests.support.rounding import require_rows
from tests.training.keras_pairs import assert_same_step
from tests.training.test_applications import SMALL, made, rows_of

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore")]
# All of them where many are drawn (CONTRIBUTING.md); else those that Keras is quick with.
ALL = bool(os.environ.get("EDGELING_DRAWS"))
ANSWERED = list(SMALL) if ALL else ["mlp", "ds_cnn", "temporal_cnn", "dense_autoencoder", "convolutional_autoencoder"]
STEPPED = list(SMALL) if ALL else ["temporal_cnn"]


def without_dropout(name: str) -> Any:
    drops = "dropout" in inspect.signature(getattr(applications, name)).parameters
    return made(name, dropout=0.0) if drops else made(name)


@pytest.mark.parametrize("name", ANSWERED)
def test_keras_reads_it_answers_the_same_and_learns_the_same(name: str, tmp_path: Path) -> None:
    ours = without_dropout(name)
    ours.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    x = rows_of(ours, 6)
    require_rows(inference_graph(ours), np.asarray(theirs(x)), x)
    theirs.save(tmp_path / "theirs.keras")
    back = load_model(tmp_path / "theirs.keras")
    np.testing.assert_array_equal(*(run_rows(inference_graph(model), x)[0] for model in (back, ours)))
    if name in STEPPED:
        rebuilt, one = "autoencoder" in name, ours.output_shape[-1] == 1
        loss = "mse" if rebuilt else "binary_crossentropy" if one else "sparse_categorical_crossentropy"
        theirs.compile("adam", loss, run_eagerly=True)
        back.compile("adam", loss)
        assert_same_step(theirs, back, x, x if rebuilt else np.arange(6) % 2)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("MobileNet", {"input_shape": (33, 47, 3), "alpha": 0.1, "include_top": False, "pooling": "max"}),
        ("MobileNet", {"input_shape": (32, 32, 3), "alpha": 0.1, "depth_multiplier": 2, "classes": 5, "name": "feet"}),
        ("MobileNetV2", {"input_shape": (33, 46, 3), "alpha": 0.35, "classes": 5}),
    ],
    ids=["odd sides, pooled", "its top", "V2"],
)
def test_it_is_kerass_layer_by_layer(name: str, arguments: dict[str, Any]) -> None:
    """So that weights of Keras's files fit: names, kinds, shapes, paddings, rates."""
    theirs = getattr(keras.applications, name)(weights=None, **arguments)
    ours = getattr(applications, name)(weights=None, **arguments)
    assert ours.name == theirs.name
    assert ours.output_shape == theirs.output_shape
    assert [w.shape for w in ours.get_weights()] == [tuple(w.shape) for w in theirs.weights]
    for mine, other in zip(ours.layers[1:], theirs.layers[1:], strict=True):
        config, expected = mine.get_config(), other.get_config()
        if other.name.startswith("global_"):  # which Keras leaves to be counted
            config["name"] = expected["name"]
        for key in ("name", "padding", "strides", "depth_multiplier", "epsilon", "momentum", "rate", "max_value"):
            assert np.ravel(config.get(key)).tolist() == np.ravel(expected.get(key)).tolist(), (mine.name, key)
