# SPDX-License-Identifier: Apache-2.0
"""What is added to the loss beside it: penalties on answers written in Python, of whole batches, as in Keras; models
without any other loss, and without targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

import edgeling  # noqa: E402
from edgeling import layers, ops  # noqa: E402
from edgeling.errors import EdgelingError  # noqa: E402
from edgeling.models import Sequential, load_model  # noqa: E402
from tests.support.rounding import training_bounds  # noqa: E402
from tests.training.keras_pairs import assert_within, rows  # noqa: E402

pytestmark = pytest.mark.keras
X, Y = rows(0), rows(1, features=2)
CLOSE = 256 * float(np.finfo(np.float32).eps)  # some tens of roundings of sums of a hundred numbers
HOW: dict[str, Any] = {"batch_size": 5, "shuffle": False, "verbose": 0}


def roughness(o: Any) -> Any:
    return lambda x: 0.1 * o.sqrt(o.sum(o.square(x)) + 1.0)


def spread(k: Any, o: Any) -> Any:
    class Spread(k.regularizers.Regularizer):  # type: ignore[misc, name-defined]
        def __init__(self, factor: float = 0.2) -> None:
            self.factor = factor

        def __call__(self, x: Any) -> Any:
            return self.factor * o.mean(o.abs(x - o.mean(x, axis=0, keepdims=True)))

        def get_config(self) -> dict[str, Any]:
            return {"factor": self.factor}

    return Spread


def model(k: Any, o: Any, loss: Any) -> Any:
    hidden = k.layers.Dense(4, activation="tanh", activity_regularizer=roughness(o), kernel_regularizer="l2")
    last = k.layers.Dense(2, activity_regularizer=spread(k, o)(0.3))
    made = k.Sequential([k.layers.Input((5,)), hidden, last])
    made.compile(k.optimizers.SGD(0.1), loss)
    return made


@pytest.mark.parametrize("loss", ["mse", None])
def test_penalties_on_answers_are_kerass_in_steps_and_in_evaluations(loss: str | None) -> None:
    keras.utils.set_random_seed(2)
    theirs, ours = model(keras, keras.ops, loss), model(edgeling, ops, loss)
    ours.set_weights(theirs.get_weights())
    y = Y if loss else None

    def train(one: Any) -> list[Any]:
        return [one.fit(X, y, epochs=2, **HOW).history["loss"]]

    bounds = training_bounds(ours, train)
    expected, found = train(theirs), train(ours)
    assert_within(bounds, [*found, *ours.get_weights()], [*expected, *theirs.get_weights()])
    judged = [one.evaluate(X, y, batch_size=5, verbose=0) for one in (theirs, ours)]
    assert judged[0] == pytest.approx(judged[1], rel=CLOSE)
    batches = (
        [(X[:5], y), (X[5:10], y), (X[10:], y)] if not loss else [(X[a : a + 5], Y[a : a + 5]) for a in (0, 5, 10)]
    )
    assert ours.evaluate(batches, verbose=0) == pytest.approx(judged[1], rel=CLOSE)
    held = ours.fit(X, y, epochs=1, validation_data=(X, y), **HOW).history["val_loss"][0]
    assert held == pytest.approx(ours.evaluate(X, y, batch_size=5, verbose=0), rel=CLOSE)


def test_they_go_into_files_by_their_names(tmp_path: Path) -> None:
    kind = spread(edgeling, ops)
    ours = Sequential(
        [layers.Input((5,)), layers.Dense(4, activity_regularizer=size), layers.Dense(2, activity_regularizer=kind())]
    )
    ours.compile("sgd", "mse")
    ours.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras", custom_objects={"size": size, "Spread": kind})
    assert again.evaluate(X, Y, verbose=0) == ours.evaluate(X, Y, verbose=0)
    with pytest.raises(EdgelingError):
        load_model(tmp_path / "m.keras")


def size(x: Any) -> Any:
    return 0.1 * ops.sum(ops.square(x))


def test_a_penalty_is_one_number() -> None:
    ours = Sequential([layers.Input((5,)), layers.Dense(2, activity_regularizer=ops.square)])
    with pytest.raises(EdgelingError, match="gives one number"):
        ours.compile("sgd", "mse")


def test_without_anything_to_make_small_nothing_trains() -> None:
    ours = Sequential([layers.Input((5,)), layers.Dense(2)])
    ours.compile("sgd")
    with pytest.raises(EdgelingError, match="compiled with a loss"):
        ours.fit(X, verbose=0)


def test_a_call_on_arrays_leaves_what_it_added() -> None:
    x = np.ones((2, 3), np.float32)
    found = []
    for k, o in ((keras, keras.ops), (edgeling, ops)):
        how = {"kernel_initializer": "ones", "kernel_regularizer": "l2"}
        first = k.layers.Dense(2, activity_regularizer=lambda y, o=o: o.sum(o.abs(y)), **how)
        last = k.layers.Dense(2, activity_regularizer="l1", **how)
        for _ in range(2):
            last(first(x))
        found.append(sorted(float(loss) for layer in (first, last) for loss in layer.losses))
    assert found[0] == pytest.approx(found[1], rel=CLOSE)


def test_what_is_registered_is_read_without_more(tmp_path: Path) -> None:
    """Functions that are metrics, losses and regularizers, and what a layer of one's own adds."""
    from edgeling import saving

    @saving.register_keras_serializable(package="Mine")
    def distance(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.abs(y_true - y_pred), axis=-1)

    @saving.register_keras_serializable(package="Mine")
    def length(x: Any) -> Any:
        return 0.1 * ops.sum(ops.square(x))

    @saving.register_keras_serializable(package="Mine")
    class Adds(layers.Layer):
        def call(self, x: Any) -> Any:
            self.add_loss(0.1 * ops.sum(x))
            return x

    adds = Adds()
    adds(np.ones((2, 3), np.float32))
    assert adds.losses == pytest.approx([0.6], rel=CLOSE)
    ours = Sequential([layers.Input((5,)), layers.Dense(2, activity_regularizer=length), adds])
    wrapped = edgeling.metrics.MeanMetricWrapper(distance, name="wrapped")
    ours.compile("sgd", distance, metrics=[distance, wrapped])
    ours.save(tmp_path / "m.keras")
    told = {"batch_size": 5, "verbose": 0, "return_dict": True}
    assert load_model(tmp_path / "m.keras").evaluate(X, Y, **told) == ours.evaluate(X, Y, **told)
