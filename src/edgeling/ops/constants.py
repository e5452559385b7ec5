# SPDX-License-Identifier: Apache-2.0
"""Arrays that a network computes with, and what is asked of values without computing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeling.layers.symbolic import Symbolic
from edgeling.network.weights import Weight


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


def array(x: Any, dtype: Any = None) -> Any:
    """An array of numbers; float32 where they are none of whole numbers or truths."""
    made = np.array(x, dtype)
    return made.astype(np.float32) if made.dtype == np.float64 and dtype is None else made


def empty(shape: Any, dtype: Any = None) -> Any:
    """An array of float32 to be filled: zeros."""
    return np.zeros(shape, np.float32)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:  # noqa: N803 - Keras's names
    """Ones on and below the ``k``-th diagonal of a matrix [N, M]: an array of float32."""
    return np.tri(N, M, k, np.float32)


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
