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

#include "dual_multiply.h"
#include "fixed_point.h"
#include "flash.h"
#include "vector_dot.h"

/* Outputs of a row that are computed together, so that each input is loaded once for all of them. */
#define EDGELING_DENSE_S8_BLOCK 4

/* sum[o] += x . weights[o], for the first `inputs` of them; weights[o + 1] lies `stride` after weights[o]. */
EDGELING_KERNEL void edgeling_dense_s8_singly(
    int block, int inputs, int stride, const int8_t *x, const int8_t *weights, int32_t *sum) {
    for (int i = 0; i < inputs; i++) {
        EDGELING_UNROLL
        for (int o = 0; o < block; o++) {
            sum[o] += x[i] * edgeling_read_int8(weights + o * stride + i);
        }
    }
}

#ifdef EDGELING_DUAL_MULTIPLY
/* The same for four inputs. */
EDGELING_KERNEL void edgeling_dense_s8_four(
    int block, int stride, const int8_t *x, const int8_t *weights, int32_t *sum) {
    const uint32_t four = edgeling_load_four(x);
    const uint32_t even = edgeling_even_bytes(four), odd = edgeling_odd_bytes(four);
    EDGELING_UNROLL
    for (int o = 0; o < block; o++) {
        const uint32_t w = edgeling_load_four(weights + o * stride);
        sum[o] = edgeling_dual_multiply(even, edgeling_even_bytes(w), sum[o]);
        sum[o] = edgeling_dual_multiply(odd, edgeling_odd_bytes(w), sum[o]);
    }
}

#endif

EDGELING_KERNEL void edgeling_dense_s8_sums(
    int block, int inputs, int stride, const int8_t *x, const int8_t *weights, int32_t *sum) {
#ifdef EDGELING_DUAL_MULTIPLY
    const int left = inputs % 4, whole = inputs - inputs % 8;
    for (int i = 0; i < whole; i += 8) {
        edgeling_dense_s8_four(block, stride, x + i, weights + i, sum);
        edgeling_dense_s8_four(block, stride, x + i + 4, weights + i + 4, sum);
    }
    if (inputs - whole >= 4) {
        edgeling_dense_s8_four(block, stride, x + whole, weights + whole, sum);
    }
    edgeling_dense_s8_singly(block, left, stride, x + inputs - left, weights + inputs - left, sum);
#elif defined(EDGELING_VECTOR_DOT)
    const int left = inputs % 8, whole = inputs - left;
    edgeling_words four[EDGELING_DENSE_S8_BLOCK] = {{0}};
    for (int i = 0; i < whole; i += 8) {
        const edgeling_halves eight = edgeling_load_eight(x + i);
        for (int o = 0; o < block; o++) {
            four[o] += edgeling_dot(eight, edgeling_load_eight(weights + o * stride + i));
        }
    }
    for (int o = 0; o < block; o++) {
        sum[o] += edgeling_total(four[o]);
    }
    edgeling_dense_s8_singly(block, left, stride, x + whole, weights + whole, sum);
#else
    edgeling_dense_s8_singly(block, inputs, stride, x, weights, sum);
#endif
}

/* At most EDGELING_DENSE_S8_BLOCK neighbouring outputs of a row. */
EDGELING_KERNEL void edgeling_dense_s8_block(
    int block, int inputs, int32_t zero_point, int32_t minimum, int32_t maximum, const int8_t *x, const int8_t *weights,
    const int32_t *bias, const int32_t *multiplier, const int8_t *right_shift, int8_t *y) {
    int32_t sum[EDGELING_DENSE_S8_BLOCK];
    EDGELING_UNROLL
    for (int o = 0; o < block; o++) {
        sum[o] = edgeling_read_int32(bias + o);
    }
    edgeling_dense_s8_sums(block, inputs, inputs, x, weights, sum);
    EDGELING_UNROLL
    for (int o = 0; o < block; o++) {
        const int32_t scaled = edgeling_multiply_high(sum[o], edgeling_read_int32(multiplier + o));
        const int32_t rounded = edgeling_divide_by_power_of_two(scaled, edgeling_read_int8(right_shift + o));
        y[o] = edgeling_clamp_int8(rounded + zero_point, minimum, maximum);
    }
}

EDGELING_KERNEL void edgeling_dense_s8(
    int rows, int inputs, int outputs, int32_t zero_point, int32_t minimum, int32_t maximum, const int8_t *x,
    const int8_t *weights, const int32_t *bias, const int32_t *multiplier, const int8_t *right_shift, int8_t *y) {
    for (int row = 0; row < rows; row++) {
        int o = 0;
#if defined(EDGELING_DUAL_MULTIPLY) || defined(EDGELING_VECTOR_DOT)
        for (; o + EDGELING_DENSE_S8_BLOCK <= outputs; o += EDGELING_DENSE_S8_BLOCK) {
            edgeling_dense_s8_block(
                EDGELING_DENSE_S8_BLOCK, inputs, zero_point, minimum, maximum, x, weights + o * inputs, bias + o,
                multiplier + o, right_shift + o, y + o);
        }
#endif
        for (; o < outputs; o++) {
            edgeling_dense_s8_block(
                1, inputs, zero_point, minimum, maximum, x, weights + o * inputs, bias + o, multiplier + o,
                right_shift + o, y + o);
        }
        x = &x[inputs];
        y = &y[outputs];
    }
}

#endif
