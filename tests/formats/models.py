"""Models that the tests of this folder share."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np

from edgeling import layers
from edgeling.formats.archive import zip_of
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
