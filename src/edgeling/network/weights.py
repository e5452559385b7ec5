# SPDX-License-Identifier: Apache-2.0
"""What layers learn: arrays with Keras's names."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from edgeling.errors import DataError, UnsupportedError
from edgeling.graph.types import Array


class Weight:
    """One array of a layer: what is learned, or followed (moving statistics).

    Attributes:
        name: Keras's short name ("kernel", "bias"...).
        value: float32, replaced (never changed in place) when it moves.
        trainable: whether gradients move it, while its layer is trainable.
        regularizer: of a layer of one's own, the penalty on it.
        constraint: what it is kept to after each step.
        changes: how often any weight was given a value; by it, who keeps copies of weights notices, C code too.
    """

    changes: ClassVar[ctypes.c_int64] = ctypes.c_int64()

    def __init__(self, name: str, value: Array, trainable: bool = True, path: str = "") -> None:
        self.name, self.value, self.trainable, self.path = name, value, trainable, path or name
        self.regularizer: Any = None
        self.constraint: Any = None

    @property
    def value(self) -> Array:
        """float32, not to be written into."""
        return self._value

    @value.setter
    def value(self, value: Array) -> None:
        self._value = value
        Weight.changes.value += 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the value."""
        return self.value.shape

    @property
    def dtype(self) -> str:
        """Always "float32"."""
        return "float32"

    @property
    def ndim(self) -> int:
        """Of the value."""
        return self.value.ndim

    def numpy(self) -> Array:
        """A copy of the values."""
        return self.value.copy()

    def assign(self, value: ArrayLike) -> None:
        """Replace the values.

        Raises:
            DataError: another shape, or not numbers.
            UnsupportedError: values of a network, which are not computed yet.
        """
        given = self._numbers(value)
        if given.shape != self.shape:
            raise DataError(
                f"the weight {self.path} has shape {self.shape}", received=str(given.shape),
                remedy=f"an array of shape {self.shape}",
            )  # fmt: skip
        self.value = given

    def assign_add(self, value: ArrayLike) -> None:
        """Add to the values."""
        self.assign(self.value + self._numbers(value))

    def assign_sub(self, value: ArrayLike) -> None:
        """Subtract from the values."""
        self.assign(self.value - self._numbers(value))

    def _numbers(self, value: ArrayLike) -> Array:
        try:
            return np.array(value, dtype=np.float32)
        except UnsupportedError:
            raise UnsupportedError(
                f"the weight {self.path} is given numbers", received="values that are not computed yet",
                remedy="a callback that assigns between epochs, or BatchNormalization, which keeps statistics",
            ) from None  # fmt: skip
        except (TypeError, ValueError) as error:
            raise DataError(
                f"the weight {self.path} holds numbers", received=str(error), remedy="an array of numbers"
            ) from None

    def __array__(self, dtype: object = None, copy: bool | None = None) -> Array:
        return np.array(self.value, dtype=dtype)  # type: ignore[call-overload]

    def __repr__(self) -> str:
        return f"<Weight {self.path} {list(self.shape)}>"


def assign(weights: Sequence[Weight], values: Sequence[Any], owner: str) -> None:
    """Give weights new values, all or none.

    Raises:
        DataError: a wrong number or shape.
    """
    try:
        arrays = [np.array(v, dtype=np.float32) for v in values]
    except (TypeError, ValueError):
        raise DataError(
            f"the weights of {owner} are a list of arrays of numbers", received=repr(values)[:80],
            remedy="arrays of the shapes that get_weights() gives",
        ) from None  # fmt: skip
    expected, received = [w.shape for w in weights], [a.shape for a in arrays]
    if expected != received:
        raise DataError(
            f"the weights of {owner} have shapes {expected}", received=str(received),
            remedy="arrays of the shapes that get_weights() gives",
        )  # fmt: skip
    for weight, array in zip(weights, arrays, strict=True):
        weight.value = array
