# SPDX-License-Identifier: Apache-2.0
"""Functions of arrays alone: what tables and positions are made of before a network computes with them. Of a network's
own values they are refused, for no kernel computes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.layers.symbolic import Symbolic, leaves_of
from edgeling.network.weights import Weight


def _of_arrays(name: str, description: str) -> Callable[..., Any]:
    function = getattr(np, name)

    def computed(x: Any, *others: Any, **named: Any) -> Any:
        given = [one.value if isinstance(one, Weight) else one for one in (x, *others)]
        if any(isinstance(one, Symbolic) for one in leaves_of((*given, named))):
            raise UnsupportedError(
                f"edgeling.ops.{name} is computed of arrays, not of a network's values", received="one of these",
                remedy="an array that the network computes with, or what the function is made of",
            )  # fmt: skip
        return np.asarray(function(*(np.asarray(one, np.float32) for one in given), **named), np.float32)

    computed.__name__ = computed.__qualname__ = name
    computed.__doc__ = (
        f"{description}, of an array ``x`` (NumPy's arguments): float32. UnsupportedError of a network's value."
    )
    return computed


sin, cos = _of_arrays("sin", "The sine"), _of_arrays("cos", "The cosine")
tan, arctan = _of_arrays("tan", "The tangent"), _of_arrays("arctan", "The inverse tangent")
floor, ceil = _of_arrays("floor", "Down to whole numbers"), _of_arrays("ceil", "Up to whole numbers")
round = _of_arrays("round", "To the nearest whole number")
mod, floor_divide = _of_arrays("mod", "What is left of a division"), _of_arrays("floor_divide", "Whole quotients")
sort, argsort = _of_arrays("sort", "In order along the last axis"), _of_arrays("argsort", "The places of that order")


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:  # noqa: N803 - Keras's names
    """Ones on the ``k``-th diagonal of a matrix [N, M]: an array of float32."""
    return np.eye(N, M, k, np.float32)


def identity(n: int, dtype: Any = None) -> Any:
    """:func:`eye` of n rows."""
    return np.eye(n, dtype=np.float32)


def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None) -> Any:
    """So many numbers as far from each other, from ``start`` to ``stop``: an array of float32."""
    return np.linspace(start, stop, num, endpoint).astype(np.float32)


def meshgrid(*x: Any, indexing: str = "xy") -> list[Any]:
    """Arrays of all pairs of coordinates."""
    return [grid.astype(np.float32) for grid in np.meshgrid(*x, indexing=indexing)]  # type: ignore[call-overload]


def convert_to_numpy(x: Any) -> Any:
    """An array, be it of a weight or a number.

    Raises:
        UnsupportedError: of a network's value, which is not computed yet.
    """
    return x.numpy() if isinstance(x, Weight) else np.asarray(x)


def is_tensor(x: Any) -> bool:
    """Whether x is an array, a weight or a network's value."""
    return isinstance(x, (np.ndarray, np.generic, Symbolic, Weight))


def size(x: Any) -> int:
    """How many numbers x holds; of a network's value those of one row."""
    shape: Sequence[int] = x.row if isinstance(x, Symbolic) else np.shape(x)
    return int(np.prod(shape))


def dtype(x: Any) -> str:
    """Always "float32" of weights and a network's values; of an array its own."""
    return str(getattr(x, "dtype", "float32"))
