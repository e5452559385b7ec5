# SPDX-License-Identifier: Apache-2.0
"""Metrics that are a mean of one value a row. Most have a kernel and are computed while the network trains."""

from __future__ import annotations

from math import sqrt
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from edgeling import losses
from edgeling.configurable import refuse
from edgeling.errors import DataError, UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.graph.types import Array
from edgeling.metrics.base import EPSILON, Mean, batch, single
from edgeling.network.tracing import Tracer


class RowMetric(Mean):
    """The mean of one value a row."""

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """One value a row [rows], or several [rows, ...]."""
        raise NotImplementedError

    def update_state(  # type: ignore[override]
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        super().update_state(self.values(y_true, y_pred), sample_weight)


class NativeMetric(RowMetric):
    """A row metric that has a kernel."""

    sparse = False
    is_written = False

    def trace(self, builder: GraphBuilder, y_true: str, y_pred: str) -> str:
        """Append the metric to a graph: two matrices -> [n]."""
        raise NotImplementedError

    def traced(self, tracer: Tracer, y_true: str, y_pred: str) -> str:
        """As :meth:`trace`, for whoever needs more of the graph that is being written."""
        return self.trace(tracer.builder, y_true, y_pred)

    def of_mean(self, mean: float) -> float:
        """What is reported, from the mean over the rows."""
        return mean

    def signature(self) -> dict[str, Any]:
        """What the compiled code depends on."""
        return {key: value for key, value in self.get_config().items() if key != "name"}


class Accuracy(RowMetric):
    """Share of predictions that are the truth itself."""

    direction = "up"

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        return np.equal(*batch(y_true, y_pred))


class BinaryAccuracy(NativeMetric):
    """Share of outputs on the right side of the threshold."""

    direction = "up"

    def __init__(self, name: str | None = None, dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(name, dtype)
        self.threshold = threshold

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        return binary_accuracy(y_true, y_pred, self.threshold)

    def trace(self, builder: GraphBuilder, y_true: str, y_pred: str) -> str:
        return builder.add("metric", y_true, y_pred, function="binary_accuracy", threshold=float(self.threshold))


class CategoricalAccuracy(NativeMetric):
    """Share of rows whose largest output is the one-hot class."""

    direction = "up"

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        return categorical_accuracy(y_true, y_pred)

    def trace(self, builder: GraphBuilder, y_true: str, y_pred: str) -> str:
        return builder.add("metric", y_true, y_pred, function="categorical_accuracy")


class SparseCategoricalAccuracy(NativeMetric):
    """Share of rows whose largest output is the class number."""

    sparse = True
    direction = "up"

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        return sparse_categorical_accuracy(y_true, y_pred)

    def trace(self, builder: GraphBuilder, y_true: str, y_pred: str) -> str:
        return builder.add("metric", y_true, y_pred, function="sparse_categorical_accuracy")


class TopKCategoricalAccuracy(RowMetric):
    """Share of rows whose one-hot class is among the ``k`` largest outputs."""

    sparse = False
    direction = "up"

    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.k = k

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        return top_k_categorical_accuracy(y_true, y_pred, self.k)


class SparseTopKCategoricalAccuracy(RowMetric):
    """Share of rows whose class number is among the ``k`` largest outputs; or, with ``from_sorted_ids``, among the
    first ``k`` predicted class numbers."""

    sparse = True
    direction = "up"

    def __init__(
        self, k: int = 5, name: str | None = None, dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(name, dtype)
        self.k, self.from_sorted_ids = k, from_sorted_ids

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        return sparse_top_k_categorical_accuracy(y_true, y_pred, self.k, self.from_sorted_ids)


def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, threshold: float = 0.5) -> Array:
    """1 or 0 for each output: [n, k] and [n, k] -> [n, k]."""
    truth, prediction = batch(y_true, y_pred)
    return np.equal(truth, prediction > np.float32(threshold)).astype(np.float32)


def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """1 or 0 for each row: one-hot [n, k] and [n, k] -> [n].

    Raises:
        DataError: ``y_pred`` has no column for each class.
    """
    if np.ndim(y_pred) < 2:
        raise DataError(
            "y_pred has one column a class", received=f"shape {np.shape(y_pred)}",
            remedy="y_pred.reshape(rows, classes)",
        )  # fmt: skip
    return np.equal(np.argmax(y_true, axis=-1), np.argmax(y_pred, axis=-1)).astype(np.float32)


def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """1 or 0 for each row: class numbers [n] or [n, 1] and [n, k] -> [n]."""
    prediction = np.asarray(y_pred, np.float32)
    return np.equal(_class_numbers(y_true, prediction), np.argmax(prediction, axis=-1)).astype(np.float32)


def top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> Array:
    """1 or 0 for each row: one-hot [n, c] and [n, c] -> [n]."""
    return sparse_top_k_categorical_accuracy(np.argmax(y_true, axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, k: int = 5, from_sorted_ids: bool = False
) -> Array:
    """1 or 0 for each row: class numbers [n] or [n, 1] and [n, c] -> [n]."""
    prediction = np.asarray(y_pred, np.float32)
    labels = _class_numbers(y_true, prediction)[..., None]
    if from_sorted_ids:
        return np.any(labels == prediction[..., :k], axis=-1).astype(np.float32)
    classes = prediction.shape[-1]
    last_in = np.sort(prediction, axis=-1)[..., -min(k, classes)]
    nearest = np.clip(labels, 0, classes - 1).astype(np.int64)  # as Keras's on JAX
    return np.greater_equal(np.take_along_axis(prediction, nearest, axis=-1)[..., 0], last_in).astype(np.float32)


def _class_numbers(y_true: ArrayLike, prediction: Array) -> Array:
    return losses.class_numbers(np.asarray(y_true), prediction)[..., 0]


class LossMetric(NativeMetric):
    """A loss, reported."""

    direction: ClassVar[Literal["up", "down"] | None] = "down"
    loss_class: ClassVar[type[losses.Loss]]

    @property
    def loss(self) -> losses.Loss:
        """The loss with this metric's options."""
        return self.loss_class(**{k: v for k, v in self.get_config().items() if k not in ("name", "dtype")})

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        return self.loss.rows(y_true, y_pred)

    def trace(self, builder: GraphBuilder, y_true: str, y_pred: str) -> str:
        return self.loss.trace(builder, y_true, y_pred)


class MeanSquaredError(LossMetric):
    """Mean of squared errors."""

    loss_class = losses.MeanSquaredError


class RootMeanSquaredError(LossMetric):
    """Root of the mean of squared errors over all rows."""

    loss_class = losses.MeanSquaredError

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        truth, prediction = batch(y_true, y_pred)
        return np.square(prediction - truth)

    def of_mean(self, mean: float) -> float:
        return sqrt(mean)

    def result(self) -> Any:
        return single(np.sqrt(super().result()))


class MeanAbsoluteError(LossMetric):
    """Mean of absolute errors."""

    loss_class = losses.MeanAbsoluteError


class MeanAbsolutePercentageError(LossMetric):
    """Mean of absolute errors in percent of the truth."""

    loss_class = losses.MeanAbsolutePercentageError


class MeanSquaredLogarithmicError(LossMetric):
    """Mean of squared differences of logarithms."""

    loss_class = losses.MeanSquaredLogarithmicError


class CosineSimilarity(LossMetric):
    """Mean of the cosine between truth and prediction: 1 where they point the same way."""

    loss_class = losses.CosineSimilarity
    direction = "up"

    def __init__(self, name: str | None = None, dtype: Any = None, axis: int = -1) -> None:
        super().__init__(name, dtype)
        self.axis = axis

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        return -super().values(y_true, y_pred)

    def of_mean(self, mean: float) -> float:
        return -mean


class LogCoshError(LossMetric):
    """Mean of the logarithm of the error's hyperbolic cosine."""

    loss_class = losses.LogCosh

    def __init__(self, name: str | None = "logcosh", dtype: Any = None) -> None:
        super().__init__(name, dtype)


class BinaryCrossentropy(LossMetric):
    """Cross-entropy of independent yes/no outputs."""

    as_given = False
    loss_class = losses.BinaryCrossentropy

    def __init__(
        self, name: str | None = None, dtype: Any = None, from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(name, dtype)
        self.from_logits, self.label_smoothing = from_logits, label_smoothing


class CategoricalCrossentropy(LossMetric):
    """Cross-entropy of classes, one-hot."""

    as_given = False
    loss_class = losses.CategoricalCrossentropy

    def __init__(
        self, name: str | None = None, dtype: Any = None, from_logits: bool = False,
        label_smoothing: float = 0.0, axis: int = -1,
    ) -> None:  # fmt: skip
        super().__init__(name, dtype)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


class SparseCategoricalCrossentropy(LossMetric):
    """Cross-entropy of classes, class numbers."""

    sparse = True
    loss_class = losses.SparseCategoricalCrossentropy

    def __init__(
        self, name: str | None = None, dtype: Any = None, from_logits: bool = False,
        ignore_class: int | None = None, axis: int = -1,
    ) -> None:  # fmt: skip
        super().__init__(name, dtype)
        refuse(type(self).__name__, "ignore_class", ignore_class)
        self.from_logits, self.ignore_class, self.axis = from_logits, None, axis


class KLDivergence(LossMetric):
    """Kullback-Leibler divergence."""

    additive = False
    loss_class = losses.KLDivergence


class Poisson(LossMetric):
    """Mean of ``y_pred - y_true * log(y_pred)``."""

    additive = False
    loss_class = losses.Poisson


class Hinge(LossMetric):
    """Mean of ``max(1 - y_true * y_pred, 0)``."""

    signed, additive = True, False  # whether labels are 0 and 1 is decided batch by batch
    loss_class = losses.Hinge


class SquaredHinge(LossMetric):
    """Mean of ``max(1 - y_true * y_pred, 0)^2``."""

    signed, additive = True, False
    loss_class = losses.SquaredHinge


class CategoricalHinge(LossMetric):
    """Mean of the categorical hinge loss."""

    additive = False
    loss_class = losses.CategoricalHinge


class PearsonCorrelation(RowMetric):
    """Mean of each row's correlation between truth and prediction."""

    sparse = False
    direction = "up"

    def __init__(self, name: str | None = None, dtype: Any = None, axis: int = -1) -> None:
        super().__init__(name, dtype)
        self.axis = _last(axis)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        truth, prediction = (x - x.mean(axis=-1, keepdims=True) for x in batch(y_true, y_pred))
        spread = truth.std(axis=-1) * prediction.std(axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.mean(truth * prediction, axis=-1) / spread


class ConcordanceCorrelation(RowMetric):
    """Mean of each row's concordance between truth and prediction, by Keras 3's formula."""

    sparse = False
    direction = "up"

    def __init__(self, name: str | None = None, dtype: Any = None, axis: int = -1) -> None:
        super().__init__(name, dtype)
        self.axis = _last(axis)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        truth, prediction = batch(y_true, y_pred)
        t_mean, p_mean = (x.mean(axis=-1, keepdims=True) for x in (truth, prediction))
        norm = sum(x.var(axis=-1, keepdims=True) for x in (truth, prediction)) + np.square(t_mean - p_mean)
        return np.mean(2 * (truth - p_mean) * (prediction - p_mean) / (norm + EPSILON), axis=-1)


def _last(axis: int) -> int:
    if axis not in (-1, 1):
        raise UnsupportedError("a correlation goes over the last axis", received=f"axis={axis}", remedy="axis=-1")
    return axis
