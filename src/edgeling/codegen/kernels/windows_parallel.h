/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions and their gradients as in conv_direct*.h and depthwise*.h, in parts that threads share: images, or
 * elements of the kernel. Each element is computed by the same instructions in the same order as there.
 *
 *   scratch  as there, for each thread there may be
 */
#ifndef EDGELING_WINDOWS_PARALLEL_H
#define EDGELING_WINDOWS_PARALLEL_H

#include "conv_direct.h"
#include "conv_direct_input.h"
#include "conv_direct_kernel.h"
#include "depthwise.h"
#include "depthwise_kernel.h"
#include "parallel.h"

static void edgeling_conv_task(const void *work, int part, int thread) { edgeling_conv_part(work, part, thread); }

static void edgeling_conv_input_task(const void *work, int part, int thread) {
    edgeling_conv_input_part(work, part, thread);
}

static void edgeling_conv_kernel_task(const void *work, int part, int thread) {
    edgeling_conv_kernel_part(work, part, thread);
}

EDGELING_KERNEL void edgeling_conv_direct_parallel(
    int images, const int *lengths, float low, float high, float *EDGELING_RESTRICT scratch,
    const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias,
    float *EDGELING_RESTRICT y) {
    const edgeling_conv_work work = edgeling_conv_begin(lengths, low, high, scratch, x, kernel, bias, y);
    edgeling_in_parts(edgeling_conv_task, &work, (int)sizeof work, images);
}

EDGELING_KERNEL void edgeling_conv_packed_parallel(
    int images, const int *lengths, float low, float high, float *EDGELING_RESTRICT scratch,
    const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT packed, float *EDGELING_RESTRICT y) {
    const edgeling_conv_work work = edgeling_conv_packed_begin(lengths, low, high, scratch, x, packed, y);
    edgeling_in_parts(edgeling_conv_task, &work, (int)sizeof work, images);
}

EDGELING_KERNEL void edgeling_conv_direct_input_gradient_parallel(
    int images, const int *lengths, float *EDGELING_RESTRICT scratch, const float *EDGELING_RESTRICT dy,
    const float *EDGELING_RESTRICT kernel, float *EDGELING_RESTRICT dx) {
    const edgeling_conv_input_work work = edgeling_conv_input_begin(lengths, scratch, dy, kernel, dx);
    edgeling_in_parts(edgeling_conv_input_task, &work, (int)sizeof work, images);
}

EDGELING_KERNEL void edgeling_conv_direct_kernel_gradient_parallel(
    int images, const int *lengths, float *EDGELING_RESTRICT scratch, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT dy, float *EDGELING_RESTRICT dkernel) {
    const int blocks = edgeling_conv_blocks(edgeling_window_of(lengths)), threads = edgeling_thread_count();
    const int of_each = (blocks - 1) / threads + 1;
    const edgeling_conv_kernel_work work = {lengths, of_each, scratch, images, x, dy, dkernel};
    edgeling_in_parts(edgeling_conv_kernel_task, &work, (int)sizeof work, (blocks - 1) / of_each + 1);
}

static void edgeling_depthwise_task(const void *work, int part, int thread) {
    (void)thread;
    edgeling_depthwise_part(work, part);
}

static void edgeling_depthwise_input_task(const void *work, int part, int thread) {
    (void)thread;
    edgeling_depthwise_input_part(work, part);
}

static void edgeling_depthwise_kernel_task(const void *work, int part, int thread) {
    edgeling_depthwise_kernel_part(work, part, thread);
}

EDGELING_KERNEL void edgeling_depthwise_parallel(
    int images, const int *lengths, float low, float high, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    const edgeling_depthwise_work work = {lengths, low, high, x, kernel, bias, y};
    edgeling_in_parts(edgeling_depthwise_task, &work, (int)sizeof work, images);
}

EDGELING_KERNEL void edgeling_depthwise_input_gradient_parallel(
    int images, const int *lengths, float *EDGELING_RESTRICT scratch, const float *EDGELING_RESTRICT dy,
    const float *EDGELING_RESTRICT kernel, float *EDGELING_RESTRICT dx) {
    const edgeling_window w = edgeling_window_of(lengths);
    const edgeling_depthwise_input_work work = {lengths, scratch, dy, dx};
    edgeling_depthwise_turn(&w, kernel, scratch);
    edgeling_in_parts(edgeling_depthwise_input_task, &work, (int)sizeof work, images);
}

EDGELING_KERNEL void edgeling_depthwise_kernel_gradient_parallel(
    int images, const int *lengths, float *EDGELING_RESTRICT scratch, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT dy, float *EDGELING_RESTRICT dkernel) {
    const edgeling_depthwise_kernel_work work = {lengths, images, scratch, x, dy, dkernel};
    const int parts = edgeling_depthwise_kernel_parts(lengths);
    edgeling_in_parts(edgeling_depthwise_kernel_task, &work, (int)sizeof work, parts);
}

#endif
