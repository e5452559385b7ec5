# SPDX-License-Identifier: Apache-2.0
"""Integer arithmetic element by element, on int8 and int16, bit for bit as TensorFlow Lite's reference kernels.

Two operands of a sum are first brought to one scale, with bits to spare below, so that each is rounded finely. All
multipliers are fractions: ``mantissa * 2**-31 * 2**-right_shift``.

Sources: tflite-micro ``kernels/internal/reference`` (``add.h``, ``sub.h``, ``mul.h``, ``requantize.h``, ``reduce.h``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgeling.graph.integer import Int64, held, multiply_by_quantized_multiplier, quantize_multiplier
from edgeling.graph.types import Array

Attributes = Mapping[str, Any]
FINER_BITS = {np.dtype(np.int8): 20, np.dtype(np.int16): 15}  # of the operands of a sum


def rescale(x: Int64, multiplier: Any, right_shift: Any) -> Int64:
    """``x * multiplier * 2**-31 * 2**-right_shift``, rounded twice."""
    return multiply_by_quantized_multiplier(x, multiplier, -np.asarray(right_shift, np.int64))


def add(a: Attributes, x: Array, y: Array) -> Array:
    """ADD: x + y, broadcast."""
    return _stored(a, _operand(a, x, "a") + _operand(a, y, "b"), x)


def subtract(a: Attributes, x: Array, y: Array) -> Array:
    """SUB: x - y, broadcast."""
    return _stored(a, _operand(a, x, "a") - _operand(a, y, "b"), x)


def multiply(a: Attributes, x: Array, y: Array) -> Array:
    """MUL: x * y, broadcast."""
    return _stored(a, _steps(x, a["zero_point_a"]) * _steps(y, a["zero_point_b"]), x)


def requantize(a: Attributes, x: Array) -> Array:
    """QUANTIZE of integers: the same values in another scale."""
    return _stored(a, _steps(x, a["input_zero_point"]) << a["left_shift"], x)


def scale(a: Attributes, x: Array, weights: Array, bias: Array, multiplier: Array, right_shift: Array) -> Array:
    """A weight and a bias for each last axis: DEPTHWISE_CONV_2D of one by one."""
    total = x.astype(np.int64) * weights + bias
    return held(rescale(total, multiplier, right_shift) + a["zero_point"], x.dtype)


def total(a: Attributes, x: Array) -> Array:
    """SUM over the axes, which are kept with length one."""
    return _stored(a, _steps(x, a["input_zero_point"]).sum(axis=tuple(a["axes"]), keepdims=True), x)


def sum_numbers(first: float, second: float, made: float, dtype: np.dtype[Any]) -> dict[str, int]:
    """The multipliers of ``add`` and ``subtract`` for scales of the operands and of the result.

    The result's must be above ``least_sum_scale``, so that its multiplier is a fraction.
    """
    twice = 2 * max(first, second)
    parts = {"_a": first / twice, "_b": second / twice, "": twice / (made * 2.0 ** FINER_BITS[np.dtype(dtype)])}
    return {key: number for suffix, real in parts.items() for key, number in fraction(real, suffix).items()}


def least_sum_scale(first: float, second: float, dtype: np.dtype[Any]) -> float:
    """What the scale of a sum of two scales has to be at least."""
    return 4 * max(first, second) / 2.0 ** FINER_BITS[np.dtype(dtype)]


def fraction(real: float, suffix: str = "") -> dict[str, int]:
    """``multiplier`` and ``right_shift`` for a real number below one."""
    multiplier, shift = quantize_multiplier(real)
    return {f"multiplier{suffix}": multiplier, f"right_shift{suffix}": -shift}


def _steps(x: Array, zero_point: int) -> Int64:
    return np.asarray(x, np.int64) - zero_point


def _operand(a: Attributes, x: Array, which: str) -> Int64:
    fine = _steps(x, a[f"zero_point_{which}"]) << FINER_BITS[x.dtype]
    return rescale(fine, a[f"multiplier_{which}"], a[f"right_shift_{which}"])


def _stored(a: Attributes, steps: Int64, like: Array) -> Array:
    made = rescale(steps, a["multiplier"], a["right_shift"]) + a["zero_point"]
    return held(np.clip(made, a.get("minimum"), a.get("maximum")), like.dtype)
