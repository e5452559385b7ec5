/* SPDX-License-Identifier: Apache-2.0 */
/* The losses of focal.h of the probabilities that a sigmoid or softmax made of logits, and their gradients.
 *
 * truth, logits, probability, gradient: [rows,columns]; categorical_generalized_cross_entropy's truth is [rows,1], a
 * class number. y, d_rows: [rows]. gradient may be probability. NaN gives NaN.
 * Nothing is clipped: a derivative by a probability is multiplied by that probability before it can be too large.
 */
#ifndef EDGELING_FOCAL_LOGITS_H
#define EDGELING_FOCAL_LOGITS_H

#include "cross_entropy.h"
#include "focal.h"

/* log(p), finite at 0: it is multiplied by p */
EDGELING_KERNEL float edgeling_log_above(float p) { return edgeling_log(edgeling_maximum(p, EDGELING_SMALLEST_NORMAL)); }

/* log(1 - p), likewise; near 0 it is -p, which 1 - p has rounded away */
EDGELING_KERNEL float edgeling_log_rest(float p) {
    return p < 0.5f ? -edgeling_log1p(p / (1.0f - p)) : edgeling_log_above(1.0f - p);
}

/* gamma x ** (gamma - 1), finite at 0: what is multiplied by it is 0 there */
EDGELING_KERNEL float edgeling_power_slope(float x, float gamma) {
    return gamma * edgeling_power(edgeling_maximum(x, EDGELING_SMALLEST_NORMAL), gamma - 1.0f);
}

EDGELING_KERNEL void edgeling_binary_focal_logits_loss(
    int rows, int columns, float smoothing, int balanced, float alpha, float gamma,
    const float *EDGELING_RESTRICT truth, const float *EDGELING_RESTRICT logits,
    const float *EDGELING_RESTRICT probability, float *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++) {
        float sum = 0.0f;
        for (int i = row * columns; i < (row + 1) * columns; i++) {
            const float t = edgeling_smooth_binary(truth[i], smoothing), p = probability[i];
            const float wrong = edgeling_power(t * (1.0f - p) + (1.0f - t) * p, gamma);
            sum += edgeling_balance(balanced, alpha, t) * (wrong * edgeling_binary_entropy(t, logits[i], p));
        }
        y[row] = sum / (float)columns;
    }
}

EDGELING_KERNEL float edgeling_binary_focal_logits_slope(float gamma, float t, float p) {
    const float wrong = t * (1.0f - p) + (1.0f - t) * p;
    const float entropy = -(p * (1.0f - p)) * (t * edgeling_log_above(p) + (1.0f - t) * edgeling_log_rest(p));
    return edgeling_power_slope(wrong, gamma) * ((1.0f - 2.0f * t) * entropy) + edgeling_power(wrong, gamma) * (p - t);
}

EDGELING_KERNEL void edgeling_binary_focal_logits_gradient(
    int rows, int columns, float smoothing, int balanced, float alpha, float gamma,
    const float *EDGELING_RESTRICT d_rows, const float *EDGELING_RESTRICT truth, const float *probability,
    float *gradient) {
    const float share = 1.0f / (float)columns;
    for (int row = 0; row < rows; row++) {
        for (int i = row * columns; i < (row + 1) * columns; i++) {
            const float t = edgeling_smooth_binary(truth[i], smoothing);
            const float slope = edgeling_binary_focal_logits_slope(gamma, t, probability[i]);
            gradient[i] = d_rows[row] * (edgeling_balance(balanced, alpha, t) * slope * share);
        }
    }
}

EDGELING_KERNEL void edgeling_categorical_focal_logits_loss(
    int rows, int columns, float smoothing, float alpha, float gamma, const float *EDGELING_RESTRICT truth,
    const float *EDGELING_RESTRICT logits, const float *EDGELING_RESTRICT probability, float *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++, truth += columns, logits += columns, probability += columns) {
        const float largest = edgeling_largest(columns, logits);
        const float log_p = edgeling_log(edgeling_largest(columns, probability));
        float loss = 0.0f;
        for (int c = 0; c < columns; c++) {
            loss += edgeling_class_truth(0, smoothing, columns, truth, c) *
                    edgeling_power(1.0f - probability[c], gamma) * ((largest - logits[c]) - log_p);
        }
        y[row] = alpha * loss;
    }
}

/* A class's part of the loss, its derivative by the probability times it. */
EDGELING_KERNEL float edgeling_categorical_focal_part(float alpha, float gamma, float t, float p) {
    const float wrong = 1.0f - p;
    return alpha * t * (edgeling_power_slope(wrong, gamma) * (p * edgeling_log_above(p)) - edgeling_power(wrong, gamma));
}

EDGELING_KERNEL void edgeling_categorical_focal_logits_gradient(
    int rows, int columns, float smoothing, float alpha, float gamma, const float *EDGELING_RESTRICT d_rows,
    const float *EDGELING_RESTRICT truth, const float *probability, float *gradient) {
    for (int row = 0; row < rows; row++, truth += columns, probability += columns, gradient += columns) {
        float sum = 0.0f;
        for (int c = 0; c < columns; c++) {
            const float t = edgeling_class_truth(0, smoothing, columns, truth, c);
            sum += edgeling_categorical_focal_part(alpha, gamma, t, probability[c]);
        }
        for (int c = 0; c < columns; c++) {
            const float t = edgeling_class_truth(0, smoothing, columns, truth, c), p = probability[c];
            gradient[c] = d_rows[row] * (edgeling_categorical_focal_part(alpha, gamma, t, p) - p * sum);
        }
    }
}

EDGELING_KERNEL void edgeling_generalized_logits_loss(
    int rows, int columns, float q, const float *EDGELING_RESTRICT truth, const float *EDGELING_RESTRICT logits,
    const float *EDGELING_RESTRICT probability, float *EDGELING_RESTRICT y) {
    (void)logits;
    edgeling_generalized_loss(rows, columns, q, truth, probability, y);
}

EDGELING_KERNEL void edgeling_generalized_logits_gradient(
    int rows, int columns, float q, const float *EDGELING_RESTRICT d_rows, const float *EDGELING_RESTRICT truth,
    const float *probability, float *gradient) {
    for (int row = 0; row < rows; row++, probability += columns, gradient += columns) {
        const float slope = edgeling_power(edgeling_chosen(columns, truth[row], probability), q);
        float known = 0.0f;
        for (int c = 0; c < columns; c++) {
            known += truth[row] == (float)c ? 1.0f : 0.0f;
        }
        for (int c = 0; c < columns; c++) {
            gradient[c] = d_rows[row] * (slope * (probability[c] * known - (truth[row] == (float)c ? 1.0f : 0.0f)));
        }
    }
}

#endif
