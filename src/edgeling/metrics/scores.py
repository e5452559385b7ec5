# SPDX-License-Identifier: Apache-2.0
"""F-scores and the coefficient of determination."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edgeling.errors import UnsupportedError
from edgeling.graph.types import Array
from edgeling.metrics.base import EPSILON, Metric, batch, single


class _ByOutput(Metric):
    """A metric that keeps numbers of each output, how many of which the first batch says."""

    additive = True
    sparse = False
    direction = "up"
    kept: tuple[str, ...]

    def _prepare(self, truth: Array, prediction: Array, shape: tuple[int, ...]) -> None:
        if truth.ndim != 2 or prediction.ndim != 2:
            received = f"shapes {truth.shape} and {prediction.shape}"
            raise UnsupportedError(
                f"{type(self).__name__} takes [rows, outputs]", received=received, remedy="y.reshape(rows, outputs)"
            )
        if not hasattr(self, self.kept[0]):
            for name in self.kept:
                setattr(self, name, self.add_variable(shape, name=name))

    def _add(self, **sums: Any) -> None:
        for name, value in sums.items():
            getattr(self, name).assign_add(value)

    def _held(self) -> tuple[Array, ...]:
        return tuple(np.asarray(getattr(self, name, 0.0)) for name in self.kept)


class FBetaScore(_ByOutput):
    """``(1 + beta^2) * precision * recall / (beta^2 * precision + recall)`` of each class.

    Args:
        average: None (one score a class), "micro" (of all classes together), "macro" (their mean) or "weighted" (their
            mean by how often each is the truth).
        threshold: outputs above it are a yes; None: the largest of a row is.
    """

    kept = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")

    def __init__(
        self, average: str | None = None, beta: float = 1.0, threshold: float | None = None, name: str | None = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(dtype, name)
        if average not in (None, "micro", "macro", "weighted"):
            raise UnsupportedError(
                "average is None, 'micro', 'macro' or 'weighted'", received=repr(average), remedy="average='macro'"
            )
        if not isinstance(beta, float) or beta <= 0:
            raise UnsupportedError("beta is a float above 0", received=repr(beta), remedy="beta=1.0")
        if threshold is not None and (not isinstance(threshold, float) or not 0 < threshold <= 1):
            raise UnsupportedError("threshold is a float above 0, up to 1", received=repr(threshold), remedy="0.5")
        self.average, self.beta, self.threshold = average, beta, threshold

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        truth, prediction = np.asarray(y_true, np.float32), np.asarray(y_pred, np.float32)
        self._prepare(truth, prediction, () if self.average == "micro" else prediction.shape[-1:])
        if self.threshold is None:
            largest = prediction >= prediction.max(axis=-1, keepdims=True)
            chosen = (largest & (np.abs(prediction) > 1e-9)).astype(np.float64)
        else:
            chosen = (prediction > np.float32(self.threshold)).astype(np.float64)
        weights = 1.0 if sample_weight is None else np.asarray(sample_weight, np.float64)[:, None]
        axis = None if self.average == "micro" else 0
        self._add(
            true_positives=np.sum(weights * chosen * truth, axis=axis),
            false_positives=np.sum(weights * chosen * (1 - truth), axis=axis),
            false_negatives=np.sum(weights * (1 - chosen) * truth, axis=axis),
            intermediate_weights=np.sum(weights * truth, axis=axis),
        )

    def result(self) -> Any:
        tp, fp, fn, weights = self._held()
        precision, recall = tp / (tp + fp + EPSILON), tp / (tp + fn + EPSILON)
        squared = self.beta**2
        score = (1 + squared) * precision * recall / (squared * precision + recall + EPSILON)
        if self.average == "weighted":
            return single(np.sum(score * weights / (np.sum(weights) + EPSILON)))
        return single(score if self.average is None else np.mean(score))


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall of each class; see :class:`FBetaScore`."""

    def __init__(
        self, average: str | None = None, threshold: float | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)


class R2Score(_ByOutput):
    """The coefficient of determination: 1 minus the share of the truth's variance that is not explained.

    Args:
        class_aggregation: "uniform_average" (over the outputs), "variance_weighted_average" or None (one an output).
        num_regressors: inputs of the model, for the adjusted score; 0: not adjusted.
    """

    kept = ("sum", "squared_sum", "total_mse", "count", "num_samples")

    def __init__(
        self, class_aggregation: str | None = "uniform_average", num_regressors: int = 0, name: str | None = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(dtype, name)
        known = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in known:
            raise UnsupportedError(
                f"class_aggregation is one of {known}", received=repr(class_aggregation),
                remedy=f"class_aggregation={known[1]!r}",
            )  # fmt: skip
        if num_regressors < 0:
            raise UnsupportedError(
                "num_regressors is not negative", received=str(num_regressors), remedy="num_regressors=0"
            )
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        truth, prediction = (x.astype(np.float64) for x in batch(y_true, y_pred))
        self._prepare(truth, prediction, prediction.shape[-1:])
        given = np.asarray(1.0 if sample_weight is None else sample_weight, np.float64)
        weights = np.broadcast_to(given[:, None] if given.ndim == 1 else given, truth.shape)
        self._add(
            sum=np.sum(weights * truth, axis=0),
            squared_sum=np.sum(weights * truth * truth, axis=0),
            total_mse=np.sum(weights * (truth - prediction) ** 2, axis=0),
            count=np.sum(weights, axis=0),
            num_samples=truth.size,
        )

    def result(self) -> Any:
        sums, squares, residual, count, samples = self._held()
        with np.errstate(divide="ignore", invalid="ignore"):
            total = squares - sums * (sums / count)
            scores: Any = 1 - residual / total
            scores = np.where(np.isinf(scores), 0.0, scores)
            if self.class_aggregation == "variance_weighted_average":
                scores = np.sum(total * scores) / np.sum(total)
        if self.class_aggregation == "uniform_average":
            scores = np.mean(scores)
        return single(self._adjusted(scores, float(np.max(samples))))

    def _adjusted(self, score: Any, samples: float) -> Any:
        left = samples - self.num_regressors - 1
        if not self.num_regressors:
            return score
        if left <= 0:
            warnings.warn("too few rows for an adjusted R2 score: it is not adjusted", stacklevel=3)
            return score
        return 1 - (1 - score) * (samples - 1) / left
