/* SPDX-License-Identifier: Apache-2.0 */
/* int8 or int16 to float: multiplier * 2^-fraction_bits * (x - zero_point), exact.
 *
 *   multiplier     1 to 2^16
 *   fraction_bits  -100 to 116
 *   zero_point     such that multiplier * (x - zero_point) stays between -2^24 and 2^24
 *   x              int8 or int16  [size]
 *   y              float  [size]
 */
#ifndef EDGELING_DEQUANTIZE_H
#define EDGELING_DEQUANTIZE_H

#include "common.h"

/* Cores without a float unit; a test may define this for any core. */
#if !defined(EDGELING_SOFT_FLOAT) && \
    (defined(__SOFTFP__) || defined(__riscv_float_abi_soft) || defined(__AVR__) || defined(__MSP430__))
#define EDGELING_SOFT_FLOAT
#endif

static inline float edgeling_dequantize_value(int32_t steps, int32_t multiplier, int32_t fraction_bits) {
    const int32_t exponent = 127 - fraction_bits;
    const uint32_t scale = (uint32_t)exponent << 23;
    const int32_t product = steps * multiplier;
#ifdef EDGELING_SOFT_FLOAT
    /* Move the leading one to bit 23, counting down the exponent from 23. */
    uint32_t bits = scale + 0x0B800000u, significand = (uint32_t)(product < 0 ? -product : product);
    if (significand == 0u) {
        return 0.0f;
    }
    for (; significand < 0x800000u; significand <<= 1) {
        bits -= 0x00800000u;
    }
    return edgeling_float_of((product < 0 ? 0x80000000u : 0u) + bits + (significand & 0x7FFFFFu));
#else
    return (float)product * edgeling_float_of(scale);
#endif
}

static inline void edgeling_dequantize(
    int size, int32_t multiplier, int32_t fraction_bits, int32_t zero_point, const int8_t *x, float *y) {
    for (int i = 0; i < size; i++) {
        y[i] = edgeling_dequantize_value(x[i] - zero_point, multiplier, fraction_bits);
    }
}

static inline void edgeling_dequantize_s16(
    int size, int32_t multiplier, int32_t fraction_bits, int32_t zero_point, const int16_t *x, float *y) {
    for (int i = 0; i < size; i++) {
        y[i] = edgeling_dequantize_value(x[i] - zero_point, multiplier, fraction_bits);
    }
}

#endif
