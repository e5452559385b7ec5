/* SPDX-License-Identifier: Apache-2.0 */
/* Loss functions, a row of outputs at a time, and their gradients; formulas and clipping are Keras 3's.
 *
 * truth, prediction, gradient: [rows,columns]; sparse_categorical_crossentropy's truth is [rows,1], a class number.
 * y, d_rows: [rows]. gradient may be prediction. NaN gives NaN.
 */
#ifndef EDGELING_LOSS_H
#define EDGELING_LOSS_H

#include "activation.h"
#include "reduce.h"
#include "softmax.h"

enum edgeling_loss_function {
    EDGELING_MEAN_SQUARED_ERROR,
    EDGELING_MEAN_ABSOLUTE_ERROR,
    EDGELING_HUBER,
    EDGELING_LOG_COSH,
    EDGELING_MEAN_SQUARED_LOGARITHMIC_ERROR,
    EDGELING_BINARY_CROSSENTROPY,
    EDGELING_HINGE,
    EDGELING_SQUARED_HINGE,
    EDGELING_POISSON,
    EDGELING_CATEGORICAL_CROSSENTROPY,
    EDGELING_SPARSE_CATEGORICAL_CROSSENTROPY,
    EDGELING_CATEGORICAL_HINGE,
    EDGELING_KL_DIVERGENCE,
    EDGELING_MEAN_ABSOLUTE_PERCENTAGE_ERROR,
    EDGELING_COSINE_SIMILARITY
};

/* Keras's epsilon, and one minus it, rounded once. */
#define EDGELING_EPSILON 1e-7f
#define EDGELING_REST_EPSILON 0.9999999f
#define EDGELING_LN2 0.693147181f

/* 1 where a clip to [low, high] lets the gradient through. */
EDGELING_KERNEL float edgeling_inside(float x, float low, float high) {
    return (x >= low ? 1.0f : 0.0f) * (x <= high ? 1.0f : 0.0f);
}

EDGELING_KERNEL float edgeling_clip_probability(float p) {
    return edgeling_clip_value(p, EDGELING_EPSILON, EDGELING_REST_EPSILON);
}

EDGELING_KERNEL float edgeling_huber(float error, float delta) {
    const float e = edgeling_absolute(error);
    return e > delta ? delta * e - 0.5f * delta * delta : 0.5f * e * e;
}

EDGELING_KERNEL float edgeling_log_1(float x) { return edgeling_log(edgeling_maximum(x, EDGELING_EPSILON) + 1.0f); }

EDGELING_KERNEL float edgeling_binary_value(int from_logits, float t, float p) {
    const float clipped = edgeling_clip_probability(p);
    if (from_logits != 0) {
        return edgeling_softplus(p) - t * p;
    }
    return -(t * edgeling_log(clipped) + (1.0f - t) * edgeling_log(1.0f - clipped));
}

EDGELING_KERNEL float edgeling_binary_derivative(int from_logits, float t, float p) {
    const float clipped = edgeling_clip_probability(p);
    if (from_logits != 0) {
        return edgeling_sigmoid(p) - t;
    }
    return (clipped - t) / (clipped * (1.0f - clipped)) * edgeling_inside(p, EDGELING_EPSILON, EDGELING_REST_EPSILON);
}

EDGELING_KERNEL float edgeling_smooth_binary(float t, float smoothing) {
    return smoothing > 0.0f ? t * (1.0f - smoothing) + 0.5f * smoothing : t;
}

/* The losses that are a mean over a row's outputs: the loss of one output. */
EDGELING_KERNEL float edgeling_loss_value(
    int function, int from_logits, float smoothing, float delta, float t, float p) {
    const float margin = edgeling_maximum(1.0f - t * p, 0.0f);
    const float log_ratio =
        function == EDGELING_MEAN_SQUARED_LOGARITHMIC_ERROR ? edgeling_log_1(p) - edgeling_log_1(t) : 0.0f;
    switch (function) {
    case EDGELING_MEAN_SQUARED_ERROR: return (p - t) * (p - t);
    case EDGELING_MEAN_ABSOLUTE_ERROR: return edgeling_absolute(p - t);
    case EDGELING_HUBER: return edgeling_huber(p - t, delta);
    case EDGELING_LOG_COSH: return (p - t) + edgeling_softplus(-2.0f * (p - t)) - EDGELING_LN2;
    case EDGELING_MEAN_SQUARED_LOGARITHMIC_ERROR: return log_ratio * log_ratio;
    case EDGELING_BINARY_CROSSENTROPY:
        return edgeling_binary_value(from_logits, edgeling_smooth_binary(t, smoothing), p);
    case EDGELING_MEAN_ABSOLUTE_PERCENTAGE_ERROR:
        return 100.0f * edgeling_absolute((p - t) / edgeling_maximum(edgeling_absolute(t), EDGELING_EPSILON));
    case EDGELING_HINGE: return margin;
    case EDGELING_SQUARED_HINGE: return margin * margin;
    default: return p - t * edgeling_log(p + EDGELING_EPSILON); /* EDGELING_POISSON */
    }
}

