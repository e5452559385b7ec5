/* SPDX-License-Identifier: Apache-2.0 */
/* Further optimizer updates, Keras 3's rules; see update.h for the conventions.
 *
 * In lamb_update and the adafactor kernels results may not be inputs: they go over them more than once.
 */
#ifndef EDGELING_UPDATE_MORE_H
#define EDGELING_UPDATE_MORE_H

#include "power.h"
#include "update.h"

EDGELING_KERNEL void edgeling_lion_update(
    int size, float beta_1, float rest_beta_1, float beta_2, float rest_beta_2, const float *w, const float *g,
    const float *m, const float *lr, float *new_w, float *new_m) {
    const float rate = *lr;
    for (int i = 0; i < size; i++) {
        const float gradient = g[i], weight = w[i], moment = m[i];
        new_w[i] = weight - rate * edgeling_sign(beta_1 * moment + rest_beta_1 * gradient);
        new_m[i] = beta_2 * moment + rest_beta_2 * gradient;
    }
}

EDGELING_KERNEL void edgeling_adadelta_update(
    int size, float rho, float rest_rho, float epsilon, const float *w, const float *g, const float *squares,
    const float *steps, const float *lr, float *new_w, float *new_squares, float *new_steps) {
    const float rate = *lr;
    for (int i = 0; i < size; i++) {
        const float gradient = g[i], weight = w[i], before = steps[i];
        const float square = rho * squares[i] + rest_rho * gradient * gradient;
        const float step = edgeling_sqrt(before + epsilon) * gradient / edgeling_sqrt(square + epsilon);
        new_w[i] = weight - rate * step;
        new_squares[i] = square;
        new_steps[i] = rho * before + rest_rho * step * step;
    }
}

EDGELING_KERNEL void edgeling_ftrl_update(
    int size, float power, float l1, float l2, float l2_shrinkage, float beta, const float *w, const float *g,
    const float *accumulator, const float *linear, const float *lr, float *new_w, float *new_accumulator,
    float *new_linear) {
    const float rate = *lr, flat = 2.0f * (l2 + beta / (2.0f * rate));
    for (int i = 0; i < size; i++) {
        const float gradient = g[i], weight = w[i], total = accumulator[i] + gradient * gradient;
        const float after = edgeling_power(total, power), before = edgeling_power(accumulator[i], power);
        const float slope = linear[i] + (gradient + 2.0f * l2_shrinkage * weight) - (after - before) / rate * weight;
        new_w[i] = (edgeling_clip_value(slope, -l1, l1) - slope) / (after / rate + flat);
        new_accumulator[i] = total;
        new_linear[i] = slope;
    }
}

EDGELING_KERNEL float edgeling_length(int size, const float *x) {
    return edgeling_sqrt(edgeling_reduce_terms(size, EDGELING_TERM_SQUARE, x));
}

EDGELING_KERNEL void edgeling_lamb_update(
    int size, float rest_beta_1, float rest_beta_2, float epsilon, const float *w, const float *g, const float *m,
    const float *v, const float *lr, const float *power_1, const float *power_2, float *new_w, float *new_m,
    float *new_v) {
    const float rest_1 = 1.0f - *power_1, rest_2 = 1.0f - *power_2, weight = edgeling_length(size, w);
    float step, ratio, rate;
    for (int i = 0; i < size; i++) {
        new_m[i] = m[i] + (g[i] - m[i]) * rest_beta_1;
        new_v[i] = v[i] + (g[i] * g[i] - v[i]) * rest_beta_2;
        new_w[i] = new_m[i] / rest_1 / (edgeling_sqrt(new_v[i] / rest_2) + epsilon); /* the step, for now */
    }
    step = edgeling_length(size, new_w);
    ratio = weight > 0.0f && step > 0.0f ? weight / step : 1.0f;
    rate = ratio * *lr;
    for (int i = 0; i < size; i++) {
        new_w[i] = w[i] - rate * new_w[i];
    }
}

/* From g and v to new_w: the step, no longer than clip_threshold, as long as the weights and the time say. */
EDGELING_KERNEL void edgeling_adafactor_step(
    int size, float epsilon_2, float clip_threshold, const float *w, const float *g, const float *v, float lr, float t,
    float *new_w) {
    const float root = edgeling_sqrt((float)size);
    const float scale = edgeling_maximum(edgeling_length(size, w) / root, epsilon_2);
    float longer, rate;
    for (int i = 0; i < size; i++) {
        new_w[i] = g[i] / edgeling_sqrt(v[i]); /* the step, for now */
    }
    longer = edgeling_maximum(edgeling_length(size, new_w) / root / clip_threshold, 1.0f);
    rate = scale * edgeling_minimum(lr, 1.0f / edgeling_sqrt(t)) / longer;
    for (int i = 0; i < size; i++) {
        new_w[i] = w[i] - rate * new_w[i];
    }
}

EDGELING_KERNEL void edgeling_adafactor_vector(
    int size, float decay, float epsilon_1, float epsilon_2, float clip_threshold, const float *w, const float *g,
    const float *v, const float *lr, const float *t, float *new_w, float *new_v) {
    const float rest = edgeling_power(*t, decay), kept = 1.0f - rest;
    for (int i = 0; i < size; i++) {
        new_v[i] = kept * v[i] + rest * (g[i] * g[i] + epsilon_1);
    }
    edgeling_adafactor_step(size, epsilon_2, clip_threshold, w, g, new_v, *lr, *t, new_w);
}

/* r [rows], c [columns]: the means of squared gradients, whose product stands for v. */
EDGELING_KERNEL void edgeling_adafactor_matrix(
    int rows, int columns, float decay, float epsilon_1, float epsilon_2, float clip_threshold, const float *w,
    const float *g, const float *r, const float *c, const float *v, const float *lr, const float *t, float *new_w,
    float *new_r, float *new_c, float *new_v) {
    const float rest = edgeling_power(*t, decay), kept = 1.0f - rest;
    float mean = 0.0f;
    for (int j = 0; j < columns; j++) {
        new_c[j] = 0.0f;
    }
    for (int i = 0; i < rows; i++) {
        float sum = 0.0f;
        for (int j = 0; j < columns; j++) {
            const float square = g[i * columns + j] * g[i * columns + j] + epsilon_1;
            sum += square;
            new_c[j] += square;
        }
        new_r[i] = kept * r[i] + rest * (sum / (float)columns);
        mean += new_r[i] / (float)rows;
    }
    for (int j = 0; j < columns; j++) {
        new_c[j] = kept * c[j] + rest * (new_c[j] / (float)rows);
    }
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
            new_v[i * columns + j] = new_r[i] / mean * new_c[j];
        }
    }
    (void)v; /* the last step's, which this rule does not read */
    edgeling_adafactor_step(rows * columns, epsilon_2, clip_threshold, w, g, new_v, *lr, *t, new_w);
}

#endif
