/* SPDX-License-Identifier: Apache-2.0 */
/* y [outer,inner] = sum of x [outer,summed,inner] over the middle. */
#ifndef EDGELING_SUM_H
#define EDGELING_SUM_H

#include "reduce.h"

EDGELING_KERNEL void edgeling_sum(
    int outer, int summed, int inner, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    for (int o = 0; o < outer; o++, x += summed * inner, y += inner) {
        if (inner == 1) {
            y[0] = edgeling_reduce_terms(summed, EDGELING_TERM_VALUE, x);
            continue;
        }
        for (int i = 0; i < inner; i++) {
            y[i] = x[i];
        }
        for (int s = 1; s < summed; s++) {
            for (int i = 0; i < inner; i++) {
                y[i] += x[s * inner + i];
            }
        }
    }
}

#endif
