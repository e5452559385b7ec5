# SPDX-License-Identifier: Apache-2.0
"""How good told probabilities are: how they rank the rows, and whether they come true as often as they say.

Definitions are scikit-learn's (``sklearn.metrics``, ``sklearn.calibration``). What has no value, such as a curve of
rows that are all of one class, is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeling.graph.types import Array

CALIBRATION_BINS = 10
_NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Curve:
    """Points of a curve, float64 [points] each, and the area under it.

    A ROC curve is the true positive rate over the false positive rate; a precision-recall curve is precision over
    recall, its area the average precision.

    Attributes:
        label: of the class it is about, for people.
    """

    x: Array
    y: Array
    area: float
    label: str = ""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Told probabilities against what came true, in bins of equal width; bins without rows are left out.

    Attributes:
        told: float64 [bins], the mean probability told.
        true: float64 [bins], the share of rows in which it came true.
        rows: int64 [bins].
        meaning: whose probability, for people: "class 'yes'", "the class chosen".
    """

    told: Array
    true: Array
    rows: Array
    meaning: str = ""

    @property
    def expected_error(self) -> float:
        """The mean of ``|told - true|`` over the rows (Naeini et al., AAAI 2015: expected calibration error)."""
        return float(np.average(np.abs(self.told - self.true), weights=self.rows)) if self.rows.size else _NAN


def roc_curve(positive: Array, score: Array) -> Curve:
    """The ROC curve of bool [rows] by score [rows]: a point for every distinct score, from (0, 0) to (1, 1).

    Its area is the chance that a positive row scores higher than a negative one, ties counting half.
    """
    hits, alarms = _counts(positive, score)
    if not hits[-1] or not alarms[-1]:
        return _no_curve()
    x, y = alarms / alarms[-1], hits / hits[-1]
    return Curve(x, y, float(np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2))


def precision_recall_curve(positive: Array, score: Array) -> Curve:
    """Precision over recall, a point for every distinct score from the highest, after recall 0 at precision 1.

    Its area is the average precision: the sum of precisions, each by the recall it adds.
    """
    hits, alarms = _counts(positive, score)
    if not hits[-1]:
        return _no_curve()
    recall, precision = hits[1:] / hits[-1], hits[1:] / (hits[1:] + alarms[1:])
    area = float(np.sum(np.diff(recall, prepend=0) * precision))
    return Curve(np.append(0.0, recall), np.append(1.0, precision), area)


def roc_auc(positive: Array, score: Array) -> float:
    """The area under the ROC curve, NaN if all rows are of one kind."""
    return roc_curve(positive, score).area


def average_precision(positive: Array, score: Array) -> float:
    """The area under the precision-recall curve, NaN if no row is positive."""
    return precision_recall_curve(positive, score).area


def log_loss(y_true: Array, probabilities: Array) -> float:
    """The mean negative logarithm of the true class's probability, natural logarithm.

    Args:
        y_true: int [rows].
        probabilities: float32 [rows, classes]; below float32's resolution (1.2e-7) they count as that.
    """
    return float(-np.mean(_log_told(y_true, probabilities)))


def log_losses(y_true: Array, probabilities: Array) -> Array:
    """float64 [1 + classes]: :func:`log_loss`, and behind it that of each class's rows; NaN of a class without any."""
    told, classes = _log_told(y_true, probabilities), probabilities.shape[1]
    rows = np.bincount(y_true, minlength=classes)
    sums = np.bincount(y_true, weights=told, minlength=classes)
    own = np.divide(sums, rows, out=np.full(classes, np.nan), where=rows > 0)
    return -np.concatenate([[np.mean(told)], own])


def _log_told(y_true: Array, probabilities: Array) -> Array:
    """Of each row the logarithm of the true class's probability."""
    told = np.asarray(probabilities, np.float64)[np.arange(len(y_true)), y_true]
    eps = float(np.finfo(np.float32).eps)
    logarithms: Array = np.log(np.clip(told, eps, 1 - eps))
    return logarithms


def calibration(came_true: Array, told: Array, bins: int = CALIBRATION_BINS) -> Calibration:
    """Compare probabilities told [rows] with whether they came true, bool [rows], in bins of equal width."""
    told, came_true = np.asarray(told, np.float64), np.asarray(came_true, np.float64)
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges[1:-1], told)
    rows = np.bincount(place, minlength=bins)
    held = rows > 0
    means = [np.bincount(place, weights=w, minlength=bins)[held] / rows[held] for w in (told, came_true)]
    return Calibration(means[0], means[1], rows[held])


def class_calibration(y_true: Array, probabilities: Array) -> Calibration:
    """Calibration of a classifier, [rows, classes]: of two classes the probability of the second one, of more the
    probability of the class chosen (Guo et al., ICML 2017)."""
    if probabilities.shape[1] == 2:
        return calibration(np.asarray(y_true) == 1, probabilities[:, 1])
    return calibration(np.argmax(probabilities, axis=1) == y_true, probabilities.max(axis=1))


def probability_scores(y_true: Array, probabilities: Array) -> dict[str, Any]:
    """Plain values for ``--json`` and the report: ``roc_auc``, ``average_precision``, ``log_loss``,
    ``expected_calibration_error``.

    Of two classes the first two are about the second class; of more they are means over the classes, each against
    the rest; classes all rows or no row belong to do not count.
    """
    finite = np.isfinite(probabilities).all()
    areas = [one_against_rest(y_true, probabilities, curve) for curve in (roc_curve, precision_recall_curve)]
    roc, precision = (_mean([c.area for c in curves.values()]) if finite else _NAN for curves in areas)
    return {
        "roc_auc": roc,
        "average_precision": precision,
        "log_loss": log_loss(y_true, probabilities) if finite else _NAN,
        "expected_calibration_error": class_calibration(y_true, probabilities).expected_error if finite else _NAN,
    }


def one_against_rest(y_true: Array, probabilities: Array, curve: Any) -> dict[int, Curve]:
    """The curve of each class against the rest; of two classes only the second one's."""
    classes = range(probabilities.shape[1]) if probabilities.shape[1] > 2 else (1,)
    return {c: curve(np.asarray(y_true) == c, probabilities[:, c]) for c in classes}


def _counts(positive: Array, score: Array) -> tuple[Array, Array]:
    """Positive and negative rows whose score is at least a threshold: float64 [1 + distinct scores], 0 first."""
    order = np.argsort(-np.asarray(score, np.float64), kind="stable")
    ranked, hits = np.asarray(score)[order], np.asarray(positive, bool)[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    true, seen = np.cumsum(hits)[last], last + 1
    return np.append(0.0, true), np.append(0.0, seen - true)


def _no_curve() -> Curve:
    return Curve(np.empty(0), np.empty(0), _NAN)


def _mean(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else _NAN
