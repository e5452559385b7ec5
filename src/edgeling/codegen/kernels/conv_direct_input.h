/* SPDX-License-Identifier: Apache-2.0 */
/* The gradient of conv_direct.h's image: a convolution of dy with the kernel turned round; where the window moves by
 * more than one pixel, one for each of the places that a pixel may have under it.
 *
 * dy [images,down,right,outputs], kernel [rows,columns,channels/groups,outputs], dx [images,height,width,channels].
 * Along an axis a window has a stride or a dilation, not both.
 *   scratch  the kernel, a group's channels in fours; then padded rows of dy for each thread
 */
#ifndef EDGELING_CONV_DIRECT_INPUT_H
#define EDGELING_CONV_DIRECT_INPUT_H

#include "conv_direct.h"
#include "phase.h"

/* Of dy, with zeros beside, whatever the phase. */
EDGELING_KERNEL int edgeling_gradient_padded_floats(edgeling_window w) {
    const int reach_right = (w.columns - 1) * w.dilation_right + 1;
    const int needed = edgeling_reach_down(w) * (w.width + reach_right) * w.outputs;
    return needed > EDGELING_CONV_PADDED_FLOATS ? needed : EDGELING_CONV_PADDED_FLOATS;
}

/* One element of the window, turned [outputs of a group,channels in fours]. */
EDGELING_VECTOR_FUNCTION void edgeling_turn_element(
    const edgeling_window *window, const float *EDGELING_RESTRICT kernel, float *EDGELING_RESTRICT turned) {
    const edgeling_window w = *window;
    const int inputs = w.channels / w.groups, outputs = w.outputs / w.groups, all = edgeling_in_fours(inputs);
    for (int group = 0; group < w.groups; group++) {
        for (int c = 0; c < all; c++) {
            for (int o = 0; o < outputs; o++) {
                turned[o * w.groups * all + group * all + c] =
                    c < inputs ? kernel[c * w.outputs + group * outputs + o] : 0.0f;
            }
        }
    }
}

/* The kernels of all phases, one behind the other. */
EDGELING_VECTOR_FUNCTION void edgeling_turn_kernel(
    const edgeling_window *window, const float *EDGELING_RESTRICT kernel, float *EDGELING_RESTRICT turned) {
    const edgeling_window w = *window;
    const int inputs = w.channels / w.groups;
    for (int phase = 0; phase < w.stride_down * w.stride_right; phase++) {
        const edgeling_phase down = edgeling_phase_down(w, phase / w.stride_right);
        const edgeling_phase right = edgeling_phase_right(w, phase % w.stride_right);
        for (int u = down.taps - 1; u >= 0; u--) {
            for (int v = right.taps - 1; v >= 0; v--) {
                const int row = down.first + u * w.stride_down, column = right.first + v * w.stride_right;
                edgeling_turn_element(window, kernel + (row * w.columns + column) * inputs * w.outputs, turned);
                turned += w.outputs * edgeling_in_fours(inputs);
            }
        }
    }
}

typedef struct {
    const int *lengths;
    const float *turned;
    float *padded; /* of the first thread */
    const float *dy;
    float *dx;
} edgeling_conv_input_work;

/* One image. */
EDGELING_KERNEL void edgeling_conv_input_part(const void *work, int image, int thread) {
    static const float zeros[EDGELING_CONV_PANEL] = {0.0f};
    const edgeling_conv_input_work *k = (const edgeling_conv_input_work *)work;
    const edgeling_window w = edgeling_window_of(k->lengths);
    const int all = edgeling_in_fours(w.channels / w.groups), step = w.groups * all;
    const float *turned = k->turned;
    float *dx = k->dx + image * (w.height * w.width * w.channels);
    const edgeling_conv_result result = {
        w.stride_down * w.width * w.channels, w.stride_right * w.channels, -EDGELING_INFINITY, EDGELING_INFINITY};
    for (int phase = 0; phase < w.stride_down * w.stride_right; phase++) {
        const edgeling_phase down = edgeling_phase_down(w, phase / w.stride_right);
        const edgeling_phase right = edgeling_phase_right(w, phase % w.stride_right);
        const edgeling_window of = edgeling_phase_window(w, down, right);
        const edgeling_conv_weights weights = {turned, zeros, step, step, EDGELING_CONV_PANEL, 0, all, 0};
        if (of.down > 0 && of.right > 0) {
            edgeling_conv_image(
                &of, &weights, &result, k->padded + thread * edgeling_gradient_padded_floats(w),
                k->dy + image * (w.down * w.right * w.outputs),
                dx + (down.origin * w.width + right.origin) * w.channels);
        }
        turned += of.rows * of.columns * (w.outputs / w.groups) * step;
    }
}

EDGELING_KERNEL edgeling_conv_input_work edgeling_conv_input_begin(
    const int *lengths, float *scratch, const float *dy, const float *kernel, float *dx) {
    const edgeling_window w = edgeling_window_of(lengths);
    const int turned = w.rows * w.columns * w.outputs * edgeling_in_fours(w.channels / w.groups);
    const edgeling_conv_input_work work = {lengths, scratch, scratch + turned, dy, dx};
    edgeling_turn_kernel(&w, kernel, scratch);
    return work;
}

EDGELING_KERNEL void edgeling_conv_direct_input_gradient(
    int images, const int *lengths, float *EDGELING_RESTRICT scratch, const float *EDGELING_RESTRICT dy,
    const float *EDGELING_RESTRICT kernel, float *EDGELING_RESTRICT dx) {
    const edgeling_conv_input_work work = edgeling_conv_input_begin(lengths, scratch, dy, kernel, dx);
    for (int image = 0; image < images; image++) {
        edgeling_conv_input_part(&work, image, 0);
    }
}

#endif
