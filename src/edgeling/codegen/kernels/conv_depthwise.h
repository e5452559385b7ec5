/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions as in conv.h in which each group is one channel: a kernel [rows,columns,1,outputs], with as many outputs
 * for each channel, side by side.
 */
#ifndef EDGELING_CONV_DEPTHWISE_H
#define EDGELING_CONV_DEPTHWISE_H

#include "activation.h"
#include "flash.h"
#include "window.h"

#define EDGELING_DEPTHWISE_BLOCK 8

/* Outputs [o, o + block) at one position. */
EDGELING_KERNEL void edgeling_depthwise_block(
    int block, int o, edgeling_window w, edgeling_span down, edgeling_span right, int function, float alpha,
    const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias,
    float *EDGELING_RESTRICT y) {
    const int of_each = w.outputs / w.channels;
    float sum[EDGELING_DEPTHWISE_BLOCK];
    for (int i = 0; i < block; i++) {
        sum[i] = edgeling_read_float(bias + o + i);
    }
    for (int row = down.first; row < down.last; row++) {
        for (int column = right.first; column < right.last; column++) {
            const float *pixel = x + edgeling_pixel(w, down, right, row, column);
            const float *weights = kernel + (row * w.columns + column) * w.outputs + o;
            for (int i = 0; i < block; i++) {
                sum[i] += pixel[(o + i) / of_each] * edgeling_read_float(weights + i);
            }
        }
    }
    for (int i = 0; i < block; i++) {
        y[o + i] = edgeling_activate(function, alpha, sum[i]);
    }
}

/* Row i of an image's result. */
EDGELING_KERNEL void edgeling_depthwise_row_of(
    edgeling_window w, int i, int function, float alpha, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    const edgeling_span down = edgeling_span_down(w, i);
    for (int j = 0; j < w.right; j++, y += w.outputs) {
        const edgeling_span right = edgeling_span_right(w, j);
        int o = 0;
        EDGELING_ROLLED
        for (; o + EDGELING_DEPTHWISE_BLOCK <= w.outputs; o += EDGELING_DEPTHWISE_BLOCK) {
            edgeling_depthwise_block(
                EDGELING_DEPTHWISE_BLOCK, o, w, down, right, function, alpha, x, kernel, bias, y);
        }
        for (; o < w.outputs; o++) {
            edgeling_depthwise_block(1, o, w, down, right, function, alpha, x, kernel, bias, y);
        }
    }
}

EDGELING_KERNEL void edgeling_conv_depthwise(
    int images, const int *lengths, int function, float alpha, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    const edgeling_window w = edgeling_window_of(lengths);
    for (int image = 0; image < images; image++, x += w.height * w.width * w.channels) {
        for (int i = 0; i < w.down; i++, y += w.right * w.outputs) {
            edgeling_depthwise_row_of(w, i, function, alpha, x, kernel, bias, y);
        }
    }
}

#endif
