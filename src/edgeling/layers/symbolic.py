# SPDX-License-Identifier: Apache-2.0
"""The functional API: ``Dense(3)(x)`` of what is not there yet says what will be computed of what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgeling.errors import UnsupportedError


class Symbolic:
    """What stands for a batch of rows before there is one: an ``Input``, or what a layer makes of others.

    Attributes:
        row: the shape of one row.
    """

    row: tuple[int, ...]

    @property
    def shape(self) -> tuple[int | None, ...]:
        """``(None, ...)``: with the batch."""
        return (None, *self.row)


@dataclass(frozen=True, eq=False)
class SymbolicOutput(Symbolic):
    """What a layer makes of one or several symbolic values."""

    row: tuple[int, ...]
    layer: Any
    inputs: tuple[Any, ...]


def _refused(*_: Any) -> Any:
    raise UnsupportedError(
        "what is not computed yet is no array to compute with: layers are called on it",
        received="an operator on a layer's output",
        remedy="Rescaling(2.0)(x), Add()([x, y]), Multiply()([x, y])",
    )


for _operator in ("add", "sub", "mul", "truediv", "matmul", "pow", "neg", "abs", "lt", "le", "gt", "ge", "getitem"):
    setattr(Symbolic, f"__{_operator}__", _refused)
    if _operator in ("add", "sub", "mul", "truediv", "matmul", "pow"):
        setattr(Symbolic, f"__r{_operator}__", _refused)


def symbols_of(x: Any) -> tuple[Any, ...]:
    """The symbolic values that a layer is called on; none where it is called on arrays.

    Raises:
        UnsupportedError: some are and some are not.
    """
    given = tuple(x) if isinstance(x, (list, tuple)) else (x,)
    symbols = tuple(value for value in given if isinstance(value, Symbolic))
    if symbols and len(symbols) != len(given):
        raise UnsupportedError(
            "a layer is called on symbolic values, or on arrays", received="both", remedy="Input() for each array"
        )
    return symbols
