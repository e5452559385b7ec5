# SPDX-License-Identifier: Apache-2.0
"""Where networks begin: the shape of one row."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from edgeling.checking import whole
from edgeling.errors import UnsupportedError
from edgeling.layers.base import Layer, Shape
from edgeling.layers.symbolic import Symbolic
from edgeling.network.tracing import Tracer


class InputLayer(Symbolic, Layer):
    """States the shape of one row; computes nothing."""

    arguments = ("batch_shape",)
    refused = (*Layer.refused, "sparse", "ragged", "optional")

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: Any = None,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        old = others.pop("input_shape", None)
        if old is not None:
            warnings.warn("Argument `input_shape` is deprecated. Use `shape` instead.", UserWarning, stacklevel=2)
        given = shape if old is None else old
        if batch_shape is not None and (given is not None or batch_size is not None):
            raise UnsupportedError(
                "an input states shape and batch_size, or batch_shape",
                received=f"shape={given}, batch_size={batch_size}, batch_shape={batch_shape}",
                remedy="shape=(4,)",
            )
        super().__init__(name=name, dtype=dtype, input_shape=given, batch_input_shape=batch_shape, **others)
        if self.declared is None:
            raise UnsupportedError("an input states the shape of its rows", remedy="Input(shape=(4,))")
        rows = batch_size if batch_shape is None else tuple(batch_shape)[0]  # noqa: RUF015
        self.batch_shape = (None if rows is None else whole("batch_size", rows), *self.declared)

    @property
    def row(self) -> Shape:  # type: ignore[override]
        """The shape of one row."""
        return self.declared or ()

    @property
    def input(self) -> Any:
        """Itself."""
        return self

    output = input

    def trace(self, tracer: Tracer, x: str) -> str:
        return x


def Input(  # noqa: N802 - Keras's name
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    **others: Any,
) -> InputLayer:
    """The shape of one row: ``Sequential([Input((4,)), Dense(3)])``."""
    return InputLayer(shape, batch_size, dtype, batch_shape, name, sparse=sparse, **others)
