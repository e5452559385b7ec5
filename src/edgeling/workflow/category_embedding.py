# SPDX-License-Identifier: Apache-2.0
"""The layer that learns a few numbers for each of a column's many categories."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from edgeling.initializers import RandomUniform
from edgeling.layers.base import Layer, Shape
from edgeling.network.tracing import Tracer
from edgeling.regularizers import L2

WIDTH = 4  # numbers learned for each category


class CategoryEmbedding(Layer):
    """The last columns of a row are codes of categories; each is replaced by ``width`` learned numbers.

    A code outside, of a category never seen or of a missing cell, is replaced by zeros. Rows [n, columns] become
    [n, columns - k + k * width], for k columns of codes.

    Args:
        sizes: how many categories each of those columns has.
        width: numbers learned for each.
        penalty: of the sum of the numbers' squares, in the loss: what few rows say is not believed at once.
    """

    arguments = ("sizes", "width", "penalty")

    def __init__(self, sizes: Sequence[int], width: int = WIDTH, penalty: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sizes, self.width, self.penalty = tuple(sizes), int(width), float(penalty)
        self.embeddings_regularizer = L2(self.penalty)

    def weight_shapes(self, row: Shape) -> list[Shape]:
        return [(sum(self.sizes), self.width)]

    def _make(self, row: Shape) -> None:
        (shape,) = self.weight_shapes(row)
        self.embeddings = self._keep("embeddings", RandomUniform()(shape))  # as Keras's Embedding begins

    def output_shape_of(self, row: Shape) -> Shape:
        return (row[0] + len(self.sizes) * (self.width - 1),)

    def trace(self, tracer: Tracer, x: str) -> str:
        self.penalize(tracer)
        b, columns = tracer.builder, tracer.builder.type_of(x).shape[1]
        first = columns - len(self.sizes)
        codes = b.add("gather", x, indices=tuple(range(first, columns)))
        learned = b.add(
            "embedding", codes, tracer.value(self.embeddings), starts=starts_of(self.sizes), sizes=self.sizes
        )
        return b.add("concatenate", b.add("gather", x, indices=tuple(range(first))), learned) if first else learned


def starts_of(sizes: Sequence[int]) -> tuple[int, ...]:
    """Where each column's categories begin among all."""
    return tuple(accumulate(sizes, initial=0))[:-1]
