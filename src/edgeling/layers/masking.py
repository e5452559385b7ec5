# SPDX-License-Identifier: Apache-2.0
"""Where masks begin: steps without data. How masks go on: :meth:`edgeling.network.tracing.Tracer.mask_of`."""

from __future__ import annotations

from typing import Any

from edgeling.checking import number
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.layers.base import Layer, Shape
from edgeling.network.tracing import Tracer


class Masking(Layer):
    """Masks the steps whose features are all ``mask_value``: [steps, features] -> the same, zero where masked.

    What follows and supports masking leaves those steps out: recurrent layers keep their state, averages and the loss
    do not count them.

    Args:
        mask_value: what stands where there is no data.
    """

    supports_masking = True
    arguments = ("mask_value",)

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = number("mask_value", mask_value)

    def output_shape_of(self, row: Shape) -> Shape:
        if len(row) < 2:
            raise UnsupportedError(
                "Masking takes rows of shape (steps, features)", received=f"layer {self.name!r} on rows {row}",
                remedy="Reshape() before it",
            )  # fmt: skip
        return row

    def trace(self, tracer: Tracer, x: str) -> str:
        b = tracer.builder
        counts = differs(b, x, self.mask_value)
        y = b.add("select", counts, x, tracer.number(0.0))
        return tracer.masked(y, b.add("reshape", counts, shape=b.type_of(counts).shape[:-1]))


def differs(builder: GraphBuilder, x: str, value: float) -> str:
    """[..., features] to [..., 1]: 1 where any feature is another than the value, else 0."""
    each = builder.add("compare", x, builder.constant(value, "mask_value"))
    found = builder.add("sum", each, axes=(len(builder.type_of(x).shape) - 1,))
    return builder.add("compare", found, builder.constant(0.0, "number"), function="greater")
