# SPDX-License-Identifier: Apache-2.0
"""Areas under curves, from counts at many thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edgeling.errors import UnsupportedError
from edgeling.graph.activations import sigmoid
from edgeling.graph.types import Array
from edgeling.metrics.base import EPSILON, ratio, single
from edgeling.metrics.confusion import ConfusionMetric, Thresholds, spread_evenly

_CURVES = ("ROC", "PR", "PRGAIN")
_METHODS = ("interpolation", "minoring", "majoring")


class AUC(ConfusionMetric):
    """The area under a curve of answers at thresholds from 0 to 1, summed as Keras sums it.

    Args:
        num_thresholds: how many, evenly spaced; the more, the nearer to the exact area.
        curve: "ROC" (sensitivity over false positives), "PR" (precision over recall) or "PRGAIN" (Flach and Kull,
            NeurIPS 2015).
        summation_method: "interpolation" (PR: Davis and Goadrich, ICML 2006), "minoring" or "majoring".
        thresholds: others than evenly spaced ones, between 0 and 1.
        multi_label: an area for each output, and their mean (weighted by ``label_weights``).
        label_weights: without ``multi_label``, what each output's answers weigh.
        from_logits: predictions are logits.

    Raises:
        UnsupportedError: an argument that Keras does not take.
    """

    direction = "up"

    def __init__(
        self,
        num_thresholds: int | None = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(dtype, name)
        self.curve = _one_of("curve", str(getattr(curve, "value", curve)).upper(), _CURVES)
        method = str(getattr(summation_method, "value", summation_method)).lower()
        self.summation_method = _one_of("summation method", method, _METHODS)
        if thresholds is None and (num_thresholds is None or num_thresholds <= 1):
            raise UnsupportedError(
                "an area needs two thresholds", received=f"num_thresholds={num_thresholds}", remedy="num_thresholds=200"
            )
        if num_labels and not multi_label:
            raise UnsupportedError(
                "num_labels is needed only when multi_label is True", received=f"{num_labels}",
                remedy="leave num_labels out, or multi_label=True",
            )  # fmt: skip
        self._told = None if thresholds is None else sorted(map(float, thresholds))
        inner = spread_evenly(num_thresholds or 2)[1:-1] if self._told is None else self._told
        self._cuts = Thresholds([-EPSILON, *inner, 1 + EPSILON], even=_even(self._told))
        self.num_thresholds, self.thresholds = len(self._cuts), self._cuts.values
        self.multi_label, self.num_labels, self.from_logits = multi_label, num_labels, from_logits
        self.label_weights = None if label_weights is None else np.asarray(label_weights, np.float32)
        if not multi_label or num_labels:
            self._begin(self._cuts, (len(self._cuts), num_labels) if num_labels else None)

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        truth, prediction = np.asarray(y_true, np.float32), np.asarray(y_pred, np.float32)
        if self.multi_label and not self._variables:
            if prediction.ndim != 2:
                raise UnsupportedError(
                    "multi_label takes [rows, labels]", received=f"shape {prediction.shape}",
                    remedy="y_pred.reshape(rows, labels)",
                )  # fmt: skip
            self._begin(self._cuts, (len(self._cuts), prediction.shape[1]))
        prediction = sigmoid(prediction) if self.from_logits else prediction
        label_weights = None if self.multi_label else self.label_weights
        self._count(truth, prediction, sample_weight, self.multi_label, label_weights)

    def result(self) -> Any:
        if not self._variables:
            return np.float32(0)
        tp, fp, tn, fn = (np.asarray(count) for count in self._counts().values())
        if (self.curve, self.summation_method) == ("PR", "interpolation"):
            return self._over_labels(_interpolated(tp, fp, fn))
        x, y = _curve(self.curve, tp, fp, tn, fn)
        return self._over_labels((x[:-1] - x[1:]) * _heights(self.summation_method, y))

    def _over_labels(self, terms: Array) -> Any:
        areas = terms.sum(axis=0)
        if not self.multi_label:
            return single(areas)
        if self.label_weights is None:
            return single(areas.mean())
        return single(ratio((areas * self.label_weights).sum(), self.label_weights.sum()))

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "thresholds": self._told}
        if self.label_weights is not None:
            config["label_weights"] = self.label_weights.tolist()
        return config


def _one_of(what: str, given: str, known: tuple[str, ...]) -> str:
    if given not in known:
        raise UnsupportedError(
            f"the {what} is one of {', '.join(known)}", received=repr(given), remedy=f"{what}={known[0]!r}"
        )
    return given


def _even(told: list[float] | None) -> bool | None:
    return True if told is None else Thresholds([0.0, *told, 1.0]).even


def _curve(curve: str, tp: Array, fp: Array, tn: Array, fn: Array) -> tuple[Array, Array]:
    recall = ratio(tp, tp + fn)
    if curve == "ROC":
        return ratio(fp, fp + tn), recall
    if curve == "PR":
        return recall, ratio(tp, tp + fp)
    share = ratio(tp + fn, tn + fp)
    gain = np.where(tp == 0, 0.0, 1 - share * ratio(fn, tp)), np.where(tp == 0, 1.0, 1 - share * ratio(fp, tp))
    return np.maximum(gain[0], 0), gain[1]


def _heights(method: str, y: Array) -> Array:
    if method == "interpolation":
        return (y[:-1] + y[1:]) / 2
    return (np.minimum if method == "minoring" else np.maximum)(y[:-1], y[1:])


def _interpolated(tp: Array, fp: Array, fn: Array) -> Array:
    """The area between thresholds, true positives growing linearly with positives (Davis and Goadrich, ICML 2006)."""
    positives, d_tp = tp + fp, tp[:-1] - tp[1:]
    slope = ratio(d_tp, np.maximum(positives[:-1] - positives[1:], 0))
    intercept = tp[1:] - slope * positives[1:]
    both = (positives[:-1] > 0) & (positives[1:] > 0)
    growth = np.where(both, ratio(positives[:-1], positives[1:]), 1.0)
    return ratio(slope * (d_tp + intercept * np.log(growth)), tp[1:] + fn[1:])
