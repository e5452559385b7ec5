# SPDX-License-Identifier: Apache-2.0
"""Fixed-point arithmetic on 32-bit integers, bit for bit as gemmlowp computes it.

A ``Qm`` number is an int32 with ``m`` integer bits and ``31 - m`` fraction bits: it stands for ``raw / 2**(31 - m)``.
Every function takes and returns raw values (any integer array; the result is int64 holding int32 values), so NumPy
can vectorise what the C of ``codegen/kernels/fixed_point.h`` does one number at a time.

Source: gemmlowp ``fixedpoint/fixedpoint.h``, which TensorFlow Lite's reference kernels include.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Int64 = NDArray[np.int64]

INT32_MAX = 2**31 - 1
_QUARTER_Q5 = 1 << 24  # 1/4 with 5 integer bits
# exp(-2**e) in Q0, for e = -2 ... 4.
_EXP_NEGATIVE_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_EXP_MINUS_EIGHTH, _ONE_THIRD = 1895147668, 715827883
_48_OVER_17, _NEG_32_OVER_17, _ONE_Q2 = 1515870810, -1010580540, 1 << 29


def _as_int64(x: ArrayLike) -> Int64:
    return np.asarray(x, dtype=np.int64)


def multiply_high(a: ArrayLike, b: ArrayLike) -> Int64:
    """``round(a * b / 2**31)``, halves towards plus infinity; ``a == b == -2**31`` must not occur.

    gemmlowp's SaturatingRoundingDoublingHighMul: its nudge-and-truncate equals this floor for every other pair.
    """
    return (_as_int64(a) * _as_int64(b) + (1 << 30)) >> 31


def divide_by_power_of_two(x: ArrayLike, exponent: ArrayLike) -> Int64:
    """``round(x / 2**exponent)``, halves away from zero; ``exponent`` 0 to 31 (gemmlowp's RoundingDivideByPOT)."""
    x, exponent = _as_int64(x), _as_int64(exponent)
    half = (np.int64(1) << exponent) >> 1
    return (x + half - ((x < 0) & (exponent > 0))) >> exponent


def multiply_high_16(a: ArrayLike, b: ArrayLike) -> Int64:
    """``round(a * b / 2**15)`` of 16-bit values, halves towards plus infinity; not both ``-2**15``."""
    return (_as_int64(a) * _as_int64(b) + (1 << 14)) >> 15


def saturate(x: ArrayLike, bits: int) -> Int64:
    """Held within a signed integer of that many bits."""
    return np.clip(_as_int64(x), -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def saturating_shift_left(x: ArrayLike, bits: int) -> Int64:
    """``x * 2**bits`` held within int32 (gemmlowp's SaturatingRoundingMultiplyByPOT with a positive exponent)."""
    return saturate(_as_int64(x) << bits, 32)


def _exp_near_minus_eighth(a: Int64) -> Int64:
    """exp of a Q0 value in [-1/4, 0), by a Taylor series around -1/8, as Q0."""
    x = a + (1 << 28)
    x2 = multiply_high(x, x)
    x3, x4 = multiply_high(x2, x), multiply_high(x2, x2)
    third = multiply_high(divide_by_power_of_two(x4, 2) + x3, _ONE_THIRD)
    series = x + divide_by_power_of_two(third + x2, 1)
    return _EXP_MINUS_EIGHTH + multiply_high(_EXP_MINUS_EIGHTH, series)


def exp_on_negative_values(a: ArrayLike, integer_bits: int = 5) -> Int64:
    """exp of values not above 0 held with ``integer_bits`` (up to 5) integer bits, as Q0."""
    a = _as_int64(a)
    quarter = _QUARTER_Q5 << (5 - integer_bits)
    remainder = (a & (quarter - 1)) - quarter
    result = _exp_near_minus_eighth(saturating_shift_left(remainder, integer_bits))
    whole_quarters = remainder - a
    for bit, multiplier in enumerate(_EXP_NEGATIVE_POWERS[: integer_bits + 2]):
        result = np.where(whole_quarters & (quarter << bit), multiply_high(result, multiplier), result)
    return np.where(a == 0, INT32_MAX, result)


def _half_denominator_reciprocal(a: ArrayLike) -> Int64:
    """``2 / (1 + a)`` for a Q0 value in [0, 1], as Q2: three steps of Newton and Raphson from 48/17 - 32/17 d."""
    half_denominator = (_as_int64(a) + INT32_MAX + 1) >> 1
    x = _48_OVER_17 + multiply_high(half_denominator, _NEG_32_OVER_17)
    for _ in range(3):
        error = _ONE_Q2 - multiply_high(half_denominator, x)
        x = x + saturating_shift_left(multiply_high(x, error), 2)
    return x


def one_over_one_plus(a: ArrayLike) -> Int64:
    """``1 / (1 + a)`` for a Q0 value in [0, 1], as Q0."""
    return saturating_shift_left(_half_denominator_reciprocal(a), 1)


def one_minus_over_one_plus(a: ArrayLike) -> Int64:
    """``(1 - a) / (1 + a)`` for a Q0 value in [0, 1], as Q0."""
    return saturating_shift_left(_half_denominator_reciprocal(a) - _ONE_Q2, 2)


def logistic(a: ArrayLike) -> Int64:
    """``1 / (1 + exp(-a))`` of a Q4 value, as Q0."""
    a = _as_int64(a)
    positive = one_over_one_plus(exp_on_negative_values(-np.abs(a), integer_bits=4))
    return np.where(a == 0, 1 << 30, np.where(a > 0, positive, INT32_MAX - positive))


def tanh(a: ArrayLike) -> Int64:
    """Hyperbolic tangent of a Q4 value, as Q0."""
    a = _as_int64(a)
    # exp(2a): the same bits read with one more integer bit.
    positive = one_minus_over_one_plus(exp_on_negative_values(-np.abs(a), integer_bits=5))
    return np.where(a == 0, 0, np.where(a > 0, positive, -positive))


def reciprocal_of_sum(total: ArrayLike) -> tuple[Int64, Int64]:
    """``2**bits / total`` as Q0, and ``bits``, for positive sums with 12 integer bits (TFLite's GetReciprocal)."""
    total = _as_int64(total)
    leading_zeros = 32 - np.frexp(total.astype(np.float64))[1]  # exact: a double holds every int32
    mantissa_minus_one = (total << leading_zeros) - (1 << 31)
    return one_over_one_plus(mantissa_minus_one), 12 - leading_zeros
