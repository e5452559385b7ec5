/* SPDX-License-Identifier: Apache-2.0 */
/* Preparation of a row of features, and batch normalisation.
 *
 * x [rows,columns]; parameters [columns]; y [rows,columns] unless said otherwise. y may be x where shapes agree.
 */
#ifndef EDGELING_PREPARE_H
#define EDGELING_PREPARE_H

#include "elementary.h"
#include "flash.h"

/* y = fill where x is NaN, else x */
EDGELING_KERNEL void edgeling_impute(int rows, int columns, const float *x, const float *fill, float *y) {
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < columns; c++) {
            const float value = x[row * columns + c];
            y[row * columns + c] = edgeling_is_nan(value) ? edgeling_read_float(fill + c) : value;
        }
    }
}

/* The same, of a fill that lies in RAM. */
EDGELING_KERNEL void edgeling_impute_held(int rows, int columns, const float *x, const float *fill, float *y) {
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < columns; c++) {
            const float value = x[row * columns + c];
            y[row * columns + c] = edgeling_is_nan(value) ? fill[c] : value;
        }
    }
}

/* y = (x - mean) / scale */
EDGELING_KERNEL void edgeling_standardize(
    int rows, int columns, const float *x, const float *mean, const float *scale, float *y) {
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < columns; c++) {
            const float centered = x[row * columns + c] - edgeling_read_float(mean + c);
            y[row * columns + c] = centered / edgeling_read_float(scale + c);
        }
    }
}

/* y = gamma (x - mean) / sqrt(variance + epsilon) + beta */
EDGELING_KERNEL void edgeling_batch_normalization(
    int rows, int columns, float epsilon, const float *x, const float *gamma, const float *beta, const float *mean,
    const float *variance, float *y) {
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < columns; c++) {
            const float spread = edgeling_sqrt(edgeling_read_float(variance + c) + epsilon);
            const float centered = x[row * columns + c] - edgeling_read_float(mean + c);
            y[row * columns + c] = edgeling_read_float(gamma + c) * centered / spread + edgeling_read_float(beta + c);
        }
    }
}

/* y [rows,chosen] = the columns of x named by indices [chosen], each in 0 .. columns - 1 */
EDGELING_KERNEL void edgeling_gather(
    int rows, int columns, int chosen, const int *EDGELING_RESTRICT indices, const float *EDGELING_RESTRICT x, float
    *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < chosen; c++) {
            y[row * chosen + c] = x[row * columns + edgeling_read_int(indices + c)];
        }
    }
}

/* y [rows,whole] = 0, then the columns of x [rows,columns] are added into those named by indices [columns] */
EDGELING_KERNEL void edgeling_scatter(
    int rows, int columns, int whole, const int *EDGELING_RESTRICT indices, const float *EDGELING_RESTRICT x, float
    *EDGELING_RESTRICT y) {
    for (int i = 0; i < rows * whole; i++) {
        y[i] = 0.0f;
    }
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < columns; c++) {
            y[row * whole + edgeling_read_int(indices + c)] += x[row * columns + c];
        }
    }
}

/* y [rows,depth]: 1 in the column that equals the code x [rows,1], else 0 */
EDGELING_KERNEL void edgeling_one_hot(
    int rows, int depth, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < depth; c++) {
            y[row * depth + c] = x[row] == (float)c ? 1.0f : 0.0f;
        }
    }
}

/* Puts x [rows,columns] into the columns of y [rows,whole] from `first` on. */
EDGELING_KERNEL void edgeling_concatenate(
    int rows, int columns, int whole, int first, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < columns; c++) {
            y[row * whole + first + c] = x[row * columns + c];
        }
    }
}

#endif
