/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax on int8, the bits of TensorFlow Lite's SOFTMAX.
 *
 *   multiplier          2^30 to 2^31 - 1, with left_shift: the input's scale in Q5
 *   left_shift          0 to 31
 *   minimum_difference  -31 * 2^26 / 2^left_shift to 0; an input further below its row's maximum counts for nothing
 *   x                   int8  [rows,classes]  1 to 511 classes
 *   y                   int8  [rows,classes]  scale 1/256, zero point -128; y may be x
 *
 * The exponentials of a row's first classes are kept on the stack; those of further ones are computed twice.
 * Algorithm: gemmlowp fixedpoint.h (Taylor series around -1/8, then a factor for each bit above; Newton-Raphson).
 */
#ifndef EDGELING_SOFTMAX_S8_H
#define EDGELING_SOFTMAX_S8_H

#include "fixed_point.h"
#include "flash.h"

#define EDGELING_SOFTMAX_KEPT 16

/* exp of a Q5 value below 0, as Q0. */
static inline int32_t edgeling_exp_below_zero(int32_t a) {
    /* exp(-1/4), exp(-1/2), exp(-1) ... exp(-16) */
    static const int32_t factors[7] EDGELING_FLASH = {
        1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t quarter = 0x1000000, exp_minus_eighth = 1895147668, one_third = 715827883;
    const int32_t remainder = (a & (quarter - 1)) - quarter;
    const int32_t x = remainder * 32 + 0x10000000;
    const int32_t x2 = edgeling_multiply_high(x, x);
    const int32_t x3 = edgeling_multiply_high(x2, x), x4 = edgeling_multiply_high(x2, x2);
    const int32_t third = edgeling_multiply_high(edgeling_divide_by_power_of_two(x4, 2) + x3, one_third);
    const int32_t series = x + edgeling_divide_by_power_of_two(third + x2, 1);
    int32_t result = exp_minus_eighth + edgeling_multiply_high(exp_minus_eighth, series);
    uint32_t quarters = (uint32_t)(remainder - a) >> 24;
    for (const int32_t *factor = factors; quarters != 0u; factor++, quarters >>= 1) {
        if ((quarters & 1u) != 0u) {
            result = edgeling_multiply_high(result, edgeling_read_int32(factor));
        }
    }
    return result;
}

/* 1 / (1 + a) for a Q0 value not below 0, as Q0. */
static inline int32_t edgeling_one_over_one_plus(int32_t a) {
    const int32_t half_denominator = (int32_t)(((uint32_t)a + 0x80000000u) >> 1);
    int32_t x = 1515870810 + edgeling_multiply_high(half_denominator, -1010580540); /* 48/17 - 32/17 d, Q2 */
    for (int32_t step = 0; step < 3; step++) {
        x += edgeling_multiply_high(x, 0x20000000 - edgeling_multiply_high(half_denominator, x)) * 4;
    }
    return x > INT32_MAX / 2 ? INT32_MAX : x * 2;
}

/* exp of a difference from the row's maximum, in steps of the input's scale, as Q0. */
EDGELING_SHARED int32_t edgeling_softmax_exp(
    int32_t difference, int32_t multiplier, int32_t left_shift, int32_t minimum_difference) {
    int32_t rescaled;
    if (difference < minimum_difference) {
        return 0;
    }
    rescaled = edgeling_multiply_high((int32_t)((uint32_t)difference << (uint32_t)left_shift), multiplier);
    return rescaled == 0 ? INT32_MAX : edgeling_exp_below_zero(rescaled);
}

/* The sum's leading one goes to bit 31; what stands below it is the a of 1 / (1 + a). */
static inline int32_t edgeling_softmax_reciprocal(int32_t sum, int32_t zeros) {
    return edgeling_one_over_one_plus((int32_t)(((uint32_t)sum << (uint32_t)zeros) - 0x80000000u));
}

/* A row: how its inputs are scaled, the largest of them, one over the sum of its exponentials, and the first of these. */
typedef struct {
    int32_t multiplier, left_shift, minimum_difference, largest, zeros, reciprocal;
    int32_t kept[EDGELING_SOFTMAX_KEPT];
} edgeling_softmax_row;

static inline int32_t edgeling_softmax_exp_of(const edgeling_softmax_row *row, int32_t x) {
    return edgeling_softmax_exp(x - row->largest, row->multiplier, row->left_shift, row->minimum_difference);
}

static inline void edgeling_softmax_begin(edgeling_softmax_row *row, int classes, const int8_t *x) {
    int32_t sum = 0; /* Q12 */
    row->largest = -128;
    for (int c = 0; c < classes; c++) {
        row->largest = x[c] > row->largest ? x[c] : row->largest;
    }
    for (int c = 0; c < classes; c++) {
        const int32_t e = edgeling_softmax_exp_of(row, x[c]);
        sum += edgeling_divide_by_power_of_two(e, 12);
        if (c < EDGELING_SOFTMAX_KEPT) {
            row->kept[c] = e;
        }
    }
    row->zeros = edgeling_leading_zeros((uint32_t)sum);
    row->reciprocal = edgeling_softmax_reciprocal(sum, row->zeros);
}

/* The share of class c, whose input is x, in units of 2^-bits. */
static inline int32_t edgeling_softmax_share(const edgeling_softmax_row *row, int c, int32_t x, int32_t bits) {
    const int32_t e = c < EDGELING_SOFTMAX_KEPT ? row->kept[c] : edgeling_softmax_exp_of(row, x);
    return edgeling_divide_by_power_of_two(edgeling_multiply_high(row->reciprocal, e), 43 - bits - row->zeros);
}

static inline void edgeling_softmax_s8(
    int rows, int classes, int32_t multiplier, int32_t left_shift, int32_t minimum_difference, const int8_t *x,
    int8_t *y) {
    edgeling_softmax_row scaled;
    scaled.multiplier = multiplier;
    scaled.left_shift = left_shift;
    scaled.minimum_difference = minimum_difference;
    for (int row = 0; row < rows; row++) {
        edgeling_softmax_begin(&scaled, classes, x);
        for (int c = 0; c < classes; c++) {
            y[c] = edgeling_clamp_int8(edgeling_softmax_share(&scaled, c, x[c], 8) - 128, -128, 127);
        }
        x = &x[classes];
        y = &y[classes];
    }
}

#endif