/* Its derivative with respect to the prediction p. */
EDGELING_KERNEL float edgeling_loss_derivative(
    int function, int from_logits, float smoothing, float delta, float t, float p) {
    switch (function) {
    case EDGELING_MEAN_SQUARED_ERROR: return 2.0f * (p - t);
    case EDGELING_MEAN_ABSOLUTE_ERROR: return edgeling_sign(p - t);
    case EDGELING_HUBER: return edgeling_clip_value(p - t, -delta, delta);
    case EDGELING_LOG_COSH: return edgeling_tanh(p - t);
    case EDGELING_MEAN_SQUARED_LOGARITHMIC_ERROR:
        return 2.0f * (edgeling_log_1(p) - edgeling_log_1(t)) / (p + 1.0f) * (p >= EDGELING_EPSILON ? 1.0f : 0.0f);
    case EDGELING_BINARY_CROSSENTROPY:
        return edgeling_binary_derivative(from_logits, edgeling_smooth_binary(t, smoothing), p);
    case EDGELING_MEAN_ABSOLUTE_PERCENTAGE_ERROR:
        return 100.0f * edgeling_sign(p - t) / edgeling_maximum(edgeling_absolute(t), EDGELING_EPSILON);
    case EDGELING_HINGE: return t * p < 1.0f ? -t : 0.0f;
    case EDGELING_SQUARED_HINGE: return -2.0f * t * edgeling_maximum(1.0f - t * p, 0.0f);
    default: return 1.0f - t / (p + EDGELING_EPSILON); /* EDGELING_POISSON */
    }
}

/* The truth of one class, one-hot if it is a class number, smoothed. */
EDGELING_KERNEL float edgeling_class_truth(int sparse, float smoothing, int columns, const float *truth, int c) {
    const float t = sparse ? (truth[0] == (float)c ? 1.0f : 0.0f) : truth[c];
    return smoothing > 0.0f ? t * (1.0f - smoothing) + smoothing / (float)columns : t;
}

/* log(sum of exp(p - largest)) */
EDGELING_KERNEL float edgeling_log_sum_exp(int columns, float largest, const float *p) {
    float sum = edgeling_exp_below(p[0] - largest);
    for (int c = 1; c < columns; c++) {
        sum += edgeling_exp_below(p[c] - largest);
    }
    return edgeling_log(sum);
}

EDGELING_KERNEL float edgeling_categorical_logits_value(
    int sparse, float smoothing, int columns, const float *truth, const float *p) {
    const float largest = edgeling_largest(columns, p);
    const float log_sum = edgeling_log_sum_exp(columns, largest, p);
    float loss = 0.0f;
    for (int c = 0; c < columns; c++) {
        loss -= edgeling_class_truth(sparse, smoothing, columns, truth, c) * ((p[c] - largest) - log_sum);
    }
    return loss;
}

/* Of a class number only the logarithm of its own probability is needed. */
EDGELING_KERNEL float edgeling_sparse_value(int columns, const float *truth, const float *p) {
    float chosen = 0.0f, known = 0.0f;
    for (int c = 0; c < columns; c++) {
        const float t = truth[0] == (float)c ? 1.0f : 0.0f;
        chosen += t * p[c];
        known += t;
    }
    return -known * edgeling_log(edgeling_clip_probability(chosen / edgeling_row_sum(columns, p)));
}

EDGELING_KERNEL float edgeling_categorical_value(
    int sparse, float smoothing, int columns, const float *truth, const float *p) {
    const float total = edgeling_row_sum(columns, p);
    float loss = 0.0f;
    for (int c = 0; c < columns; c++) {
        const float t = edgeling_class_truth(sparse, smoothing, columns, truth, c);
        loss -= t * edgeling_log(edgeling_clip_probability(p[c] / total));
    }
    return loss;
}

/* The largest prediction of a wrong class, minus that of the right one, plus 1. */
EDGELING_KERNEL float edgeling_categorical_margin(int columns, const float *truth, const float *p) {
    float worst = (1.0f - truth[0]) * p[0], right = truth[0] * p[0];
    for (int c = 1; c < columns; c++) {
        worst = edgeling_maximum((1.0f - truth[c]) * p[c], worst);
        right += truth[c] * p[c];
    }
    return worst - right + 1.0f;
}

