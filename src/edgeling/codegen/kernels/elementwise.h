/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic element by element, with broadcasting.
 *
 * y [rows,columns]; an operand is FULL [rows,columns], ROW [1,columns], COLUMN [rows,1] or SCALAR [1,1].
 * y may be a FULL operand, or any operand of the same size.
 */
#ifndef EDGELING_ELEMENTWISE_H
#define EDGELING_ELEMENTWISE_H

#include "elementary.h"
#include "layout.h"

EDGELING_KERNEL void edgeling_add(
    int rows, int columns, int layout_a, int layout_b, const float *a, const float *b, float *y) {
    for (int row = 0; row < rows; row++) {
        EDGELING_INDEPENDENT
        for (int c = 0; c < columns; c++) {
            y[row * columns + c] = a[edgeling_at(layout_a, columns, row, c)] + b[edgeling_at(layout_b, columns, row, c)];
        }
    }
}

EDGELING_KERNEL void edgeling_subtract(
    int rows, int columns, int layout_a, int layout_b, const float *a, const float *b, float *y) {
    for (int row = 0; row < rows; row++) {
        EDGELING_INDEPENDENT
        for (int c = 0; c < columns; c++) {
            y[row * columns + c] = a[edgeling_at(layout_a, columns, row, c)] - b[edgeling_at(layout_b, columns, row, c)];
        }
    }
}

/* NaN where either is. */
EDGELING_KERNEL void edgeling_maximum_of(
    int rows, int columns, int layout_a, int layout_b, const float *a, const float *b, float *y) {
    for (int row = 0; row < rows; row++) {
        EDGELING_INDEPENDENT
        for (int c = 0; c < columns; c++) {
            const float p = a[edgeling_at(layout_a, columns, row, c)], q = b[edgeling_at(layout_b, columns, row, c)];
            y[row * columns + c] = edgeling_is_nan(q) || q > p ? q : p;
        }
    }
}

EDGELING_KERNEL void edgeling_minimum_of(
    int rows, int columns, int layout_a, int layout_b, const float *a, const float *b, float *y) {
    for (int row = 0; row < rows; row++) {
        EDGELING_INDEPENDENT
        for (int c = 0; c < columns; c++) {
            const float p = a[edgeling_at(layout_a, columns, row, c)], q = b[edgeling_at(layout_b, columns, row, c)];
            y[row * columns + c] = edgeling_is_nan(q) || q < p ? q : p;
        }
    }
}

/* dy where a > b, half of it where they are equal. */
EDGELING_KERNEL void edgeling_larger_gradient(int size, const float *dy, const float *a, const float *b, float *dx) {
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        dx[i] = a[i] == b[i] ? 0.5f * dy[i] : a[i] > b[i] ? dy[i] : 0.0f;
    }
}

EDGELING_KERNEL void edgeling_multiply(
    int rows, int columns, int layout_a, int layout_b, const float *a, const float *b, float *y) {
    for (int row = 0; row < rows; row++) {
        EDGELING_INDEPENDENT
        for (int c = 0; c < columns; c++) {
            y[row * columns + c] = a[edgeling_at(layout_a, columns, row, c)] * b[edgeling_at(layout_b, columns, row, c)];
        }
    }
}

EDGELING_KERNEL void edgeling_divide(
    int rows, int columns, int layout_a, int layout_b, const float *a, const float *b, float *y) {
    for (int row = 0; row < rows; row++) {
        EDGELING_INDEPENDENT
        for (int c = 0; c < columns; c++) {
            y[row * columns + c] = a[edgeling_at(layout_a, columns, row, c)] / b[edgeling_at(layout_b, columns, row, c)];
        }
    }
}

/* y = x repeated */
EDGELING_KERNEL void edgeling_broadcast(
    int rows, int columns, int layout, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++) {
        EDGELING_INDEPENDENT
        for (int c = 0; c < columns; c++) {
            y[row * columns + c] = x[edgeling_at(layout, columns, row, c)];
        }
    }
}

EDGELING_KERNEL void edgeling_square(int size, const float *x, float *y) {
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        y[i] = x[i] * x[i];
    }
}

/* y = 1 / sqrt(x + epsilon) */
EDGELING_KERNEL void edgeling_reciprocal_sqrt(int size, float epsilon, const float *x, float *y) {
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        y[i] = 1.0f / edgeling_sqrt(x[i] + epsilon);
    }
}

/* y = x limited to [minimum, maximum]; NaN stays */
EDGELING_KERNEL void edgeling_clip(int size, float minimum, float maximum, const float *x, float *y) {
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        y[i] = edgeling_clip_value(x[i], minimum, maximum);
    }
}

#endif
