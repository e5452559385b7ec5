/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy of each row: y [rows], 1 or 0, or the mean over the row's outputs.
 *
 * truth, prediction [rows,columns]; the sparse metric's truth is [rows,1].
 */
#ifndef EDGELING_METRIC_H
#define EDGELING_METRIC_H

#include "common.h"

enum edgeling_metric_function {
    EDGELING_BINARY_ACCURACY,
    EDGELING_CATEGORICAL_ACCURACY,
    EDGELING_SPARSE_CATEGORICAL_ACCURACY
};

/* The first of the largest; the first NaN if there is one. All in floats, so that rows fill vectors. */
EDGELING_KERNEL float edgeling_argmax(int columns, const float *x) {
    float best = 0.0f, largest = x[0];
    for (int c = 1; c < columns; c++) {
        const float larger = x[c] <= largest ? 0.0f : 1.0f;
        const float moves = largest == largest ? larger : 0.0f;
        best = moves > 0.0f ? (float)c : best;
        largest = moves > 0.0f ? x[c] : largest;
    }
    return best;
}

EDGELING_KERNEL float edgeling_share_above(int columns, float threshold, const float *truth, const float *prediction) {
    float equal = 0.0f;
    for (int c = 0; c < columns; c++) {
        equal += truth[c] == (prediction[c] > threshold ? 1.0f : 0.0f) ? 1.0f : 0.0f;
    }
    return equal / (float)columns;
}

EDGELING_KERNEL void edgeling_metric(
    int rows, int columns, int function, float threshold, const float *EDGELING_RESTRICT truth, const float
    *EDGELING_RESTRICT prediction, float *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++) {
        const float *p = prediction + row * columns;
        if (function == EDGELING_BINARY_ACCURACY) {
            y[row] = edgeling_share_above(columns, threshold, truth + row * columns, p);
        } else if (function == EDGELING_CATEGORICAL_ACCURACY) {
            y[row] = edgeling_argmax(columns, truth + row * columns) == edgeling_argmax(columns, p) ? 1.0f : 0.0f;
        } else {
            y[row] = truth[row] == edgeling_argmax(columns, p) ? 1.0f : 0.0f;
        }
    }
}

#endif
