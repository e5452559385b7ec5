/* SPDX-License-Identifier: Apache-2.0 */
/* Rows brought to mean 0 (where `centered`) and mean square 1, and the gradient of that.
 *
 * x, y, dy, dx: [rows,columns]. y may be x; dx may be dy or x.
 */
#ifndef EDGELING_NORMALIZE_H
#define EDGELING_NORMALIZE_H

#include "elementary.h"
#include "reduce.h"

EDGELING_KERNEL float edgeling_row_mean(int columns, const float *x) {
    return edgeling_reduce_terms(columns, EDGELING_TERM_VALUE, x) / (float)columns;
}

/* The mean square of x less a mean. */
EDGELING_KERNEL float edgeling_mean_square(int columns, float mean, const float *x) {
    float partial[EDGELING_PARTIAL] = {0.0f};
    float rest = 0.0f;
    int c = 0;
    for (; c + EDGELING_PARTIAL <= columns; c += EDGELING_PARTIAL) {
        for (int lane = 0; lane < EDGELING_PARTIAL; lane++) {
            const float centered = x[c + lane] - mean;
            partial[lane] += centered * centered;
        }
    }
    for (; c < columns; c++) {
        rest += (x[c] - mean) * (x[c] - mean);
    }
    return (edgeling_fold(partial) + rest) / (float)columns;
}

/* The mean of dy y, as edgeling_reduce_terms adds. */
EDGELING_KERNEL float edgeling_mean_product(int columns, float mean, float scale, const float *dy, const float *x) {
    float partial[EDGELING_PARTIAL] = {0.0f};
    float rest = 0.0f;
    int c = 0;
    for (; c + EDGELING_PARTIAL <= columns; c += EDGELING_PARTIAL) {
        for (int lane = 0; lane < EDGELING_PARTIAL; lane++) {
            partial[lane] += dy[c + lane] * ((x[c + lane] - mean) * scale);
        }
    }
    for (; c < columns; c++) {
        rest += dy[c] * ((x[c] - mean) * scale);
    }
    return (edgeling_fold(partial) + rest) / (float)columns;
}

/* y = (x - mean) / sqrt(variance + epsilon); where not centered x / sqrt(mean of squares + epsilon) */
EDGELING_KERNEL void edgeling_normalize(
    int rows, int columns, float epsilon, int centered, const float *x, float *y) {
    for (int row = 0; row < rows; row++, x += columns, y += columns) {
        const float mean = centered ? edgeling_row_mean(columns, x) : 0.0f;
        const float scale = 1.0f / edgeling_sqrt(edgeling_mean_square(columns, mean, x) + epsilon);
        EDGELING_INDEPENDENT
        for (int c = 0; c < columns; c++) {
            y[c] = (x[c] - mean) * scale;
        }
    }
}

/* dx = scale (dy - y mean(dy y) - mean(dy)), the last where centered */
EDGELING_KERNEL void edgeling_normalize_gradient(
    int rows, int columns, float epsilon, int centered, const float *dy, const float *x, float *dx) {
    for (int row = 0; row < rows; row++, dy += columns, x += columns, dx += columns) {
        const float mean = centered ? edgeling_row_mean(columns, x) : 0.0f;
        const float scale = 1.0f / edgeling_sqrt(edgeling_mean_square(columns, mean, x) + epsilon);
        const float along = edgeling_mean_product(columns, mean, scale, dy, x);
        const float d_mean = centered ? edgeling_row_mean(columns, dy) : 0.0f;
        EDGELING_INDEPENDENT
        for (int c = 0; c < columns; c++) {
            const float y = (x[c] - mean) * scale;
            dx[c] = scale * (dy[c] - y * along - d_mean);
        }
    }
}

#endif
