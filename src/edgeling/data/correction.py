# SPDX-License-Identifier: Apache-2.0
"""Logits made to tell true probabilities: one temperature, and a shift of each class.

Sources: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (a temperature); Alexandari et al., "Maximum
Likelihood with Bias-Corrected Calibration", ICML 2020 (a shift beside it); Elkan, "The Foundations of Cost-Sensitive
Learning", IJCAI 2001 (what weights and resampling shift).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeling.errors import DataError
from edgeling.graph.types import Array

TEMPERATURE_ROWS = 4.0
"""How many rows' worth of belief there is in a temperature of 1; few rows that are all right would ask for 0."""
SHIFT_ROWS = 1.0
"""Likewise in no shift beyond what is known of the classes' shares."""
SAME_SHIFT_ROWS = 25.0
"""Likewise where every class counted the same in training, so that its share was learned: few rows, and rows that are
nearly all told with certainty, would shift classes by chance."""
LARGEST_LOGIT = 16.0
"""Beyond, a float32 probability is 0 or 1; one row that is far off would else decide of the temperature of all."""
SMALL_STEP = 1e-10  # Newton's last
_STEPS = 50


@dataclass(frozen=True)
class Correction:
    """Corrected logits are ``logits / temperature + shift``.

    Attributes:
        temperature: above 1 where probabilities were too sure.
        shift: one a logit: of two classes the second one's alone; empty shifts nothing.
    """

    temperature: float = 1.0
    shift: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return self.temperature != 1.0 or any(self.shift)

    def logits(self, logits: Array) -> Array:
        """float64 [rows, 1 or classes]."""
        return np.asarray(logits, np.float64) / self.temperature + (np.array(self.shift) if self.shift else 0.0)

    def probabilities(self, logits: Array) -> Array:
        """The probability of every class, float64 [rows, classes], from a network's logits [rows, 1 or classes]."""
        return softmax(_of_classes(self.logits(logits)))


def fit_correction(logits: Array, truth: Array, log_weights: Sequence[float] = ()) -> Correction:
    """The temperature and the shifts under which rows not trained on were most likely.

    What is known beforehand is taken out first: a network that learned rows of class c weighted (or drawn) ``w`` times
    tells logits of that class ``log w`` too large. What is left is a multinomial regression on the logits with one
    slope, whose maximum makes the mean told probability of each class its share of the rows. Its priors are weak
    (``TEMPERATURE_ROWS``, ``SHIFT_ROWS`` or ``SAME_SHIFT_ROWS``), and their sum with the likelihood is convex: Newton's
    method finds it.

    Args:
        logits: float [rows, 1 or classes], of rows that were not trained on, their classes in their true shares.
        truth: int [rows].
        log_weights: of each class, the logarithm of what its rows counted in training; empty: nothing is known of it.

    Raises:
        DataError: logits that are not finite.
    """
    z = _of_classes(np.asarray(logits, np.float64))
    if not np.isfinite(z).all():
        raise DataError(
            "probabilities are corrected by finite logits", received="some that are not",
            remedy="leave out rows whose values are not finite",
        )  # fmt: skip
    classes = z.shape[1]
    known = np.array(log_weights or (0.0,) * classes)
    z = z - known
    if not len(z):
        return _correction(1.0, -known, logits.shape[1])
    centred = np.clip(z - z.mean(axis=1, keepdims=True), -LARGEST_LOGIT, LARGEST_LOGIT)
    belief = SAME_SHIFT_ROWS if len(log_weights) and not known.any() else SHIFT_ROWS
    slope, shift = _most_likely(centred, np.asarray(truth), belief)
    return _correction(slope, shift - slope * known, logits.shape[1])


def _correction(slope: float, shift: Array, logits: int) -> Correction:
    shift = shift[1:] - shift[0] if logits == 1 else shift - shift.mean()
    return Correction(float(1 / slope), tuple(map(float, shift)))


def _most_likely(z: Array, truth: Array, belief: float) -> tuple[float, Array]:
    """Slope and shifts, by Newton's method with steps halved until they gain."""
    hits = np.eye(z.shape[1])[truth]
    at = np.concatenate([[1.0], np.zeros(z.shape[1])])
    value = _cost(at, z, hits, belief)
    for _ in range(_STEPS):
        gradient, curvature = _derivatives(at, z, hits, belief)
        step = np.linalg.solve(curvature, gradient)
        share = 1.0
        while share > SMALL_STEP and not _cost(at - share * step, z, hits, belief) <= value:
            share /= 2
        if share <= SMALL_STEP or np.max(np.abs(share * step)) < SMALL_STEP:
            break
        at = at - share * step
        value = _cost(at, z, hits, belief)
    return float(at[0]), at[1:]


def _cost(at: Array, z: Array, hits: Array, belief: float) -> float:
    """The negative logarithm of the likelihood, of the slope's Gamma prior (mode 1) and of the shifts' normal one."""
    slope, shift = at[0], at[1:]
    if slope <= 0:
        return float("inf")
    told = slope * z + shift
    largest = told.max(axis=1)
    loss = np.sum(largest + np.log(np.sum(np.exp(told - largest[:, None]), axis=1)) - np.sum(told * hits, axis=1))
    return float(loss + TEMPERATURE_ROWS * (slope - 1 - np.log(slope)) + belief * np.sum(shift**2) / 2)


def _derivatives(at: Array, z: Array, hits: Array, belief: float) -> tuple[Array, Array]:
    slope, shift = at[0], at[1:]
    p = softmax(slope * z + shift)
    mean = np.sum(p * z, axis=1, keepdims=True)
    excess = p - hits
    gradient = np.concatenate([[np.sum(excess * z) + TEMPERATURE_ROWS * (1 - 1 / slope)],
                               excess.sum(axis=0) + belief * shift])  # fmt: skip
    curvature = np.empty((len(at), len(at)))
    curvature[0, 0] = np.sum(p * (z - mean) ** 2) + TEMPERATURE_ROWS / slope**2
    curvature[0, 1:] = curvature[1:, 0] = np.sum(p * (z - mean), axis=0)
    curvature[1:, 1:] = np.diag(p.sum(axis=0) + belief) - p.T @ p
    return gradient, curvature


def _of_classes(logits: Array) -> Array:
    """Logits [rows, classes]; of a single one, the first class's is 0."""
    return np.concatenate([np.zeros_like(logits), logits], axis=1) if logits.shape[1] == 1 else logits


def softmax(logits: Array) -> Array:
    """Probabilities of each row's logits [rows, classes]."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
