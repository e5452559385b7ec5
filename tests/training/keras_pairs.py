# SPDX-License-Identifier: Apache-2.0
"""The same network twice: in Keras, and here with Keras's weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from edgeling import callbacks as our_callbacks
from edgeling.models import Functional, Sequential
from edgeling.optimizers import get as optimizer_of
from tests.support.rounding import Bound, training_bounds

FEATURES = 5
ROWS = 12


def network(*layers: Any, features: int = FEATURES) -> Any:
    return keras.Sequential([keras.layers.Input((features,)), *layers])


def twin(model: Any) -> Sequential:
    """Our model from Keras's configuration, with Keras's weights."""
    kind = Functional if type(model).__name__ == "Functional" else Sequential
    ours = kind.from_config(model.get_config())
    ours.set_weights(model.get_weights())
    return ours


def compile_both(model: Any, ours: Sequential, optimizer: Any, loss: Any, **how: Any) -> None:
    """Compile both from Keras's objects; ours reads Keras's configuration."""
    model.compile(optimizer, loss, **{"run_eagerly": True, **how})
    config = model.get_compile_config()
    ours.compile(optimizer_of(config["optimizer"]), config["loss"], metrics=how.get("metrics"))


def rows(seed: int = 0, count: int = ROWS, features: int = FEATURES) -> Any:
    return np.random.default_rng(seed).normal(size=(count, features)).astype(np.float32)


def assert_same_step(model: Any, ours: Sequential, x: Any, y: Any, **weights: Any) -> None:
    """One step on one batch moves every weight by the same amount, and reports the same, up to rounding."""
    allowed = training_bounds(ours, lambda twin: np.ravel(twin.train_on_batch(x, y, **weights)))
    theirs, mine = model.train_on_batch(x, y, **weights), ours.train_on_batch(x, y, **weights)
    assert all(weight.dtype == np.float32 for weight in ours.get_weights())
    assert_within(allowed, [*np.ravel(mine), *ours.get_weights()], [*np.ravel(theirs), *model.get_weights()])


def assert_same_fit(
    model: Any, ours: Sequential, x: Any, y: Any, callbacks: Callable[[Any], list[Any]] = lambda module: [], **how: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A whole fit leaves the same weights and the same history, up to rounding; learning rates are not compared.

    Args:
        callbacks: from the module they come from to a list of them, new ones for each fit.
    """

    def fit(one: Any) -> dict[str, Any]:
        return one.fit(x, y, callbacks=callbacks(our_callbacks), **how).history

    allowed = training_bounds(ours, lambda twin: list(_losses(fit(twin)).values()), samples=6)
    expected = model.fit(x, y, callbacks=callbacks(keras.callbacks), **how).history
    got = fit(ours)
    assert got.keys() == expected.keys()
    theirs, mine = _losses(expected), _losses(got)
    assert_within(
        allowed, [*mine.values(), *ours.get_weights()], [*(theirs[key] for key in mine), *model.get_weights()]
    )
    return expected, got


def _losses(history: dict[str, Any]) -> dict[str, Any]:
    return {key: values for key, values in history.items() if key != "learning_rate"}


def assert_within(allowed: list[Bound], ours: list[Any], theirs: list[Any]) -> None:
    """Both sides' results, in order, lie no further from the double precision's than rounding explains."""
    for bound, mine, other in zip(allowed, ours, theirs, strict=True):
        bound.require(other, "Keras")
        bound.require(mine, "Edgeling")
