/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed-point arithmetic on 32-bit integers, bit for bit as TensorFlow Lite's reference kernels (gemmlowp) compute it.
 *
 * A Qm number is an int32_t with m integer bits and 31 - m fraction bits: it stands for raw / 2^(31 - m).
 * Shifts to the right of negative numbers are arithmetic, as every compiler for the targets makes them.
 *
 * Meaning in NumPy: edgeling.graph.fixed_point.
 */
#ifndef EDGELING_FIXED_POINT_H
#define EDGELING_FIXED_POINT_H

#include "common.h"

/* Cores whose multiplier gives 32 bits at most; a test may define this for any core. */
#if !defined(EDGELING_NO_LONG_MULTIPLY) && \
    (defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__) || defined(__AVR__) || defined(__MSP430__))
#define EDGELING_NO_LONG_MULTIPLY
#endif

/* Zeros above the leading one of x, which is not 0. */
static inline int32_t edgeling_leading_zeros(uint32_t x) {
#if defined(__GNUC__) && defined(__thumb2__)
    return __builtin_clz(x);
#else
    int32_t zeros = 0;
    for (; x < 0x80000000u; x <<= 1) {
        zeros++;
    }
    return zeros;
#endif
}

/* round(a * b / 2^31), halves towards plus infinity. Not both INT32_MIN. */
#ifdef EDGELING_NO_LONG_MULTIPLY
EDGELING_SHARED int32_t edgeling_multiply_high(int32_t a, int32_t b) {
    /* Four 16-bit products. The sum of the middle two needs 33 bits, so their low 15 bits are added apart. */
    const int32_t a_high = a >> 16, b_high = b >> 16;
    const uint32_t a_low = (uint32_t)a & 0xFFFFu, b_low = (uint32_t)b & 0xFFFFu;
    const int32_t left = a_high * (int32_t)b_low;
    const int32_t right = b_high * (int32_t)a_low + (int32_t)((a_low * b_low) >> 16) + 0x4000;
    const int32_t carry = ((left & 0x7FFF) + (right & 0x7FFF)) >> 15;
    return (int32_t)((uint32_t)(a_high * b_high) * 2u + (uint32_t)((left >> 15) + (right >> 15) + carry));
}
#else
static inline int32_t edgeling_multiply_high(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + 0x40000000) >> 31);
}
#endif

/* round(x / 2^exponent), halves away from zero. x above INT32_MIN and, for exponent 1, below INT32_MAX;
 * exponent 0 to 31. */
static inline int32_t edgeling_divide_by_power_of_two(int32_t x, int32_t exponent) {
    if (exponent == 0) {
        return x;
    }
    return (((x + (x >> 31)) >> (exponent - 1)) + 1) >> 1;
}

/* round(x * multiplier * 2^-31 * 2^-right_shift), rounded twice as TensorFlow Lite does. */
static inline int32_t edgeling_rescale(int32_t x, int32_t multiplier, int32_t right_shift) {
    return edgeling_divide_by_power_of_two(edgeling_multiply_high(x, multiplier), right_shift);
}

static inline int8_t edgeling_clamp_int8(int32_t x, int32_t minimum, int32_t maximum) {
    return (int8_t)(x < minimum ? minimum : x > maximum ? maximum : x);
}

static inline int16_t edgeling_clamp_int16(int32_t x, int32_t minimum, int32_t maximum) {
    return (int16_t)(x < minimum ? minimum : x > maximum ? maximum : x);
}

#endif
