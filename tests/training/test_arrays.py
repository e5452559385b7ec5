# SPDX-License-Identifier: Apache-2.0
"""What is handed to fit, and what is said about it."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from edgeling.errors import DataError, EdgelingError, TrainingError, UnsupportedError
from edgeling.layers import Dense, Input
from edgeling.models import Sequential
from edgeling.training import arrays
from edgeling.training.engine import TrainingData

X = np.random.default_rng(0).normal(size=(12, 4))
Y = np.arange(12) % 3


def _classifier(loss: str = "sparse_categorical_crossentropy", units: int = 3) -> Sequential:
    model = Sequential([Input((4,)), Dense(units, activation="softmax" if units > 1 else "sigmoid")])
    model.compile("adam", loss)
    return model


BAD: dict[str, tuple[Any, Any, dict[str, Any], type[Exception], str]] = {
    "features": (X[:, :3], Y, {}, DataError, r"4 features.*\(12, 3\)"),
    "one row": (X[0], Y[:1], {}, DataError, "np.newaxis"),
    "rows": (X, Y[:11], {}, DataError, "12 and 11"),
    "no rows": (X[:0], Y[:0], {}, DataError, "at least one row"),
    "NaN": (np.where(X > 1, np.nan, X), Y, {}, DataError, "NaN or infinite.*first at"),
    "infinite": (np.where(X > 1, np.inf, X), Y, {}, DataError, "finite"),
    "too large for float32": (X * 1e300, Y, {}, DataError, "finite"),
    "text": (X.astype(str), Y, {}, DataError, "x holds numbers"),
    "text labels": (X, np.array(["a", "b", "c"] * 4), {}, DataError, "return_inverse"),
    "objects": (np.array([{}] * 12), Y, {}, DataError, "numbers"),
    "ragged": ([[1.0, 2.0], [3.0]], [0, 1], {}, DataError, "rows of one length"),
    "a class too many": (X, Y + 1, {}, DataError, "between 0 and 2.*labels from 1 to 3"),
    "negative class": (X, Y - 1, {}, DataError, "between 0 and 2"),
    "fractions of classes": (X, Y + 0.5, {}, DataError, "whole"),
    "one-hot for sparse": (X, np.eye(3)[Y], {}, DataError, "argmax"),
    "no targets": (X, None, {}, DataError, "needs targets"),
    "both weights": (X, Y, {"class_weight": {0: 2.0}, "sample_weight": np.ones(12)}, DataError, "either"),
    "few weights": (X, Y, {"sample_weight": np.ones(5)}, DataError, "5 for 12 rows"),
    "split": (X, Y, {"validation_split": 1.0}, DataError, "both sides"),
    "batch size": (X, Y, {"batch_size": 0}, UnsupportedError, "batch_size is a whole number from 1"),
    "generator": ((row for row in X), Y, {}, DataError, "targets come with the batches"),
    "dictionary": ({"a": X}, Y, {}, DataError, "go by the names"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_data_is_refused_clearly_and_nothing_moves(name: str) -> None:
    x, y, how, error, message = BAD[name]
    model = _classifier()
    before = model.get_weights()
    with pytest.raises(error, match=message) as caught:
        model.fit(x, y, verbose=0, **how)
    assert isinstance(caught.value, EdgelingError)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_class_numbers_for_a_dense_loss_are_met_with_the_remedy() -> None:
    with pytest.raises(DataError, match="sparse_categorical_crossentropy"):
        _classifier("categorical_crossentropy").fit(X, Y, verbose=0)


def test_three_classes_for_one_output_are_refused() -> None:
    with pytest.raises(DataError, match=r"from 0 to 1.*from 0 to 2"):
        _classifier("binary_crossentropy", 1).fit(X, Y, verbose=0)


def test_a_model_that_is_not_compiled_says_so() -> None:
    with pytest.raises(TrainingError, match="compile"):
        Sequential([Input((4,)), Dense(3)]).fit(X, Y)
    model = Sequential([Input((4,)), Dense(3)])
    model.compile("adam")
    with pytest.raises(TrainingError, match="loss"):
        model.fit(X, Y)


@pytest.mark.parametrize("given", [X, X.tolist(), X.astype(object), pl.DataFrame(X), X.astype(np.float32, order="F")])
def test_whatever_numpy_reads_is_taken(given: Any) -> None:
    rows = arrays.features(given, (4,))
    assert rows.dtype == np.float32
    assert rows.flags.c_contiguous
    np.testing.assert_array_equal(rows, X.astype(np.float32))


def test_a_flat_list_is_rows_of_one_feature() -> None:
    assert arrays.features([1, 2, 3], (1,)).shape == (3, 1)
    assert arrays.features([1, 2, 3], None).shape == (3, 1)


def test_weights_of_classes_become_weights_of_rows() -> None:
    for y in (np.array([[0], [2], [1]], np.float32), np.eye(3, dtype=np.float32)[[0, 2, 1]]):
        weighted = arrays.with_class_weights(TrainingData(X[:3], y), {0: 2.0, 2: 0.5})
        assert weighted.sample_weight is not None
        np.testing.assert_array_equal(weighted.sample_weight, [2.0, 0.5, 1.0])
