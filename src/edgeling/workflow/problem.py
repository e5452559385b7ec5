# SPDX-License-Identifier: Apache-2.0
"""What is learned, in arrays: rows as the first layer sees them, answers as the last one gives them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgeling.data import Preparation, TableCheck
from edgeling.data.balance import Balance, Balanced, Layout, balanced_rows, balanced_weights, explicit_weights, weighted
from edgeling.data.target_curve import fit_curve
from edgeling.graph import run_rows
from edgeling.graph.types import Array
from edgeling.layers import Dense
from edgeling.workflow.settings import Settings
from edgeling.workflow.teacher import Teacher


@dataclass(frozen=True, eq=False)
class Problem:
    """A prepared table.

    Attributes:
        x: float32 [rows, columns], of every row of the table.
        y: int32 [rows] label positions, or float32 [rows] standardised numbers.
        settings: with what was left to the table.
        teacher: what networks learn to answer like.
        straight: the same with its target as it stands, where this one's is bent.
        references: weights of the linear reference, by the rows and the strength that they were found with.
    """

    x: Array
    y: Array
    preparation: Preparation
    settings: Settings
    straight: Problem | None = None
    teacher: Teacher | None = None
    references: dict[tuple[bytes, float], Any] = field(default_factory=dict, init=False)

    @classmethod
    def of(cls, checked: TableCheck, preparation: Preparation, settings: Settings) -> Problem:
        """Prepare the rows of a checked table."""
        raw = preparation.transform(checked.table)
        x = run_rows(preparation.graph(), raw)[0]
        teacher = None if settings.teacher is None else Teacher(settings.teacher, raw, preparation)
        return cls(x, preparation.encode_target(checked.table), preparation, settings, teacher=teacher)

    def bent(self, rows: Array) -> Problem | None:
        """The same with its target bent; None where that is not far from symmetric on these rows."""
        target = self.preparation.target
        values = target.decoded(self.y)
        curve = None if self.classes or self.teacher else fit_curve(values[rows])
        if curve is None:
            return None
        bent = target.bent(curve, values[rows])
        return Problem(self.x, bent.encoded(values), replace(self.preparation, target=bent), self.settings, self)

    @property
    def untaught(self) -> Problem | None:
        """The same without its teacher; None where it has none."""
        return replace(self, teacher=None, settings=replace(self.settings, teacher=None)) if self.teacher else None

    def unbent(self, answers: Array) -> Array:
        """Answers [rows, outputs] as those of the straight problem."""
        if self.straight is None:
            return answers
        return self.straight.preparation.target.encoded(self.preparation.target.decoded(answers))

    @property
    def classes(self) -> int:
        """How many; 0 for numbers."""
        return len(self.preparation.target.labels)

    def balanced(self, how: Balance) -> Problem:
        """The same, its classes balanced in one way, and a threshold asked for as whoever balances asks for one."""
        threshold = self.settings.threshold or "auto"
        return replace(self, settings=replace(self.settings, balance=how, threshold=threshold))

    @property
    def balances(self) -> bool:
        """Whether classes count otherwise than by their rows."""
        return self.settings.class_weight is not None or self.settings.balance != "none"

    def counted(self, rows: Array) -> Array:
        """What a row of each class counts in the whole of those learned from, where these are; float64 [classes].

        Raises:
            DataError: weights of no class, or a class without rows.
        """
        labels, weights = self.preparation.target.labels, self.settings.class_weight
        if weights is not None:
            return explicit_weights(weights, labels)
        return balanced_weights(self.y[rows], self.classes) if self.balances else np.ones(self.classes)

    def learned(self, rows: Array) -> Balanced:
        """What a network learns from, of these rows; settings leave nothing to choose."""
        x, y, settings = self.x[rows], self.y[rows], self.settings
        if self.teacher:
            return Balanced(*self.teacher.lesson(rows, x, y, settings.seed), None)
        if settings.class_weight is not None or settings.balance == "weights":
            return weighted(x, y, self.counted(rows))
        if settings.balance in ("none", "auto"):
            return Balanced(x, y, None)
        return balanced_rows(settings.balance, x, y, self.classes, layout_of(self.preparation), seed=settings.seed)

    def stopping(self, rows: Array, learned_from: Array) -> Balanced:
        """Rows that say when to stop: they count by their class as those do that are learned from."""
        x, y = self.x[rows], self.y[rows]
        return weighted(x, y, self.counted(learned_from)) if self.balances else Balanced(x, y, None)


def layout_of(preparation: Preparation) -> Layout:
    """What the prepared columns are."""
    indicators = tuple(len(feature.categories) for _, feature in preparation.indicated)
    codes = len(preparation.embedded)
    return Layout(preparation.prepared_size - sum(indicators) - codes, indicators, codes)


LOSSES = {"binary": "binary_crossentropy", "multiclass": "sparse_categorical_crossentropy", "regression": "mse"}
"""By task, of Keras's names."""


def last_layer(preparation: Preparation) -> Dense:
    """The layer that answers: one output, or of three classes or more one each."""
    activation = {"binary": "sigmoid", "multiclass": "softmax", "regression": "linear"}[preparation.target.task]
    labels = preparation.target.labels
    return Dense(len(labels) if len(labels) > 2 else 1, activation=activation)
