# SPDX-License-Identifier: Apache-2.0
"""Making up for rare classes in a training run: what networks tell without it, and which way is best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeling.data import Preparation
from edgeling.data.balance import Balance
from edgeling.data.correction import softmax
from edgeling.errors import DataError
from edgeling.graph import run_rows
from edgeling.graph.types import Array
from edgeling.models import Model
from edgeling.network.network import inference_graph
from edgeling.passes.scaled_logits import logits
from edgeling.workflow.problem import Problem
from edgeling.workflow.settings import Settings


@dataclass(frozen=True, eq=False)
class Unseen:
    """What networks told of rows that they had not learned from.

    Attributes:
        logits: float64 [rows, 1 or classes], as the network that is deployed tells them.
        truth: int [rows].
        log_weights: by how much each class's logit is told too large, for its rows counted more.
        folds: in how many parts these rows were left out; 1: they are the validation rows.
    """

    logits: Array
    truth: Array
    log_weights: tuple[float, ...]
    folds: int = 1


@dataclass(frozen=True)
class Balancing:
    """What was done about rare classes.

    Attributes:
        how: "none", "weights"...
        counted: what a row of each class counted, by label, in the whole of the rows learned from; empty: all the same.
        tried: of each way that was tried, average precision and log loss of rows not learned from, probabilities
            corrected; empty where it was not left to choose.
        left_out: ways that could not be tried, and why.
    """

    how: Balance = "none"
    counted: Mapping[str, float] = field(default_factory=dict)
    tried: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @property
    def weighs(self) -> bool:
        """Whether rows count by their class."""
        return self.how == "weights"

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``tried`` by way: what it was judged by."""
        tried = {way: {"average_precision": ap, "log_loss": loss} for way, (ap, loss) in self.tried.items()}
        return {
            "method": self.how, "counted": dict(self.counted) or None, "tried": tried or None,
            "left_out": list(self.left_out),
        }  # fmt: skip


def require_classes(settings: Settings, preparation: Preparation) -> None:
    """Check that what is asked for suits the target.

    Raises:
        DataError: it does not.
    """
    labels = preparation.target.labels
    asked = {"balance": settings.balance != "none", "class_weight": settings.class_weight is not None,
             "threshold": settings.threshold is not None}  # fmt: skip
    wanted = [name for name, is_asked in asked.items() if is_asked]
    if wanted and not labels:
        raise DataError(
            f"{wanted[0]} is for a target of classes", received="a target of numbers", remedy="leave it out"
        )
    if len(labels) > 2 and settings.threshold not in (None, "auto"):
        raise DataError(
            "a threshold is for two classes",
            received=f"{len(labels)} classes and threshold={settings.threshold!r}",
            remedy="threshold='auto' (--threshold auto), which weighs the probabilities of several",
        )


def balanced_by(problem: Problem, rows: Array, tried: Balancing | None = None) -> Balancing:
    """What is done about rare classes where these rows are learned from; settings leave nothing to choose."""
    if not problem.balances:
        return tried or Balancing()
    how: Balance = "weights" if problem.settings.class_weight is not None else problem.settings.balance
    counted = dict(zip(problem.preparation.target.labels, map(float, problem.counted(rows)), strict=True))
    return Balancing(how, counted, tried.tried if tried else {}, tried.left_out if tried else ())


def told_logits(problem: Problem, network: Model, learned_from: Array, rows: Array) -> Array:
    """A network's logits of some rows, without what balanced classes shift: float64 [rows, 1 or classes]."""
    found = run_rows(logits(inference_graph(network)), problem.x[rows])[0].astype(np.float64)
    return found - shift_of(np.log(problem.counted(learned_from)), found.shape[1])


def shift_of(log_weights: Array, outputs: int) -> Array:
    """What is added to the logits, [outputs], where classes count by these weights."""
    return log_weights[1:] - log_weights[0] if outputs == 1 else log_weights


def outputs_of(told: Array) -> Array:
    """What a network of these logits answers, float32 [rows, 1 or classes]."""
    if told.shape[1] == 1:
        return (0.5 * (1 + np.tanh(told / 2))).astype(np.float32)
    return softmax(told).astype(np.float32)


def unseen_of(problem: Problem, told: Array, truth: Array, learned_from: Array, folds: int) -> Unseen:
    """Logits without what balanced classes shift, as a network tells them that learned from these rows."""
    log_weights = np.log(problem.counted(learned_from))
    return Unseen(told + shift_of(log_weights, told.shape[1]), truth, tuple(map(float, log_weights)), folds)
