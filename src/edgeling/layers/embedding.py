# SPDX-License-Identifier: Apache-2.0
"""Rows of a table, named by whole numbers."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from edgeling import constraints, initializers, regularizers
from edgeling.checking import flag, whole
from edgeling.errors import DataError, UnsupportedError
from edgeling.layers.base import Layer, Shape
from edgeling.network.tracing import Tracer


class Embedding(Layer):
    """Whole numbers from 0 to ``input_dim - 1`` to vectors that are learned: [...] -> [..., output_dim].

    A number outside (for which Keras gives NaN) becomes zeros.

    Args:
        mask_zero: whether 0 stands for a step without data, which what follows leaves out.
        weights: the table to begin with, [input_dim, output_dim], or a list of it.
    """

    arguments = (
        "input_dim", "output_dim", "embeddings_initializer", "embeddings_regularizer", "embeddings_constraint",
        "mask_zero",
    )  # fmt: skip
    refused = ("input_tensor", "lora_rank", "lora_alpha", "quantization_config", "sparse")
    ignored = frozenset({"dtype", "input_length"})

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("input_length", None)
        super().__init__(**kwargs)
        self.input_dim, self.output_dim = whole("input_dim", input_dim), whole("output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = self.supports_masking = flag("mask_zero", mask_zero)
        self._table = None if weights is None else self._of_shape(weights)
        if weights is not None:
            self.build()

    def build(self, input_shape: Any = (None, None)) -> None:
        """Make the table, which does not depend on the shape of what it is looked up for."""
        super().build(input_shape)

    def _of_shape(self, weights: Any) -> Any:
        table = np.asarray(weights[0] if isinstance(weights, list) and len(weights) == 1 else weights, np.float32)
        if table.shape != (self.input_dim, self.output_dim):
            raise DataError(
                f"the weights of layer {self.name!r} have the shape {(self.input_dim, self.output_dim)}",
                received=str(table.shape), remedy=f"an array of shape {(self.input_dim, self.output_dim)}",
            )  # fmt: skip
        return table

    def weight_shapes(self, row: Shape) -> list[Shape]:
        return [(self.input_dim, self.output_dim)]

    def _make(self, row: Shape) -> None:
        shape = (self.input_dim, self.output_dim)
        table = self.embeddings_initializer(shape) if self._table is None else self._table
        self.embeddings = self._keep("embeddings", table)

    def output_shape_of(self, row: Shape) -> Shape:
        if self.mask_zero and len(row) != 1:
            raise UnsupportedError(
                "mask_zero is for rows of shape (steps,)", received=f"layer {self.name!r} on rows {row}",
                remedy="mask_zero=False",
            )  # fmt: skip
        return (*row, self.output_dim)

    def trace(self, tracer: Tracer, x: str) -> str:
        self.penalize(tracer)
        b, shape = tracer.builder, tracer.builder.type_of(x).shape
        codes = b.add("reshape", x, shape=(prod(shape), 1))
        y = b.add("embedding", codes, tracer.value(self.embeddings), starts=(0,), sizes=(self.input_dim,))
        y = b.add("reshape", y, shape=(*shape, self.output_dim))
        return tracer.masked(y, b.add("compare", x, tracer.number(0.0))) if self.mask_zero else y
