# SPDX-License-Identifier: Apache-2.0
"""Losses called by themselves: Keras's reductions, shapes and weights."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

keras = pytest.importorskip("keras")

from edgeling import losses  # noqa: E402
from edgeling.errors import DataError, UnsupportedError  # noqa: E402
from tests.support.rounding import Bound, function_bound  # noqa: E402

pytestmark = pytest.mark.keras

NUMBER = st.integers(1, 9).map(lambda n: n / 10)
SHAPES = [((4,), (4,)), ((4,), (4, 1)), ((4, 1), (4,)), ((4, 3), (4, 3)), ((2, 4, 3), (2, 4, 3)), ((4, 1), (4, 1))]
WEIGHTS: list[Any] = [None, 2.0, [0.0, 1.0, 0.5, 3.0], [[0.0], [1.0], [0.5], [3.0]], [0.0, 0.0, 0.0, 0.0]]
ELEMENTWISE = ["MeanSquaredError", "MeanAbsolutePercentageError", "Huber", "LogCosh", "Poisson", "CosineSimilarity"]


def loss_bound(loss: Any, truth: Any, prediction: Any, summand: float = 0.0) -> Bound:
    return function_bound(loss, truth, prediction, modules=(losses,), terms=np.size(prediction), summand=summand)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ELEMENTWISE), st.sampled_from(SHAPES), st.sampled_from(WEIGHTS),
    st.sampled_from(losses.REDUCTIONS), st.lists(NUMBER, min_size=24, max_size=24),
)  # fmt: skip
def test_a_loss_reduces_rows_of_any_shape_as_kerass(
    name: str, shapes: Any, weights: Any, reduction: str | None, numbers: list[float]
) -> None:
    drawn = np.asarray(numbers, np.float32)
    truth, prediction = np.resize(drawn, shapes[0]), np.resize(drawn[::-1], shapes[1])
    if truth.ndim == 3 and weights is not None and np.ndim(weights):
        weights = np.resize(np.asarray(weights), (2, 4))
    how = {"sample_weight": weights}
    ours, theirs = (getattr(k, name)(reduction=reduction) for k in (losses, keras.losses))
    try:
        expected = np.asarray(theirs(truth, prediction, **how))
    except ValueError:  # weights that fit no row
        return
    got = ours(truth, prediction, **how)
    assert np.asarray(got).dtype == np.float32
    # log_cosh takes log 2 from each row; a weight is at most 3
    summand = (3 * truth.size if reduction == "sum" else 3) if name == "LogCosh" else 0
    bound = loss_bound(partial(ours, **how), truth, prediction, summand)
    bound.require(expected, "Keras's")
    bound.require(got, "ours")


@settings(max_examples=40, deadline=None)
@given(
    st.booleans(), st.booleans(), st.sampled_from([0.0, 0.2]), st.sampled_from([0.0, 0.5, 2.0, 3.0]),
    st.lists(NUMBER, min_size=12, max_size=12),
)  # fmt: skip
def test_focal_losses_are_kerass(
    balanced: bool, from_logits: bool, smoothing: float, gamma: float, numbers: list[float]
) -> None:
    p = np.reshape(np.asarray(numbers, np.float32), (4, 3))
    shared = {"gamma": gamma, "from_logits": from_logits, "label_smoothing": smoothing, "alpha": 0.4}
    cases = {
        "BinaryFocalCrossentropy": ((p > 0.5).astype(np.float32), {**shared, "apply_class_balancing": balanced}),
        "CategoricalFocalCrossentropy": (np.eye(3, dtype=np.float32)[[0, 2, 1, 0]], shared),
    }
    for name, (truth, options) in cases.items():
        theirs, ours = getattr(keras.losses, name)(**options), getattr(losses, name)(**options)
        bound = loss_bound(ours, truth, p)
        bound.require(np.asarray(theirs(truth, p)), "Keras's")
        bound.require(ours(truth, p), "ours")
        again = losses.get(keras.saving.serialize_keras_object(theirs))
        assert again == ours
        assert {k: v for k, v in ours.get_config().items() if k != "dtype"} == theirs.get_config()


def test_a_generalized_cross_entropy_is_kerass() -> None:
    p = np.asarray([[0.2, 0.8], [0.6, 0.4]], np.float32)
    for q in (0.2, 0.7):
        expected = keras.losses.CategoricalGeneralizedCrossEntropy(q)(np.asarray([1, 0]), p)
        ours = losses.CategoricalGeneralizedCrossEntropy(q)
        bound = loss_bound(ours, [1, 0], p)
        bound.require(float(expected), "Keras's")
        bound.require(ours([1, 0], p), "ours")


@pytest.mark.parametrize("name", ["dice", "Tversky", "ctc", "circle"])
def test_losses_over_whole_batches_are_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedError, match=name):
        losses.get(name)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: losses.BinaryCrossentropy(axis=0), lambda: losses.CategoricalFocalCrossentropy(alpha=[0.1, 0.9]),
        lambda: losses.CategoricalGeneralizedCrossEntropy(1.0), lambda: losses.Huber(reduction="average"),
    ],
)  # fmt: skip
def test_arguments_that_mean_nothing_here_are_refused(wrong: Any) -> None:
    with pytest.raises(UnsupportedError, match="received"):
        wrong()


class Own(losses.Loss):
    """A loss of one's own."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return np.abs(y_true - y_pred)[:, 0]


def test_a_loss_of_ones_own_may_be_called_by_itself() -> None:
    assert Own(reduction="sum")([[1.0], [2.0]], [[0.0], [5.0]], [1.0, 0.5]) == 2.5


@pytest.mark.parametrize("loss", [losses.BinaryCrossentropy(), losses.MeanSquaredError()])
def test_shapes_that_do_not_go_together_are_refused(loss: losses.Loss) -> None:
    with pytest.raises(DataError, match="one shape"):
        loss(np.zeros((4, 3)), np.zeros((4, 2)))
