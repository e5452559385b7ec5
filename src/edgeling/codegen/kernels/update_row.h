/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbouring weights of one row, moved where they lie: the gradient of w[o] is x d[o], o in [size].
 *
 * Each function gives the gradient of x, the sum of w d of the old weights, if that is wanted, else 0.
 */
#ifndef EDGELING_UPDATE_ROW_H
#define EDGELING_UPDATE_ROW_H

#include "elementary.h"
#include "update_multiple.h"

/* scale: rate x */
EDGELING_KERNEL float edgeling_sgd_row(int size, int wanted, float scale, const float *d, float *w) {
    float sum = 0.0f;
#ifdef EDGELING_UPDATES_MULTIPLE
    EDGELING_ROLLED
    for (; size >= 8; size -= 8) {
        edgeling_sgd_8(wanted, scale, &d, &w, &sum);
    }
    if ((size & 4) != 0) {
        edgeling_sgd_4(wanted, scale, &d, &w, &sum);
    }
    if ((size & 2) != 0) {
        edgeling_sgd_2(wanted, scale, &d, &w, &sum);
    }
    size &= 1;
#endif
    for (int o = 0; o < size; o++) {
        if (wanted != 0) {
            sum += w[o] * d[o];
        }
        w[o] -= scale * d[o];
    }
    return sum;
}

EDGELING_KERNEL float edgeling_momentum_row(
    int size, int wanted, float momentum, int nesterov, float scale, const float *d, float *w, float *m) {
    float sum = 0.0f;
#ifdef EDGELING_UPDATES_MULTIPLE
    if (nesterov == 0) {
        EDGELING_ROLLED
        for (; size >= 8; size -= 8) {
            edgeling_momentum_8(wanted, momentum, scale, &d, &w, &m, &sum);
        }
        if ((size & 4) != 0) {
            edgeling_momentum_4(wanted, momentum, scale, &d, &w, &m, &sum);
        }
        if ((size & 2) != 0) {
            edgeling_momentum_2(wanted, momentum, scale, &d, &w, &m, &sum);
        }
        size &= 1;
    }
#endif
    for (int o = 0; o < size; o++) {
        const float step = scale * d[o], next = momentum * m[o] - step;
        if (wanted != 0) {
            sum += w[o] * d[o];
        }
        w[o] += nesterov != 0 ? momentum * next - step : next;
        m[o] = next;
    }
    return sum;
}

EDGELING_KERNEL float edgeling_adam_row(
    int size, int wanted, float rest_beta_1, float rest_beta_2, float epsilon, float rate, float x, const float *d,
    float *w, float *m, float *v) {
    float sum = 0.0f;
#ifdef EDGELING_UPDATES_MULTIPLE
    EDGELING_ROLLED
    for (; size >= 4; size -= 4) {
        edgeling_adam_4(wanted, rest_beta_1, rest_beta_2, epsilon, rate, x, &d, &w, &m, &v, &sum);
    }
#endif
    for (int o = 0; o < size; o++) {
        const float gradient = x * d[o];
        const float first = m[o] + (gradient - m[o]) * rest_beta_1;
        const float second = v[o] + (gradient * gradient - v[o]) * rest_beta_2;
        if (wanted != 0) {
            sum += w[o] * d[o];
        }
        w[o] -= first * rate / (edgeling_sqrt(second) + epsilon);
        m[o] = first;
        v[o] = second;
    }
    return sum;
}

#endif
