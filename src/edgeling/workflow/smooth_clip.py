# SPDX-License-Identifier: Apache-2.0
"""The layer that keeps far values from counting far more than others."""

from __future__ import annotations

import numpy as np

from edgeling.graph.types import Array
from edgeling.layers.base import Layer, Shape
from edgeling.network.tracing import Tracer

BOUND = 3.0


class SmoothClip(Layer):
    """Each column x becomes ``z / sqrt(1 + z^2)``, for ``z = (x - centre) / (3 * scale)``: between -1 and 1.

    Robust scaling and smooth clipping of Holzmuller, Grinsztajn and Steinwart, Better by Default (NeurIPS 2024), but
    for a factor of 3, which the next layer learns. ``scale`` is the distance of the quartiles; half the range where
    those are one; 1 where the column is constant.
    """

    def weight_shapes(self, row: Shape) -> list[Shape]:
        return [row, row]

    def _make(self, row: Shape) -> None:
        self.centre = self._keep("centre", np.zeros(row, np.float32), trainable=False)
        self.scale = self._keep("scale", np.ones(row, np.float32), trainable=False)

    def trace(self, tracer: Tracer, x: str) -> str:
        b = tracer.builder
        z = b.add("standardize", x, tracer.value(self.centre), tracer.value(self.scale))
        return b.add("multiply", z, b.add("reciprocal_sqrt", b.add("square", z), epsilon=1.0))

    def fit(self, x: Array) -> None:
        """Set the columns' centres and scales from rows [n, columns]."""
        low, centre, high = np.quantile(x, (0.25, 0.5, 0.75), axis=0)
        spread = high - low
        spread = np.where(spread > 0, spread, (x.max(axis=0) - x.min(axis=0)) / 2)
        self.set_weights([centre.astype(np.float32), np.where(spread > 0, BOUND * spread, 1).astype(np.float32)])