EDGELING_KERNEL float edgeling_kl_value(int columns, const float *truth, const float *p) {
    float loss = 0.0f;
    for (int c = 0; c < columns; c++) {
        const float t = edgeling_clip_value(truth[c], EDGELING_EPSILON, 1.0f);
        loss += t * edgeling_log(t / edgeling_clip_value(p[c], EDGELING_EPSILON, 1.0f));
    }
    return loss;
}

/* One over the length of a row, of 1e-7 at least. */
EDGELING_KERNEL float edgeling_inverse_length(int columns, const float *x) {
    float squares = 0.0f;
    for (int c = 0; c < columns; c++) {
        squares += x[c] * x[c];
    }
    return 1.0f / edgeling_maximum(edgeling_sqrt(squares), EDGELING_EPSILON);
}

EDGELING_KERNEL float edgeling_cosine_between(int columns, const float *truth, const float *p) {
    const float a = edgeling_inverse_length(columns, truth), b = edgeling_inverse_length(columns, p);
    float cosine = 0.0f;
    for (int c = 0; c < columns; c++) {
        cosine += truth[c] * a * (p[c] * b);
    }
    return cosine;
}

EDGELING_KERNEL float edgeling_mean_value(
    int columns, int function, int from_logits, float smoothing, float delta, const float *truth, const float *p) {
    float sum = 0.0f;
    int c = 0;
    if (columns >= EDGELING_PARTIAL) {
        float partial[EDGELING_PARTIAL] = {0.0f};
        for (; c + EDGELING_PARTIAL <= columns; c += EDGELING_PARTIAL) {
            for (int lane = 0; lane < EDGELING_PARTIAL; lane++) {
                partial[lane] +=
                    edgeling_loss_value(function, from_logits, smoothing, delta, truth[c + lane], p[c + lane]);
            }
        }
        sum = edgeling_fold(partial);
    }
    for (; c < columns; c++) {
        sum += edgeling_loss_value(function, from_logits, smoothing, delta, truth[c], p[c]);
    }
    return sum / (float)columns;
}

/* The loss of one row. */
EDGELING_KERNEL float edgeling_loss_of_row(
    int columns, int function, int from_logits, float smoothing, float delta, const float *truth, const float *p) {
    const int sparse = function == EDGELING_SPARSE_CATEGORICAL_CROSSENTROPY ? 1 : 0;
    if (sparse != 0 || function == EDGELING_CATEGORICAL_CROSSENTROPY) {
        if (from_logits != 0) {
            return edgeling_categorical_logits_value(sparse, smoothing, columns, truth, p);
        }
        return sparse && smoothing <= 0.0f ? edgeling_sparse_value(columns, truth, p)
                                           : edgeling_categorical_value(sparse, smoothing, columns, truth, p);
    }
    if (function == EDGELING_CATEGORICAL_HINGE) {
        return edgeling_maximum(edgeling_categorical_margin(columns, truth, p), 0.0f);
    }
    if (function == EDGELING_KL_DIVERGENCE) {
        return edgeling_kl_value(columns, truth, p);
    }
    if (function == EDGELING_COSINE_SIMILARITY) {
        return -edgeling_cosine_between(columns, truth, p);
    }
    return edgeling_mean_value(columns, function, from_logits, smoothing, delta, truth, p);
}

EDGELING_KERNEL void edgeling_loss(
    int rows, int columns, int function, int from_logits, float smoothing, float delta, const float *EDGELING_RESTRICT
    truth, const float *EDGELING_RESTRICT prediction, float *EDGELING_RESTRICT y) {
    const int truth_columns = function == EDGELING_SPARSE_CATEGORICAL_CROSSENTROPY ? 1 : columns;
    for (int row = 0; row < rows; row++) {
        y[row] = edgeling_loss_of_row(
            columns, function, from_logits, smoothing, delta, truth + row * truth_columns, prediction + row * columns);
    }
}

EDGELING_KERNEL void edgeling_categorical_logits_gradient(
    int sparse, float smoothing, int columns, float d, const float *truth, const float *p, float *gradient) {
    const float largest = edgeling_largest(columns, p);
    const float log_sum = edgeling_log_sum_exp(columns, largest, p);
    float weight = 0.0f;
    for (int c = 0; c < columns; c++) {
        weight += edgeling_class_truth(sparse, smoothing, columns, truth, c);
    }
    for (int c = 0; c < columns; c++) {
        const float t = edgeling_class_truth(sparse, smoothing, columns, truth, c);
        gradient[c] = d * (edgeling_exp_below((p[c] - largest) - log_sum) * weight - t);
    }
}

