/* SPDX-License-Identifier: Apache-2.0 */
/* A fully connected layer of several rows: a product that starts from the bias, then the activation over its result. */
#ifndef EDGELING_DENSE_GEMM_H
#define EDGELING_DENSE_GEMM_H

#include "activation.h"
#include "flash.h"
#include "gemm.h"

#define EDGELING_DENSE_PANEL 32 /* columns of a packed panel, at most */

#if EDGELING_LANES > 1

/* All rows, `columns` of a panel's columns (4 at least, of which y has `there`), through a tile where it has fewer. */
EDGELING_VECTOR_FUNCTION void edgeling_dense_packed_columns(
    int columns, int there, int m, edgeling_gemm_strides s, const float *x, const float *start, const float *weights,
    float *y) {
    float tile[EDGELING_GEMM_ROWS * 4];
    edgeling_gemm_strides to_tile = s;
    if (there >= columns) {
        edgeling_gemm_rows(columns, m, s, x, start, weights, y);
        return;
    }
    to_tile.y_row = 4;
    for (int row = 0; row < m; row += EDGELING_GEMM_ROWS) {
        const int rows = m - row < EDGELING_GEMM_ROWS ? m - row : EDGELING_GEMM_ROWS;
        edgeling_gemm_rows(4, rows, to_tile, x + row * s.a_row, start, weights, tile);
        for (int r = 0; r < rows; r++) {
            edgeling_vector_copy_floats(there, tile + 4 * r, y + (row + r) * s.y_row);
        }
    }
}

/* y [rows,outputs] = bias + x [rows,inputs] kernel, before an activation. packed: panels of 32 outputs (the last has what is
 * left, in fours): bias, then the weights of each input. */
EDGELING_KERNEL void edgeling_dense_packed(
    int rows, int inputs, int outputs, const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT packed,
    float *EDGELING_RESTRICT y) {
    for (int first = 0; first < outputs; first += EDGELING_DENSE_PANEL) {
        const int left = outputs - first, most = left < EDGELING_DENSE_PANEL ? left : EDGELING_DENSE_PANEL;
        const int panel = (most + 3) / 4 * 4;
        const edgeling_gemm_strides s = {inputs, inputs, 1, outputs, panel};
        int columns = 0;
        for (int c = 0; c < panel; c += columns) {
            columns = 2 * EDGELING_LANES;
            while (columns > 4 && columns > most - c) {
                columns /= 2;
            }
            edgeling_dense_packed_columns(
                columns, most - c, rows, s, x, packed + c, packed + panel + c, y + first + c);
        }
        packed += (inputs + 1) * panel;
    }
}

#else

EDGELING_KERNEL void edgeling_dense_packed(
    int rows, int inputs, int outputs, const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT packed,
    float *EDGELING_RESTRICT y) {
    for (int o = 0; o < outputs; o++) {
        const int panel = o / EDGELING_DENSE_PANEL * EDGELING_DENSE_PANEL, left = (outputs - panel + 3) / 4 * 4;
        const int step = left < EDGELING_DENSE_PANEL ? left : EDGELING_DENSE_PANEL;
        for (int row = 0; row < rows; row++) {
            const float *at = packed + panel * (inputs + 1) + o - panel;
            float sum = *at;
            for (int i = 0; i < inputs; i++) {
                at += step;
                sum += x[row * inputs + i] * *at;
            }
            y[row * outputs + o] = sum;
        }
    }
}

#endif

#endif
