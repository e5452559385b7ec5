/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax as in softmax.h and its gradient, of rows that are a vector long at least, in one pass after another over a row
 * that stays in the first level of cache.
 *
 * x, y, dy, dx: [rows,columns]. y may be x; dx may be dy or y. A NaN in a row makes the whole row NaN.
 */
#ifndef EDGELING_SOFTMAX_WIDE_H
#define EDGELING_SOFTMAX_WIDE_H

#include "softmax.h"
#include "wide.h"

#if EDGELING_LANES > 1

/* y = exp(x - largest); gives one over their sum. */
EDGELING_KERNEL float edgeling_softmax_powers(int columns, float largest, const float *x, float *y) {
    const int whole = EDGELING_WIDE_COLUMNS(columns);
    edgeling_wide sum = EDGELING_WIDE_OF(0.0f);
    float total;
    for (int c = 0; c < whole; c += EDGELING_LANES) {
        const edgeling_wide power = edgeling_wide_exp_below(EDGELING_CONST_WIDE_AT(x + c) - largest);
        EDGELING_WIDE_AT(y + c) = power;
        sum += power;
    }
    total = edgeling_wide_sum(sum);
    for (int c = whole; c < columns; c++) {
        y[c] = edgeling_exp_below(x[c] - largest);
        total += y[c];
    }
    return 1.0f / total;
}

EDGELING_KERNEL void edgeling_softmax_scale(int columns, float scale, float *y) {
    const int whole = EDGELING_WIDE_COLUMNS(columns);
    for (int c = 0; c < whole; c += EDGELING_LANES) {
        EDGELING_WIDE_AT(y + c) *= scale;
    }
    for (int c = whole; c < columns; c++) {
        y[c] *= scale;
    }
}

EDGELING_KERNEL void edgeling_softmax_wide(int rows, int columns, const float *x, float *y) {
    for (int left = rows; left > 0; left -= EDGELING_WIDE_ROWS) {
        const int some = left < EDGELING_WIDE_ROWS ? left : EDGELING_WIDE_ROWS;
        float of[EDGELING_WIDE_ROWS]; /* the largest, then what scales */
        for (int row = 0; row < some; row++) {
            of[row] = edgeling_wide_largest(columns, x + row * columns);
        }
        for (int row = 0; row < some; row++) {
            of[row] = edgeling_softmax_powers(columns, of[row], x + row * columns, y + row * columns);
        }
        for (int row = 0; row < some; row++) {
            edgeling_softmax_scale(columns, of[row], y + row * columns);
        }
        x += some * columns;
        y += some * columns;
    }
}

/* dx = y (dy - sum of dy y) */
EDGELING_KERNEL void edgeling_softmax_gradient_wide(int rows, int columns, const float *dy, const float *y, float *dx) {
    const int whole = EDGELING_WIDE_COLUMNS(columns);
    for (int row = 0; row < rows; row++, dy += columns, y += columns, dx += columns) {
        edgeling_wide lanes = EDGELING_CONST_WIDE_AT(dy) * EDGELING_CONST_WIDE_AT(y);
        float sum;
        for (int c = EDGELING_LANES; c < whole; c += EDGELING_LANES) {
            lanes += EDGELING_CONST_WIDE_AT(dy + c) * EDGELING_CONST_WIDE_AT(y + c);
        }
        sum = edgeling_wide_sum(lanes);
        for (int c = whole; c < columns; c++) {
            sum += dy[c] * y[c];
        }
        for (int c = 0; c < whole; c += EDGELING_LANES) {
            EDGELING_WIDE_AT(dx + c) = EDGELING_CONST_WIDE_AT(y + c) * (EDGELING_CONST_WIDE_AT(dy + c) - sum);
        }
        for (int c = whole; c < columns; c++) {
            dx[c] = y[c] * (dy[c] - sum);
        }
    }
}

#else

EDGELING_KERNEL void edgeling_softmax_wide(int rows, int columns, const float *x, float *y) {
    edgeling_softmax(rows, columns, x, y);
}

EDGELING_KERNEL void edgeling_softmax_gradient_wide(int rows, int columns, const float *dy, const float *y, float *dx) {
    edgeling_softmax_gradient(rows, columns, dy, y, dx);
}

#endif

#endif
