# SPDX-License-Identifier: Apache-2.0
"""A target that is far from symmetric, made nearly normal by Yeo and Johnson's transform: sales, prices, counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeling.data.features import finite, float32, require
from edgeling.graph import GraphBuilder
from edgeling.graph.activations import yeo_johnson_inverse
from edgeling.graph.types import LARGEST_FLOAT32, Array

LEAST_SKEWNESS = 1.0
"""Of a target that is worth bending; an exponential distribution has 2."""
POWERS = np.linspace(0, 2, 41)
"""From a logarithm of what is high to one of what is low; 1 bends nothing. Beyond, answers would have a bound."""
_WIDTHS = (0.02, 0.1, 0.5)  # ranges of the middle half
_BEYOND = 0.25  # of the range learned from: answers lie no further outside
_SAMPLE = 1000  # order statistics that a curve is fitted to
_NEVER = 1e-30


@dataclass(frozen=True)
class TargetCurve:
    """``y`` becomes Yeo and Johnson's transform (Biometrika 87, 2000) of ``(y - centre) / width``.

    A power of 0 is a logarithm of what lies above the centre, one of 2 of what lies below.

    Attributes:
        power: theirs, called lambda; from 0 to 2.
        low, high: bounds of what the network is believed, of the transform.
    """

    power: float
    centre: float
    width: float
    low: float
    high: float

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TargetCurve:
        """Read what ``asdict`` made, trusting nothing.

        Raises:
            ValueError, KeyError, TypeError: anything else.
        """
        curve = cls(*(finite(value[name]) for name in ("power", "centre", "width", "low", "high")))
        require(0 <= curve.power <= 2 and curve.width > 0 and curve.low < curve.high and curve.is_finite)
        return curve

    @property
    def is_finite(self) -> bool:
        """Whether float32 holds what both bounds stand for."""
        with np.errstate(over="ignore"):
            return bool(np.all(np.abs(self.straight(np.array([self.low, self.high]))) < LARGEST_FLOAT32 / 4))

    @property
    def sentence(self) -> str:
        """For people."""
        how = {0.0: "a logarithm", 1.0: "a line", 2.0: "a logarithm from above"}.get(self.power, "a power")
        named = f"Yeo and Johnson's transform of power {self.power:.2g}, {how}"
        return f"the target is learned through {named}, which the C undoes"

    def bent(self, y: Array) -> Array:
        """float64 [rows] of a target as the network learns it."""
        return yeo_johnson((np.asarray(y, np.float64) - self.centre) / self.width, self.power)

    def straight(self, bent: Array) -> Array:
        """The inverse, within the bounds."""
        bounded = np.clip(np.asarray(bent, np.float64), self.low, self.high)
        return self.centre + self.width * yeo_johnson_inverse(bounded, self.power)

    def trace(self, builder: GraphBuilder, y: str) -> str:
        """Add the nodes of the inverse to [batch, 1]."""
        y = builder.add("clip", y, minimum=self.low, maximum=self.high)
        y = builder.add("activation", y, function="yeo_johnson_inverse", alpha=self.power)
        y = builder.add("multiply", y, builder.constant([self.width], name="target_width"))
        return builder.add("add", y, builder.constant([self.centre], name="target_centre"))


def yeo_johnson(z: Array, power: float) -> Array:
    """Yeo and Johnson's transform, their equation 2.1."""
    size, own = np.abs(z), np.where(z < 0, 2 - power, power)
    bent = np.where(own == 0, np.log1p(size), np.expm1(own * np.log1p(size)) / np.where(own == 0, 1, own))
    return np.copysign(bent, z)


def fit_curve(y: Array) -> TargetCurve | None:
    """The curve under which a target [rows] is nearest to normal; None where it is not far from symmetric.

    Of several centres, widths and powers the likeliest, which also must make it less skewed.
    """
    y = np.asarray(y, np.float64)
    skewed = skewness(y)
    if abs(skewed) < LEAST_SKEWNESS:
        return None
    some = np.sort(y)[np.linspace(0, len(y) - 1, min(len(y), _SAMPLE)).astype(np.int64)]
    places = [(float32(centre), float32(width)) for centre, width in _places(some, skewed > 0)]
    tried = [(power, *place) for place in places for power in POWERS if place[1] > 0]
    power, centre, width = max(
        tried, key=lambda each: likelihood((some - each[1]) / each[2], each[0]) - len(some) * np.log(each[2])
    )
    bent = yeo_johnson((y - centre) / width, power)
    if abs(skewness(bent)) >= abs(skewed):
        return None
    curve = TargetCurve(float32(power), centre, width, *_bounds(y, bent, -centre / width, power))
    return curve if curve.is_finite else None


def _bounds(y: Array, bent: Array, zero: float, power: float) -> tuple[float, float]:
    """A part of the range beyond what was learned from; a target that has no sign but one is answered in that."""
    room = _BEYOND * (bent.max() - bent.min())
    low, high = bent.min() - room, bent.max() + room
    nothing = float(yeo_johnson(np.array([zero]), power)[0])
    low, high = max(low, nothing) if y.min() >= 0 else low, min(high, nothing) if y.max() <= 0 else high
    return float32(float(low)), float32(float(high))


def skewness(y: Array) -> float:
    """The third central moment in standard deviations; 0 of what does not differ."""
    spread = float(np.std(y))
    return float(np.mean(((y - np.mean(y)) / spread) ** 3)) if spread > 0 else 0.0


def _places(y: Array, upwards: bool) -> Iterator[tuple[float, float]]:
    """Centres and widths: at the end that has no tail, and in the middle."""
    low, middle, high = np.quantile(y, (0.25, 0.5, 0.75))
    range_ = float(high - low) or float(np.std(y))
    end = float(y[0] if upwards else y[-1])
    yield from ((end, share * range_) for share in _WIDTHS)
    yield float(middle), range_
    if end * (1 if upwards else -1) > 0:
        yield end, abs(end)  # of a power of 0 the logarithm of what is told, as it stands


def likelihood(z: Array, power: float) -> float:
    """The logarithm of a sample's likelihood, were its transform normal (their equation 3.1), but for a constant."""
    spread = float(np.var(yeo_johnson(z, power)))
    return -0.5 * len(z) * float(np.log(max(spread, _NEVER))) + (power - 1) * float(
        np.sum(np.copysign(np.log1p(np.abs(z)), z))
    )
