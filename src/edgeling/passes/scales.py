# SPDX-License-Identifier: Apache-2.0
"""Choosing scales and zero points for int8, from values seen on calibration rows."""

from __future__ import annotations

import numpy as np

from edgeling.graph.integer import FLOAT32_BITS, INT8_MAX, LARGEST_ZERO_POINT, dot
from edgeling.graph.integer_tables import Affine
from edgeling.graph.types import Array, DType

OUTPUT_ROOM = 1 / 16  # of the range, to either side: new rows reach a little further
LARGEST_FRACTION_BITS = 100
LARGEST_BIAS = 2.0**29
LARGEST_INT16_WEIGHTS = 2.0**15  # all of one output's together: times 2^15 half of int32
# No tensor between two layers has a smaller scale; softmax's fixed-point arithmetic needs more than 2**-26.
LEAST_HIDDEN_SCALE = 2.0**-24


def hidden_scale(values: Array, least: float, dtype: DType = DType.INT8) -> Affine:
    """The finest scale, not below ``least``, whose range holds the values and 0 (TensorFlow Lite's choice).

    int16 is symmetric.
    """
    if dtype is DType.INT16:
        return _symmetric(float(np.abs(values).max()), least)
    # 0 is to be stored exactly: padding, and what a rectifier cuts off, are zeros.
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = max((high - low) / _steps(dtype), least) or 1.0
    return _centred(low, high, float(np.float32(scale)))


