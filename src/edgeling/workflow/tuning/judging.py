# SPDX-License-Identifier: Apache-2.0
"""What trials are compared by: the metric, and what answers score in it. More is always better."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edgeling.data import Preparation
from edgeling.data.correction import fit_correction
from edgeling.data.probabilities import average_precision, log_loss
from edgeling.data.scores import accuracy, r2_score
from edgeling.errors import UnsupportedError
from edgeling.graph.types import Array
from edgeling.workflow.settings import Settings

AUTO = "auto"
_LEAST = 1e-7  # a probability of less is taken for this much
OF_CLASSES = ("accuracy", "average_precision", "log_loss")
OF_NUMBERS = ("r2",)
METRICS = (AUTO, *OF_CLASSES, *OF_NUMBERS)
WORST: Mapping[str, float] = {"accuracy": 0.0, "average_precision": 0.0, "log_loss": -16.0, "r2": -1.0}
"""Of a network that gives no numbers."""
BY_LOOKING = ("accuracy", "r2")
"""Those that each look at the validation rows tells; the others are asked of what was learned."""


def metric_for(asked: str, preparation: Preparation, settings: Settings) -> str:
    """The metric: the one asked for; of "auto" accuracy or R², where rare classes count the average precision.

    Raises:
        UnsupportedError: one that the target does not have.
    """
    is_classes = bool(preparation.target.labels)
    if asked != AUTO:
        if asked not in (OF_CLASSES if is_classes else OF_NUMBERS):
            raise UnsupportedError(
                f"a target of {'classes' if is_classes else 'numbers'} is judged by "
                f"{', '.join(OF_CLASSES if is_classes else OF_NUMBERS)}",
                received=repr(asked), remedy="metric='auto' (--metric auto)",
            )  # fmt: skip
        return asked
    if not is_classes:
        return "r2"
    return "average_precision" if settings.minds_rare_classes else "accuracy"


def scored(metric: str, preparation: Preparation, truth: Array, answers: Array) -> float:
    """The score of answers [rows, outputs] to rows whose target is truth; log loss as its negative."""
    return _SCORES[metric](preparation, truth, answers)


def _shares(answers: Array) -> Array:
    return np.concatenate([1 - answers, answers], axis=1) if answers.shape[1] == 1 else answers


def _precision(_: Preparation, truth: Array, answers: Array) -> float:
    told = _shares(answers)
    classes = (1,) if told.shape[1] == 2 else range(told.shape[1])
    found = np.array([average_precision(truth == c, told[:, c]) for c in classes])
    return float(np.mean(found[np.isfinite(found)])) if np.isfinite(found).any() else 0.0


def _negative_log_loss(_: Preparation, truth: Array, answers: Array) -> float:
    """Of probabilities corrected as those of what is deployed are: balanced classes shift them by much."""
    told = np.clip(answers.astype(np.float64), _LEAST, 1 - _LEAST)
    logits = np.log(told) - np.log1p(-told) if told.shape[1] == 1 else np.log(told)
    return -log_loss(truth, fit_correction(logits, truth).probabilities(logits))


def _r2(preparation: Preparation, truth: Array, answers: Array) -> float:
    target = preparation.target
    return r2_score(truth, (answers[:, 0] - target.mean) / target.scale)


_SCORES: Mapping[str, Callable[[Preparation, Array, Array], float]] = {
    "accuracy": lambda p, truth, answers: accuracy(truth, p.target.decision.choose(answers)),
    "average_precision": _precision,
    "log_loss": _negative_log_loss,
    "r2": _r2,
}