/* The derivative with respect to a class's share of the row's total. */
EDGELING_KERNEL float edgeling_share_derivative(float t, float share) {
    return -t / edgeling_clip_probability(share) * edgeling_inside(share, EDGELING_EPSILON, EDGELING_REST_EPSILON);
}

EDGELING_KERNEL void edgeling_categorical_gradient(
    int sparse, float smoothing, int columns, float d, const float *truth, const float *p, float *gradient) {
    const float scale = 1.0f / edgeling_row_sum(columns, p);
    float sum = 0.0f;
    for (int c = 0; c < columns; c++) {
        const float t = edgeling_class_truth(sparse, smoothing, columns, truth, c);
        sum += edgeling_share_derivative(t, p[c] * scale) * (p[c] * scale);
    }
    for (int c = 0; c < columns; c++) {
        const float t = edgeling_class_truth(sparse, smoothing, columns, truth, c);
        gradient[c] = d * ((edgeling_share_derivative(t, p[c] * scale) - sum) * scale);
    }
}

EDGELING_KERNEL void edgeling_categorical_hinge_gradient(
    int columns, float d, const float *truth, const float *p, float *gradient) {
    const float active = edgeling_categorical_margin(columns, truth, p) > 0.0f ? d : 0.0f;
    float worst = (1.0f - truth[0]) * p[0];
    int first = 0;
    for (int c = 1; c < columns; c++) {
        const float wrong = (1.0f - truth[c]) * p[c];
        first = wrong > worst ? c : first;
        worst = wrong > worst ? wrong : worst;
    }
    for (int c = 0; c < columns; c++) {
        gradient[c] = active * ((c == first ? 1.0f - truth[c] : 0.0f) - truth[c]);
    }
}

EDGELING_KERNEL void edgeling_kl_gradient(
    int columns, float d, const float *truth, const float *p, float *gradient) {
    for (int c = 0; c < columns; c++) {
        const float t = edgeling_clip_value(truth[c], EDGELING_EPSILON, 1.0f);
        const float clipped = edgeling_clip_value(p[c], EDGELING_EPSILON, 1.0f);
        gradient[c] = d * (-t / clipped * edgeling_inside(p[c], EDGELING_EPSILON, 1.0f));
    }
}

EDGELING_KERNEL void edgeling_cosine_gradient(
    int columns, float d, const float *truth, const float *p, float *gradient) {
    const float a = edgeling_inverse_length(columns, truth), b = edgeling_inverse_length(columns, p);
    const float along = b < 1.0f / EDGELING_EPSILON ? edgeling_cosine_between(columns, truth, p) : 0.0f;
    for (int c = 0; c < columns; c++) {
        gradient[c] = d * ((along * (p[c] * b) - truth[c] * a) * b);
    }
}

EDGELING_KERNEL void edgeling_mean_gradient(
    int columns, int function, int from_logits, float smoothing, float delta, float d, const float *truth,
    const float *p, float *gradient) {
    const float share = 1.0f / (float)columns;
    for (int c = 0; c < columns; c++) {
        const float derivative = edgeling_loss_derivative(function, from_logits, smoothing, delta, truth[c], p[c]);
        gradient[c] = d * (derivative * share);
    }
}

/* gradient = d_rows times the derivative of each row's loss with respect to its predictions */
EDGELING_KERNEL void edgeling_loss_gradient(
    int rows, int columns, int function, int from_logits, float smoothing, float delta, const float *EDGELING_RESTRICT
    d_rows, const float *EDGELING_RESTRICT truth, const float *prediction, float *gradient) {
    const int sparse = function == EDGELING_SPARSE_CATEGORICAL_CROSSENTROPY ? 1 : 0;
    const int truth_columns = sparse ? 1 : columns;
    for (int row = 0; row < rows; row++) {
        const float d = d_rows[row];
        const float *t = truth + row * truth_columns, *p = prediction + row * columns;
        float *g = gradient + row * columns;
        if (sparse != 0 || function == EDGELING_CATEGORICAL_CROSSENTROPY) {
            if (from_logits != 0) {
                edgeling_categorical_logits_gradient(sparse, smoothing, columns, d, t, p, g);
            } else {
                edgeling_categorical_gradient(sparse, smoothing, columns, d, t, p, g);
            }
        } else if (function == EDGELING_CATEGORICAL_HINGE) {
            edgeling_categorical_hinge_gradient(columns, d, t, p, g);
        } else if (function == EDGELING_KL_DIVERGENCE) {
            edgeling_kl_gradient(columns, d, t, p, g);
        } else if (function == EDGELING_COSINE_SIMILARITY) {
            edgeling_cosine_gradient(columns, d, t, p, g);
        } else {
            edgeling_mean_gradient(columns, function, from_logits, smoothing, delta, d, t, p, g);
        }
    }
}

#endif
