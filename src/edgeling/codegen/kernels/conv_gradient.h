/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of the convolutions of conv.h.
 *
 * x, dx [images,height,width,channels], kernel, dkernel [rows,columns,channels/groups,outputs],
 * dy [images,down,right,outputs].
 */
#ifndef EDGELING_CONV_GRADIENT_H
#define EDGELING_CONV_GRADIENT_H

#include "flash.h"
#include "window.h"

/* dx += what one position gives one of the window's elements. */
EDGELING_KERNEL void edgeling_conv_input_gradient_pixel(
    edgeling_window w, const float *EDGELING_RESTRICT dy, const float *EDGELING_RESTRICT kernel,
    float *EDGELING_RESTRICT dx) {
    const int inputs = w.channels / w.groups, outputs = w.outputs / w.groups;
    for (int c = 0; c < w.channels; c++) {
        const int first = c / inputs * outputs;
        const float *weights = kernel + c % inputs * w.outputs + first;
        float sum = dx[c];
        for (int o = 0; o < outputs; o++) {
            sum += dy[first + o] * edgeling_read_float(weights + o);
        }
        dx[c] = sum;
    }
}

EDGELING_KERNEL void edgeling_conv_input_gradient(
    int images, const int *lengths, const float *EDGELING_RESTRICT dy, const float *EDGELING_RESTRICT kernel,
    float *EDGELING_RESTRICT dx) {
    const edgeling_window w = edgeling_window_of(lengths);
    const int size = w.height * w.width * w.channels, weights = w.channels / w.groups * w.outputs;
    for (int image = 0; image < images; image++, dx += size) {
        for (int i = 0; i < size; i++) {
            dx[i] = 0.0f;
        }
        for (int i = 0; i < w.down; i++) {
            const edgeling_span down = edgeling_span_down(w, i);
            for (int j = 0; j < w.right; j++, dy += w.outputs) {
                const edgeling_span right = edgeling_span_right(w, j);
                for (int row = down.first; row < down.last; row++) {
                    for (int column = right.first; column < right.last; column++) {
                        edgeling_conv_input_gradient_pixel(
                            w, dy, kernel + (row * w.columns + column) * weights,
                            dx + edgeling_pixel(w, down, right, row, column));
                    }
                }
            }
        }
    }
}

/* dkernel += what one position and one of the window's elements give. */
EDGELING_KERNEL void edgeling_conv_kernel_gradient_pixel(
    edgeling_window w, const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT dy,
    float *EDGELING_RESTRICT dkernel) {
    const int inputs = w.channels / w.groups, outputs = w.outputs / w.groups;
    for (int c = 0; c < inputs; c++) {
        for (int g = 0; g < w.groups; g++) {
            for (int o = g * outputs; o < (g + 1) * outputs; o++) {
                dkernel[c * w.outputs + o] += x[g * inputs + c] * dy[o];
            }
        }
    }
}

EDGELING_KERNEL void edgeling_conv_kernel_gradient(
    int images, const int *lengths, const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT dy,
    float *EDGELING_RESTRICT dkernel) {
    const edgeling_window w = edgeling_window_of(lengths);
    const int weights = w.channels / w.groups * w.outputs;
    for (int i = 0; i < w.rows * w.columns * weights; i++) {
        dkernel[i] = 0.0f;
    }
    for (int image = 0; image < images; image++, x += w.height * w.width * w.channels) {
        for (int i = 0; i < w.down; i++) {
            const edgeling_span down = edgeling_span_down(w, i);
            for (int j = 0; j < w.right; j++, dy += w.outputs) {
                const edgeling_span right = edgeling_span_right(w, j);
                for (int row = down.first; row < down.last; row++) {
                    for (int column = right.first; column < right.last; column++) {
                        edgeling_conv_kernel_gradient_pixel(
                            w, x + edgeling_pixel(w, down, right, row, column), dy,
                            dkernel + (row * w.columns + column) * weights);
                    }
                }
            }
        }
    }
}

#endif
