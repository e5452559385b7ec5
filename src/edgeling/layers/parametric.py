# SPDX-License-Identifier: Apache-2.0
"""Activations that learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeling import activations, constraints, initializers, regularizers
from edgeling.layers.axes import axes_of, axis_argument
from edgeling.layers.base import Layer, Shape
from edgeling.network.tracing import Tracer


class PReLU(Layer):
    """``x`` above zero, ``alpha * x`` below, with an alpha for each place of a row.

    He et al., ICCV 2015.

    Args:
        shared_axes: axes, counted with the batch, along which there is one alpha.
    """

    supports_masking = True
    arguments = ("alpha_initializer", "alpha_regularizer", "alpha_constraint", "shared_axes")

    def __init__(
        self, alpha_initializer: Any = "Zeros", alpha_regularizer: Any = None, alpha_constraint: Any = None,
        shared_axes: int | Sequence[int] | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        given = shared_axes if shared_axes is None else axis_argument(shared_axes, "shared_axes")
        self.shared_axes = [given] if isinstance(given, int) else given

    def weight_shapes(self, row: Shape) -> list[Shape]:
        shared = axes_of(self.name, self.shared_axes, len(row) + 1) if self.shared_axes else ()
        return [tuple(1 if axis in shared else n for axis, n in enumerate(row, 1))]

    def _make(self, row: Shape) -> None:
        (shape,) = self.weight_shapes(row)
        self.alpha = self._keep("alpha", self.alpha_initializer(shape))

    def trace(self, tracer: Tracer, x: str) -> str:
        self.penalize(tracer)
        b = tracer.builder
        below = activations.relu.trace(b, b.add("multiply", x, tracer.number(-1.0, "minus_one")))
        return b.add("subtract", activations.relu.trace(b, x), b.add("multiply", below, tracer.value(self.alpha)))
