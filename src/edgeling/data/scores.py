# SPDX-License-Identifier: Apache-2.0
"""How good predictions are: pure functions of what was true and what was predicted.

Definitions are scikit-learn's (``sklearn.metrics``); where a ratio has nothing below its line it is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeling.data.probabilities import probability_scores
from edgeling.graph.types import Array


@dataclass(frozen=True)
class ClassScore:
    """One class, or an average over classes; ``support`` is its number of rows, ``label`` its name for people."""

    precision: float
    recall: float
    f1: float
    support: int
    label: str = ""


def _numbers(score: ClassScore) -> dict[str, float]:
    return {name: value for name, value in vars(score).items() if name != "label"}


def accuracy(y_true: Array, y_pred: Array) -> float:
    """Share of rows [rows] whose class is right."""
    return float(np.mean(np.asarray(y_true) == np.asarray(y_pred)))


def confusion_matrix(y_true: Array, y_pred: Array, classes: int) -> Array:
    """int64 [classes, classes]: rows are what was true, columns what was predicted (codes in ``range(classes)``)."""
    pairs = np.asarray(y_true, np.int64) * classes + np.asarray(y_pred, np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_scores(matrix: Array) -> tuple[ClassScore, ...]:
    """Precision, recall, F1 and support of every class, from a confusion matrix."""
    hits, predicted, support = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    ratios = _ratio(hits, predicted), _ratio(hits, support), _ratio(2 * hits, predicted + support)
    rows = zip(*ratios, support, strict=True)
    return tuple(ClassScore(float(p), float(r), float(f), int(n)) for p, r, f, n in rows)


def macro_average(scores: Sequence[ClassScore]) -> ClassScore:
    """The mean over classes, each counting the same."""
    return _average(scores, [1] * len(scores))


def weighted_average(scores: Sequence[ClassScore]) -> ClassScore:
    """The mean over classes, each counting by its rows."""
    return _average(scores, [score.support for score in scores])


def balanced_accuracy(scores: Sequence[ClassScore]) -> float:
    """The mean recall of the classes that have rows."""
    return float(np.mean([score.recall for score in scores if score.support]))


def mean_absolute_error(y_true: Array, y_pred: Array) -> float:
    """MAE, in the target's unit."""
    return float(np.mean(np.abs(_errors(y_true, y_pred))))


def root_mean_squared_error(y_true: Array, y_pred: Array) -> float:
    """RMSE, in the target's unit."""
    return float(np.sqrt(np.mean(np.square(_errors(y_true, y_pred)))))


def r2_score(y_true: Array, y_pred: Array) -> float:
    """Coefficient of determination: 1 is perfect, 0 no better than the mean.

    Where every true value is the same it is 1 for exact predictions and 0 otherwise.
    """
    true = np.asarray(y_true, np.float64)
    residual, spread = float(np.sum(np.square(_errors(true, y_pred)))), float(np.sum(np.square(true - true.mean())))
    if spread == 0:
        return 1.0 if residual == 0 else 0.0
    return 1 - residual / spread


def classification_scores(
    y_true: Array, y_pred: Array, labels: Sequence[str], probabilities: Array | None = None
) -> dict[str, Any]:
    """Every score of a classifier in plain values for ``--json`` and the report: ``accuracy``, ``balanced_accuracy``,
    with probabilities [rows, classes] those of ``probability_scores``, then ``classes`` (by label: ``precision``,
    ``recall``, ``f1``, ``support``), ``macro_average``, ``weighted_average``, ``confusion_matrix``."""
    matrix = confusion_matrix(y_true, y_pred, len(labels))
    scores = class_scores(matrix)
    return {
        "accuracy": accuracy(y_true, y_pred),
        "balanced_accuracy": balanced_accuracy(scores),
        **(probability_scores(y_true, probabilities) if probabilities is not None else {}),
        "classes": {label: _numbers(score) for label, score in zip(labels, scores, strict=True)},
        "macro_average": _numbers(macro_average(scores)),
        "weighted_average": _numbers(weighted_average(scores)),
        "confusion_matrix": matrix.tolist(),
    }


def regression_scores(y_true: Array, y_pred: Array) -> dict[str, float]:
    """``mae``, ``rmse`` (in the target's unit) and ``r2``."""
    return {
        "mae": mean_absolute_error(y_true, y_pred),
        "rmse": root_mean_squared_error(y_true, y_pred),
        "r2": r2_score(y_true, y_pred),
    }


def _average(scores: Sequence[ClassScore], weights: Sequence[int]) -> ClassScore:
    columns = [[getattr(score, name) for score in scores] for name in ("precision", "recall", "f1")]
    precision, recall, f1 = (float(np.average(column, weights=weights)) for column in columns)
    return ClassScore(precision, recall, f1, sum(score.support for score in scores))


def _ratio(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.zeros(len(above)), where=below != 0)


def _errors(y_true: Array, y_pred: Array) -> Array:
    return np.asarray(y_true, np.float64) - np.asarray(y_pred, np.float64)
