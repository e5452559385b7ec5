/* SPDX-License-Identifier: Apache-2.0 */
/* A fully connected layer: y = activation(x kernel + bias).
 *
 * x [rows,inputs], kernel [inputs,outputs], bias [outputs], y [rows,outputs].
 */
#ifndef EDGELING_DENSE_H
#define EDGELING_DENSE_H

#include "activation.h"
#include "flash.h"
#include "load_multiple.h"

#define EDGELING_DENSE_BLOCK 8

/* sum[o] += x[i] kernel[i][o], of neighbouring outputs. */
EDGELING_KERNEL void edgeling_dense_sums(
    int held, int block, int inputs, int outputs, const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT kernel,
    float *EDGELING_RESTRICT sum) {
#ifdef EDGELING_LOADS_MULTIPLE
    if (edgeling_add_products(block, inputs, outputs, x, kernel, sum) != 0) {
        return;
    }
#endif
    EDGELING_UNROLL
    for (int i = 0; i < inputs; i++) {
        EDGELING_UNROLL
        for (int o = 0; o < block; o++) {
            sum[o] += x[i] * edgeling_parameter(held, kernel + i * outputs + o);
        }
    }
}

/* At most EDGELING_DENSE_BLOCK neighbouring outputs of a row, so that each input is loaded once for all of them. */
EDGELING_KERNEL void edgeling_dense_block(
    int held, int block, int inputs, int outputs, int function, float alpha, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    float sum[EDGELING_DENSE_BLOCK];
    EDGELING_UNROLL
    for (int o = 0; o < block; o++) {
        sum[o] = edgeling_parameter(held, bias + o);
    }
    edgeling_dense_sums(held, block, inputs, outputs, x, kernel, sum);
    EDGELING_UNROLL
    for (int o = 0; o < block; o++) {
        y[o] = edgeling_activate(function, alpha, sum[o]);
    }
}

EDGELING_KERNEL void edgeling_dense_row(
    int held, int inputs, int outputs, int function, float alpha, const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT
    kernel, const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    int o = 0;
    if (EDGELING_LANES == 1) { /* more sums than vectors have room for, but registers have */
        EDGELING_ROLLED
        for (; o + EDGELING_DENSE_BLOCK <= outputs; o += EDGELING_DENSE_BLOCK) {
            edgeling_dense_block(
                held, EDGELING_DENSE_BLOCK, inputs, outputs, function, alpha, x, kernel + o, bias + o, y + o);
        }
    }
    for (; o + 4 <= outputs; o += 4) {
        edgeling_dense_block(held, 4, inputs, outputs, function, alpha, x, kernel + o, bias + o, y + o);
    }
#ifdef EDGELING_LOADS_MULTIPLE
    for (; o + 2 <= outputs; o += 2) {
        edgeling_dense_block(held, 2, inputs, outputs, function, alpha, x, kernel + o, bias + o, y + o);
    }
#endif
    for (; o < outputs; o++) {
        edgeling_dense_block(held, 1, inputs, outputs, function, alpha, x, kernel + o, bias + o, y + o);
    }
}

EDGELING_KERNEL void edgeling_dense_rows(
    int held, int rows, int inputs, int outputs, int function, float alpha, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++) {
        edgeling_dense_row(
            held, inputs, outputs, function, alpha, x + row * inputs, kernel, bias, y + row * outputs);
    }
}

EDGELING_KERNEL void edgeling_dense(
    int rows, int inputs, int outputs, int function, float alpha, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    edgeling_dense_rows(0, rows, inputs, outputs, function, alpha, x, kernel, bias, y);
}

/* Of a layer that learns: kernel and bias lie in RAM. */
EDGELING_KERNEL void edgeling_dense_held(
    int rows, int inputs, int outputs, int function, float alpha, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    edgeling_dense_rows(1, rows, inputs, outputs, function, alpha, x, kernel, bias, y);
}

#endif
