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

#include "dual_multiply.h"

/* Cores without a float unit; a test may define this for any core. */
#if !defined(EDGELING_SOFT_FLOAT) && \
    (defined(__SOFTFP__) || defined(__riscv_float_abi_soft) || defined(__AVR__) || defined(__MSP430__))
#define EDGELING_SOFT_FLOAT
#endif

static inline float edgeling_dequantize_value(int32_t steps, int32_t multiplier, int32_t fraction_bits) {
    const int32_t exponent = 127 - fraction_bits;
    const uint32_t scale = (uint32_t)exponent << 23;
#ifdef EDGELING_SOFT_FLOAT
    /* Move the leading one to bit 23, counting down the exponent from 23. */
    const int32_t product = steps * multiplier;
    uint32_t bits = scale + 0x0B800000u, significand = (uint32_t)(product < 0 ? -product : product);
    if (significand == 0u) {
        return 0.0f;
    }
    for (; significand < 0x800000u; significand <<= 1) {
        bits -= 0x00800000u;
    }
    return edgeling_float_of((product < 0 ? 0x80000000u : 0u) + bits + (significand & 0x7FFFFFu));
#else
    return (float)steps * ((float)multiplier * edgeling_float_of(scale)); /* the latter is a constant */
#endif
}

#if defined(EDGELING_DUAL_MULTIPLY) && defined(__thumb2__) && defined(__ARM_FP) && !defined(__ARM_BIG_ENDIAN)
#define EDGELING_CONVERTS_BACK

#define EDGELING_STEPS(s) "vcvt.f32.s16 " s ", " s ", #1\n\t"
#define EDGELING_SCALED(s) "vmul.f32 " s ", " s ", s12\n\t"

/* Four values a turn: SXTAB16 takes the zero point off two bytes, VCVT converts the lower half of a register (here, of
 * halves of steps: `twice` has the bits of two steps). Registers are named: without optimisation, gcc runs out of them. */
EDGELING_KERNEL void edgeling_dequantize_fours(
    int fours, uint32_t twice, uint32_t zero_points, const int8_t *x, float *y) {
    register const int8_t *from __asm__("r2") = x;
    register float *to __asm__("r8") = y;
    register int left __asm__("r9") = fours;
    register uint32_t zero __asm__("r10") = zero_points, scale __asm__("r11") = twice;
    __asm__ volatile(
        "vmov s12, %[scale]\n"
        "1:\n\tldr r0, [%[x]], #4\n\tsxtab16 r1, %[zero], r0\n\tsxtab16 r3, %[zero], r0, ror #8\n\t"
        "vmov s8, s9, r1, r3\n\tasr r1, r1, #16\n\tasr r3, r3, #16\n\tvmov s10, s11, r1, r3\n\t"
        EDGELING_STEPS("s8") EDGELING_STEPS("s9") EDGELING_STEPS("s10") EDGELING_STEPS("s11")
        EDGELING_SCALED("s8") EDGELING_SCALED("s9") EDGELING_SCALED("s10") EDGELING_SCALED("s11")
        "vstmia %[y]!, {s8-s11}\n\tsubs %[n], %[n], #1\n\tbne 1b"
        : [x] "+r"(from), [y] "+r"(to), [n] "+r"(left)
        : [zero] "r"(zero), [scale] "r"(scale)
        : "r0", "r1", "r3", "s8", "s9", "s10", "s11", "s12", "cc", "memory");
}
#endif

static inline void edgeling_dequantize(
    int size, int32_t multiplier, int32_t fraction_bits, int32_t zero_point, const int8_t *x, float *y) {
    int done = 0;
#ifdef EDGELING_CONVERTS_BACK
    if (size >= 4 && zero_point >= -128 && zero_point <= 127) {
        const uint32_t below = (uint32_t)-zero_point & 0xFFFFu;
        const float twice = edgeling_dequantize_value(2, multiplier, fraction_bits);
        edgeling_dequantize_fours(size / 4, edgeling_bits_of(twice), below | below << 16, x, y);
        done = size - size % 4;
    }
#endif
    for (int i = done; i < size; i++) {
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
