# SPDX-License-Identifier: Apache-2.0
"""Metrics written in Python: functions become part of the compiled code, and what they report is Keras's."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

import edgeling  # noqa: E402
from edgeling import layers, metrics, ops  # noqa: E402
from edgeling.models import Model, Sequential, load_model  # noqa: E402
from tests.support.rounding import training_bounds  # noqa: E402
from tests.training.keras_pairs import assert_within, rows  # noqa: E402

pytestmark = pytest.mark.keras
X, Y = rows(0), rows(1, features=3)
CLASSES = np.random.default_rng(2).integers(0, 3, len(X))
CLOSE = 64 * float(np.finfo(np.float32).eps)  # some ten roundings of sums of a dozen values
WEIGHTS = np.linspace(0.5, 2, len(X)).astype(np.float32)


def functions(o: Any) -> list[Any]:
    def of_rows(y_true: Any, y_pred: Any) -> Any:
        return o.max(o.abs(y_true - y_pred), axis=-1)

    def of_elements(y_true: Any, y_pred: Any) -> Any:
        return o.cast(o.abs(y_true - y_pred) < 1.0, "float32")

    def of_batches(y_true: Any, y_pred: Any) -> Any:
        return o.sqrt(o.mean(o.square(y_true - y_pred)))

    return [of_rows, of_elements, of_batches]


def small(k: Any, outputs: int = 3) -> Any:
    made = k.Sequential([k.layers.Input((5,)), k.layers.Dense(outputs, kernel_initializer="ones")])
    return made


def test_functions_report_what_keras_reports() -> None:
    theirs, ours = small(keras), small(edgeling)
    for one, o in ((theirs, keras.ops), (ours, ops)):
        one.compile("sgd", "mse", metrics=functions(o), weighted_metrics=functions(o)[:2])

    def train(one: Any) -> list[Any]:
        fitted = one.fit(X, Y, batch_size=5, epochs=2, shuffle=False, verbose=0, sample_weight=WEIGHTS).history
        judged = one.evaluate(X, Y, batch_size=5, verbose=0, sample_weight=WEIGHTS, return_dict=True)
        assert sorted(fitted) == sorted(judged)
        return [*(fitted[name] for name in sorted(fitted)), *(judged[name] for name in sorted(judged))]

    bounds = training_bounds(ours, train)
    expected, found = train(theirs), train(ours)
    assert_within(bounds, [*found, *ours.get_weights()], [*expected, *theirs.get_weights()])


def test_what_is_of_rows_is_computed_by_the_compiled_code() -> None:
    """The function is called while the graph is written, and never on the batches."""
    seen: list[Any] = []

    def error(y_true: Any, y_pred: Any) -> Any:
        seen.append(type(y_pred).__name__)
        return ops.mean(ops.abs(y_true - y_pred), axis=-1)

    model = small(edgeling)
    model.compile("sgd", "mse", metrics=[error, "mae"])
    logs = model.fit(X, Y, epochs=3, batch_size=4, verbose=0, validation_data=(X, Y)).history
    assert set(seen) == {"TracedValue"}
    np.testing.assert_allclose(logs["error"], logs["mae"], rtol=CLOSE)
    np.testing.assert_allclose(logs["val_error"], logs["val_mae"], rtol=CLOSE)


def test_numpy_is_run_batch_by_batch_and_told_once() -> None:
    def largest(y_true: Any, y_pred: Any) -> Any:
        return np.abs(y_true - y_pred).max(axis=-1)

    model = small(edgeling)
    model.compile("sgd", "mse", metrics=[largest])
    with pytest.warns(UserWarning, match="metric 'largest' runs with NumPy, batch by batch"):
        model.fit(X, Y, epochs=2, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = model.evaluate(X, Y, verbose=0)[1]
    assert found == pytest.approx(np.abs(Y - model.predict(X)).max(axis=-1).mean(), rel=CLOSE)


def test_targets_are_seen_as_they_were_given() -> None:
    """As in Keras, which pairs [rows] with outputs [rows, 1]; and class numbers of steps."""

    def pairs(o: Any) -> Any:
        return lambda y_true, y_pred: o.mean(o.abs(y_true - y_pred), axis=-1)

    theirs, ours = small(keras, 1), small(edgeling, 1)
    found = []
    for one, o in ((theirs, keras.ops), (ours, ops)):
        one.compile("sgd", "mse", metrics=[pairs(o)])
        found.append(one.evaluate(X, Y[:, 0], batch_size=5, verbose=0)[1])
    assert found[0] == pytest.approx(found[1], rel=CLOSE)
    steps = Sequential([layers.Input((5, 1)), layers.Dense(3, activation="softmax")])
    steps.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy", right_steps, Truths()])
    _, share, own, kept = steps.evaluate(X[..., None], np.repeat(CLASSES[:, None], 5, axis=1), verbose=0)
    assert share == pytest.approx(own, rel=CLOSE)
    assert share == pytest.approx(kept, rel=CLOSE)  # of predictions whose steps the compiled code keeps


def right_steps(y_true: Any, y_pred: Any) -> Any:
    """Whether the largest output is the class, of numbers of classes [...] or [..., 1]."""
    chosen = ops.sum(ops.one_hot(y_true, 3) * y_pred, axis=-1)
    return ops.cast(chosen >= ops.max(y_pred, axis=-1), "float32")


class Truths(metrics.Metric):
    """As a Keras user writes it: how many rows are right, by weight, and the mean of a function beside it."""

    def __init__(self, scale: float = 1.0, name: str = "truths", **how: Any) -> None:
        super().__init__(name=name, **how)
        self.scale = scale
        self.right = self.add_weight(shape=(), initializer="zeros", name="right")
        self.seen = self.add_weight(name="seen")
        self.inner = metrics.Mean()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        right = right_steps(y_true, y_pred)
        weights = 0 * right + 1 if sample_weight is None else ops.cast(sample_weight, "float32")
        self.right.assign_add(ops.sum(right * weights))
        self.seen.assign(self.seen + ops.sum(weights))
        self.inner.update_state(right, sample_weight)

    def result(self) -> Any:
        return self.scale * self.right / self.seen + 0.0 * self.inner.result()

    def reset_state(self) -> None:
        self.right.assign(0.0)
        self.seen.assign(0)
        self.inner.reset_state()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}


def test_classes_keep_states_take_weights_and_go_into_files(tmp_path: Path) -> None:
    model = Sequential([layers.Input((5,)), layers.Dense(3, activation="softmax")])
    how = {"metrics": [Truths(2.0), right_steps], "weighted_metrics": [Truths(name="weighted"), "accuracy"]}
    model.compile("sgd", "sparse_categorical_crossentropy", **how)
    logs = model.fit(X, CLASSES, batch_size=5, epochs=2, verbose=0, sample_weight=WEIGHTS).history
    np.testing.assert_allclose(logs["truths"], 2 * np.asarray(logs["right_steps"]), rtol=CLOSE)
    np.testing.assert_allclose(
        logs["weighted"], logs["weighted_accuracy" if "weighted_accuracy" in logs else "accuracy"], rtol=CLOSE
    )
    model.save(tmp_path / "m.keras")
    again: Model = load_model(tmp_path / "m.keras", custom_objects={"Truths": Truths, "right_steps": right_steps})
    told = {"return_dict": True, "verbose": 0, "sample_weight": WEIGHTS}
    assert again.evaluate(X, CLASSES, **told) == model.evaluate(X, CLASSES, **told)
    assert again.metrics_names == model.metrics_names


def test_a_wrapper_hands_its_arguments_on(tmp_path: Path) -> None:
    model = small(edgeling)
    model.compile("sgd", "mse", metrics=[metrics.MeanMetricWrapper(scaled_error, name="own", factor=3.0), "mae"])
    logs = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert logs["own"] == pytest.approx(3 * logs["mae"], rel=CLOSE)
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras", custom_objects={"scaled_error": scaled_error})
    assert again.evaluate(X, Y, verbose=0, return_dict=True) == logs


def scaled_error(y_true: Any, y_pred: Any, factor: float = 1.0) -> Any:
    return factor * ops.abs(y_true - y_pred)