def output_scale(values: Array, least: float, dtype: DType = DType.INT8) -> Affine:
    """The same for what leaves the network as float: with room beyond the values, and not stretched to hold 0.

    The scale is rounded up until ``dequantize`` is exact, so the zero point may lie far outside the range. int16 is
    symmetric unless the values lie so far from 0 that this would cost a bit or more.
    """
    low, high = float(values.min()), float(values.max())
    room, steps = (high - low) * OUTPUT_ROOM, _steps(dtype)
    low, high = low - room, high + room
    far = max(abs(low), abs(high))
    if dtype is DType.INT16 and far_centre(values) == 0:
        return Affine(_short(_symmetric(far, least).scale, steps // 2), 0)
    scale = max((high - low) / steps, least, far / LARGEST_ZERO_POINT) or 1.0
    return _centred(low, high, _short(scale, far / scale + steps))


def far_centre(values: Array) -> float:
    """The middle of values that lie so far from 0 that a symmetric range would cost a bit or more; else 0."""
    low, high = float(values.min()), float(values.max())
    return (low + high) / 2 if max(abs(low), abs(high)) >= 2 * (high - low) else 0.0


def _short(scale: float, reach: float) -> float:
    """The scale rounded up to so few bits that its products up to ``reach`` are exact in float32."""
    # A product has the bits of both factors together; a float32 holds 24 of them, one is left for rounding up.
    bits = FLOAT32_BITS - 1 - int(np.ceil(np.log2(reach)))
    fraction, exponent = np.frexp(scale)
    return float(np.ldexp(np.ceil(fraction * 2.0**bits), int(exponent) - bits))


def exactly_dequantized(scale: float, zero_point: int, dtype: DType) -> float:
    """The nearest scale of which ``dequantize`` is exact: of int8 within some millionths of it."""
    limits = np.iinfo(dtype.numpy)
    bits = FLOAT32_BITS - max(limits.max - zero_point, zero_point - limits.min).bit_length()
    fraction, exponent = np.frexp(scale)
    return float(np.ldexp(np.rint(fraction * 2.0**bits), int(exponent) - bits))


def _symmetric(far: float, least: float) -> Affine:
    scale = max(far / (_steps(DType.INT16) // 2), least) or 1.0
    return Affine(float(np.float32(scale)), 0)


def _steps(dtype: DType) -> int:
    """From the least value of a type to its largest."""
    return (1 << 8 * dtype.bytes) - 1


def _centred(low: float, high: float, scale: float) -> Affine:
    """The middle of the range goes to the middle of the type's, which is -1/2."""
    return Affine(scale, round(-0.5 - (low + high) / 2 / scale))


def column_scales(columns: Array, slope: Array, dtype: DType = DType.INT8) -> tuple[Array, Array]:
    """Fraction bits and zero points with which each column fills a type as far as a power of two lets it.

    A column that is constant gets a range of one unit of the first layer (``slope`` times the column) to either side.
    """
    low, high = columns.min(axis=0).astype(np.float64), columns.max(axis=0).astype(np.float64)
    span, middle = high - low, np.abs(low + high) / 2
    unit = 2 / np.where(slope == 0, 1, np.abs(slope))
    bits = np.floor(np.log2((_steps(dtype) - 1) / np.where(span == 0, unit, span)))
    # A zero point beyond what a float32 counts exactly would move values; the middle may be 0, which bounds nothing.
    with np.errstate(divide="ignore"):
        bits = np.minimum(bits, np.floor(np.log2(LARGEST_ZERO_POINT / middle)))
    bits = np.clip(bits, -LARGEST_FRACTION_BITS, LARGEST_FRACTION_BITS).astype(np.int64)
    return bits, -np.rint(np.ldexp((low + high) / 2, bits)).astype(np.int64)


def quantize_layer(kernel: Array, step: float, x: Array, linear: Array) -> tuple[Array, Array, Array]:
    """Weights and bias of a dense layer, one scale an output channel.

    Args:
        kernel: float64 [inputs, outputs].
        step: what one step of an input is worth to it.
        x: integers [rows, inputs], the stored inputs of the calibration rows; sums of int16 are kept within int32.
        linear: float64 [rows, outputs], what the layer is to give for them before its activation.

    Returns:
        Scales float64 [outputs], weights int8 [outputs, inputs], bias int64 [outputs]; the layer gives
        ``step * scale * (x @ weights.T + bias)``, whose mean over the rows is that of ``linear``.
    """
    largest = np.maximum(np.abs(kernel).max(axis=0) / INT8_MAX, np.abs(linear).max(axis=0) / step / LARGEST_BIAS)
    if x.dtype == np.int16:
        # Inputs reach 2**15, so that weights that sum up to 2**15 keep any sum below half of int32; the rest is bias.
        largest = np.maximum(largest, np.abs(kernel).sum(axis=0) / LARGEST_INT16_WEIGHTS)
    scale = np.where(largest == 0, 1.0, largest).astype(np.float32).astype(np.float64)
    weights = np.clip(np.rint(kernel / scale), -INT8_MAX, INT8_MAX).astype(np.int8).T
    # Not the rounded float bias: the mean of what rounding weights and earlier layers shifted is taken back here.
    bias = np.rint((linear / (step * scale) - dot(x, weights)).mean(axis=0))
    return scale, np.ascontiguousarray(weights), bias.astype(np.int64)


def quantize_columns(worth: Array, x: Array, linear: Array) -> tuple[Array, Array, Array]:
    """Weights and bias of ``scale_quantized``, one scale a last axis.

    Args:
        worth: float64 [columns], what one step of an input is worth in what is made.
        x: integers [rows, ..., columns], the stored inputs of the calibration rows.
        linear: float64 [rows, ..., columns], what is to be made of them.

    Returns:
        Scales float64, weights int8, bias int32, [columns] each: ``scale * (x * weights + bias)``, whose mean over the
        rows is that of ``linear``.
    """
    others = tuple(range(x.ndim - 1))
    largest = np.maximum(np.abs(worth) / INT8_MAX, np.abs(linear).max(axis=others) / LARGEST_BIAS)
    scale = np.where(largest == 0, 1.0, largest).astype(np.float32).astype(np.float64)
    weights = np.clip(np.rint(worth / scale), -INT8_MAX, INT8_MAX).astype(np.int8)
    bias = np.rint((linear / scale - x * weights.astype(np.float64)).mean(axis=others))
    return scale, weights, bias.astype(np.int32)
