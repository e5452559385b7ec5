/* SPDX-License-Identifier: Apache-2.0 */
/* Optimizer updates, Keras 3's rules, and the scalars of a step.
 *
 * w, g and slots: [size]; scalars are pointers to one value. Results (names with `new_`) may be any of the inputs of
 * their size. "rest" is one minus the coefficient of the same name, rounded once from double precision.
 */
#ifndef EDGELING_UPDATE_H
#define EDGELING_UPDATE_H

#include "elementary.h"
#include "reduce.h"
#include "update_row.h"

#define EDGELING_NADAM_DECAY 0.96f
#define EDGELING_SMALLEST_POWER 1e-30f

EDGELING_KERNEL void edgeling_sgd_update(int size, const float *w, const float *g, const float *lr, float *new_w) {
    const float rate = *lr;
#ifdef EDGELING_UPDATES_MULTIPLE
    if (new_w == w) {
        (void)edgeling_sgd_row(size, 0, rate, g, new_w);
        return;
    }
#endif
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        new_w[i] = w[i] - rate * g[i];
    }
}

EDGELING_KERNEL void edgeling_momentum_update(
    int size, float momentum, int nesterov, const float *w, const float *g, const float *m, const float *lr,
    float *new_w, float *new_m) {
    const float rate = *lr;
#ifdef EDGELING_UPDATES_MULTIPLE
    if (new_w == w && new_m == m) {
        (void)edgeling_momentum_row(size, 0, momentum, nesterov, rate, g, new_w, new_m);
        return;
    }
#endif
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        const float step = rate * g[i];
        const float next = momentum * m[i] - step;
        new_w[i] = nesterov ? w[i] + momentum * next - step : w[i] + next;
        new_m[i] = next;
    }
}

/* mean is 0 (null) unless the rule is centered, moment is 0 unless momentum > 0 */
EDGELING_KERNEL void edgeling_rmsprop_update(
    int size, float rho, float rest_rho, float epsilon, float momentum, const float *w, const float *g, const float *v,
    const float *mean, const float *moment, const float *lr, float *new_w, float *new_v, float *new_mean,
    float *new_moment) {
    const float rate = *lr;
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        const float gradient = g[i], weight = w[i];
        const float square = rho * v[i] + rest_rho * gradient * gradient;
        const float average = mean ? rho * mean[i] + rest_rho * gradient : 0.0f;
        const float spread = mean ? square - average * average : square;
        const float plain = rate * gradient / edgeling_sqrt(spread + epsilon);
        const float step = moment ? momentum * moment[i] + plain : plain;
        new_w[i] = weight - step;
        new_v[i] = square;
        if (mean) {
            new_mean[i] = average;
        }
        if (moment) {
            new_moment[i] = step;
        }
    }
}

EDGELING_KERNEL void edgeling_adagrad_update(
    int size, float epsilon, const float *w, const float *g, const float *a, const float *lr, float *new_w,
    float *new_a) {
    const float rate = *lr;
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        const float gradient = g[i], weight = w[i];
        const float accumulated = a[i] + gradient * gradient;
        new_w[i] = weight - rate * gradient / edgeling_sqrt(accumulated + epsilon);
        new_a[i] = accumulated;
    }
}

EDGELING_KERNEL void edgeling_adam_update(
    int size, float rest_beta_1, float rest_beta_2, float epsilon, const float *w, const float *g, const float *m,
    const float *v, const float *alpha, float *new_w, float *new_m, float *new_v) {
    const float rate = *alpha;
#ifdef EDGELING_UPDATES_MULTIPLE
    if (new_w == w && new_m == m && new_v == v) {
        (void)edgeling_adam_row(size, 0, rest_beta_1, rest_beta_2, epsilon, rate, 1.0f, g, new_w, new_m, new_v);
        return;
    }
#endif
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        const float gradient = g[i], weight = w[i];
        const float first = m[i] + (gradient - m[i]) * rest_beta_1;
        const float second = v[i] + (gradient * gradient - v[i]) * rest_beta_2;
        new_w[i] = weight - first * rate / (edgeling_sqrt(second) + epsilon);
        new_m[i] = first;
        new_v[i] = second;
    }
}

