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

/* The first of the largest; the first NaN if there is one. */
EDGELING_KERNEL int edgeling_argmax(int columns, const float *x) {
    int best = 0;
    float largest = x[0];
    for (int c = 1; c < columns; c++) {
        const int larger = !(x[c] <= largest) && largest == largest;
        best = larger ? c : best;
        largest = larger ? x[c] : largest;
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
    int rows, int columns, int function, float threshold, const float *restrict truth, const float *restrict prediction,
    float *restrict y) {
    for (int row = 0; row < rows; row++, prediction += columns) {
        if (function == EDGELING_BINARY_ACCURACY) {
            y[row] = edgeling_share_above(columns, threshold, truth + row * columns, prediction);
        } else if (function == EDGELING_CATEGORICAL_ACCURACY) {
            const int same = edgeling_argmax(columns, truth + row * columns) == edgeling_argmax(columns, prediction);
            y[row] = same ? 1.0f : 0.0f;
        } else {
            y[row] = truth[row] == (float)edgeling_argmax(columns, prediction) ? 1.0f : 0.0f;
        }
    }
}

#endif
