/* SPDX-License-Identifier: Apache-2.0 */
/* A fully connected layer that learns from one row: its kernel's update, and the gradient of what it reads, in one pass
 * over the weights.
 *
 * x and dx [inputs], dy [outputs], w, new_w and slots [inputs,outputs]; dx is 0 (null) where nobody wants it. Results
 * (names with `new_`) may be the inputs of their name; nothing else overlaps. The gradient of w[i][o] is x[i] dy[o].
 */
#ifndef EDGELING_LAYER_STEP_H
#define EDGELING_LAYER_STEP_H

#include "update_row.h"

EDGELING_KERNEL void edgeling_take_over(int size, const float *w, float *new_w) {
    for (int i = 0; new_w != w && i < size; i++) {
        new_w[i] = w[i];
    }
}

/* dx of a layer of one output. */
EDGELING_KERNEL void edgeling_column_gradient(
    int inputs, float dy, const float *EDGELING_RESTRICT w, float *EDGELING_RESTRICT dx) {
    for (int i = 0; dx != 0 && i < inputs; i++) {
        dx[i] = w[i] * dy;
    }
}

EDGELING_KERNEL void edgeling_sgd_layer(
    int inputs, int outputs, const float *w, const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT dy,
    const float *lr, float *new_w, float *EDGELING_RESTRICT dx) {
    const float rate = *lr;
    int done = 0;
    edgeling_take_over(inputs * outputs, w, new_w);
    if (outputs == 1) {
        edgeling_column_gradient(inputs, dy[0], new_w, dx);
        (void)edgeling_sgd_row(inputs, 0, rate * dy[0], x, new_w);
        return;
    }
#ifdef EDGELING_UPDATES_MULTIPLE
    done = edgeling_sgd_narrow(inputs, outputs, rate, dy, x, new_w, dx);
#endif
    for (int i = done; i < inputs; i++) {
        const float gradient = edgeling_sgd_row(outputs, dx != 0, rate * x[i], dy, new_w + i * outputs);
        if (dx != 0) {
            dx[i] = gradient;
        }
    }
}

EDGELING_KERNEL void edgeling_momentum_layer(
    int inputs, int outputs, float momentum, int nesterov, const float *w, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT dy, const float *m, const float *lr, float *new_w, float *new_m,
    float *EDGELING_RESTRICT dx) {
    const float rate = *lr;
    edgeling_take_over(inputs * outputs, w, new_w);
    edgeling_take_over(inputs * outputs, m, new_m);
    if (outputs == 1) {
        edgeling_column_gradient(inputs, dy[0], new_w, dx);
        (void)edgeling_momentum_row(inputs, 0, momentum, nesterov, rate * dy[0], x, new_w, new_m);
        return;
    }
    for (int i = 0; i < inputs; i++) {
        const int at = i * outputs;
        const float gradient = edgeling_momentum_row(
            outputs, dx != 0, momentum, nesterov, rate * x[i], dy, new_w + at, new_m + at);
        if (dx != 0) {
            dx[i] = gradient;
        }
    }
}

EDGELING_KERNEL void edgeling_adam_layer(
    int inputs, int outputs, float rest_beta_1, float rest_beta_2, float epsilon, const float *w,
    const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT dy, const float *m, const float *v,
    const float *alpha, float *new_w, float *new_m, float *new_v, float *EDGELING_RESTRICT dx) {
    const float rate = *alpha;
    edgeling_take_over(inputs * outputs, w, new_w);
    edgeling_take_over(inputs * outputs, m, new_m);
    edgeling_take_over(inputs * outputs, v, new_v);
    if (outputs == 1) {
        edgeling_column_gradient(inputs, dy[0], new_w, dx);
        (void)edgeling_adam_row(
            inputs, 0, rest_beta_1, rest_beta_2, epsilon, rate, dy[0], x, new_w, new_m, new_v);
        return;
    }
    for (int i = 0; i < inputs; i++) {
        const int at = i * outputs;
        const float gradient = edgeling_adam_row(
            outputs, dx != 0, rest_beta_1, rest_beta_2, epsilon, rate, x[i], dy, new_w + at, new_m + at, new_v + at);
        if (dx != 0) {
            dx[i] = gradient;
        }
    }
}

#endif
