/* SPDX-License-Identifier: Apache-2.0 */
/* L1 and L2 penalties on weights. w, dw: [size]; y, dy: one value. dw may be w. */
#ifndef EDGELING_PENALTY_H
#define EDGELING_PENALTY_H

#include "reduce.h"

/* y = l1 sum |w| + l2 sum w^2 */
EDGELING_KERNEL void edgeling_penalty(
    int size, float l1, float l2, const float *EDGELING_RESTRICT w, float *EDGELING_RESTRICT y) {
    const float absolute = l1 == 0.0f ? 0.0f : l1 * edgeling_reduce_terms(size, EDGELING_TERM_ABSOLUTE, w);
    const float squares = l2 == 0.0f ? 0.0f : l2 * edgeling_reduce_terms(size, EDGELING_TERM_SQUARE, w);
    *y = absolute + squares;
}

/* dw = dy (2 l2 w + l1 where w >= 0, - l1 elsewhere) */
EDGELING_KERNEL void edgeling_penalty_gradient(
    int size, float l1, float l2, const float *dy, const float *w, float *dw) {
    const float d = *dy;
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        dw[i] = d * ((w[i] >= 0.0f ? l1 : -l1) + 2.0f * l2 * w[i]);
    }
}

#endif
