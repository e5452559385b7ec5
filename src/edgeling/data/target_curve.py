# SPDX-License-Identifier: Apache-2.0
"""A target that is far from symmetric, made nearly so by a logarithm: sales, prices, counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeling.data.features import finite, require
from edgeling.graph import GraphBuilder
from edgeling.graph.types import Array

LEAST_SKEWNESS = 1.0
"""Of a target that is worth bending; an exponential distribution has 2."""
_BEFORE = (0.02, 0.1, 0.5)  # how far the logarithm's zero may lie before the least value, in ranges of the middle half
_BEYOND = 0.25  # of the range learned from: answers lie no further outside
_NEVER = 1e-30
LARGEST_LOGARITHM = 88.0  # whose exponential a float32 holds


@dataclass(frozen=True)
class TargetCurve:
    """``y`` becomes ``log(sign * (y - zero))``: a logarithm from a zero of its own, mirrored where the tail is low.

    As Box and Cox's with a shift (1964), of which Yeo and Johnson's is kin: what undoes it is one exponential.

    Attributes:
        zero: what the logarithm cannot reach.
        sign: 1, or -1 where far values lie below.
        low, high: bounds of what the network is believed, of the logarithm.
    """

    zero: float
    sign: float
    low: float
    high: float

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TargetCurve:
        """Read what ``asdict`` made, trusting nothing.

        Raises:
            ValueError, KeyError, TypeError: anything else.
        """
        zero, sign, low, high = (finite(value[name]) for name in ("zero", "sign", "low", "high"))
        require(abs(sign) == 1 and low < high < LARGEST_LOGARITHM)
        return cls(zero, sign, low, high)

    def bent(self, y: Array) -> Array:
        """float64 [rows] of a target as the network learns it; what lies beyond the zero is bent to the low bound."""
        distance = self.sign * (np.asarray(y, np.float64) - self.zero)
        return np.log(np.maximum(distance, np.exp(self.low)))

    def straight(self, bent: Array) -> Array:
        """The inverse, within the bounds."""
        return self.zero + self.sign * np.exp(np.clip(np.asarray(bent, np.float64), self.low, self.high))

    def trace(self, builder: GraphBuilder, y: str) -> str:
        """Add the nodes of the inverse to [batch, 1]."""
        y = builder.add("clip", y, minimum=self.low, maximum=self.high)
        y = builder.add("activation", y, function="exponential")
        if self.sign < 0:
            y = builder.add("multiply", y, builder.constant([self.sign], name="target_sign"))
        return builder.add("add", y, builder.constant([self.zero], name="target_zero"))


def fit_curve(y: Array) -> TargetCurve | None:
    """The curve under which a target [rows] is nearest to normal; None where it is not far from symmetric.

    Of several zeros the likeliest (Box and Cox, 1964, equation 8), which also must make it less skewed.
    """
    y = np.asarray(y, np.float64)
    skewed = skewness(y)
    if abs(skewed) < LEAST_SKEWNESS:
        return None
    sign = 1.0 if skewed > 0 else -1.0
    zero = max(_zeros(sign * y), key=lambda zero: _likelihood(sign * y - zero))
    logs = np.log(sign * y - zero)
    if abs(skewness(logs)) >= abs(skewed):
        return None
    room = _BEYOND * (logs.max() - logs.min())
    low, high = (float(np.float32(bound)) for bound in (logs.min() - room, logs.max() + room))
    if high >= LARGEST_LOGARITHM:
        return None
    return TargetCurve(float(np.float32(sign * zero)), sign, low, high)


def skewness(y: Array) -> float:
    """The third central moment in standard deviations; 0 of what does not differ."""
    spread = float(np.std(y))
    return float(np.mean(((y - np.mean(y)) / spread) ** 3)) if spread > 0 else 0.0


def _zeros(y: Array) -> Iterator[float]:
    least = float(y.min())
    low, high = np.quantile(y, (0.25, 0.75))
    width = float(high - low) or float(np.std(y))
    yield from (least - share * width for share in _BEFORE)
    if least > 0:
        yield 0.0


def _likelihood(distances: Array) -> float:
    logs = np.log(distances)
    return -0.5 * len(logs) * float(np.log(max(float(np.var(logs)), _NEVER))) - float(np.sum(logs))
