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

WHOLE = ("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
"""Dtypes of inputs that hold whole numbers: they are handed over as float32, exact up to 2 ** 24."""


class InputLayer(Symbolic, Layer):
    """States the shape of one row; computes nothing.

    Args:
        dtype: "float32", or of whole numbers ("int32", "bool"...), with which everything computes as float32.
    """

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
        told = str(getattr(dtype, "name", getattr(dtype, "__name__", dtype)))
        super().__init__(
            name=name,
            dtype=None if told in WHOLE else dtype,
            input_shape=given,
            batch_input_shape=batch_shape,
            **others,
        )
        if self.declared is None:
            raise UnsupportedError("an input states the shape of its rows", remedy="Input(shape=(4,))")
        rows = batch_size if batch_shape is None else tuple(batch_shape)[0]  # noqa: RUF015
        self._dtype = told if told in WHOLE else "float32"
        self.batch_shape = (None if rows is None else whole("batch_size", rows), *self.declared)

    @property
    def built(self) -> bool:
        """Always: its shape is known."""
        return True

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """``(None, ...)``: the shape of a batch of rows."""
        return (None, *self.row)

    @property
    def row(self) -> Shape:  # type: ignore[override]
        """The shape of one row."""
        return self.declared or ()

    @property
    def batch_size(self) -> int | None:
        """The size of batches that was stated."""
        return self.batch_shape[0]

    @property
    def dtype(self) -> str:  # type: ignore[override]
        """What it was said to hold."""
        return self._dtype

    def get_config(self) -> dict[str, Any]:
        """Keras's configuration."""
        return {**super().get_config(), "dtype": self._dtype}

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
