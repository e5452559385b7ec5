/* SPDX-License-Identifier: Apache-2.0 */
/* A fully connected layer as in dense.h, for sizes worth tiles: y = activation(x kernel + bias).
 *
 * x [rows,inputs], kernel [inputs,outputs], bias [outputs], y [rows,outputs].
 */
#ifndef EDGELING_DENSE_LARGE_H
#define EDGELING_DENSE_LARGE_H

#include "dense.h"
#include "tile.h"

#if EDGELING_LANES > 1

/* Of more outputs than one tile holds, a row's sums go to memory and back, and the kernel is read once: where there are
 * caches. */
#if defined(__wasm__)
#define EDGELING_UNSTREAMED_OUTPUTS 0x7FFFFFFF
#else
#define EDGELING_UNSTREAMED_OUTPUTS (EDGELING_TILE_VECTORS * EDGELING_LANES)
#endif
#define EDGELING_STREAMED_TERMS 4

typedef float edgeling_widest __attribute__((vector_size(4 * EDGELING_LANES), aligned(4), may_alias));

/* y [columns] += a few terms; columns is a multiple of EDGELING_LANES */
EDGELING_KERNEL void edgeling_add_terms(
    int terms, int columns, int outputs, const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT kernel,
    float *EDGELING_RESTRICT y) {
    for (int c = 0; c < columns; c += EDGELING_LANES) {
        edgeling_widest sum = *(const edgeling_widest *)(y + c);
        for (int p = 0; p < terms; p++) {
            sum += x[p] * *(const edgeling_widest *)(kernel + p * outputs + c);
        }
        *(edgeling_widest *)(y + c) = sum;
    }
}

/* One row: tiles would run down the kernel many times, and ask for memory piece by piece from places far apart. */
EDGELING_KERNEL void edgeling_dense_streamed(
    int inputs, int outputs, const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT kernel,
    const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    const int columns = outputs - outputs % EDGELING_LANES;
    const edgeling_strides s = {inputs, inputs, 1, outputs, 0, outputs};
    const int whole = inputs - inputs % EDGELING_STREAMED_TERMS;
    for (int c = 0; c < columns; c++) {
        y[c] = bias[c];
    }
    for (int p = 0; p < whole; p += EDGELING_STREAMED_TERMS) {
        edgeling_add_terms(EDGELING_STREAMED_TERMS, columns, outputs, x + p, kernel + p * outputs, y);
    }
    for (int p = whole; p < inputs; p++) {
        edgeling_add_terms(1, columns, outputs, x + p, kernel + p * outputs, y);
    }
    if (columns < outputs) {
        edgeling_tile_rows(1, outputs - columns, s, x, kernel + columns, bias + columns, y + columns);
    }
}

EDGELING_KERNEL void edgeling_dense_large(
    int rows, int inputs, int outputs, int function, float alpha, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    if (rows == 1 && outputs > EDGELING_UNSTREAMED_OUTPUTS) {
        edgeling_dense_streamed(inputs, outputs, x, kernel, bias, y);
    } else {
        const edgeling_strides s = {inputs, inputs, 1, outputs, 0, outputs};
        edgeling_tiles(rows, outputs, s, x, kernel, bias, y);
    }
    edgeling_activation(rows * outputs, function, alpha, y, y);
}

/* Cores with vectors read their parameters as any other memory. */
EDGELING_KERNEL void edgeling_dense_large_held(
    int rows, int inputs, int outputs, int function, float alpha, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    edgeling_dense_large(rows, inputs, outputs, function, alpha, x, kernel, bias, y);
}

#else

EDGELING_KERNEL void edgeling_dense_large(
    int rows, int inputs, int outputs, int function, float alpha, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    edgeling_dense(rows, inputs, outputs, function, alpha, x, kernel, bias, y);
}

EDGELING_KERNEL void edgeling_dense_large_held(
    int rows, int inputs, int outputs, int function, float alpha, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    edgeling_dense_held(rows, inputs, outputs, function, alpha, x, kernel, bias, y);
}

#endif

#endif
