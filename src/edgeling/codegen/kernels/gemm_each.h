/* SPDX-License-Identifier: Apache-2.0 */
/* Many matrix products as in gemm.h, which threads share: each y [m,n] = a b over k terms.
 *
 *   scratch  [EDGELING_GEMM_SCRATCH(k)] for each thread there may be
 */
#ifndef EDGELING_GEMM_EACH_H
#define EDGELING_GEMM_EACH_H

#include "gemm.h"
#include "parallel.h"

typedef struct {
    int m, k, n, transposed_a, transposed_b, scratch_floats;
    float *scratch;
    const float *a, *b;
    float *y;
} edgeling_gemm_pairs;

static void edgeling_gemm_pair(const void *work, int part, int thread) {
    const edgeling_gemm_pairs w = *(const edgeling_gemm_pairs *)work;
    edgeling_gemm(
        w.m, w.k, w.n, w.transposed_a, w.transposed_b, w.scratch + thread * w.scratch_floats, w.a + part * w.m * w.k,
        w.b + part * w.k * w.n, 0, w.y + part * w.m * w.n);
}

EDGELING_KERNEL void edgeling_gemm_each(
    int pairs, int m, int k, int n, int transposed_a, int transposed_b, float *scratch, const float *a, const float *b,
    float *y) {
    const edgeling_gemm_pairs work = {m, k, n, transposed_a, transposed_b, EDGELING_GEMM_SCRATCH(k), scratch, a, b, y};
    edgeling_in_parts(edgeling_gemm_pair, &work, (int)sizeof work, pairs);
}

#endif
