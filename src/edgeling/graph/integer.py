# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite's int8 arithmetic, bit for bit as its reference kernels compute it.

Real values and stored integers are related by ``real = scale * (stored - zero_point)``. These functions are the meaning
of the int8 operations: the interpreter calls them, and the integer C of every target must give the same bits.
They are compared with the reference kernels themselves (TensorFlow Lite Micro) in the tests.

Rounding: a requantised value is rounded twice, as TensorFlow Lite does unless it is built with
``TFLITE_SINGLE_ROUNDING``: once to the high word of a doubled product, once by the right shift.

Sources: TensorFlow Lite 8-bit quantization specification; tflite-micro ``kernels/internal/reference``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from edgeling.errors import GraphError
from edgeling.graph import fixed_point

Int8 = NDArray[np.int8]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]

INT8_MIN, INT8_MAX = -128, 127
LOGISTIC_SCALE, LOGISTIC_ZERO_POINT = 1 / 256, -128  # softmax's too
TANH_SCALE, TANH_ZERO_POINT = 1 / 128, 0
# Float values beyond this many steps are held there before the zero point is added, so that nothing overflows.
QUANTIZED_LIMIT, LARGEST_ZERO_POINT = 2**23, 2**22
MAXIMUM_CLASSES = 511
# Activations that only limit what is stored: between which real values.
CLAMPS = {"linear": (-np.inf, np.inf), "relu": (0.0, np.inf), "relu6": (0.0, 6.0), "hard_tanh": (-1.0, 1.0)}
FLOAT32_BITS, LARGEST_EXPONENT = 24, 100
CURVES_UNIT = 256  # of a sum of tables: bias and multiplier are finer than entries by this


def quantize_multiplier(real: float) -> tuple[int, int]:
    """``real`` as ``mantissa * 2**(shift - 31)``: a mantissa in [2**30, 2**31) and a shift (negative: to the right).

    Below ``2**-32`` both are 0. Raises GraphError for a multiplier that is negative or not finite.
    """
    if not (np.isfinite(real) and real >= 0):
        raise GraphError(
            "a quantised multiplier must be finite and not negative", received=repr(real),
            remedy="calibrate on rows whose values are finite",
        )  # fmt: skip
    fraction, shift = np.frexp(float(real))
    mantissa, shift = int(round_half_away(fraction * 2.0**31)), int(shift)
    if mantissa == 2**31:
        mantissa, shift = mantissa // 2, shift + 1
    return (0, 0) if shift < -31 or mantissa == 0 else (mantissa, shift)


def quantize_multipliers(real: ArrayLike) -> tuple[Int32, Int8]:
    """``quantize_multiplier`` of every element: mantissas and shifts."""
    pairs = [quantize_multiplier(float(value)) for value in np.ravel(np.asarray(real, np.float64))]
    return np.array([m for m, _ in pairs], np.int32), np.array([s for _, s in pairs], np.int8)


def multiply_by_quantized_multiplier(x: ArrayLike, mantissa: ArrayLike, shift: ArrayLike) -> Int64:
    """``x * mantissa * 2**(shift - 31)``, rounded twice. ``x * 2**shift`` must fit int32 where shift is positive."""
    shift = np.asarray(shift, np.int64)
    shifted = np.asarray(x, np.int64) << np.maximum(shift, 0)
    return fixed_point.divide_by_power_of_two(fixed_point.multiply_high(shifted, mantissa), np.maximum(-shift, 0))


def round_half_away(x: ArrayLike) -> NDArray[Any]:
    """Nearest integer, halves away from zero (C's ``round``), in the dtype given."""
    x = np.asarray(x)
    whole = np.trunc(x)
    return np.asarray(whole + np.copysign(np.abs(x - whole) >= 0.5, x), x.dtype)


def clamp_int8(x: ArrayLike, minimum: int = INT8_MIN, maximum: int = INT8_MAX) -> Int8:
    """Held between minimum and maximum, as int8."""
    return np.clip(np.asarray(x), minimum, maximum).astype(np.int8)


def held(x: ArrayLike, dtype: DTypeLike) -> NDArray[Any]:
    """Held within a signed integer type, as that type."""
    limits = np.iinfo(np.dtype(dtype))
    return np.clip(np.asarray(x), limits.min, limits.max).astype(dtype)


