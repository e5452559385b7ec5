# SPDX-License-Identifier: Apache-2.0
"""From data to pixels: linear and logarithmic scales, ticks at round numbers, histogram bins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeling.graph.types import Array

SLACK = 1e-9  # of a step or of a number: so near a round one, it is taken for that
_TINY = 1e-290  # differences below it cannot be divided into steps


@dataclass(frozen=True)
class Scale:
    """Maps ``low`` to ``start`` and ``high`` to ``end``, linearly or in the logarithm.

    Attributes:
        ticks: where to draw marks, in data units, each between ``low`` and ``high``.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...] = ()
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def linear(low: float, high: float, start: float, end: float, *, ticks: int = 5) -> Scale:
    """A linear scale widened to the round numbers just outside ``low`` and ``high``."""
    low, high = _apart(low, high)
    step = nice_step(high - low, ticks)
    first, last = math.floor(low / step + SLACK), math.ceil(high / step - SLACK)
    marks = tuple(float(f"{i * step:.12g}") for i in range(first, last + 1))
    return Scale(marks[0], marks[-1], start, end, marks)


def logarithmic(low: float, high: float, start: float, end: float) -> Scale:
    """A logarithmic scale widened to 1, 2 or 5 times a power of ten, ticks at powers of ten; ``low`` is above 0."""
    low, high = _round_down(low), 1 / _round_down(1 / high)
    first, last = math.ceil(math.log10(low) - SLACK), math.floor(math.log10(high) + SLACK)
    stride = -(-(last - first) // 6) or 1
    return Scale(low, high, start, end, tuple(10.0**i for i in range(first, last + 1, stride)), logarithmic=True)


def _round_down(value: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not above a value above 0."""
    power: float = 10.0 ** math.floor(math.log10(value) + SLACK)
    return power * next(factor for factor in (5, 2, 1) if factor * power <= value * (1 + SLACK))


def covering(values: Sequence[float], start: float, end: float) -> Scale:
    """The scale a curve of these values reads best on: logarithmic if they span more than two powers of ten."""
    low, high = min(values), max(values)
    return logarithmic(low, high, start, end) if 0 < low * 100 < high else linear(low, high, start, end)


def tick_text(scale: Scale, value: float, factor: float = 1.0) -> str:
    """A tick as text, all ticks of a scale with as many decimals as their distance needs."""
    value *= factor
    step = factor * (scale.ticks[-1] - scale.ticks[-2]) if len(scale.ticks) > 1 else 1.0
    if scale.logarithmic or not 1e-5 < step < 1e7:
        return f"{value:g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    return f"{value:,.{max(0, -math.floor(math.log10(step) + SLACK))}f}"


def nice_step(span: float, count: int) -> float:
    """1, 2 or 5 times a power of ten, so that about ``count`` steps make the span (Heckbert, Graphics Gems, 1990)."""
    rough = span / max(count, 1)
    power: float = 10.0 ** math.floor(math.log10(rough))
    return power * next(factor for factor in (1, 2, 5, 10) if rough <= factor * power * (1 + SLACK))


def histogram(values: Array) -> tuple[Array, Array]:
    """Counts [bins] and edges [bins + 1] at round numbers, about as wide as Freedman and Diaconis (1981) advise."""
    low, high = _apart(float(values.min()), float(values.max()))
    quarter, three = np.percentile(values, [25, 75])
    width = 2 * (three - quarter) / len(values) ** (1 / 3)
    bins = min(max((high - low) / width if width > 0 else 10.0, 4.0), 40.0)
    step = nice_step(high - low, int(1.6 * bins))  # a nice step is the next wider one
    edges = np.arange(math.floor(low / step + SLACK), math.ceil(high / step - SLACK) + 1) * step
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges)


def _apart(low: float, high: float) -> tuple[float, float]:
    """The same limits, moved apart if they are too near each other to divide by their distance."""
    largest = max(abs(low), abs(high))
    if high - low > max(1e-12 * largest, _TINY):
        return low, high
    room = 0.1 * largest if largest > _TINY else 1.0
    return low - room, high + room
