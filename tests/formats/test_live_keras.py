# SPDX-License-Identifier: Apache-2.0
"""Live Keras models in, and the trained weights back."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from edgeling import layers
from edgeling.errors import ArtifactError, UnsupportedError
from edgeling.formats.live_keras import from_keras, is_keras_model, to_keras
from edgeling.models import Sequential
from tests.formats.models import rows
from tests.support.rounding import prediction_bound, require_same_answers, require_same_evaluation, weight_bounds


def a_keras_model(compiled: bool = True) -> Any:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(2)
    normalization = keras.layers.Normalization()
    normalization.adapt(rows(100)[0])
    model = keras.Sequential(
        [
            keras.layers.Input((4,)),
            normalization,
            keras.layers.Dense(6, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    if compiled:
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.keras
def test_a_live_model_in_trained_and_back() -> None:
    theirs, (x, y) = a_keras_model(), rows(64)
    mine = from_keras(theirs)
    require_same_answers(mine, theirs, x)
    mine.fit(x, y, epochs=5, verbose=0)
    assert prediction_bound(mine, x).error(theirs.predict(x, verbose=0)) > 1
    mine.layers[0].adapt(x * 2)
    to_keras(mine, theirs)
    require_same_answers(mine, theirs, x)
    require_same_evaluation(mine, theirs, x, y)


@pytest.mark.keras
def test_training_goes_on_where_keras_stopped() -> None:
    theirs, (x, y) = a_keras_model(), rows(64)
    how = {"epochs": 2, "batch_size": 16, "shuffle": False, "verbose": 0}
    theirs.fit(x, y, **how)
    mine = from_keras(theirs)
    assert mine.optimizer is not None
    assert mine.optimizer.iterations == 8
    allowed = weight_bounds(mine, x, y, **how)
    for model in (mine, theirs):
        model.fit(x, y, **how)
    others = theirs.get_weights()[3:]  # Keras's begin with moments
    for bound, ours, other in zip(allowed, mine.get_weights(), others, strict=True):
        bound.require(ours, "ours")
        bound.require(other, "Keras's")


@pytest.mark.keras
def test_a_functional_chain() -> None:
    keras = pytest.importorskip("keras")
    start = keras.Input((4,))
    theirs = keras.Model(start, keras.layers.Dense(2)(keras.layers.Dense(5, activation="tanh")(start)))
    x, _ = rows()
    mine = from_keras(theirs)
    require_same_answers(mine, theirs, x)
    mine.set_weights([w * 2 for w in mine.get_weights()])
    to_keras(mine, theirs)
    require_same_answers(mine, theirs, x)


@pytest.mark.keras
def test_not_compiled_stays_not_compiled() -> None:
    assert from_keras(a_keras_model(compiled=False)).optimizer is None
    assert from_keras(a_keras_model(), compile=False).optimizer is None


@pytest.mark.keras
def test_other_layers_or_shapes_change_nothing() -> None:
    theirs = a_keras_model()
    before = theirs.get_weights()
    mine = from_keras(theirs)
    mine.set_weights([w + 1 for w in mine.get_weights()])
    keras = pytest.importorskip("keras")
    wider = keras.Sequential([keras.layers.Input((4,)), keras.layers.Normalization(), keras.layers.Dense(7)])
    with pytest.raises(ArtifactError, match="layers"):
        to_keras(mine, wider)
    small = Sequential([layers.Input((4,)), layers.Dense(2), layers.Dense(5)])
    target = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2), keras.layers.Dense(6)])
    held = target.get_weights()
    with pytest.raises(ArtifactError, match="shapes"):
        to_keras(small, target)
    for old, new in zip([*before, *held], [*theirs.get_weights(), *target.get_weights()], strict=True):
        assert np.array_equal(old, new)


@pytest.mark.keras
def test_what_is_refused() -> None:
    keras = pytest.importorskip("keras")

    class Own(keras.Sequential):
        def call(self, inputs: Any, training: Any = None) -> Any:
            return inputs

    with pytest.raises(UnsupportedError, match="Own"):
        from_keras(Own([keras.layers.Input((4,)), keras.layers.Dense(1)]))
    with pytest.raises(UnsupportedError, match="never run"):
        from_keras(keras.Sequential([keras.layers.Input((4,)), keras.layers.Lambda(lambda x: x)]))
    with pytest.raises(UnsupportedError, match="never built"):
        from_keras(keras.Sequential([keras.layers.Dense(3)]))
    diverged = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    diverged.set_weights([np.full((1, 1), np.nan), np.zeros(1)])
    with pytest.raises(ArtifactError, match="NaN"):
        from_keras(diverged)


@pytest.mark.keras
def test_keras_models_are_known() -> None:
    keras = pytest.importorskip("keras")
    start = keras.Input((4,))
    assert is_keras_model(a_keras_model(compiled=False))
    assert is_keras_model(keras.Model(start, keras.layers.Dense(1)(start)))
    assert not is_keras_model(keras.layers.Dense(1))


@pytest.mark.parametrize("value", [None, 3, "model", Sequential(), layers.Dense(1), object(), dict])
def test_anything_else_is_not_a_keras_model(value: object) -> None:
    assert not is_keras_model(value)
    with pytest.raises(UnsupportedError):
        from_keras(value)


def test_asking_does_not_import_keras() -> None:
    code = (
        "import sys\nfrom edgeling.formats.live_keras import is_keras_model\nis_keras_model(3)\n"
        "assert not {'keras', 'h5py', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
