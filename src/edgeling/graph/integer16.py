# SPDX-License-Identifier: Apache-2.0
"""int16 activations with int8 weights (TensorFlow Lite's 16x8 scheme), bit for bit as its reference kernels.

Values between layers are symmetric. A layer's sum, which fits int32, is multiplied by the upper 16 bits of the
multiplier that int8 would use, and rounded once. Functions of one value are tables of 513, with straight lines between.

Sources: tflite-micro ``kernels/internal/common.cc`` (``MultiplyByQuantizedMultiplier`` of int64), ``common.h``
(``LUTLookup``, ``gen_lut``), ``reference/softmax.h``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeling.errors import GraphError
from edgeling.graph import integer
from edgeling.graph.integer import Int64, multiply_by_quantized_multiplier, quantize_multiplier, round_half_away
from edgeling.graph.types import Array

Int16 = NDArray[np.int16]
INT16_MIN, INT16_MAX = -(2**15), 2**15 - 1
UNIT_SCALE = 1 / 32768  # of sigmoid, tanh and softmax; zero point 0
TABLE_LENGTH, TABLE_STEP = 513, 128
LEAST_RIGHT_SHIFT = 2
EXPONENT_REACH = 10.0  # softmax's exp is taken of differences down to minus this
MAXIMUM_CLASSES = 2**15
LARGEST_LEFT_SHIFT = 14


def short_multipliers(real: ArrayLike) -> tuple[Int16, NDArray[np.int8]]:
    """Mantissas of 15 bits and right shifts of positive numbers below 1/4.

    Raises:
        GraphError: one is not below 1/4.
    """
    mantissa, shift = integer.quantize_multipliers(real)
    short = np.minimum((mantissa.astype(np.int64) + (1 << 15)) >> 16, INT16_MAX)
    right = np.where(mantissa == 0, LEAST_RIGHT_SHIFT, -shift.astype(np.int64))
    if np.any(right < LEAST_RIGHT_SHIFT):
        raise GraphError(
            "a multiplier of int16 sums is below one fourth", received=repr(np.max(real)),
            remedy="calibrate on rows like those in use, or keep the network in float32",
        )  # fmt: skip
    return short.astype(np.int16), right.astype(np.int8)


def rescale(x: ArrayLike, multiplier: ArrayLike, right_shift: ArrayLike) -> Int64:
    """``x * multiplier * 2**-15 * 2**-right_shift``, halves upwards."""
    shift = 15 + np.asarray(right_shift, np.int64)
    return (np.asarray(x, np.int64) * np.asarray(multiplier, np.int64) + (np.int64(1) << (shift - 1))) >> shift


def dense(
    x: Array, weights: Array, bias: Array, multiplier: Array, right_shift: Array, *,
    zero_point: int, minimum: int, maximum: int,
) -> Int16:  # fmt: skip
    """Fully connected, the input's zero point already folded into the bias."""
    total = integer.dot(x, weights) + bias.astype(np.int64)
    return np.clip(rescale(total, multiplier, right_shift) + zero_point, minimum, maximum).astype(np.int16)


def lookup(x: ArrayLike, table: ArrayLike) -> Int16:
    """A function's table at int16 values."""
    from_least, table = np.asarray(x, np.int64) - INT16_MIN, np.asarray(table, np.int64)
    at, offset = from_least >> 7, from_least & 127
    return (table[at] + (((table[at + 1] - table[at]) * offset + 64) >> 7)).astype(np.int16)


def table_of(function: Callable[[Array], ArrayLike], low: float, high: float, steps: float) -> Int16:
    """The table of a function, which goes from ``low`` to ``high``; ``steps`` is what 1 is stored as.

    An entry is moved by half of what a straight line to the next one would miss the middle by.
    """
    x = np.linspace(low, high, 2 * TABLE_LENGTH - 1)
    with np.errstate(over="ignore"):
        values = np.clip(np.asarray(function(x), np.float64) * steps, -(2.0**30), 2.0**30)
    entries, middles = round_half_away(values[::2]), round_half_away(values[1::2])
    missed = round_half_away((values[2::2] + entries[:-1]) / 2) - middles
    moved = np.append(entries[:-1] - round_half_away(missed / 2), entries[-1])
    return np.clip(moved, INT16_MIN, INT16_MAX).astype(np.int16)


def softmax_tables() -> tuple[Int16, Int16]:
    """exp from -10 to 0, and 1 / (1 + x) from 0 to 1."""
    reciprocal = table_of(lambda x: 1 / (1 + x), 0.0, 1.0, 2.0**15)
    return table_of(np.exp, -EXPONENT_REACH, 0.0, 2.0**15), reciprocal


def softmax_numbers(scale: float) -> dict[str, int]:
    """The attributes of a softmax whose input has a scale.

    Raises:
        GraphError: it is above 2.5.
    """
    multiplier, shift = quantize_multiplier(scale / (EXPONENT_REACH / 65535))
    if shift > LARGEST_LEFT_SHIFT or multiplier == 0:
        raise GraphError(
            "a softmax's input scale lies between 2**-44 and 2.5", received=repr(scale),
            remedy="calibrate on rows like those in use, or keep the network in float32",
        )  # fmt: skip
    return {"left_shift": max(shift, 0), "multiplier": multiplier, "right_shift": max(-shift, 0)}


def softmax(
    x: Array, exponential: Array, reciprocal: Array, *, left_shift: int, multiplier: int, right_shift: int
) -> Int16:
    """Along the last axis, output scale 1/32768 and zero point 0."""
    difference = (x.astype(np.int64) - x.max(axis=-1, keepdims=True)) << left_shift
    scaled = multiply_by_quantized_multiplier(difference, multiplier, -right_shift) + INT16_MAX
    exponents = lookup(np.maximum(scaled, INT16_MIN), exponential).astype(np.int64)
    total = exponents.sum(axis=-1, keepdims=True)
    headroom = 31 - np.frexp(total.astype(np.float64))[1]  # exact: a double holds every int32
    fraction = (((total << headroom) + (1 << 13)) >> 14) - (1 << 15) - (1 << 16)
    inverse = lookup(np.minimum(fraction, INT16_MAX), reciprocal)
    shift = 30 - headroom
    shares = (exponents * inverse + (np.int64(1) << (shift - 1))) >> shift
    return np.clip(shares, 0, INT16_MAX).astype(np.int16)
