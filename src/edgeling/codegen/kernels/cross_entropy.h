/* SPDX-License-Identifier: Apache-2.0 */
/* Cross-entropies of the probabilities that a sigmoid or softmax made of logits, from both, and their gradients.
 *
 * truth, logits, probability, gradient: [rows,columns]; of sparse classes truth is [rows,1], a class number.
 * y, d_rows: [rows]. gradient may be probability. NaN gives NaN.
 * The largest probability of a row is at least one over its columns, so its logarithm is exact; every other one lies
 * as far below as the logits do. So nothing is clipped, and one exponential serves value and gradient.
 */
#ifndef EDGELING_CROSS_ENTROPY_H
#define EDGELING_CROSS_ENTROPY_H

#include "loss.h"

EDGELING_KERNEL void edgeling_binary_cross_entropy_loss(
    int rows, int columns, float smoothing, const float *EDGELING_RESTRICT truth, const float *EDGELING_RESTRICT logits,
    const float *EDGELING_RESTRICT probability, float *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++) {
        float sum = 0.0f;
        for (int i = row * columns; i < (row + 1) * columns; i++) {
            const float t = edgeling_smooth_binary(truth[i], smoothing), p = probability[i];
            sum += (edgeling_maximum(logits[i], 0.0f) - t * logits[i]) - edgeling_log(edgeling_maximum(p, 1.0f - p));
        }
        y[row] = sum / (float)columns;
    }
}

EDGELING_KERNEL void edgeling_binary_cross_entropy_gradient(
    int rows, int columns, float smoothing, const float *EDGELING_RESTRICT d_rows, const float *EDGELING_RESTRICT truth,
    const float *probability, float *gradient) {
    const float share = 1.0f / (float)columns;
    for (int row = 0; row < rows; row++) {
        for (int i = row * columns; i < (row + 1) * columns; i++) {
            gradient[i] = d_rows[row] * ((probability[i] - edgeling_smooth_binary(truth[i], smoothing)) * share);
        }
    }
}

EDGELING_KERNEL void edgeling_categorical_cross_entropy_loss(
    int rows, int columns, int sparse, float smoothing, const float *EDGELING_RESTRICT truth,
    const float *EDGELING_RESTRICT logits, const float *EDGELING_RESTRICT probability, float *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++, logits += columns, probability += columns) {
        const float *t = truth + row * (sparse ? 1 : columns);
        const float largest = edgeling_largest(columns, logits);
        const float log_p = edgeling_log(edgeling_largest(columns, probability));
        float loss = 0.0f;
        for (int c = 0; c < columns; c++) {
            loss += edgeling_class_truth(sparse, smoothing, columns, t, c) * ((largest - logits[c]) - log_p);
        }
        y[row] = loss;
    }
}

EDGELING_KERNEL void edgeling_categorical_cross_entropy_gradient(
    int rows, int columns, int sparse, float smoothing, const float *EDGELING_RESTRICT d_rows,
    const float *EDGELING_RESTRICT truth, const float *probability, float *gradient) {
    for (int row = 0; row < rows; row++, probability += columns, gradient += columns) {
        const float *t = truth + row * (sparse ? 1 : columns);
        float weight = 0.0f;
        for (int c = 0; c < columns; c++) {
            weight += edgeling_class_truth(sparse, smoothing, columns, t, c);
        }
        for (int c = 0; c < columns; c++) {
            const float of_class = edgeling_class_truth(sparse, smoothing, columns, t, c);
            gradient[c] = d_rows[row] * (probability[c] * weight - of_class);
        }
    }
}

#endif
