/* SPDX-License-Identifier: Apache-2.0 */
/* A depthwise convolution and the convolution of one pixel behind it, on cores with vectors: some rows of what the first
 * gives lie in scratch, which the first level of cache holds, until tiles of the second have read them. Each element is
 * summed as in depthwise.h and conv_direct.h.
 *
 * x [images,height,width,channels], y [images,down,right,outputs]; at least 4 channels.
 *   lengths    of the depthwise convolution's window (window.h)
 *   depthwise  bias [channels], then its kernel [rows,columns,1,channels]; its results are limited to [least,most]
 *   packed     bias and weights of the other as in conv_direct.h; its results are limited to [low,high]
 *   scratch    for each thread EDGELING_SEPARABLE_FLOATS, or a row of positions, whichever is more
 */
#ifndef EDGELING_SEPARABLE_H
#define EDGELING_SEPARABLE_H

#include "conv_direct.h"
#include "depthwise.h"

#define EDGELING_SEPARABLE_FLOATS 4096

typedef struct {
    const int *lengths;
    int outputs;
    float least, most, low, high;
    float *scratch; /* of the first thread */
    const float *x, *depthwise, *packed;
    float *y;
} edgeling_separable_work;

/* Rows of positions whose channels lie in scratch at once. */
EDGELING_KERNEL int edgeling_separable_rows(edgeling_window w) {
    const int rows = EDGELING_SEPARABLE_FLOATS / (w.right * w.channels);
    return rows < 1 ? 1 : rows < w.down ? rows : w.down;
}

/* One image. */
EDGELING_KERNEL void edgeling_separable_part(const void *work, int image, int thread) {
    const edgeling_separable_work *k = (const edgeling_separable_work *)work;
    const edgeling_window w = edgeling_window_of(k->lengths);
    const int rows = edgeling_separable_rows(w), of_row = w.right * w.channels;
    const edgeling_depthwise_result between = {of_row, w.channels, k->least, k->most};
    const edgeling_conv_result result = {w.right * k->outputs, k->outputs, k->low, k->high};
    const edgeling_conv_weights weights = edgeling_conv_panels(w.channels, 1, k->outputs, k->packed);
    const float *x = k->x + image * (w.height * w.width * w.channels);
    float *held = k->scratch + thread * (rows * of_row), *y = k->y + image * (w.down * w.right * k->outputs);
    for (int top = 0; top < w.down; top += rows) {
        const int bottom = top + rows < w.down ? top + rows : w.down, positions = (bottom - top) * w.right;
        const edgeling_window row = {
            1, positions, w.channels, 1, positions, k->outputs, 1, 1, 1, 1, 0, 0, 1, 1, 1};
        edgeling_depthwise_rows(&w, &between, top, bottom, x, k->depthwise + w.channels, k->depthwise, held);
        edgeling_conv_direct_block(&row, &weights, &result, 0, 1, 0, positions, held, y + top * result.y_row);
    }
}

EDGELING_KERNEL void edgeling_separable(
    int images, const int *lengths, int outputs, float least, float most, float low, float high,
    float *EDGELING_RESTRICT scratch, const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT depthwise,
    const float *EDGELING_RESTRICT packed, float *EDGELING_RESTRICT y) {
    const edgeling_separable_work work = {lengths, outputs, least, most, low, high, scratch, x, depthwise, packed, y};
    for (int image = 0; image < images; image++) {
        edgeling_separable_part(&work, image, 0);
    }
}

#endif
