# SPDX-License-Identifier: Apache-2.0
"""The layer of a network that is a sum over columns: small networks of one column each, all in one step.

Source: generalised additive models (Hastie and Tibshirani, 1986), their terms neural networks (Agarwal et al., "Neural
additive models", 2021). A term of one hidden layer of relu is a line with as many kinks as units, so its curve is exact
between any two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeling.layers.base import Layer, Shape
from edgeling.network.tracing import Tracer

UNITS = 12
_REACH = 2.0  # standard deviations either way, over which kinks begin


class EachColumn(Layer):
    """Hidden units of each of some columns, which see that column alone; then all columns as they are.

    Rows [n, columns] become [n, len(bent) * units + columns]. What follows sums them: one dense layer.

    Args:
        bent: positions of the columns of numbers; what is 0 or 1 has no curve.
        units: for each of them.
    """

    arguments = ("bent", "units")

    def __init__(self, bent: Sequence[int], units: int = UNITS, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bent, self.units = tuple(bent), int(units)

    def weight_shapes(self, row: Shape) -> list[Shape]:
        return [(len(self.bent) * self.units,)] * 2

    def _make(self, row: Shape) -> None:
        """Units look either way by turns, their kinks evenly far apart over what is usual."""
        places = np.linspace(-_REACH, _REACH, self.units, dtype=np.float32)
        slopes = np.where(np.arange(self.units) % 2 == 0, 1, -1).astype(np.float32)
        self.slope = self._keep("slope", np.tile(slopes, len(self.bent)))
        self.offset = self._keep("offset", np.tile(-slopes * places, len(self.bent)))

    def output_shape_of(self, row: Shape) -> Shape:
        return (len(self.bent) * self.units + row[0],)

    def trace(self, tracer: Tracer, x: str) -> str:
        b = tracer.builder
        if not self.bent:
            return x
        repeated = b.add("gather", x, indices=tuple(column for column in self.bent for _ in range(self.units)))
        scaled = b.add("multiply", repeated, tracer.value(self.slope))
        hidden = b.add("activation", b.add("add", scaled, tracer.value(self.offset)), function="relu")
        return b.add("concatenate", hidden, x)