EDGELING_KERNEL void edgeling_amsgrad_update(
    int size, float rest_beta_1, float rest_beta_2, float epsilon, const float *w, const float *g, const float *m,
    const float *v, const float *v_hat, const float *alpha, float *new_w, float *new_m, float *new_v,
    float *new_v_hat) {
    const float rate = *alpha;
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        const float gradient = g[i], weight = w[i], highest = v_hat[i];
        const float first = m[i] + (gradient - m[i]) * rest_beta_1;
        const float second = v[i] + (gradient * gradient - v[i]) * rest_beta_2;
        const float limit = edgeling_maximum(second, highest);
        new_w[i] = weight - first * rate / (edgeling_sqrt(limit) + epsilon);
        new_m[i] = first;
        new_v[i] = second;
        new_v_hat[i] = limit;
    }
}

EDGELING_KERNEL void edgeling_adamax_update(
    int size, float rest_beta_1, float beta_2, float epsilon, const float *w, const float *g, const float *m,
    const float *u, const float *alpha, float *new_w, float *new_m, float *new_u) {
    const float rate = *alpha;
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        const float gradient = g[i], weight = w[i];
        const float first = m[i] + (gradient - m[i]) * rest_beta_1;
        const float largest = edgeling_maximum(edgeling_absolute(gradient), beta_2 * u[i]);
        new_w[i] = weight - rate * first / (largest + epsilon);
        new_m[i] = first;
        new_u[i] = largest;
    }
}

/* decay_power: 0.96 ** t; u_product: of the momenta so far; beta_2_power: beta_2 ** t */
EDGELING_KERNEL void edgeling_nadam_update(
    int size, float beta_1, float rest_beta_1, float rest_beta_2, float epsilon, const float *w, const float *g,
    const float *m, const float *v, const float *lr, const float *decay_power, const float *u_product,
    const float *beta_2_power, float *new_w, float *new_m, float *new_v) {
    const float rate = *lr, product = *u_product, rest_power = 1.0f - *beta_2_power;
    const float u = beta_1 * (1.0f - 0.5f * *decay_power);
    const float u_next = beta_1 * (1.0f - 0.5f * EDGELING_NADAM_DECAY * *decay_power);
    const float rest_u = 1.0f - u, rest_product = 1.0f - product, rest_next = 1.0f - product * u_next;
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        const float gradient = g[i], weight = w[i];
        const float first = m[i] + (gradient - m[i]) * rest_beta_1;
        const float second = v[i] + (gradient * gradient - v[i]) * rest_beta_2;
        const float ahead = u_next * first / rest_next + rest_u * gradient / rest_product;
        new_w[i] = weight - ahead * rate / (edgeling_sqrt(second / rest_power) + epsilon);
        new_m[i] = first;
        new_v[i] = second;
    }
}

/* new_w = w - w * rate * lr */
EDGELING_KERNEL void edgeling_decay(int size, float rate, const float *w, const float *lr, float *new_w) {
    const float share = rate * *lr;
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        new_w[i] = w[i] - w[i] * share;
    }
}

EDGELING_KERNEL void edgeling_count(const uint32_t *step, uint32_t *next) { *next = *step + 1u; }

/* Powers are 0 once below 1e-30: one minus the power is 1 long before. */
EDGELING_KERNEL float edgeling_power_product(float power, float factor) {
    const float product = power * factor;
    return product < EDGELING_SMALLEST_POWER ? 0.0f : product;
}

EDGELING_KERNEL void edgeling_power_step(float beta, const float *power, float *next) {
    *next = edgeling_power_product(*power, beta);
}

/* lr sqrt(1 - beta_2 ** t) / (1 - beta_1 ** t) */
EDGELING_KERNEL void edgeling_adam_alpha(const float *lr, const float *power_1, const float *power_2, float *alpha) {
    *alpha = *lr * edgeling_sqrt(1.0f - *power_2) / (1.0f - *power_1);
}

EDGELING_KERNEL void edgeling_adamax_alpha(const float *lr, const float *power_1, float *alpha) {
    *alpha = *lr / (1.0f - *power_1);
}

EDGELING_KERNEL void edgeling_nadam_product(float beta_1, const float *product, const float *decay_power, float *next) {
    *next = edgeling_power_product(*product, beta_1 * (1.0f - 0.5f * *decay_power));
}

/* sum += the sum of squares of x [size] */
EDGELING_KERNEL void edgeling_add_squares(int size, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT sum) {
    *sum += edgeling_reduce_terms(size, EDGELING_TERM_SQUARE, x);
}

/* scale = limit / max(norm, limit) */
EDGELING_KERNEL void edgeling_clip_scale(float limit, const float *norm, float *scale) {
    *scale = limit / edgeling_maximum(*norm, limit);
}

#endif
