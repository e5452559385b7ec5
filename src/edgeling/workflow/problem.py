# SPDX-License-Identifier: Apache-2.0
"""What is learned, in arrays: rows as the first layer sees them, answers as the last one gives them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeling.data import Preparation, TableCheck, class_weights
from edgeling.graph import run_rows
from edgeling.graph.types import Array
from edgeling.layers import Dense
from edgeling.workflow.settings import Settings


@dataclass(frozen=True, eq=False)
class Problem:
    """A prepared table.

    Attributes:
        x: float32 [rows, columns], of every row of the table.
        y: int32 [rows] label positions, or float32 [rows] standardised numbers.
        settings: with what was left to the table.
    """

    x: Array
    y: Array
    preparation: Preparation
    settings: Settings

    @classmethod
    def of(cls, checked: TableCheck, preparation: Preparation, settings: Settings) -> Problem:
        """Prepare the rows of a checked table."""
        x = run_rows(preparation.graph(), preparation.transform(checked.table))[0]
        return cls(x, preparation.encode_target(checked.table), preparation, settings)

    @property
    def classes(self) -> int:
        """How many; 0 for numbers."""
        return len(self.preparation.target.labels)

    def weights_by_label(self, rows: Array) -> dict[str, float]:
        """What a row of each class counts, where these are learned from; empty where all count the same."""
        return class_weights(self.settings.class_weight, self.y[rows], self.preparation.target.labels)

    def counts(self, rows: Array, weights: dict[str, float]) -> Array | None:
        """What each of these rows counts, float32 [rows]; None where all count the same."""
        return np.array([*weights.values()], np.float32)[self.y[rows]] if weights else None


LOSSES = {"binary": "binary_crossentropy", "multiclass": "sparse_categorical_crossentropy", "regression": "mse"}
"""By task, of Keras's names."""


def last_layer(preparation: Preparation) -> Dense:
    """The layer that answers: one output, or of three classes or more one each."""
    activation = {"binary": "sigmoid", "multiclass": "softmax", "regression": "linear"}[preparation.target.task]
    labels = preparation.target.labels
    return Dense(len(labels) if len(labels) > 2 else 1, activation=activation)
