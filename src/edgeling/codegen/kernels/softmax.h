/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax and its logarithm over the last axis, and their gradients.
 *
 * x, y, dy, dx: [rows,columns]. y may be x; dx may be dy or y. A NaN in a row makes the whole row NaN.
 */
#ifndef EDGELING_SOFTMAX_H
#define EDGELING_SOFTMAX_H

#include "elementary.h"

/* The largest of [columns]. A NaN may be passed over: subtracted from itself it still makes the row NaN. */
EDGELING_KERNEL float edgeling_largest(int columns, const float *x) {
    float largest = x[0];
    for (int c = 1; c < columns; c++) {
        largest = edgeling_maximum(largest, x[c]);
    }
    return largest;
}

EDGELING_KERNEL float edgeling_row_sum(int columns, const float *x) {
    float sum = x[0];
    for (int c = 1; c < columns; c++) {
        sum += x[c];
    }
    return sum;
}

/* y = x - the largest of each row */
EDGELING_KERNEL void edgeling_shift_rows(int rows, int columns, const float *x, float *y) {
    for (int row = 0; row < rows; row++) {
        const float largest = edgeling_largest(columns, x + row * columns);
        for (int c = 0; c < columns; c++) {
            y[row * columns + c] = x[row * columns + c] - largest;
        }
    }
}

/* exp runs over the whole tensor at once, so that it fills vectors however short the rows are. */
EDGELING_KERNEL void edgeling_softmax(int rows, int columns, const float *x, float *y) {
    edgeling_shift_rows(rows, columns, x, y);
    for (int i = 0; i < rows * columns; i++) {
        y[i] = edgeling_exp_below(y[i]);
    }
    for (int row = 0; row < rows; row++) {
        const float scale = 1.0f / edgeling_row_sum(columns, y + row * columns);
        for (int c = 0; c < columns; c++) {
            y[row * columns + c] *= scale;
        }
    }
}

/* dx = y (dy - sum of dy y) */
EDGELING_KERNEL void edgeling_softmax_gradient(int rows, int columns, const float *dy, const float *y, float *dx) {
    for (int row = 0; row < rows; row++, dy += columns, y += columns, dx += columns) {
        float sum = dy[0] * y[0];
        for (int c = 1; c < columns; c++) {
            sum += dy[c] * y[c];
        }
        for (int c = 0; c < columns; c++) {
            dx[c] = y[c] * (dy[c] - sum);
        }
    }
}

EDGELING_KERNEL void edgeling_log_softmax(int rows, int columns, const float *x, float *y) {
    edgeling_shift_rows(rows, columns, x, y);
    for (int row = 0; row < rows; row++, y += columns) {
        float sum = edgeling_exp_below(y[0]), log_sum;
        for (int c = 1; c < columns; c++) {
            sum += edgeling_exp_below(y[c]);
        }
        log_sum = edgeling_log(sum);
        for (int c = 0; c < columns; c++) {
            y[c] -= log_sum;
        }
    }
}

/* dx = dy - exp(y) sum of dy */
EDGELING_KERNEL void edgeling_log_softmax_gradient(int rows, int columns, const float *dy, const float *y, float *dx) {
    for (int row = 0; row < rows; row++, dy += columns, y += columns, dx += columns) {
        const float sum = edgeling_row_sum(columns, dy);
        for (int c = 0; c < columns; c++) {
            dx[c] = dy[c] - edgeling_exp(y[c]) * sum;
        }
    }
}

#endif
