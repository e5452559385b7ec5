/* SPDX-License-Identifier: Apache-2.0 */
/* quantize.h on an Arm core with a float unit, its constants packed; the same bits.
 *
 *   x        float   [rows,columns]  finite; anything, where there is a table of what is missing
 *   steps    float   [columns]       how many steps of its scale a one is: a power of two
 *   offset   uint16  [columns]       2 zero_point + 257, of zero points up to 16000 either way; two in a word of a table
 *   missing  int8    [columns]       what NaN becomes
 *   y        int8    [rows,columns]
 *
 * VCVT gives twice the steps as int16, cut towards zero and held within its range. Half of that and one, rounded down,
 * and for negative numbers of that alone, is the value rounded, halves away from zero. The zero point joins the one, and
 * so do 256, so that a byte is saturated without its sign, which is turned back at the end.
 */
#ifndef EDGELING_QUANTIZE_FLOAT_H
#define EDGELING_QUANTIZE_FLOAT_H

#include "dual_multiply.h"
#include "fixed_point.h"

#if defined(EDGELING_DUAL_MULTIPLY) && defined(__thumb2__) && defined(__ARM_FP) && !defined(__ARM_BIG_ENDIAN)
#define EDGELING_CONVERTS

#define EDGELING_TWICE(x, steps) "vmul.f32 " steps ", " steps ", " x "\n\tvcvt.s16.f32 " steps ", " steps ", #1\n\t"
/* Two columns' values, in the halves of a word; r8 is 0x00010001. */
#define EDGELING_ROUND(two, offset, negative)                                                                         \
    "and " negative ", r8, " two ", lsr #15\n\tqsub16 " two ", " two ", " negative "\n\t"                             \
    "shadd16 " two ", " two ", " offset "\n\tusat16 " two ", #8, " two "\n\t"

/* Four columns a turn: of the first and third, and of the second and fourth, the offsets share a word. Registers are
 * named: without optimisation, gcc runs out of them. */
EDGELING_KERNEL void edgeling_quantize_fours(
    int fours, const float *x, const float *steps, const uint32_t *offset, int8_t *y) {
    register const float *from __asm__("r2") = x, *step __asm__("r9") = steps;
    register const uint32_t *added __asm__("r10") = offset;
    register int8_t *to __asm__("r11") = y;
    register int left __asm__("ip") = fours;
    __asm__ volatile(
        "mov r8, #0x10001\n"
        "1:\n\tvldmia %[x]!, {s8-s11}\n\tvldmia %[steps]!, {s12-s15}\n\tldmia %[offset]!, {r5, r6}\n\t"
        EDGELING_TWICE("s8", "s12") EDGELING_TWICE("s9", "s13") EDGELING_TWICE("s10", "s14")
        EDGELING_TWICE("s11", "s15") "vmov r0, r1, s12, s13\n\tvmov r3, r4, s14, s15\n\t"
        "pkhbt r0, r0, r3, lsl #16\n\tpkhbt r1, r1, r4, lsl #16\n\t"
        EDGELING_ROUND("r0", "r5", "r3") EDGELING_ROUND("r1", "r6", "r4")
        "orr r0, r0, r1, lsl #8\n\teor r0, r0, #0x80808080\n\tstr r0, [%[y]], #4\n\tsubs %[n], %[n], #1\n\tbne 1b"
        : [x] "+r"(from), [steps] "+r"(step), [offset] "+r"(added), [y] "+r"(to), [n] "+r"(left)
        :
        : "r0", "r1", "r3", "r4", "r5", "r6", "r8", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "cc", "memory");
}

EDGELING_KERNEL int32_t edgeling_twice_steps(float steps) {
    int32_t twice;
    __asm__("vcvt.s16.f32 %1, %1, #1\n\tvmov %0, %1" : "=r"(twice), "+t"(steps));
    return twice;
}
#else
EDGELING_KERNEL int32_t edgeling_twice_steps(float steps) {
    return edgeling_is_nan(steps) ? 0 : (int32_t)edgeling_clip_value(2.0f * steps, -32768.0f, 32767.0f);
}
#endif

/* The offset of a column: its half of a word. */
EDGELING_KERNEL int32_t edgeling_offset_of(int c, const uint32_t *offset) {
    const uint32_t two = offset[c / 4 * 2 + c % 2];
    return (int16_t)(uint16_t)(c % 4 < 2 ? two : two >> 16);
}

EDGELING_KERNEL int8_t edgeling_quantize_column(int c, float x, const float *steps, const uint32_t *offset) {
    const int32_t twice = edgeling_twice_steps(x * steps[c]);
    const int32_t above = (twice + (twice >> 31) + edgeling_offset_of(c, offset)) >> 1;
    return edgeling_clamp_int8(above - 128, -128, 127);
}

/* Of numbers that are finite. */
EDGELING_KERNEL void edgeling_quantize_finite(
    int rows, int columns, const float *x, const float *steps, const uint32_t *offset, int8_t *y) {
    for (int row = 0; row < rows; row++) {
        int done = 0;
#ifdef EDGELING_CONVERTS
        if (columns >= 4) {
            edgeling_quantize_fours(columns / 4, x, steps, offset, y);
            done = columns - columns % 4;
        }
#endif
        for (int c = done; c < columns; c++) {
            y[c] = edgeling_quantize_column(c, x[c], steps, offset);
        }
        x = &x[columns];
        y = &y[columns];
    }
}

/* Of any. */
EDGELING_KERNEL void edgeling_quantize_float(
    int rows, int columns, const float *x, const float *steps, const uint32_t *offset, const int8_t *missing, int8_t *y) {
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < columns; c++) {
            y[c] = edgeling_is_nan(x[c]) ? missing[c] : edgeling_quantize_column(c, x[c], steps, offset);
        }
        x = &x[columns];
        y = &y[columns];
    }
}

#endif
