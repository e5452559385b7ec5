# SPDX-License-Identifier: Apache-2.0
"""Models that the tests of this folder share."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from edgeling import layers
from edgeling.formats.archive import zip_of
from edgeling.formats.keras_file import save_keras
from edgeling.models import Sequential


def varied(optimizer: Any = "adam") -> Sequential:
    """Every layer that the files know of, weights drawn so that none is at its default; compiled."""
    model = Sequential(
        [
            layers.Input((4,)),
            layers.Rescaling(0.5, offset=0.1),
            layers.Normalization(mean=[0.1, 0.2, 0.3, 0.4], variance=[1.0, 2.0, 3.0, 4.0]),
            layers.Dense(8, activation="gelu", kernel_regularizer="l2", name="first"),
            layers.BatchNormalization(),
            layers.ReLU(max_value=6),
            layers.Dropout(0.2),
            layers.Dense(6, use_bias=False),
            layers.BatchNormalization(center=False),
            layers.LeakyReLU(),
            layers.ELU(),
            layers.Identity(),
            layers.Reshape((2, -1)),
            layers.Flatten(),
            layers.Activation("tanh"),
            layers.Dense(3),
            layers.Softmax(),
        ],
        name="varied",
    )
    drawn = np.random.default_rng(0)
    model.set_weights([drawn.uniform(0.2, 1.2, w.shape).astype(np.float32) for w in model.weights])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def rows(count: int = 32, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Rows of four features and their classes, 0 to 2."""
    drawn = np.random.default_rng(seed)
    return drawn.normal(size=(count, 4)).astype(np.float32), drawn.integers(0, 3, count)


def members_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_config(content: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The file with its configuration changed in place."""
    members = members_of(content)
    config = json.loads(members["config.json"])
    change(config)
    return zip_of({**members, "config.json": json.dumps(config).encode()})


@cache
def good() -> bytes:
    """A file of the varied model, trained for an epoch."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "m.keras"
        model = varied()
        model.fit(*rows(), epochs=1, verbose=0)
        save_keras(model, path)
        return path.read_bytes()


@cache
def good_h5() -> bytes:
    """A whole-model file as Keras 2 laid it out."""
    config = {
        "class_name": "Sequential",
        "config": {
            "name": "old",
            "layers": [
                {
                    "class_name": "Dense",
                    "config": {"name": "first", "units": 3, "activation": "relu", "batch_input_shape": [None, 4]},
                }
            ],
        },
    }
    training = {"loss": "mse", "metrics": ["mae"], "optimizer_config": {"class_name": "SGD", "config": {"decay": 0.0}}}
    import h5py

    buffer = BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["model_config"], file.attrs["training_config"] = json.dumps(config), json.dumps(training)
        held = file.create_group("model_weights/first")
        held.attrs["weight_names"] = [b"first/kernel:0", b"first/bias:0"]
        held["first/kernel:0"], held["first/bias:0"] = np.ones((4, 3), np.float32), np.zeros(3, np.float32)
    return buffer.getvalue()
