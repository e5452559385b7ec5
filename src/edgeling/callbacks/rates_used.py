# SPDX-License-Identifier: Apache-2.0
"""The learning rates that a fit used, whoever gave them: a schedule, one's own too, or a callback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeling.graph.types import Array
from edgeling.optimizers.schedules import LearningRateSchedule

_KEPT = 256  # rates of an epoch, spread over it


class RatesUsed:
    """Rates, batch after batch.

    Attributes:
        largest: of all; 0 where there was none.
    """

    def __init__(self) -> None:
        self.largest = 0.0
        self._parts: list[tuple[int, Array]] = []

    def add(self, rates: Array, batches: int) -> None:
        """The next batches', one a batch or one for all."""
        each = np.atleast_1d(np.asarray(rates, np.float64))
        self.largest = max(self.largest, float(each.max()))
        kept = each[np.arange(min(len(each), _KEPT)) * len(each) // min(len(each), _KEPT)]
        if self._parts and len(kept) == 1 and np.array_equal(kept, self._parts[-1][1]):
            batches += self._parts.pop()[0]
        self._parts.append((batches, kept))

    def again(self, steps: int) -> float | LearningRateSchedule:
        """The same way, gone in so many steps."""
        values = np.concatenate([[self.largest] * (not self._parts), *(kept for _, kept in self._parts)])
        if np.ptp(values) == 0:
            return float(values[0])
        lengths = np.concatenate([np.full(len(kept), batches / len(kept)) for batches, kept in self._parts])
        ends = np.cumsum(lengths)
        return _Again(values, ends * (steps / ends[-1]))


@dataclass(frozen=True, eq=False)
class _Again(LearningRateSchedule):
    """``values[i]`` up to step ``ends[i]``, and the last from then on."""

    values: Array
    ends: Array

    def __call__(self, step: Any) -> Any:
        return self.values[min(int(np.searchsorted(self.ends, step, side="right")), len(self.values) - 1)]
