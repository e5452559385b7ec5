/* SPDX-License-Identifier: Apache-2.0 */
/* normalize_batch.h in blocks of rows that threads share. */
#ifndef EDGELING_NORMALIZE_BATCH_PARALLEL_H
#define EDGELING_NORMALIZE_BATCH_PARALLEL_H

#include "normalize_batch.h"
#include "parallel.h"

static void edgeling_batch_moments_task(const void *work, int part, int thread) {
    (void)thread;
    edgeling_batch_moments_part(work, part);
}

static void edgeling_batch_apply_task(const void *work, int part, int thread) {
    (void)thread;
    edgeling_batch_apply_part(work, part);
}

static void edgeling_batch_sums_task(const void *work, int part, int thread) {
    (void)thread;
    edgeling_batch_sums_part(work, part);
}

static void edgeling_batch_back_task(const void *work, int part, int thread) {
    (void)thread;
    edgeling_batch_back_part(work, part);
}

EDGELING_KERNEL void edgeling_normalize_batch_parallel(
    int rows, int columns, float epsilon, float low, float high, float *EDGELING_RESTRICT scratch,
    const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT gamma, const float *EDGELING_RESTRICT beta,
    const float *EDGELING_RESTRICT share, float *EDGELING_RESTRICT y, float *EDGELING_RESTRICT mean,
    float *EDGELING_RESTRICT variance) {
    const edgeling_batch_work work = edgeling_batch_begin(rows, columns, low, high, scratch, 0, x, mean, beta, y);
    edgeling_in_parts(edgeling_batch_moments_task, &work, (int)sizeof work, edgeling_batch_blocks(rows));
    edgeling_batch_moments_of_blocks(work, epsilon, gamma, *share, mean, variance);
    edgeling_in_parts(edgeling_batch_apply_task, &work, (int)sizeof work, edgeling_batch_blocks(rows));
}

EDGELING_KERNEL void edgeling_normalize_batch_gradient_parallel(
    int rows, int columns, float epsilon, float low, float high, float *EDGELING_RESTRICT scratch, const float *dy,
    const float *x, const float *EDGELING_RESTRICT gamma, const float *EDGELING_RESTRICT beta,
    const float *EDGELING_RESTRICT mean, const float *EDGELING_RESTRICT variance, const float *EDGELING_RESTRICT share,
    float *dx, float *EDGELING_RESTRICT dgamma, float *EDGELING_RESTRICT dbeta) {
    const edgeling_batch_work work = edgeling_batch_begin(rows, columns, low, high, scratch, dy, x, mean, beta, dx);
    edgeling_batch_slope(columns, epsilon, gamma, variance, scratch);
    edgeling_in_parts(edgeling_batch_sums_task, &work, (int)sizeof work, edgeling_batch_blocks(rows));
    edgeling_batch_sums_of_blocks(work, epsilon, variance, *share, dgamma, dbeta);
    edgeling_in_parts(edgeling_batch_back_task, &work, (int)sizeof work, edgeling_batch_blocks(rows));
}

#endif
