# SPDX-License-Identifier: Apache-2.0
"""Layers, losses and metrics of one's own in files: with Keras both ways, the same code with each one's ops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

import edgeling  # noqa: E402
from edgeling import ops  # noqa: E402
from edgeling.errors import UnsupportedError  # noqa: E402
from edgeling.models import load_model, model_from_json  # noqa: E402
from tests.support.rounding import require_same_answers  # noqa: E402

pytestmark = pytest.mark.keras
X = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
Y = np.random.default_rng(1).normal(size=(8, 2)).astype(np.float32)


def objects(k: Any, o: Any) -> dict[str, Any]:
    class Scale(k.layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self, factor: float = 2.0, **how: Any) -> None:
            super().__init__(**how)
            self.factor, self.dense = factor, k.layers.Dense(3, name="inner")

        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")
            self.dense.build(input_shape)

        def call(self, x: Any) -> Any:
            return self.dense(x * self.scale) * self.factor

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "factor": self.factor}

    class Weighted(k.losses.Loss):  # type: ignore[misc, name-defined]
        def __init__(self, weight: float = 1.0, **how: Any) -> None:
            super().__init__(**how)
            self.weight = weight

        def call(self, y_true: Any, y_pred: Any) -> Any:
            return self.weight * o.mean(o.square(y_true - y_pred), axis=-1)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "weight": self.weight}

    def distance(y_true: Any, y_pred: Any) -> Any:
        return o.mean(o.abs(y_true - y_pred), axis=-1)

    return {"Scale": Scale, "Weighted": Weighted, "distance": distance}


THEIRS, OURS = objects(keras, keras.ops), objects(edgeling, ops)


def model(k: Any, held: dict[str, Any], functional: bool) -> Any:
    x = k.layers.Input((4,))
    parts = [held["Scale"](3.0, name="scaled"), k.layers.Dense(2)]
    made = k.models.Model(x, parts[1](parts[0](x))) if functional else k.models.Sequential([x, *parts])
    loss = held["Weighted"](2.0) if functional else held["distance"]
    made.compile("adam", loss, metrics=[held["distance"]])
    return made


@pytest.mark.parametrize("functional", [True, False])
def test_files_go_both_ways(functional: bool, tmp_path: Path) -> None:
    ours = model(edgeling, OURS, functional)
    ours.fit(X, Y, epochs=2, verbose=0)
    ours.save(tmp_path / "ours.keras")
    again = load_model(tmp_path / "ours.keras", custom_objects=OURS)
    np.testing.assert_array_equal(again.predict(X), ours.predict(X))
    assert again.evaluate(X, Y, verbose=0) == ours.evaluate(X, Y, verbose=0)
    theirs = keras.models.load_model(tmp_path / "ours.keras", custom_objects=THEIRS)
    require_same_answers(ours, theirs, X)
    theirs.save(tmp_path / "theirs.keras")
    read = load_model(tmp_path / "theirs.keras", custom_objects=OURS)
    np.testing.assert_array_equal(read.predict(X), ours.predict(X))
    assert read.optimizer.iterations == ours.optimizer.iterations
    assert model_from_json(ours.to_json(), custom_objects=OURS).get_layer("scaled").factor == 3.0


def test_without_them_code_is_never_run(tmp_path: Path) -> None:
    ours = model(edgeling, OURS, True)
    ours.save(tmp_path / "ours.keras")
    with pytest.raises(UnsupportedError, match="custom_objects"):
        load_model(tmp_path / "ours.keras")
    with pytest.raises(UnsupportedError, match="Scale"):
        load_model(tmp_path / "ours.keras", custom_objects={"Other": OURS["Scale"]})


def test_a_class_tells_its_arguments_or_they_are_plain_or_it_is_not_written(tmp_path: Path) -> None:
    class Silent(edgeling.layers.Layer):
        def __init__(self, factor: Any, **how: Any) -> None:
            super().__init__(**how)
            self.factor = factor

        def call(self, x: Any) -> Any:
            return x * self.factor

    plain = edgeling.Sequential([edgeling.Input((2,)), Silent(2.0)])
    plain.save(tmp_path / "silent.keras")
    read = load_model(tmp_path / "silent.keras", custom_objects={"Silent": Silent})
    np.testing.assert_array_equal(read.predict(np.ones((1, 2))), [[2.0, 2.0]])
    made = edgeling.Sequential([edgeling.Input((2,)), Silent(np.float32([2.0]))])
    with pytest.raises(UnsupportedError, match="get_config"):
        made.save(tmp_path / "silent.keras")
