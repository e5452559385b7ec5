/* SPDX-License-Identifier: Apache-2.0 */
/* Losses that weigh rows by how wrong they are, and their gradients; formulas and clipping are Keras 3's.
 *
 * truth, prediction, gradient: [rows,columns]; categorical_generalized_cross_entropy's truth is [rows,1], a class
 * number. y, d_rows: [rows]. gradient may be prediction. NaN gives NaN.
 */
#ifndef EDGELING_FOCAL_H
#define EDGELING_FOCAL_H

#include "loss.h"
#include "power.h"

/* The weight of an output among ones and zeros. */
EDGELING_KERNEL float edgeling_balance(int balanced, float alpha, float t) {
    return balanced ? t * alpha + (1.0f - t) * (1.0f - alpha) : 1.0f;
}

EDGELING_KERNEL float edgeling_binary_focal_value(float gamma, float t, float p) {
    return edgeling_power(t * (1.0f - p) + (1.0f - t) * p, gamma) * edgeling_binary_value(0, t, p);
}

EDGELING_KERNEL float edgeling_binary_focal_derivative(float gamma, float t, float p) {
    const float wrong = t * (1.0f - p) + (1.0f - t) * p;
    const float even = edgeling_power(wrong, gamma) * edgeling_binary_derivative(0, t, p);
    return gamma == 0.0f ? even
                         : gamma * edgeling_power(wrong, gamma - 1.0f) * (1.0f - 2.0f * t) * edgeling_binary_value(0, t, p) + even;
}

EDGELING_KERNEL void edgeling_binary_focal_loss(
    int rows, int columns, int from_logits, float smoothing, int balanced, float alpha, float gamma,
    const float *truth, const float *prediction, float *y) {
    for (int row = 0; row < rows; row++) {
        float sum = 0.0f;
        for (int c = row * columns; c < (row + 1) * columns; c++) {
            const float t = edgeling_smooth_binary(truth[c], smoothing);
            const float p = from_logits ? edgeling_sigmoid(prediction[c]) : prediction[c];
            sum += edgeling_balance(balanced, alpha, t) * edgeling_binary_focal_value(gamma, t, p);
        }
        y[row] = sum / (float)columns;
    }
}

EDGELING_KERNEL void edgeling_binary_focal_gradient(
    int rows, int columns, int from_logits, float smoothing, int balanced, float alpha, float gamma,
    const float *d_rows, const float *truth, const float *prediction, float *gradient) {
    const float share = 1.0f / (float)columns;
    for (int row = 0; row < rows; row++) {
        const float d = d_rows[row] * share;
        for (int c = row * columns; c < (row + 1) * columns; c++) {
            const float t = edgeling_smooth_binary(truth[c], smoothing);
            const float p = from_logits ? edgeling_sigmoid(prediction[c]) : prediction[c];
            const float slope = edgeling_binary_focal_derivative(gamma, t, p) * (from_logits ? p * (1.0f - p) : 1.0f);
            gradient[c] = d * (edgeling_balance(balanced, alpha, t) * slope);
        }
    }
}

/* What a row's predictions are subtracted by before their exponential is taken, and the sum they are divided by. */
typedef struct {
    float largest, total;
} edgeling_share_of_row;

EDGELING_KERNEL edgeling_share_of_row edgeling_measure_row(int from_logits, int columns, const float *p) {
    edgeling_share_of_row row = {0.0f, 0.0f};
    row.largest = from_logits ? edgeling_largest(columns, p) : 0.0f;
    for (int c = 0; c < columns; c++) {
        row.total += from_logits ? edgeling_exp(p[c] - row.largest) : p[c];
    }
    return row;
}

EDGELING_KERNEL float edgeling_share(int from_logits, edgeling_share_of_row row, float p) {
    return (from_logits ? edgeling_exp(p - row.largest) : p) / row.total;
}

EDGELING_KERNEL void edgeling_categorical_focal_loss(
    int rows, int columns, int from_logits, float smoothing, float alpha, float gamma, const float *truth,
    const float *prediction, float *y) {
    for (int row = 0; row < rows; row++) {
        const float *t = truth + row * columns, *p = prediction + row * columns;
        const edgeling_share_of_row whole = edgeling_measure_row(from_logits, columns, p);
        float sum = 0.0f;
        for (int c = 0; c < columns; c++) {
            const float share = edgeling_clip_probability(edgeling_share(from_logits, whole, p[c]));
            sum -= edgeling_class_truth(0, smoothing, columns, t, c) * edgeling_power(1.0f - share, gamma) *
                   edgeling_log(share);
        }
        y[row] = alpha * sum;
    }
}

/* The derivative with respect to a class's share of its row. */
EDGELING_KERNEL float edgeling_categorical_focal_derivative(float alpha, float gamma, float t, float share) {
    const float c = edgeling_clip_probability(share);
    const float slope = gamma == 0.0f ? 0.0f : gamma * edgeling_power(1.0f - c, gamma - 1.0f) * edgeling_log(c);
    return (slope - edgeling_power(1.0f - c, gamma) / c) *
           (alpha * t * edgeling_inside(share, EDGELING_EPSILON, EDGELING_REST_EPSILON));
}

EDGELING_KERNEL void edgeling_categorical_focal_gradient(
    int rows, int columns, int from_logits, float smoothing, float alpha, float gamma, const float *d_rows,
    const float *truth, const float *prediction, float *gradient) {
    for (int row = 0; row < rows; row++) {
        const float *t = truth + row * columns, *p = prediction + row * columns;
        const edgeling_share_of_row whole = edgeling_measure_row(from_logits, columns, p);
        float sum = 0.0f;
        for (int c = 0; c < columns; c++) {
            const float share = edgeling_share(from_logits, whole, p[c]);
            const float weight = edgeling_class_truth(0, smoothing, columns, t, c);
            sum += edgeling_categorical_focal_derivative(alpha, gamma, weight, share) * share;
        }
        for (int c = 0; c < columns; c++) {
            const float share = edgeling_share(from_logits, whole, p[c]);
            const float weight = edgeling_class_truth(0, smoothing, columns, t, c);
            const float d = edgeling_categorical_focal_derivative(alpha, gamma, weight, share) - sum;
            gradient[row * columns + c] = d_rows[row] * (from_logits ? share * d : d / whole.total);
        }
    }
}

EDGELING_KERNEL float edgeling_chosen(int columns, float label, const float *p) {
    float chosen = 0.0f;
    for (int c = 0; c < columns; c++) {
        chosen += (label == (float)c ? 1.0f : 0.0f) * p[c]; /* a NaN anywhere in the row stays */
    }
    return chosen;
}

EDGELING_KERNEL void edgeling_generalized_loss(
    int rows, int columns, float q, const float *truth, const float *prediction, float *y) {
    for (int row = 0; row < rows; row++) {
        y[row] = (1.0f - edgeling_power(edgeling_chosen(columns, truth[row], prediction + row * columns), q)) / q;
    }
}

EDGELING_KERNEL void edgeling_generalized_gradient(
    int rows, int columns, float q, const float *d_rows, const float *truth, const float *prediction,
    float *gradient) {
    for (int row = 0; row < rows; row++) {
        const float chosen = edgeling_chosen(columns, truth[row], prediction + row * columns);
        const float slope = edgeling_power(chosen, q - 1.0f);
        for (int c = 0; c < columns; c++) {
            gradient[row * columns + c] = (truth[row] == (float)c ? -1.0f : 0.0f) * (d_rows[row] * slope);
        }
    }
}

#endif
