/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax on int8 told finer than int8 would, the bits of TensorFlow Lite's SOFTMAX from int8 to int16.
 *
 *   multiplier, left_shift, minimum_difference   as in softmax_s8.h
 *   x   int8   [rows,classes]  1 to 511 classes
 *   y   int16  [rows,classes]  scale 2^-16, zero point -32768
 */
#ifndef EDGELING_SOFTMAX_S8_S16_H
#define EDGELING_SOFTMAX_S8_S16_H

#include "softmax_s8.h"

static inline void edgeling_softmax_s8_s16(
    int rows, int classes, int32_t multiplier, int32_t left_shift, int32_t minimum_difference, const int8_t *x,
    int16_t *y) {
    for (int row = 0; row < rows; row++) {
        int32_t kept[EDGELING_SOFTMAX_KEPT];
        int32_t largest = -128, sum = 0 /* Q12 */, zeros, reciprocal;
        for (int c = 0; c < classes; c++) {
            largest = x[c] > largest ? x[c] : largest;
        }
        for (int c = 0; c < classes; c++) {
            const int32_t e = edgeling_softmax_exp(x[c] - largest, multiplier, left_shift, minimum_difference);
            sum += edgeling_divide_by_power_of_two(e, 12);
            if (c < EDGELING_SOFTMAX_KEPT) {
                kept[c] = e;
            }
        }
        zeros = edgeling_leading_zeros((uint32_t)sum);
        reciprocal = edgeling_softmax_reciprocal(sum, zeros);
        for (int c = 0; c < classes; c++) {
            const int32_t e =
                c < EDGELING_SOFTMAX_KEPT
                    ? kept[c]
                    : edgeling_softmax_exp(x[c] - largest, multiplier, left_shift, minimum_difference);
            const int32_t product = edgeling_multiply_high(reciprocal, e);
            y[c] = edgeling_clamp_int16(edgeling_divide_by_power_of_two(product, 27 - zeros) - 32768, -32768, 32767);
        }
        x = &x[classes];
        y = &y[classes];
    }
}

#endif
