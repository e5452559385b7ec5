/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over [size], in 16 partial sums so that they vectorise without changing the order of additions. */
#ifndef EDGELING_REDUCE_H
#define EDGELING_REDUCE_H

#include "common.h"

#define EDGELING_PARTIAL 16

enum edgeling_term { EDGELING_TERM_VALUE, EDGELING_TERM_SQUARE, EDGELING_TERM_ABSOLUTE };

EDGELING_KERNEL float edgeling_term_of(int term, float x) {
    return term == EDGELING_TERM_SQUARE ? x * x : term == EDGELING_TERM_ABSOLUTE ? edgeling_absolute(x) : x;
}

/* The sum of the partial sums, which are lost. */
EDGELING_KERNEL float edgeling_fold(float *partial) {
    for (int half = EDGELING_PARTIAL / 2; half > 0; half /= 2) {
        for (int lane = 0; lane < half; lane++) {
            partial[lane] += partial[lane + half];
        }
    }
    return partial[0];
}

/* The sum of x, of x * x, or of |x|. */
EDGELING_KERNEL float edgeling_reduce_terms(int size, int term, const float *x) {
    float rest = 0.0f;
    int i = 0;
    if (size >= EDGELING_PARTIAL) {
        float partial[EDGELING_PARTIAL] = {0.0f};
        for (; i + EDGELING_PARTIAL <= size; i += EDGELING_PARTIAL) {
            for (int lane = 0; lane < EDGELING_PARTIAL; lane++) {
                partial[lane] += edgeling_term_of(term, x[i + lane]);
            }
        }
        rest = edgeling_fold(partial);
    }
    for (; i < size; i++) {
        rest += edgeling_term_of(term, x[i]);
    }
    return rest;
}

#endif
