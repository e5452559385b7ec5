/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions: y = activation(kernel over x + bias), each group of channels for itself.
 *
 * x [images,height,width,channels], kernel [rows,columns,channels/groups,outputs], bias [outputs],
 * y [images,down,right,outputs]. Sums run over the window's rows, its columns, then channels, from the bias.
 */
#ifndef EDGELING_CONV_H
#define EDGELING_CONV_H

#include "dense.h"
#include "window.h"

/* Neighbouring outputs of one group at one position; x: the group's first channel, kernel: the first output. */
EDGELING_KERNEL void edgeling_conv_block(
    int block, edgeling_window w, edgeling_span down, edgeling_span right, int function, float alpha,
    const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias,
    float *EDGELING_RESTRICT y) {
    const int inputs = w.channels / w.groups;
    const int together = w.groups == 1 && w.dilation_right == 1; /* a row of the window is one piece of the image */
    float sum[EDGELING_DENSE_BLOCK];
    for (int o = 0; o < block; o++) {
        sum[o] = edgeling_read_float(bias + o);
    }
    for (int row = down.first; row < down.last; row++) {
        if (together) {
            const int terms = (right.last - right.first) * inputs;
            edgeling_dense_sums(
                0, block, terms, w.outputs, x + edgeling_pixel(w, down, right, row, right.first),
                kernel + (row * w.columns + right.first) * inputs * w.outputs, sum);
        } else {
            for (int column = right.first; column < right.last; column++) {
                edgeling_dense_sums(
                    0, block, inputs, w.outputs, x + edgeling_pixel(w, down, right, row, column),
                    kernel + (row * w.columns + column) * inputs * w.outputs, sum);
            }
        }
    }
    for (int o = 0; o < block; o++) {
        y[o] = edgeling_activate(function, alpha, sum[o]);
    }
}

/* All outputs of one group at one position. */
EDGELING_KERNEL void edgeling_conv_group(
    edgeling_window w, edgeling_span down, edgeling_span right, int function, float alpha,
    const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias,
    float *EDGELING_RESTRICT y) {
    const int outputs = w.outputs / w.groups;
    int o = 0;
    EDGELING_ROLLED
    for (; o + EDGELING_DENSE_BLOCK <= outputs; o += EDGELING_DENSE_BLOCK) {
        edgeling_conv_block(
            EDGELING_DENSE_BLOCK, w, down, right, function, alpha, x, kernel + o, bias + o, y + o);
    }
    if (outputs % EDGELING_DENSE_BLOCK >= 4) {
        edgeling_conv_block(4, w, down, right, function, alpha, x, kernel + o, bias + o, y + o);
        o += 4;
    }
    for (; o < outputs; o++) {
        edgeling_conv_block(1, w, down, right, function, alpha, x, kernel + o, bias + o, y + o);
    }
}

EDGELING_KERNEL void edgeling_conv_position(
    edgeling_window w, edgeling_span down, edgeling_span right, int function, float alpha,
    const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias,
    float *EDGELING_RESTRICT y) {
    const int inputs = w.channels / w.groups, outputs = w.outputs / w.groups;
    for (int g = 0; g < w.groups; g++) {
        edgeling_conv_group(
            w, down, right, function, alpha, x + g * inputs, kernel + g * outputs, bias + g * outputs, y + g * outputs);
    }
}

EDGELING_KERNEL void edgeling_conv(
    int images, const int *lengths, int function, float alpha, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    const edgeling_window w = edgeling_window_of(lengths);
    for (int image = 0; image < images; image++, x += w.height * w.width * w.channels) {
        for (int i = 0; i < w.down; i++) {
            const edgeling_span down = edgeling_span_down(w, i);
            for (int j = 0; j < w.right; j++, y += w.outputs) {
                edgeling_conv_position(
                    w, down, edgeling_span_right(w, j), function, alpha, x, kernel, bias, y);
            }
        }
    }
}

#endif
