# SPDX-License-Identifier: Apache-2.0
"""From probabilities to a class: the threshold of two classes, what each of several counts, and how they are chosen.

With true probabilities the best decision for given costs of errors is known (Elkan, IJCAI 2001): the second of two
classes where its probability is above ``alarm / (alarm + miss)``; the mean recall of classes (balanced accuracy) is
the case in which an error costs as much as its class is rare. Probabilities are never quite true, so unseen rows are
asked too; but few rows say little, and the threshold that happens to be the best on them is the best of many. The one
standard error rule (Breiman et al., "Classification and Regression Trees", 1984, section 3.4.3) settles it: of the
thresholds that are no worse than the best by more than chance, the one nearest to what is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeling.graph.types import Array

HALF = 0.5
LARGEST_COUNT = 32767  # a class's: its product with an int8 probability is exact in float32
_MOST_CANDIDATES = 2000


@dataclass(frozen=True)
class Decision:
    """How probabilities choose a class.

    Attributes:
        threshold: of two classes, the second one's probability above which it is chosen; float32 holds it.
        counts: of several, what each one's probability is multiplied by before the largest is taken, whole numbers of
            at most ``LARGEST_COUNT``; empty: nothing.
    """

    threshold: float = HALF
    counts: tuple[int, ...] = ()

    def choose(self, answers: Array) -> Array:
        """The class of every row, int64 [rows], of float32 probabilities [rows, 1 or classes], as the C computes it."""
        if answers.shape[1] == 1:
            return (answers[:, 0] > np.float32(self.threshold)).astype(np.int64)
        weighted = answers * np.array(self.counts, np.float32) if self.counts else answers
        return np.argmax(weighted, axis=1)

    def sentence(self, labels: Sequence[str]) -> str:
        """How a class is chosen, for people; empty where it is the likelier one."""
        if self.counts:
            each = ", ".join(f"{n / min(self.counts):.3g} for {c}" for c, n in zip(labels, self.counts, strict=True))
            return f"the class is the one of the largest probability times what the class counts: {each}"
        if self.threshold == HALF or not labels:
            return ""
        return f"the answer is {labels[1]!r} where its probability is above {self.threshold:.4g}"


@dataclass(frozen=True)
class ThresholdScore:
    """What one threshold does on some rows, of the second of two classes.

    Attributes:
        alarms_per_1000: of how many of a thousand rows it is said.
        chosen: whether it is the one in use.
    """

    threshold: float
    recall: float
    precision: float
    f1: float
    balanced_accuracy: float
    alarms_per_1000: float
    chosen: bool


THRESHOLDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


def threshold_scores(told: Array, positive: Array, chosen: float) -> tuple[ThresholdScore, ...]:
    """What usual thresholds and the one in use do, ascending; a ratio with nothing below its line is 0.

    Args:
        told: float [rows], the second class's probability.
        positive: bool [rows].
    """
    every = np.array(sorted({*THRESHOLDS, chosen}))
    misses, alarms = _errors(np.asarray(told, np.float64), positive, every)
    yes, no = int(positive.sum()), int((~positive).sum())
    found = []
    for threshold, missed, alarm in zip(every, misses, alarms, strict=True):
        hits = yes - missed
        recall, precision = hits / max(1, yes), hits / max(1, hits + alarm)
        balanced = (recall + (no - alarm) / max(1, no)) / 2
        f1 = 2 * hits / max(1, 2 * hits + alarm + missed)
        said = 1000 * (hits + alarm) / max(1, yes + no)
        t, r, p, f, b, s = map(float, (threshold, recall, precision, f1, balanced, said))
        found.append(ThresholdScore(t, r, p, f, b, s, t == chosen))
    return tuple(found)


def best_decision(told: Array, truth: Array, importance: Sequence[float] | Array) -> Decision:
    """The decision that costs least where an error on a row of class c costs ``importance[c]``.

    Args:
        told: float64 [rows, classes], true probabilities, as far as can be, of rows not trained on.
        truth: int [rows].
        importance: of each class, above zero; ``1 / its share`` asks for the best balanced accuracy.
    """
    weights = np.array(importance, np.float64)
    if len(weights) > 2:
        return Decision(counts=_whole(weights))
    known = float(weights[0] / weights.sum())
    return Decision(_float32(_supported(told[:, 1], np.asarray(truth) == 1, known)))


def _whole(weights: Array) -> tuple[int, ...]:
    scaled = np.maximum(1, np.round(weights * LARGEST_COUNT / weights.max())).astype(int)
    return () if np.all(scaled == scaled[0]) else tuple(map(int, scaled))


def _float32(threshold: float) -> float:
    low, high = np.finfo(np.float32).eps, 1 - np.finfo(np.float32).eps
    return float(np.float32(np.clip(threshold, low, high)))


def _supported(told: Array, positive: Array, known: float) -> float:
    """Of the thresholds about as good as the best on these rows, the one nearest to the one that is known in theory."""
    if not positive.any() or positive.all():
        return known
    candidates = _candidates(told, known)
    misses, alarms = _errors(told, positive, candidates)
    miss_cost, alarm_cost = 1 - known, known  # of a row; their ratio is what counts
    costs = miss_cost * misses + alarm_cost * alarms
    best = int(np.argmin(costs))
    room = _standard_error(misses[best], positive.sum(), miss_cost, alarms[best], (~positive).sum(), alarm_cost)
    good = candidates[costs <= costs[best] + room]
    return float(good[np.argmin(np.abs(_log_odds(good) - _log_odds(known)))])


def _candidates(told: Array, known: float) -> Array:
    """What is known first, then halfway between neighbours, as far as they are not too many."""
    distinct = np.unique(told)
    if len(distinct) > _MOST_CANDIDATES:
        distinct = distinct[np.linspace(0, len(distinct) - 1, _MOST_CANDIDATES).round().astype(int)]
    between = (distinct[1:] + distinct[:-1]) / 2
    return np.concatenate([[known], between[(between > 0) & (between < 1)]])


def _errors(told: Array, positive: Array, thresholds: Array) -> tuple[Array, Array]:
    """Positive rows that are not above each threshold, and other rows that are."""
    yes, no = np.sort(told[positive]), np.sort(told[~positive])
    return np.searchsorted(yes, thresholds, side="right"), len(no) - np.searchsorted(no, thresholds, side="right")


def _standard_error(misses: float, yes: int, miss_cost: float, alarms: float, no: int, alarm_cost: float) -> float:
    """Of a cost that sums binomial errors in two classes; shares by Laplace's rule, for none of few is not none."""
    missed, alarmed = (misses + 1) / (yes + 2), (alarms + 1) / (no + 2)
    variance = miss_cost**2 * yes * missed * (1 - missed) + alarm_cost**2 * no * alarmed * (1 - alarmed)
    return float(np.sqrt(variance))


def _log_odds(share: Array | float) -> Array:
    return np.log(share) - np.log1p(-np.asarray(share))
