/* SPDX-License-Identifier: Apache-2.0 */
/* The convolutions of winograd.h and their gradient, in blocks of tiles that threads share: the bits of one thread.
 *
 *   scratch  as there, for each thread there may be
 */
#ifndef EDGELING_WINOGRAD_PARALLEL_H
#define EDGELING_WINOGRAD_PARALLEL_H

#include "parallel.h"
#include "winograd.h"

static void edgeling_winograd_task(const void *work, int part, int thread) {
    edgeling_winograd_part(work, part, thread);
}

EDGELING_KERNEL void edgeling_winograd_share(const edgeling_winograd_work *work) {
    edgeling_in_parts(edgeling_winograd_task, work, (int)sizeof *work, edgeling_winograd_blocks(work));
}

EDGELING_KERNEL void edgeling_winograd_packed_parallel(
    int images, const int *lengths, float low, float high, int size, float *EDGELING_RESTRICT scratch,
    const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT transformed, const float *EDGELING_RESTRICT bias,
    float *EDGELING_RESTRICT y) {
    const edgeling_winograd_work work =
        edgeling_winograd_packed_begin(images, lengths, low, high, size, scratch, x, transformed, bias, y);
    edgeling_winograd_share(&work);
}

EDGELING_KERNEL void edgeling_winograd_parallel(
    int images, const int *lengths, float low, float high, int size, float *EDGELING_RESTRICT scratch,
    const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias,
    float *EDGELING_RESTRICT y) {
    const edgeling_winograd_work work =
        edgeling_winograd_begin(images, lengths, low, high, size, scratch, x, kernel, bias, y);
    edgeling_winograd_share(&work);
}

EDGELING_KERNEL void edgeling_winograd_input_gradient_parallel(
    int images, const int *lengths, int size, float *EDGELING_RESTRICT scratch,
    const float *EDGELING_RESTRICT dy, const float *EDGELING_RESTRICT kernel, float *EDGELING_RESTRICT dx) {
    const edgeling_winograd_work work =
        edgeling_winograd_input_begin(images, lengths, size, scratch, dy, kernel, dx);
    edgeling_winograd_share(&work);
}

#endif
