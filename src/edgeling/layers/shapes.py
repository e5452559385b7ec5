# SPDX-License-Identifier: Apache-2.0
"""Shapes of rows, from what people say of shapes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from numbers import Integral
from typing import Any

from edgeling.errors import UnsupportedError

Shape = tuple[int, ...]


def declared_row(shape: Any, dimension: Any, batch_shape: Any) -> Shape | None:
    """The shape of one row, told in one of Keras's three ways; None where it is not told."""
    if shape is not None:
        return row_of((None, *shape) if isinstance(shape, (tuple, list)) else shape)
    if dimension is not None:
        return row_of((None, dimension))
    return None if batch_shape is None else row_of(batch_shape)


def row_of(input_shape: Sequence[int | None]) -> Shape:
    """The shape of one row of a batch; None where a length is not known: see :mod:`edgeling.layers.lengths`.

    Raises:
        UnsupportedError: a length is neither None nor whole and positive.
    """
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    row: list[Any] = [n if n is None else int(n) for n in shape[1:] if _is_length(n)]
    if not row or len(row) != len(shape) - 1:
        raise UnsupportedError(
            "every length of a row's shape is whole and positive, or None where rows of several lengths are to come",
            received=repr(input_shape),
            remedy="give all lengths, such as shape=(4,)",
        )
    return tuple(row)


def _is_length(n: Any) -> bool:
    return n is None or (isinstance(n, Integral) and not isinstance(n, bool) and int(n) > 0)


def size(row: Shape) -> int:
    """Elements of one row."""
    return prod(row)


def batches_of(rows: Sequence[Shape]) -> Any:
    """The shape of a batch of such rows; of several kinds a list, as in Keras."""
    shapes = [(None, *row) for row in rows]
    return shapes[0] if len(shapes) == 1 else shapes
