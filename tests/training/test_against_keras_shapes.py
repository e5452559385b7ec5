# SPDX-License-Identifier: Apache-2.0
"""Targets [n] against outputs [n, 1], and other shapes that broadcast: Keras's value, or a refusal by name."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from edgeling import layers, losses, metrics
from edgeling.errors import DataError
from edgeling.models import Sequential
from tests.support.rounding import ELEMENTARY, UNIT

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.keras

ROWS = 7
PAIRS = [
    ((ROWS,), (ROWS, 1)), ((ROWS, 1), (ROWS,)), ((ROWS, 1), (ROWS, 1)), ((ROWS, 1), (ROWS, 3)), ((ROWS, 3), (ROWS, 1)),
    ((ROWS, 3), (ROWS, 3)), ((ROWS, 1, 1), (ROWS, 1)),
]  # fmt: skip
# A mean of 49 values that are at most 16 (minus the logarithm of 1e-7) times what is told, each of a dozen operations,
# two of them elementary functions; both sides round.
TOLERANCE = 2 * 16 * (49 + 10 + 2 * 2 * ELEMENTARY) * UNIT


def drawn(shape: tuple[int, ...], kind: str) -> np.ndarray:
    found = np.random.default_rng(len(shape)).integers(0, 2, shape).astype(np.float32)
    return 2 * found - 1 if kind == "-1 and 1" else found


def outputs(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(9).uniform(0.1, 0.9, shape).astype(np.float32)


def agree(ours: Any, theirs: Any) -> None:
    """Or ours says what it does not take."""
    try:
        found = ours()
    except DataError:
        return
    np.testing.assert_allclose(found, theirs(), rtol=TOLERANCE, atol=TOLERANCE)


OF_LOSSES = sorted(losses.FUNCTIONS.keys() - {"categorical_generalized_cross_entropy"})  # whose q Keras asks for


@pytest.mark.parametrize("name", OF_LOSSES)
def test_functions_and_losses_of_every_pair_of_shapes(name: str) -> None:
    function, of_keras = losses.FUNCTIONS[name], getattr(keras.losses, name)
    loss, theirs = function.loss_class(), getattr(keras.losses, function.loss_class.__name__)()
    kinds = ["0 and 1"] if loss.sparse else ["0 and 1", "-1 and 1"]
    for (truth, prediction), kind in product(PAIRS, kinds):
        y, p = drawn(truth, kind), outputs(prediction)
        if loss.sparse:
            y = y.astype(np.int32)
        agree(lambda y=y, p=p: function(y, p), lambda y=y, p=p: of_keras(y, p))
        agree(lambda y=y, p=p: loss(y, p), lambda y=y, p=p: theirs(y, p))


@pytest.mark.parametrize(
    "name", ["Hinge", "SquaredHinge", "CategoricalHinge", "Poisson", "KLDivergence", "MeanSquaredError"]
)
def test_metrics_by_themselves(name: str) -> None:
    for (truth, prediction), weighted in product(PAIRS, (False, True)):
        weight = np.linspace(0, 1, ROWS, dtype=np.float32) if weighted else None
        ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
        y, p = drawn(truth, "0 and 1"), outputs(prediction)
        agree(
            lambda ours=ours, y=y, p=p, w=weight: ours(y, p, sample_weight=w),
            lambda theirs=theirs, y=y, p=p, w=weight: theirs(y, p, sample_weight=w),
        )


def test_a_hinge_metric_pairs_every_target_with_every_output() -> None:
    """The case that differed; the loss of the same name does not pair."""
    y, p = np.array([1.0, -1, 1, -1], np.float32), np.array([[4.0], [3], [-2], [-1]], np.float32)
    assert float(losses.Hinge()(y, p)) == np.mean(np.maximum(1 - y[:, np.newaxis] * p, 0))
    assert float(metrics.Hinge()(y, p)) == np.mean(np.maximum(1 - y * p, 0))
    assert float(metrics.Hinge()(y, p)) == float(keras.metrics.Hinge()(y, p))


def compiled(package: Any, how: dict[str, Any]) -> Any:
    model = package.Sequential([package.layers.Input((4,)), package.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "mse", **how)
    model.set_weights([np.float32([[0.5], [-0.25], [1], [0.125]]), np.float32([0.5])])
    return model


class Ours:
    Sequential, layers = Sequential, layers


def mine(y_true: Any, y_pred: Any) -> Any:
    return abs(y_true - y_pred)


@pytest.mark.parametrize(("flat", "weighted"), [(True, False), (True, True), (False, False)])
def test_in_a_model(flat: bool, weighted: bool) -> None:
    """Batch by batch, for what is paired are the rows of a batch."""
    names: list[Any] = ["hinge", "poisson", "mae", mine]
    x = np.random.default_rng(1).normal(size=(10, 4)).astype(np.float32)
    y = drawn((10,) if flat else (10, 1), "0 and 1")
    how = {("weighted_metrics" if weighted else "metrics"): names}
    ours, theirs = compiled(Ours, how), compiled(keras, how)
    given = {"batch_size": 4, "sample_weight": np.linspace(0, 1, 10, dtype=np.float32), "verbose": 0}
    found, expected = (model.evaluate(x, y, **given) for model in (ours, theirs))
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE)
    logs = [m.fit(x, y, epochs=2, shuffle=False, validation_data=(x, y), **given).history for m in (ours, theirs)]
    for name, values in logs[1].items():  # rates of 0.01 keep what a step rounds a hundredth of what is measured
        np.testing.assert_allclose(logs[0][name], values, rtol=4 * TOLERANCE, atol=4 * TOLERANCE, err_msg=name)


def test_class_numbers_that_keras_pairs_are_refused() -> None:
    labels, p = np.array([[0], [2]]), np.full((2, 3), 1 / 3, np.float32)
    with pytest.raises(DataError, match=r"\[rows\]"):
        losses.CategoricalGeneralizedCrossEntropy()(labels, p)
    model = Sequential([layers.Input((4,)), layers.Dense(3, "softmax")])
    model.compile("sgd", losses.CategoricalGeneralizedCrossEntropy())
    with pytest.raises(DataError, match=r"\[rows\]"):
        model.evaluate(np.ones((2, 4)), labels, verbose=0)
    model.evaluate(np.ones((2, 4)), labels[:, 0], verbose=0)
