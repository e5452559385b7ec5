/* SPDX-License-Identifier: Apache-2.0 */
/* Cross-entropies and the Kullback-Leibler divergence of the probabilities that a sigmoid or softmax made of logits,
 * from both, and their gradients.
 *
 * truth, logits, probability, gradient: [rows,columns]; of sparse classes truth is [rows,1], a class number.
 * y, d_rows: [rows]. gradient may be probability. NaN gives NaN.
 * The largest probability of a row is at least one over its columns, so its logarithm is exact; every other one lies
 * as far below as the logits do. So nothing is clipped, and one exponential serves value and gradient.
 */
#ifndef EDGELING_CROSS_ENTROPY_H
#define EDGELING_CROSS_ENTROPY_H

#include "loss.h"

EDGELING_KERNEL float edgeling_binary_entropy(float t, float logit, float p) {
    return (edgeling_maximum(logit, 0.0f) - t * logit) - edgeling_log(edgeling_maximum(p, 1.0f - p));
}

EDGELING_KERNEL void edgeling_binary_cross_entropy_loss(
    int rows, int columns, float smoothing, const float *EDGELING_RESTRICT truth, const float *EDGELING_RESTRICT logits,
    const float *EDGELING_RESTRICT probability, float *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++) {
        float sum = 0.0f;
        for (int i = row * columns; i < (row + 1) * columns; i++) {
            sum += edgeling_binary_entropy(edgeling_smooth_binary(truth[i], smoothing), logits[i], probability[i]);
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

EDGELING_KERNEL float edgeling_kl_truth(float t) { return edgeling_clip_value(t, EDGELING_EPSILON, 1.0f); }

/* binary: of sigmoids, each by itself; else of a softmax. */
EDGELING_KERNEL void edgeling_kl_logits_loss(
    int rows, int columns, int binary, const float *EDGELING_RESTRICT truth, const float *EDGELING_RESTRICT logits,
    const float *EDGELING_RESTRICT probability, float *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++, truth += columns, logits += columns, probability += columns) {
        const float largest = edgeling_largest(columns, logits);
        const float log_p = edgeling_log(edgeling_largest(columns, probability));
        float loss = 0.0f;
        for (int c = 0; c < columns; c++) {
            const float t = edgeling_kl_truth(truth[c]);
            const float below = binary ? edgeling_binary_entropy(1.0f, logits[c], probability[c])
                                       : (largest - logits[c]) - log_p;
            loss += t * (edgeling_log(t) + below);
        }
        y[row] = loss;
    }
}

EDGELING_KERNEL void edgeling_kl_logits_gradient(
    int rows, int columns, int binary, const float *EDGELING_RESTRICT d_rows, const float *EDGELING_RESTRICT truth,
    const float *probability, float *gradient) {
    for (int row = 0; row < rows; row++, truth += columns, probability += columns, gradient += columns) {
        float sum = 0.0f;
        for (int c = 0; c < columns; c++) {
            sum += edgeling_kl_truth(truth[c]);
        }
        for (int c = 0; c < columns; c++) {
            const float t = edgeling_kl_truth(truth[c]);
            gradient[c] = d_rows[row] * (probability[c] * (binary ? t : sum) - t);
        }
    }
}

#endif
