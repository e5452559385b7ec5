# SPDX-License-Identifier: Apache-2.0
"""``edgeling.find_learning_rate``: the range test.

Source: Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3; with rates that grow
exponentially and losses that are smoothed, as Howard and Gugger's fastai does it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeling.checking import number, whole
from edgeling.errors import TrainingError, UnsupportedError
from edgeling.graph.types import Array
from edgeling.models import Model
from edgeling.models.range_test import losses_at

SMOOTHING = 0.9  # of the running mean of losses
DIVERGED = 4.0  # times the least smoothed loss: the test ends


@dataclass(frozen=True, eq=False)
class LearningRates:
    """What a range test found. In a notebook it shows itself as a plot.

    Attributes:
        rates: float64 [steps], growing exponentially.
        losses: float64 [steps], of each batch before its step, smoothed.
        suggestion: the rate to train at.
    """

    rates: Array
    losses: Array
    suggestion: float

    def to_svg(self) -> str:
        """The plot as an SVG file: loss over rate, the suggestion marked."""
        from edgeling.report.charts import range_chart
        from edgeling.report.page import standalone

        title = "Loss over learning rate"
        return standalone(range_chart("learning-rates", title, self.rates, self.losses, self.suggestion))

    def _repr_html_(self) -> str:
        picture = b64encode(self.to_svg().encode()).decode()
        told = f"suggested learning rate: {self.suggestion:.3g}"
        return f'<img alt="{told}" src="data:image/svg+xml;base64,{picture}" width="440"><p>{told}</p>'


def find_learning_rate(
    model: Model,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    batch_size: int = 32,
    steps: int = 100,
    lowest: float = 1e-5,
    highest: float = 10.0,
    seed: int = 0,
) -> LearningRates:
    """Train on a batch after the other at ever higher rates, until the loss takes off; suggest one well before.

    The model's weights, its optimizer's state and its history stay as they were.

    Args:
        model: compiled.
        x, y, sample_weight: rows, targets and what rows count, as ``fit`` takes them.
        steps: how many rates, at the most.
        lowest, highest: the first and the last.
        seed: of the order of rows; it repeats the result.

    Raises:
        UnsupportedError: rates that do not grow.
        DataError, TrainingError, CompilerNotFoundError: as ``fit``.

    Example:
        >>> model.optimizer.learning_rate = find_learning_rate(model, x, y).suggestion  # doctest: +SKIP
    """
    low, high = number("lowest", lowest), number("highest", highest)
    if not 0 < low < high < np.inf:
        raise UnsupportedError(
            "rates grow from lowest, above zero, to highest", received=f"{low:g} to {high:g}",
            remedy="lowest=1e-5, highest=1.0",
        )  # fmt: skip
    rates = np.geomspace(low, high, whole("steps", steps, 10))
    smooth, running = list[float](), 0.0
    for step, loss in enumerate(losses_at(model, x, y, rates, sample_weight, batch_size=batch_size, seed=seed)):
        running = SMOOTHING * running + (1 - SMOOTHING) * loss
        smooth.append(running / (1 - SMOOTHING ** (step + 1)))
        if smooth[-1] > DIVERGED * min(smooth):
            break
    if not smooth:
        raise TrainingError(
            "the loss is finite before the first step", received="NaN or infinity",
            remedy="look at inputs and targets for huge or missing values",
        )  # fmt: skip
    losses = np.array(smooth)
    return LearningRates(rates[: len(losses)], losses, suggested(rates[: len(losses)], smooth))


def suggested(rates: Array, losses: Sequence[float]) -> float:
    """A tenth of the rate at which the smoothed loss was least."""
    return float(rates[int(np.argmin(losses))]) / 10
