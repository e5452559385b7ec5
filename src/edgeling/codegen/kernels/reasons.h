/* SPDX-License-Identifier: Apache-2.0 */
/* Which columns pushed most: the reasons of an answer. */
#ifndef EDGELING_REASONS_H
#define EDGELING_REASONS_H

#include "common.h"

/* y [size] = -y */
EDGELING_KERNEL void edgeling_negate(int size, float *y) {
    for (int i = 0; i < size; i++) {
        y[i] = -y[i];
    }
}

/* y [size] = 1 at one place, 0 elsewhere */
EDGELING_KERNEL void edgeling_one_at(int size, int place, float *y) {
    for (int i = 0; i < size; i++) {
        y[i] = i == place ? 1.0f : 0.0f;
    }
}

/* reasons [count] = the places of the largest of x [size] above zero, the largest first, of equals the first; -1 where
 * there are no more. either_way: of the largest of their sizes. NaN is none. */
EDGELING_KERNEL void edgeling_reasons(int size, int count, int either_way, const float *x, int32_t *reasons) {
    float last = 0.0f;
    int32_t before = -1;
    for (int k = 0; k < count; k++) {
        float most = 0.0f;
        int32_t best = -1;
        for (int i = 0; i < size; i++) {
            const float value = either_way != 0 && x[i] < 0.0f ? -x[i] : x[i];
            const int later = k == 0 || value < last || (value <= last && i > before);
            if (later != 0 && value > most) {
                most = value;
                best = (int32_t)i;
            }
        }
        reasons[k] = best;
        if (best >= 0) {
            last = most;
            before = best;
        } else {
            last = 0.0f;
        }
    }
}

#endif
