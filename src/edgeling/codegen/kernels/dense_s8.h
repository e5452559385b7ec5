/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer on int8, the bits of TensorFlow Lite's FULLY_CONNECTED with per-channel weights.
 *
 *   x            int8   [rows,inputs]      any value
 *   weights      int8   [outputs,inputs]   -127 to 127
 *   bias         int32  [outputs]          the input's zero point is already folded in:
 *                                          bias - input_zero_point * sum of the output's weights
 *   multiplier   int32  [outputs]          0, or 2^30 to 2^31 - 1
 *   right_shift  int8   [outputs]          0 to 31
 *   y            int8   [rows,outputs]     minimum to maximum (the fused relu or relu6)
 *
 * The accumulator must fit int32: |bias| + 128 * (sum of an output's |weights|) + |zero_point| below 2^31.
 */
#ifndef EDGELING_DENSE_S8_H
#define EDGELING_DENSE_S8_H

#include "fixed_point.h"
#include "flash.h"

static inline void edgeling_dense_s8(
    int rows, int inputs, int outputs, int32_t zero_point, int32_t minimum, int32_t maximum, const int8_t *x,
    const int8_t *weights, const int32_t *bias, const int32_t *multiplier, const int8_t *right_shift, int8_t *y) {
    for (int row = 0; row < rows; row++) {
        const int8_t *w = weights;
        for (int o = 0; o < outputs; o++) {
            int32_t sum = edgeling_read_int32(bias + o);
            for (int i = 0; i < inputs; i++) {
                sum += x[i] * edgeling_read_int8(w + i);
            }
            w = &w[inputs];
            sum = edgeling_multiply_high(sum, edgeling_read_int32(multiplier + o));
            sum = edgeling_divide_by_power_of_two(sum, edgeling_read_int8(right_shift + o));
            y[o] = edgeling_clamp_int8(sum + zero_point, minimum, maximum);
        }
        x = &x[inputs];
        y = &y[outputs];
    }
}

#endif
