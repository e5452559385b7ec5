/* SPDX-License-Identifier: Apache-2.0 */
/* Rows normalised as in normalize.h and the gradient of that, of rows that are a vector long at least.
 *
 * x, y, dy, dx: [rows,columns]. y may be x; dx may be dy or x.
 */
#ifndef EDGELING_NORMALIZE_WIDE_H
#define EDGELING_NORMALIZE_WIDE_H

#include "normalize.h"
#include "wide.h"

#if EDGELING_LANES > 1

EDGELING_KERNEL float edgeling_wide_row_mean(int columns, const float *x) {
    const int whole = EDGELING_WIDE_COLUMNS(columns);
    edgeling_wide lanes = EDGELING_CONST_WIDE_AT(x);
    float sum;
    for (int c = EDGELING_LANES; c < whole; c += EDGELING_LANES) {
        lanes += EDGELING_CONST_WIDE_AT(x + c);
    }
    sum = edgeling_wide_sum(lanes);
    for (int c = whole; c < columns; c++) {
        sum += x[c];
    }
    return sum / (float)columns;
}

/* One over the root of the mean square of x less its mean. */
EDGELING_KERNEL float edgeling_wide_row_scale(int columns, float epsilon, float mean, const float *x) {
    const int whole = EDGELING_WIDE_COLUMNS(columns);
    edgeling_wide lanes = EDGELING_WIDE_OF(0.0f);
    float squares;
    for (int c = 0; c < whole; c += EDGELING_LANES) {
        const edgeling_wide off = EDGELING_CONST_WIDE_AT(x + c) - mean;
        lanes += off * off;
    }
    squares = edgeling_wide_sum(lanes);
    for (int c = whole; c < columns; c++) {
        squares += (x[c] - mean) * (x[c] - mean);
    }
    return 1.0f / edgeling_sqrt(squares / (float)columns + epsilon);
}

EDGELING_KERNEL void edgeling_wide_moments(
    int rows, int columns, float epsilon, int centered, const float *x, float *mean, float *scale) {
    for (int row = 0; row < rows; row++) {
        mean[row] = centered ? edgeling_wide_row_mean(columns, x + row * columns) : 0.0f;
    }
    for (int row = 0; row < rows; row++) {
        scale[row] = edgeling_wide_row_scale(columns, epsilon, mean[row], x + row * columns);
    }
}

EDGELING_KERNEL void edgeling_normalize_row(int columns, float mean, float scale, const float *x, float *y) {
    const int whole = EDGELING_WIDE_COLUMNS(columns);
    for (int c = 0; c < whole; c += EDGELING_LANES) {
        EDGELING_WIDE_AT(y + c) = (EDGELING_CONST_WIDE_AT(x + c) - mean) * scale;
    }
    for (int c = whole; c < columns; c++) {
        y[c] = (x[c] - mean) * scale;
    }
}

EDGELING_KERNEL void edgeling_normalize_wide(
    int rows, int columns, float epsilon, int centered, const float *x, float *y) {
    for (int left = rows; left > 0; left -= EDGELING_WIDE_ROWS) {
        const int some = left < EDGELING_WIDE_ROWS ? left : EDGELING_WIDE_ROWS;
        float mean[EDGELING_WIDE_ROWS], scale[EDGELING_WIDE_ROWS];
        edgeling_wide_moments(some, columns, epsilon, centered, x, mean, scale);
        for (int row = 0; row < some; row++) {
            edgeling_normalize_row(columns, mean[row], scale[row], x + row * columns, y + row * columns);
        }
        x += some * columns;
        y += some * columns;
    }
}

/* The mean of dy y. */
EDGELING_KERNEL float edgeling_wide_mean_product(
    int columns, float mean, float scale, const float *dy, const float *x) {
    const int whole = EDGELING_WIDE_COLUMNS(columns);
    edgeling_wide lanes = EDGELING_WIDE_OF(0.0f);
    float sum;
    for (int c = 0; c < whole; c += EDGELING_LANES) {
        lanes += EDGELING_CONST_WIDE_AT(dy + c) * ((EDGELING_CONST_WIDE_AT(x + c) - mean) * scale);
    }
    sum = edgeling_wide_sum(lanes);
    for (int c = whole; c < columns; c++) {
        sum += dy[c] * ((x[c] - mean) * scale);
    }
    return sum / (float)columns;
}

typedef struct {
    float mean, scale, along, d_mean;
} edgeling_row_slopes;

/* dx = scale (dy - y along - d_mean) */
EDGELING_KERNEL void edgeling_normalize_row_gradient(
    int columns, edgeling_row_slopes of, const float *dy, const float *x, float *dx) {
    const int whole = EDGELING_WIDE_COLUMNS(columns);
    for (int c = 0; c < whole; c += EDGELING_LANES) {
        const edgeling_wide y = (EDGELING_CONST_WIDE_AT(x + c) - of.mean) * of.scale;
        EDGELING_WIDE_AT(dx + c) = of.scale * (EDGELING_CONST_WIDE_AT(dy + c) - y * of.along - of.d_mean);
    }
    for (int c = whole; c < columns; c++) {
        const float y = (x[c] - of.mean) * of.scale;
        dx[c] = of.scale * (dy[c] - y * of.along - of.d_mean);
    }
}

/* dx = scale (dy - y mean(dy y) - mean(dy)), the last where centered */
EDGELING_KERNEL void edgeling_normalize_gradient_wide(
    int rows, int columns, float epsilon, int centered, const float *dy, const float *x, float *dx) {
    for (int left = rows; left > 0; left -= EDGELING_WIDE_ROWS) {
        const int some = left < EDGELING_WIDE_ROWS ? left : EDGELING_WIDE_ROWS;
        float mean[EDGELING_WIDE_ROWS], scale[EDGELING_WIDE_ROWS], along[EDGELING_WIDE_ROWS];
        float d_mean[EDGELING_WIDE_ROWS];
        edgeling_wide_moments(some, columns, epsilon, centered, x, mean, scale);
        for (int row = 0; row < some; row++) {
            const int at = row * columns;
            along[row] = edgeling_wide_mean_product(columns, mean[row], scale[row], dy + at, x + at);
            d_mean[row] = centered ? edgeling_wide_row_mean(columns, dy + at) : 0.0f;
        }
        for (int row = 0; row < some; row++) {
            const edgeling_row_slopes of = {mean[row], scale[row], along[row], d_mean[row]};
            const int at = row * columns;
            edgeling_normalize_row_gradient(columns, of, dy + at, x + at, dx + at);
        }
        dy += some * columns;
        x += some * columns;
        dx += some * columns;
    }
}

#else

EDGELING_KERNEL void edgeling_normalize_wide(
    int rows, int columns, float epsilon, int centered, const float *x, float *y) {
    edgeling_normalize(rows, columns, epsilon, centered, x, y);
}

EDGELING_KERNEL void edgeling_normalize_gradient_wide(
    int rows, int columns, float epsilon, int centered, const float *dy, const float *x, float *dx) {
    edgeling_normalize_gradient(rows, columns, epsilon, centered, dy, x, dx);
}

#endif

#endif
