# SPDX-License-Identifier: Apache-2.0
"""Activations of int8 values as tables: 256 entries, indexed by the stored value's unsigned byte.

What TensorFlow Lite Micro has an int8 kernel for has that kernel's bits (``TFLITE`` names the operator); anything else
is computed in float32, as TensorFlow Lite computes its own tables: dequantise, apply, quantise.

Source: tflite-micro ``kernels/internal/reference`` and ``kernels/elu.cc``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeling.graph import fixed_point
from edgeling.graph.activations import ACTIVATIONS
from edgeling.graph.integer import (
    LOGISTIC_ZERO_POINT,
    Float32,
    Int8,
    Int64,
    clamp_int8,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    round_half_away,
)
from edgeling.graph.types import Quantization

TFLITE: Mapping[str, str] = {
    "relu": "RELU", "relu6": "RELU6", "leaky_relu": "LEAKY_RELU", "elu": "ELU", "hard_silu": "HARD_SWISH",
    "sigmoid": "LOGISTIC", "tanh": "TANH",
}  # fmt: skip
"""The activations whose tables have the bits of a TensorFlow Lite Micro operator (elu: with alpha 1)."""


@dataclass(frozen=True)
class Affine:
    """``real = scale * (stored - zero_point)`` for a whole tensor."""

    scale: float
    zero_point: int

    @property
    def quantization(self) -> Quantization:
        """As a type carries it."""
        return Quantization((self.scale,), (self.zero_point,))


FINE_LOGISTIC = Affine(2.0**-16, -(2**15))
FINE_REACH = 11.0  # beyond, the sigmoid is 0 or 1 to within a step of it


def activation_table(function: str, alpha: float, given: Affine, made: Affine) -> Int8:
    """The table of an activation, from values stored as ``given`` to values stored as ``made``.

    sigmoid's output is stored with scale 1/256 and zero point -128, tanh's with 1/128 and 0, whatever ``made`` says;
    relu6's as its input.
    """
    if function == "leaky_relu" and alpha >= 0:
        return leaky_relu_table(alpha, given, made)
    if function == "elu" and alpha == 1:
        return lookup_table(_elu, given, made)
    if function in _TABLES:
        return _TABLES[function](given, made)
    return lookup_table(lambda x: ACTIVATIONS[function].value(x, alpha), given, made)


def logistic_table(given: Affine) -> Int8:
    """LOGISTIC."""
    return clamp_int8(_saturating_table(fixed_point.logistic, given, 8) + LOGISTIC_ZERO_POINT)


def fine_logistic_table(given: Affine) -> NDArray[np.int16]:
    """The sigmoid in steps of 2^-16, stored as ``FINE_LOGISTIC``: as fine as logits are, however rare a class is."""
    real = given.scale * _differences(given)
    steps = np.rint(2.0**16 / (1 + np.exp(-real))) + FINE_LOGISTIC.zero_point
    return np.clip(steps, -(2**15), 2**15 - 1).astype(np.int16)


def tanh_table(given: Affine) -> Int8:
    """TANH."""
    return clamp_int8(_saturating_table(fixed_point.tanh, given, 7))


def leaky_relu_table(alpha: float, given: Affine, made: Affine) -> Int8:
    """LEAKY_RELU; ``alpha`` not negative."""
    difference = _differences(given)
    scale, output_scale = np.float32(given.scale), np.float32(made.scale)
    above = multiply_by_quantized_multiplier(difference, *quantize_multiplier(float(scale / output_scale)))
    steep = quantize_multiplier(float(scale * np.float32(alpha) / output_scale))
    below = multiply_by_quantized_multiplier(difference, *steep)
    return clamp_int8(np.where(difference >= 0, above, below) + made.zero_point)


def relu_table(given: Affine, made: Affine) -> Int8:
    """RELU."""
    multiplier = quantize_multiplier(float(np.float32(given.scale) / np.float32(made.scale)))
    rescaled = multiply_by_quantized_multiplier(_differences(given), *multiplier)
    return clamp_int8(np.maximum(rescaled, 0) + made.zero_point)


def relu6_table(given: Affine) -> Int8:
    """RELU6, whose output is stored as its input is."""
    six = int(round_half_away(np.float32(6) / np.float32(given.scale)))
    return clamp_int8(np.clip(_differences(given), 0, six) + given.zero_point)


def hard_swish_table(given: Affine, made: Affine) -> Int8:
    """HARD_SWISH, in 16-bit fixed point."""
    fine = np.float32(1 / 128) * np.float32(given.scale)
    value = _differences(given) << 7
    multiplier, shift = _multiplier_16(float(fine / np.float32(made.scale)))
    scaled = fixed_point.multiply_high_16(value, multiplier)
    share = _hard_sigmoid_16(value, *_multiplier_16(float(fine / np.float32(3 / 32768))))
    product = np.clip(np.fix(share * scaled / 2.0**15), -(2**15), 2**15 - 1).astype(np.int64)
    return clamp_int8(fixed_point.divide_by_power_of_two(product, -shift) + made.zero_point)


def lookup_table(function: Callable[[Float32], ArrayLike], given: Affine, made: Affine) -> Int8:
    """Any function: dequantise, apply, quantise, in float32 (as ELU)."""
    real = np.float32(given.scale) * _differences(given).astype(np.float32)
    steps = np.asarray(function(real), np.float32) * (np.float32(1) / np.float32(made.scale))
    return clamp_int8(round_half_away(steps).astype(np.float64) + made.zero_point)


_TABLES: Mapping[str, Callable[[Affine, Affine], Int8]] = {
    "sigmoid": lambda given, _: logistic_table(given),
    "tanh": lambda given, _: tanh_table(given),
    "relu": relu_table,
    "relu6": lambda given, _: relu6_table(given),
    "hard_silu": hard_swish_table,
}


def _differences(given: Affine) -> Int64:
    """Every int8 value less the zero point, in the order of a table."""
    return np.arange(256, dtype=np.uint8).view(np.int8).astype(np.int64) - given.zero_point


def _saturating_table(function: Callable[[ArrayLike], Int64], given: Affine, bits: int) -> Int64:
    """``function`` of every int8 value rescaled to 4 integer bits; the ends where the input leaves them."""
    difference = _differences(given)
    multiplier, shift = quantize_multiplier(float(np.float32(given.scale)) * 2.0**27)
    radius = int(15.0 * 2.0**27 / 2.0**shift)
    inside = np.where(np.abs(difference) < radius, difference, 0)
    q4 = multiply_by_quantized_multiplier(inside, multiplier, shift)
    values = fixed_point.divide_by_power_of_two(function(q4), 31 - bits)
    end = np.where(difference <= 0, -(1 << bits), 1 << bits)  # radius 0 sends zero to the lower end
    return np.where(np.abs(difference) < radius, values, end)


def _elu(x: Float32) -> Float32:
    """exp(x) - 1, not expm1: as the operator's kernel has it."""
    below = np.exp(np.minimum(x, 0).astype(np.float64)).astype(np.float32) - np.float32(1)
    return np.where(x < 0, below, x)


def _multiplier_16(real: float) -> tuple[int, int]:
    """A multiplier of 16 bits, and its shift."""
    mantissa, shift = quantize_multiplier(real)
    return min((mantissa + (1 << 15)) >> 16, 2**15 - 1), shift


def _hard_sigmoid_16(value: Int64, multiplier: int, shift: int) -> Int64:
    """relu6(x + 3) / 6 as Q0 of 16 bits, x with seven more bits than it is stored with."""
    if shift > 0:
        value = fixed_point.saturate(value << (shift - 1), 16)
    value = fixed_point.multiply_high_16(value, multiplier)
    if shift > 0:
        value = fixed_point.saturate(value << 1, 16)
    value = fixed_point.divide_by_power_of_two(value, max(-shift, 0))
    return (value + (1 << 15)) >> 1
