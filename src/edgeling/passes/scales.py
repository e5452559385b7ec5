# SPDX-License-Identifier: Apache-2.0
"""Choosing scales and zero points for int8, from values seen on calibration rows."""

from __future__ import annotations

import numpy as np

from edgeling.graph.integer import FLOAT32_BITS, INT8_MAX, INT8_MIN, LARGEST_ZERO_POINT, dot
from edgeling.graph.integer_tables import Affine
from edgeling.graph.types import Array

STEPS = INT8_MAX - INT8_MIN
OUTPUT_ROOM = 1 / 16  # of the range, to either side: new rows reach a little further
LARGEST_FRACTION_BITS = 100
LARGEST_BIAS = 2.0**29
# No tensor between two layers has a smaller scale; softmax's fixed-point arithmetic needs more than 2**-26.
LEAST_HIDDEN_SCALE = 2.0**-24


def hidden_scale(values: Array, least: float) -> Affine:
    """The finest scale, not below ``least``, whose int8 range holds the values and 0 (TensorFlow Lite's choice)."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = max((high - low) / STEPS, least) or 1.0
    return _centred(low, high, float(np.float32(scale)))


def output_scale(values: Array, least: float) -> Affine:
    """The same for what leaves the network as float: with room beyond the values, and not stretched to hold 0.

    The scale is rounded up until ``dequantize`` is exact, so the zero point may lie far outside int8.
    """
    low, high = float(values.min()), float(values.max())
    room = (high - low) * OUTPUT_ROOM
    low, high = low - room, high + room
    far = max(abs(low), abs(high))
    scale = max((high - low) / STEPS, least, far / LARGEST_ZERO_POINT) or 1.0
    bits = FLOAT32_BITS - 1 - int(np.ceil(np.log2(far / scale + STEPS)))
    fraction, exponent = np.frexp(scale)
    return _centred(low, high, float(np.ldexp(np.ceil(fraction * 2.0**bits), int(exponent) - bits)))


def _centred(low: float, high: float, scale: float) -> Affine:
    """The middle of the range goes to the middle of int8."""
    return Affine(scale, round((INT8_MIN + INT8_MAX) / 2 - (low + high) / 2 / scale))


def column_scales(columns: Array, slope: Array) -> tuple[Array, Array]:
    """Fraction bits and zero points with which each column fills int8 as far as a power of two lets it.

    A column that is constant gets a range of one unit of the first layer (``slope`` times the column) to either side.
    """
    low, high = columns.min(axis=0).astype(np.float64), columns.max(axis=0).astype(np.float64)
    span, middle = high - low, np.abs(low + high) / 2
    unit = 2 / np.where(slope == 0, 1, np.abs(slope))
    bits = np.floor(np.log2((STEPS - 1) / np.where(span == 0, unit, span)))
    with np.errstate(divide="ignore"):
        bits = np.minimum(bits, np.floor(np.log2(LARGEST_ZERO_POINT / middle)))
    bits = np.clip(bits, -LARGEST_FRACTION_BITS, LARGEST_FRACTION_BITS).astype(np.int64)
    return bits, -np.rint(np.ldexp((low + high) / 2, bits)).astype(np.int64)


def quantize_layer(kernel: Array, step: float, x: Array, linear: Array) -> tuple[Array, Array, Array]:
    """Weights and bias of a dense layer, one scale an output channel.

    Args:
        kernel: float64 [inputs, outputs].
        step: what one step of an input is worth to it.
        x: int8 [rows, inputs], the stored inputs of the calibration rows.
        linear: float64 [rows, outputs], what the layer is to give for them before its activation.

    Returns:
        Scales float64 [outputs], weights int8 [outputs, inputs], bias int64 [outputs]; the layer gives
        ``step * scale * (x @ weights.T + bias)``, whose mean over the rows is that of ``linear``.
    """
    largest = np.maximum(np.abs(kernel).max(axis=0) / INT8_MAX, np.abs(linear).max(axis=0) / step / LARGEST_BIAS)
    scale = np.where(largest == 0, 1.0, largest).astype(np.float32).astype(np.float64)
    weights = np.clip(np.rint(kernel / scale), -INT8_MAX, INT8_MAX).astype(np.int8).T
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
