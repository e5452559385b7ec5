/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer on int16 with int8 weights, the bits of TensorFlow Lite's FULLY_CONNECTED (16x8).
 *
 *   x            int16  [rows,inputs]      any value
 *   weights      int8   [outputs,inputs]   -127 to 127
 *   bias         int32  [outputs]          the input's zero point, if it has one, is already folded in
 *   multiplier   int16  [outputs]          0, or 2^14 to 2^15 - 1: the upper half of what int8 multiplies with
 *   right_shift  int8   [outputs]          2 to 31
 *   y            int16  [rows,outputs]     minimum to maximum (the fused relu or relu6)
 *
 * The accumulator must fit int32: |bias| + 32768 * (sum of an output's |weights|) + |zero_point| below 2^31.
 */
#ifndef EDGELING_DENSE_S16_H
#define EDGELING_DENSE_S16_H

#include "fixed_point.h"
#include "flash.h"

/* round(x * multiplier * 2^-15 * 2^-right_shift), halves upwards: in two halves, for cores without 64-bit products. */
static inline int32_t edgeling_rescale_short(int32_t x, int32_t multiplier, int32_t right_shift) {
    const uint32_t low = ((uint32_t)x & 0xFFFFu) * (uint32_t)multiplier;
    const int32_t product = (x >> 16) * multiplier + (int32_t)(low >> 16);
    return (product + ((int32_t)1 << (right_shift - 2))) >> (right_shift - 1);
}

static inline void edgeling_dense_s16(
    int rows, int inputs, int outputs, int32_t zero_point, int32_t minimum, int32_t maximum, const int16_t *x,
    const int8_t *weights, const int32_t *bias, const int16_t *multiplier, const int8_t *right_shift, int16_t *y) {
    for (int row = 0; row < rows; row++) {
        const int8_t *w = weights;
        for (int o = 0; o < outputs; o++) {
            int32_t sum = edgeling_read_int32(bias + o);
            for (int i = 0; i < inputs; i++) {
                sum += (int32_t)x[i] * edgeling_read_int8(w + i);
            }
            w = &w[inputs];
            sum = edgeling_rescale_short(
                sum, edgeling_read_int16(multiplier + o), edgeling_read_int8(right_shift + o));
            y[o] = edgeling_clamp_int16(sum + zero_point, minimum, maximum);
        }
        x = &x[inputs];
        y = &y[outputs];
    }
}

#endif
