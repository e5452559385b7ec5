/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on int16 element by element, the bits of TensorFlow Lite's ADD, SUB, MUL and QUANTIZE.
 *
 * y [rows,columns]; an operand is FULL [rows,columns], ROW [1,columns], COLUMN [rows,1] or SCALAR [1,1].
 * y may be a FULL operand, or any operand of the same size.
 *
 *   zero_point_a, _b          0
 *   multiplier, right_shift   multiplier * 2^-31 * 2^-right_shift, rounded twice: 0, or 2^30 to 2^31 - 1; 0 to 31
 *   zero_point                -2^22 to 2^22
 *   minimum, maximum          of y (a fused relu or relu6)
 */
#ifndef EDGELING_ELEMENTWISE_S16_H
#define EDGELING_ELEMENTWISE_S16_H

#include "fixed_point.h"
#include "flash.h"
#include "layout.h"

/* y = a + sign * b: both times 2^15 are brought to one scale, at most half of which each makes up. */
static inline void edgeling_add_signed_s16(
    int rows, int columns, int layout_a, int layout_b, int32_t sign, int32_t zero_point_a, int32_t multiplier_a,
    int32_t right_shift_a, int32_t zero_point_b, int32_t multiplier_b, int32_t right_shift_b, int32_t multiplier,
    int32_t right_shift, int32_t zero_point, int32_t minimum, int32_t maximum, const int16_t *a, const int16_t *b,
    int16_t *y) {
    const int32_t fine = 0x8000;
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < columns; c++) {
            const int32_t left = (a[edgeling_at(layout_a, columns, row, c)] - zero_point_a) * fine;
            const int32_t right = (b[edgeling_at(layout_b, columns, row, c)] - zero_point_b) * fine;
            const int32_t sum = edgeling_rescale(left, multiplier_a, right_shift_a) +
                                sign * edgeling_rescale(right, multiplier_b, right_shift_b);
            const int32_t scaled = edgeling_rescale(sum, multiplier, right_shift);
            y[row * columns + c] = edgeling_clamp_int16(scaled + zero_point, minimum, maximum);
        }
    }
}

/* y = a + b */
static inline void edgeling_add_s16(
    int rows, int columns, int layout_a, int layout_b, int32_t zero_point_a, int32_t multiplier_a,
    int32_t right_shift_a, int32_t zero_point_b, int32_t multiplier_b, int32_t right_shift_b, int32_t multiplier,
    int32_t right_shift, int32_t zero_point, int32_t minimum, int32_t maximum, const int16_t *a, const int16_t *b,
    int16_t *y) {
    edgeling_add_signed_s16(
        rows, columns, layout_a, layout_b, 1, zero_point_a, multiplier_a, right_shift_a, zero_point_b, multiplier_b,
        right_shift_b, multiplier, right_shift, zero_point, minimum, maximum, a, b, y);
}

/* y = a - b */
static inline void edgeling_subtract_s16(
    int rows, int columns, int layout_a, int layout_b, int32_t zero_point_a, int32_t multiplier_a,
    int32_t right_shift_a, int32_t zero_point_b, int32_t multiplier_b, int32_t right_shift_b, int32_t multiplier,
    int32_t right_shift, int32_t zero_point, int32_t minimum, int32_t maximum, const int16_t *a, const int16_t *b,
    int16_t *y) {
    edgeling_add_signed_s16(
        rows, columns, layout_a, layout_b, -1, zero_point_a, multiplier_a, right_shift_a, zero_point_b, multiplier_b,
        right_shift_b, multiplier, right_shift, zero_point, minimum, maximum, a, b, y);
}

/* y = a * b */
static inline void edgeling_multiply_s16(
    int rows, int columns, int layout_a, int layout_b, int32_t zero_point_a, int32_t zero_point_b, int32_t multiplier,
    int32_t right_shift, int32_t zero_point, int32_t minimum, int32_t maximum, const int16_t *a, const int16_t *b,
    int16_t *y) {
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < columns; c++) {
            const int32_t left = a[edgeling_at(layout_a, columns, row, c)] - zero_point_a;
            const int32_t right = b[edgeling_at(layout_b, columns, row, c)] - zero_point_b;
            const int32_t scaled = edgeling_rescale(left * right, multiplier, right_shift);
            y[row * columns + c] = edgeling_clamp_int16(scaled + zero_point, minimum, maximum);
        }
    }
}

/* The same values stored with another scale: x and y [size], y may be x; left_shift 0 to 7. */
static inline void edgeling_requantize_s16(
    int size, int32_t input_zero_point, int32_t left_shift, int32_t multiplier, int32_t right_shift,
    int32_t zero_point, const int16_t *x, int16_t *y) {
    const int32_t fine = (int32_t)1 << left_shift;
    for (int i = 0; i < size; i++) {
        const int32_t scaled = edgeling_rescale((x[i] - input_zero_point) * fine, multiplier, right_shift);
        y[i] = edgeling_clamp_int16(scaled + zero_point, INT16_MIN, INT16_MAX);
    }
}

/* y = x times a weight a column, plus a bias: DEPTHWISE_CONV_2D of one by one. x and y [rows,columns], y may be x;
 * weights int8, -127 to 127, bias, multiplier and right_shift [columns]; what dense_s8.h says of sums holds here. */
static inline void edgeling_scale_s16(
    int rows, int columns, int32_t zero_point, const int16_t *x, const int8_t *weights, const int32_t *bias,
    const int32_t *multiplier, const int8_t *right_shift, int16_t *y) {
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < columns; c++) {
            const int32_t product = (int32_t)x[row * columns + c] * edgeling_read_int8(weights + c);
            const int32_t scaled = edgeling_rescale(
                product + edgeling_read_int32(bias + c), edgeling_read_int32(multiplier + c),
                edgeling_read_int8(right_shift + c));
            y[row * columns + c] = edgeling_clamp_int16(scaled + zero_point, INT16_MIN, INT16_MAX);
        }
    }
}

/* y [outer,inner] = the sum of x [outer,summed,inner] over the middle, SUM. */
static inline void edgeling_sum_s16(
    int outer, int summed, int inner, int32_t input_zero_point, int32_t multiplier, int32_t right_shift,
    int32_t zero_point, const int16_t *EDGELING_RESTRICT x, int16_t *EDGELING_RESTRICT y) {
    for (int o = 0; o < outer; o++) {
        for (int i = 0; i < inner; i++) {
            int32_t sum = 0;
            for (int s = 0; s < summed; s++) {
                sum += x[s * inner + i] - input_zero_point;
            }
            sum = edgeling_rescale(sum, multiplier, right_shift);
            y[i] = edgeling_clamp_int16(sum + zero_point, INT16_MIN, INT16_MAX);
        }
        x = &x[summed * inner];
        y = &y[inner];
    }
}

#endif
