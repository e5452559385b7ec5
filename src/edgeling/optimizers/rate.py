# SPDX-License-Identifier: Apache-2.0
"""The learning rate as people reach for it: a number that can be given a new value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np


class LearningRate(float):
    """``optimizer.learning_rate``: a float, and as in Keras ``.assign(0.01)``, ``.value`` and ``.numpy()``.

    Args:
        value: the rate of the next step.
        assign: gives the optimizer another.
    """

    def __new__(cls, value: float, assign: Callable[[Any], None]) -> Self:
        rate = super().__new__(cls, value)
        rate._assign = assign
        return rate

    _assign: Callable[[Any], None]

    def assign(self, value: Any) -> None:
        """Give the optimizer another rate.

        Raises:
            TrainingError: not a number from zero up, or the rate follows a schedule.
        """
        self._assign(value)

    @property
    def value(self) -> np.float32:
        """The rate as steps use it."""
        return np.float32(self)

    def numpy(self) -> np.float32:
        """As :attr:`value`."""
        return self.value

    def __reduce__(self) -> tuple[type[float], tuple[float]]:
        return float, (float(self),)
