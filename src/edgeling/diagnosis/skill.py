# SPDX-License-Identifier: Apache-2.0
"""How much of what there is to learn was learned: compared, row by row, with the best constant answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgeling.graph.types import Array

SAME = 1e-4  # of their size: answers that differ by less are one
RowLoss = Callable[[Array, Array], Array]
"""(y_true [n, k] or class numbers [n, 1], y_pred [n, k]) -> [n]"""


@dataclass(frozen=True)
class Skill:
    """Of answers on some rows.

    Attributes:
        loss, baseline: mean loss, and that of the best constant answer.
        share: what of the baseline has been taken off, 1 - loss / baseline (0 at least); of classes the mean of that
            and of 1 - errors / errors of the best constant answer, for decisions are learned before probabilities.
        error: its standard error.
        loss_error: that of the mean loss.
        sure: how many standard errors the loss is below the baseline's.
        constant: whether all answers are the same.
    """

    loss: float
    baseline: float
    share: float
    error: float
    loss_error: float
    sure: float
    constant: bool


def skill(
    loss: RowLoss, y: Array, answers: Array, constants: Array, classes: int, from_logits: bool = False
) -> Skill:  # fmt: skip
    """Compare answers with constant ones.

    Args:
        constants: float [m, k], candidates for the best constant answer.
        classes: of class numbers in ``y``; 0 of numbers.
    """
    rows = loss(y, answers).astype(np.float64)
    each = [loss(y, np.broadcast_to(c, answers.shape).astype(np.float32)).astype(np.float64) for c in constants]
    best = min(each, key=lambda losses: losses.mean())
    share, error, sure = _compared(rows, best)
    share = max(share, 0.0)
    if classes:
        decisions, more, _ = _compared(*_errors(y, decided(answers, from_logits), classes))
        share, error = (share + max(decisions, 0.0)) / 2, max(error, more)
    size = float(np.std(answers)) + float(np.abs(np.mean(answers)))
    constant = float(np.ptp(answers, axis=0).max()) <= SAME * size
    return Skill(float(rows.mean()), float(best.mean()), share, error, _error(rows), sure, constant)


def _compared(losses: Array, constant: Array) -> tuple[float, float, float]:
    """The share taken off, its standard error, and by how many standard errors it is above none."""
    base, gain = float(constant.mean()), constant - losses
    if base <= 0:
        return 0.0, 1.0, 0.0
    error = _error(gain)
    return float(gain.mean()) / base, error / base, float(gain.mean()) / error if error else 0.0


def _error(values: Array) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 1.0


def _errors(y: Array, chosen: Array, classes: int) -> tuple[Array, Array]:
    labels = labels_of(y)
    common = np.argmax(np.bincount(labels.astype(int), minlength=classes))
    return (chosen != labels).astype(np.float64), (labels != common).astype(np.float64)


def labels_of(y: Array) -> Array:
    """Class numbers [rows] of class numbers [rows, 1] or one column a class."""
    return (y[:, 0] if y.shape[1] == 1 else np.argmax(y, axis=1)).astype(int)


def decided(answers: Array, from_logits: bool = False) -> Array:
    """The class chosen, int [rows]."""
    threshold = 0.0 if from_logits else 0.5
    return (answers[:, 0] > threshold).astype(int) if answers.shape[1] == 1 else np.argmax(answers, axis=1)


def constants_for(y: Array, width: int, sparse: bool, from_logits: bool) -> Array:
    """Candidates for the best constant answer: the mean and the median of each output, [2, width]."""
    columns = np.asarray(y[:, :1] == np.arange(width), np.float64) if sparse else np.asarray(y, np.float64)
    mean, median = columns.mean(axis=0), np.median(columns, axis=0)
    if not from_logits:
        return np.stack([mean, median])
    inside = np.clip(mean, 1e-6, 1 - 1e-6)
    return np.log(inside)[None] if width > 1 else np.log(inside / (1 - inside))[None]
