# SPDX-License-Identifier: Apache-2.0
"""The same network twice: in Keras, and here with Keras's weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from edgeling.models import Sequential
from edgeling.optimizers import get as optimizer_of

FEATURES = 5
ROWS = 12


def network(*layers: Any, features: int = FEATURES) -> Any:
    return keras.Sequential([keras.layers.Input((features,)), *layers])


def twin(model: Any) -> Sequential:
    """Our model from Keras's configuration, with Keras's weights."""
    ours = Sequential.from_config(model.get_config())
    ours.set_weights(model.get_weights())
    return ours


def compile_both(model: Any, ours: Sequential, optimizer: Any, loss: Any, **how: Any) -> None:
    """Compile both from Keras's objects; ours reads Keras's configuration."""
    model.compile(optimizer, loss, **{"run_eagerly": True, **how})
    config = model.get_compile_config()
    ours.compile(optimizer_of(config["optimizer"]), config["loss"], metrics=how.get("metrics"))


def rows(seed: int = 0, count: int = ROWS, features: int = FEATURES) -> Any:
    return np.random.default_rng(seed).normal(size=(count, features)).astype(np.float32)


def relative_error(ours: Any, theirs: Any) -> float:
    """The largest difference as a share of the largest value."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape
    return float(np.max(np.abs(ours - theirs)) / max(np.max(np.abs(theirs)), 1e-12))


def assert_same(ours: Any, theirs: Any, tolerance: float) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        assert relative_error(mine, other) <= tolerance


def assert_same_step(model: Any, ours: Sequential, x: Any, y: Any, tolerance: float = 1e-5, **weights: Any) -> None:
    """One step on one batch moves every weight by the same amount, and reports the same."""
    before = model.get_weights()
    theirs, mine = model.train_on_batch(x, y, **weights), ours.train_on_batch(x, y, **weights)
    assert relative_error(np.ravel(mine), np.ravel(theirs)) <= tolerance
    for start, after, other in zip(before, ours.get_weights(), model.get_weights(), strict=True):
        assert after.dtype == np.float32
        scale = max(np.max(np.abs(other - start)), 1e-3)
        assert np.max(np.abs(after - other)) <= tolerance * scale + 1.2e-7 * np.max(np.abs(other))
