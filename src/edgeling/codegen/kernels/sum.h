/* SPDX-License-Identifier: Apache-2.0 */
/* y [outer,inner] = sum of x [outer,summed,inner] over the middle. */
#ifndef EDGELING_SUM_H
#define EDGELING_SUM_H

#include "reduce.h"
#include "vectors.h"

/* Some columns at a time, whose sums stay in registers. */
#define EDGELING_SUM_COLUMNS_OF(lanes)                                                                                \
    for (; i + (lanes) <= inner; i += (lanes)) {                                                                      \
        edgeling_vector_##lanes sum = EDGELING_CONST_AT(lanes, x + i);                                                \
        for (int s = 1; s < summed; s++) {                                                                            \
            sum += EDGELING_CONST_AT(lanes, x + s * inner + i);                                                       \
        }                                                                                                             \
        EDGELING_AT(lanes, y + i) = sum;                                                                              \
    }

EDGELING_KERNEL void edgeling_sum_columns(
    int summed, int inner, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    int i = 0;
#if EDGELING_LANES >= 16
    EDGELING_SUM_COLUMNS_OF(16)
#endif
#if EDGELING_LANES >= 8
    EDGELING_SUM_COLUMNS_OF(8)
#endif
#if EDGELING_LANES >= 4
    EDGELING_SUM_COLUMNS_OF(4)
#endif
    EDGELING_SUM_COLUMNS_OF(1)
}

EDGELING_KERNEL void edgeling_sum(
    int outer, int summed, int inner, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    for (int o = 0; o < outer; o++, x += summed * inner, y += inner) {
        if (inner == 1) {
            y[0] = edgeling_reduce_terms(summed, EDGELING_TERM_VALUE, x);
            continue;
        }
        edgeling_sum_columns(summed, inner, x, y);
    }
}

#endif