def quantize(
    x: ArrayLike, scale: ArrayLike, zero_point: ArrayLike, missing: ArrayLike | None = None, dtype: DTypeLike = np.int8
) -> NDArray[Any]:
    """float32 to int8 or int16: ``clamp(round_half_away(x / scale) + zero_point)``, TensorFlow Lite's QUANTIZE.

    ``scale`` and ``zero_point`` are per tensor or per last axis. A NaN becomes ``missing`` (the clamped zero point
    when not given); infinities become the ends of the range. Zero points may lie outside the range.
    """
    x, scale = np.asarray(x, np.float32), np.asarray(scale, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        steps = round_half_away(x / scale).astype(np.float64)
    nan = np.isnan(steps)
    whole = np.clip(np.where(nan, 0, steps), -QUANTIZED_LIMIT, QUANTIZED_LIMIT).astype(np.int64)
    stored = held(whole + np.asarray(zero_point, np.int64), dtype)
    return stored if missing is None else np.where(nan, np.asarray(missing, dtype), stored)


def dequantize(x: ArrayLike, scale: ArrayLike, zero_point: ArrayLike) -> Float32:
    """int8 or int16 to float32: ``scale * (x - zero_point)``, TensorFlow Lite's DEQUANTIZE."""
    difference = np.asarray(x, np.int64) - np.asarray(zero_point, np.int64)
    return np.asarray(np.asarray(scale, np.float32) * difference.astype(np.float32), np.float32)


def split_scale(scale: float, zero_point: int, dtype: DTypeLike = np.int8) -> tuple[int, int]:
    """A scale as ``multiplier * 2**-fraction_bits``, with the largest multiplier that keeps products below 2**24.

    ``scale * (stored - zero_point)`` is then exact in float32 and needs integers only. Raises GraphError for a scale
    with too many significant bits for this zero point, and for one outside 2**-100 to 2**100.
    """
    limits = np.iinfo(np.dtype(dtype))
    reach = max(limits.max - zero_point, zero_point - limits.min)
    fraction, exponent = np.frexp(float(scale))
    fraction_bits = FLOAT32_BITS - reach.bit_length() - int(exponent)
    multiplier = float(np.ldexp(scale, fraction_bits))
    if not (multiplier >= 1 and multiplier.is_integer() and fraction and abs(int(exponent)) <= LARGEST_EXPONENT):
        raise GraphError(
            "a float output's scale and zero point make products of 24 bits",
            received=f"scale {scale!r} and zero point {zero_point}", remedy="a coarser scale, or zero point 0",
        )  # fmt: skip
    return int(multiplier), fraction_bits


def fold_input_zero_point(weights: ArrayLike, bias: ArrayLike, input_zero_point: int) -> Int32:
    """The bias with which ``dense`` may read its inputs as they are stored: ``bias - zero_point * sum(weights)``.

    Weights are (outputs, inputs). The sum over ``(x - zero_point) * w + bias`` stays the same integer.
    Raises GraphError where the new bias leaves int32.
    """
    folded = np.asarray(bias, np.int64) - input_zero_point * np.asarray(weights, np.int64).sum(axis=1)
    if np.any(np.abs(folded) >= 2**31):
        raise GraphError(
            "a bias must fit int32", received=f"{np.abs(folded).max()} after folding the zero point",
            remedy="calibrate on rows like those in use, or keep the network in float32",
        )  # fmt: skip
    return folded.astype(np.int32)


def dot(x: ArrayLike, weights: ArrayLike) -> Int64:
    """``x @ weights.T`` of int8 matrices, exactly: doubles hold every sum, and have a fast product."""
    return (np.asarray(x, np.float64) @ np.asarray(weights, np.float64).T).astype(np.int64)


def dense(
    x: ArrayLike,
    weights: ArrayLike,
    bias: ArrayLike,
    multiplier: ArrayLike,
    shift: ArrayLike,
    *,
    output_zero_point: int,
    minimum: int = INT8_MIN,
    maximum: int = INT8_MAX,
) -> Int8:
    """Fully connected int8, the input's zero point already folded into the bias (``fold_input_zero_point``).

    x (batch, inputs) int8; weights (outputs, inputs) int8; the rest (outputs,). Returns (batch, outputs).
    """
    total = dot(x, weights) + np.asarray(bias, np.int64)
    scaled = multiply_by_quantized_multiplier(total, multiplier, shift)
    return clamp_int8(scaled + output_zero_point, minimum, maximum)


def curves(
    x: ArrayLike,
    tables: ArrayLike,
    bias: ArrayLike,
    multiplier: ArrayLike,
    right_shift: ArrayLike,
    *,
    shifts: Sequence[int],
    zero_point: int,
    minimum: int = INT8_MIN,
    maximum: int = INT8_MAX,
) -> Int8:
    """A sum over columns of what is looked up in a table for each, times ``CURVES_UNIT``; the rest as ``dense``.

    x (batch, columns) int8; tables (outputs, entries) int8, one column's ``256 >> shift`` entries after the other's;
    bias, multiplier, right_shift (outputs,). Returns (batch, outputs).
    """
    starts = np.cumsum([0, *(256 >> shift for shift in shifts)])[:-1]
    places = starts + ((np.asarray(x, np.int64) - INT8_MIN) >> np.asarray(shifts))
    total = np.asarray(tables, np.int64)[:, places].sum(axis=-1).T * CURVES_UNIT + np.asarray(bias, np.int64)
    scaled = multiply_by_quantized_multiplier(total, multiplier, -np.asarray(right_shift, np.int64))
    return clamp_int8(scaled + zero_point, minimum, maximum)


def activation_range(
    activation: str, scale: float, zero_point: int, dtype: DTypeLike = np.int8
) -> tuple[int, int]:  # fmt: skip
    """The stored values between which one of ``CLAMPS`` holds an output so quantised; GraphError for another."""
    if activation not in CLAMPS:
        raise GraphError(
            f"only {', '.join(CLAMPS)} are clamps", received=repr(activation),
            remedy=f"{sorted(CLAMPS)[0]!r}, or a node of its own for the activation",
        )  # fmt: skip
    with np.errstate(over="ignore"):
        ends = np.asarray(CLAMPS[activation], np.float32) / np.float32(scale)
    steps = round_half_away(np.clip(ends, -QUANTIZED_LIMIT, QUANTIZED_LIMIT))
    minimum, maximum = held(steps + zero_point, dtype).tolist()
    return minimum, maximum


def softmax_multiplier(scale: float, beta: float = 1.0) -> tuple[int, int, int]:
    """Softmax's multiplier, left shift and least difference, for inputs of this scale.

    Differences from the row's maximum are rescaled to 5 integer bits; those below the least difference count as
    exp(-infinity).
    """
    real = min(float(beta) * float(np.float32(scale)) * 2.0**26, 2.0**31 - 1)
    if real <= 1:
        raise GraphError(
            "a softmax's input scale must be above 2**-26", received=repr(scale),
            remedy="calibrate on rows like those in use: the logits hardly differ on these",
        )  # fmt: skip
    multiplier, shift = quantize_multiplier(real)
    return multiplier, shift, -int(31.0 * 2.0**26 / 2.0**shift)


def softmax(
    x: ArrayLike, multiplier: int, shift: int, minimum_difference: int, *, fine: bool = False
) -> NDArray[Any]:  # fmt: skip
    """int8 to int8 along the last axis, output scale 1/256 and zero point -128; the rest from ``softmax_multiplier``.
    Told finely, to int16: scale 1/65536 and zero point -32768.

    At most ``MAXIMUM_CLASSES`` values a row: above, the reference kernels stop on a sum they cannot hold.
    """
    x = np.asarray(x, np.int64)
    difference = x - x.max(axis=-1, keepdims=True)
    counts = difference >= minimum_difference
    rescaled = multiply_by_quantized_multiplier(np.where(counts, difference, 0), multiplier, shift)
    exponential = np.where(counts, fixed_point.exp_on_negative_values(rescaled), 0)
    total = fixed_point.divide_by_power_of_two(exponential, 12).sum(axis=-1, keepdims=True)
    reciprocal, bits = fixed_point.reciprocal_of_sum(total)
    product = fixed_point.multiply_high(reciprocal, exponential)
    if fine:
        steps = fixed_point.divide_by_power_of_two(product, bits + 15) - 2**15
        return np.clip(steps, -(2**15), 2**15 - 1).astype(np.int16)
    return clamp_int8(fixed_point.divide_by_power_of_two(product, bits + 23) + LOGISTIC_ZERO_POINT)


def lookup(x: ArrayLike, table: ArrayLike) -> NDArray[Any]:
    """``table[x]`` for int8 values, a table entry (int8 or int16) per unsigned byte."""
    return np.asarray(table)[np.asarray(x, np.int8).view(np.uint8)]
