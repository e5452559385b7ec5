# SPDX-License-Identifier: Apache-2.0
"""Metrics of right and wrong answers, counted at one threshold or many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from edgeling.errors import UnsupportedError
from edgeling.graph.types import Array
from edgeling.losses import same_rank
from edgeling.metrics.base import EPSILON, Metric, Variable, ratio, single

NOTHING = -1e10  # below every prediction that is kept
_COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


class Counts(NamedTuple):
    """Weights of answers by threshold, float64 [thresholds] or [thresholds, labels]."""

    true_positives: Array
    false_positives: Array
    true_negatives: Array
    false_negatives: Array


class Thresholds:
    """Where an output counts as a yes: above each of these. Evenly spaced ones sort predictions as Keras does."""

    def __init__(self, values: Sequence[float], even: bool | None = None) -> None:
        self.values = list(values)
        self.even = _is_even(self.values) if even is None else even
        self._order = np.argsort(np.asarray(self.values, np.float32), kind="stable")

    def __len__(self) -> int:
        return len(self.values)

    def passed(self, prediction: Array) -> Array:
        """How many thresholds, from the smallest, each prediction lies above."""
        if not self.even:
            return np.searchsorted(np.asarray(self.values, np.float32)[self._order], prediction, side="left")
        last = np.float32(len(self) - 1)
        bucket = np.ceil(np.clip(np.nan_to_num(prediction), 0, 1) * last)
        below = self.values[0] < 0 or self.values[-1] > 1  # the first threshold lies below every prediction
        return np.maximum(bucket, 1 if below else 0).astype(np.int64)

    def count(self, truth: Array, prediction: Array, weights: Array, by_label: bool) -> Counts:
        """Counts over all rows; [n, labels] each, ``by_label`` kept apart."""
        labels = prediction.shape[-1] if by_label else 1
        cells = self.passed(prediction) * labels + (np.arange(labels) if by_label else 0)
        positive, negative = (self._above(cells, w, labels) for w in (weights * truth, weights * (1 - truth)))
        true, false = positive[1:], negative[1:]
        counts = true, false, negative[0] - false, positive[0] - true
        return Counts(*(c[np.argsort(self._order)] if by_label else c[np.argsort(self._order), 0] for c in counts))

    def _above(self, cells: Array, weights: Array, labels: int) -> Array:
        """Weights that lie above each threshold, after the weight of all: [1 + thresholds, labels]."""
        size = (len(self) + 1) * labels
        sums = np.bincount(cells.ravel(), weights=weights.ravel(), minlength=size).reshape(-1, labels)
        return np.cumsum(sums[::-1], axis=0)[::-1]


def _is_even(values: Sequence[float]) -> bool:
    even = np.arange(len(values), dtype=np.float32) / max(len(values) - 1, 1)
    return len(values) >= 3 and bool(np.allclose(values, even, atol=EPSILON))


def spread_evenly(count: int) -> list[float]:
    """Thresholds from 0 to 1; of one, the middle."""
    return [0.5] if count == 1 else [i / (count - 1) for i in range(count)]


def _given(thresholds: Any, default: float) -> list[float]:
    values = [default] if thresholds is None else np.atleast_1d(thresholds).tolist()
    if thresholds is not None and any(t is None or not 0 <= t <= 1 for t in values):
        raise UnsupportedError("thresholds lie between 0 and 1", received=repr(thresholds), remedy="0.5")
    return values


class ConfusionMetric(Metric):
    """A metric of counts at thresholds.

    Attributes:
        top_k: only a row's largest outputs count as a yes.
        class_id: only this output counts.
    """

    additive = True
    sparse = False
    kept: tuple[str, ...] = _COUNTS
    top_k: int | None = None
    class_id: int | None = None

    def _begin(self, thresholds: Thresholds, shape: tuple[int, ...] | None = None) -> None:
        self._thresholds = thresholds
        for name in self.kept:
            setattr(self, name, self.add_variable(shape or (len(thresholds),), name=name))

    def _counts(self) -> dict[str, Variable]:
        return {name: getattr(self, name) for name in self.kept}

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        self._count(np.asarray(y_true, np.float32), np.asarray(y_pred, np.float32), sample_weight)

    def _count(
        self, truth: Array, prediction: Array, sample_weight: ArrayLike | None, by_label: bool = False,
        label_weights: Array | None = None,
    ) -> None:  # fmt: skip
        prediction, truth = same_rank(prediction, truth)
        weights: Array = np.ones(1, np.float32)
        if sample_weight is not None:
            weights = np.asarray(sample_weight, np.float32)[..., None]
            weights = weights[..., 0] if weights.ndim == truth.ndim + 1 else weights
        if self.top_k is not None:
            prediction = _largest(prediction, self.top_k)
        if self.class_id is not None:
            _require_columns(prediction)
            truth, prediction = (x[..., self.class_id, None] for x in (truth, prediction))
        _require_same(truth, prediction)
        weights = weights if label_weights is None else weights * label_weights
        whole = np.broadcast_to(weights, prediction.shape).astype(np.float64)
        counts = self._thresholds.count(truth != 0, prediction, whole, by_label)
        for name, variable in self._counts().items():
            variable.assign_add(getattr(counts, name))


def _largest(prediction: Array, k: int) -> Array:
    """The k largest of each row, of equal ones the first; nothing else."""
    chosen = np.argsort(-prediction, axis=-1, kind="stable")[..., :k]
    kept = np.full_like(prediction, NOTHING)
    np.put_along_axis(kept, chosen, np.take_along_axis(prediction, chosen, axis=-1), axis=-1)
    return kept


def _require_columns(prediction: Array) -> None:
    if prediction.ndim == 1:
        raise UnsupportedError(
            "class_id is of predictions [rows, classes]", received=f"shape {prediction.shape}",
            remedy="leave class_id out, or hand over a column for each class",
        )  # fmt: skip


def _require_same(truth: Array, prediction: Array) -> None:
    if truth.shape != prediction.shape:
        raise UnsupportedError(
            "y_true and y_pred have one shape", received=f"{truth.shape} and {prediction.shape}",
            remedy="edgeling.utils.to_categorical(y) for class numbers",
        )  # fmt: skip


class _Count(ConfusionMetric):
    """One of the counts."""

    def __init__(
        self, thresholds: float | Sequence[float] | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(dtype, name)
        self.thresholds = _given(thresholds, 0.5)
        self._told = thresholds
        self._begin(Thresholds(self.thresholds))

    def result(self) -> Any:
        (count,) = self._counts().values()
        return single(count[0] if len(self.thresholds) == 1 else count)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self._told}


class TruePositives(_Count):
    """Ones that were predicted, by weight."""

    kept = ("true_positives",)
    direction = "up"


class FalsePositives(_Count):
    """Zeros taken for ones, by weight."""

    kept = ("false_positives",)
    direction = "down"


class TrueNegatives(_Count):
    """Zeros that were predicted, by weight."""

    kept = ("true_negatives",)
    direction = "up"


class FalseNegatives(_Count):
    """Ones taken for zeros, by weight."""

    kept = ("false_negatives",)
    direction = "down"


class _Rate(ConfusionMetric):
    """True positives as a share of what ``kept`` counts."""

    direction = "up"

    def __init__(
        self, thresholds: float | Sequence[float] | None = None, top_k: int | None = None,
        class_id: int | None = None, name: str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(dtype, name)
        self.thresholds = _given(thresholds, 0.5 if top_k is None else NOTHING)
        self._told, self.top_k, self.class_id = thresholds, top_k, class_id
        self._begin(Thresholds(self.thresholds))

    def result(self) -> Any:
        right, wrong = self._counts().values()
        share = ratio(right, right + wrong)
        return single(share[0] if len(self.thresholds) == 1 else share)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self._told}


class Precision(_Rate):
    """Of what was predicted to be one, the share that is."""

    kept = ("true_positives", "false_positives")


class Recall(_Rate):
    """Of what is one, the share that was predicted."""

    kept = ("true_positives", "false_negatives")


class _BestUnder(ConfusionMetric):
    """The best of one rate among the thresholds at which another is high enough."""

    direction = "up"
    constraint: str

    def __init__(
        self, least: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(dtype, name)
        if not 0 <= least <= 1:
            raise UnsupportedError(f"{self.constraint} lies between 0 and 1", received=repr(least), remedy="0.5")
        if num_thresholds <= 0:
            raise UnsupportedError(
                "there is at least one threshold", received=f"num_thresholds={num_thresholds}",
                remedy="num_thresholds=200",
            )  # fmt: skip
        self.num_thresholds, self.class_id = num_thresholds, class_id
        setattr(self, self.constraint, least)
        self._begin(Thresholds(spread_evenly(num_thresholds), even=num_thresholds > 1))

    def rates(self) -> tuple[Array, Array]:
        """The one that is constrained, and the one that is reported; [thresholds] each."""
        raise NotImplementedError

    def result(self) -> Any:
        constrained, reported = self.rates()
        feasible = constrained.astype(np.float32) >= np.float32(getattr(self, self.constraint))
        return single(np.max(np.where(feasible, reported, 0.0), initial=0.0))

    def _sensitivity(self) -> Array:
        c = self._counts()
        return ratio(c["true_positives"], c["true_positives"] + c["false_negatives"])

    def _specificity(self) -> Array:
        c = self._counts()
        return ratio(c["true_negatives"], c["true_negatives"] + c["false_positives"])

    def _precision(self) -> Array:
        c = self._counts()
        return ratio(c["true_positives"], c["true_positives"] + c["false_positives"])


class SensitivityAtSpecificity(_BestUnder):
    """The best sensitivity where the specificity is at least ``specificity``."""

    constraint = "specificity"

    def __init__(
        self, specificity: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def rates(self) -> tuple[Array, Array]:
        return self._specificity(), self._sensitivity()


class SpecificityAtSensitivity(_BestUnder):
    """The best specificity where the sensitivity is at least ``sensitivity``."""

    constraint = "sensitivity"

    def __init__(
        self, sensitivity: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def rates(self) -> tuple[Array, Array]:
        return self._sensitivity(), self._specificity()


class PrecisionAtRecall(_BestUnder):
    """The best precision where the recall is at least ``recall``."""

    constraint = "recall"

    def __init__(
        self, recall: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def rates(self) -> tuple[Array, Array]:
        return self._sensitivity(), self._precision()


class RecallAtPrecision(_BestUnder):
    """The best recall where the precision is at least ``precision``."""

    constraint = "precision"

    def __init__(
        self, precision: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def rates(self) -> tuple[Array, Array]:
        return self._precision(), self._sensitivity()
