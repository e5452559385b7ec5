/* SPDX-License-Identifier: Apache-2.0 */
/* The largest, or the mean, of what a window sees of each channel, and their gradients.
 *
 * x, dx [images,height,width,channels], y, dy [images,down,right,channels]. Every window sees a part of the image.
 */
#ifndef EDGELING_POOL_H
#define EDGELING_POOL_H

#include "window.h"

/* The larger; NaN where one is. */
EDGELING_KERNEL float edgeling_larger(float a, float b) { return edgeling_is_nan(b) || b > a ? b : a; }

EDGELING_KERNEL void edgeling_max_pool_position(
    edgeling_window w, edgeling_span down, edgeling_span right, const float *EDGELING_RESTRICT x,
    float *EDGELING_RESTRICT y) {
    const float *first = x + edgeling_pixel(w, down, right, down.first, right.first);
    for (int c = 0; c < w.channels; c++) {
        y[c] = first[c];
    }
    for (int row = down.first; row < down.last; row++) {
        for (int column = right.first; column < right.last; column++) {
            const float *pixel = x + edgeling_pixel(w, down, right, row, column);
            for (int c = 0; c < w.channels; c++) {
                y[c] = edgeling_larger(y[c], pixel[c]);
            }
        }
    }
}

EDGELING_KERNEL void edgeling_average_pool_position(
    edgeling_window w, edgeling_span down, edgeling_span right, const float *EDGELING_RESTRICT x,
    float *EDGELING_RESTRICT y) {
    const float share = 1.0f / (float)((down.last - down.first) * (right.last - right.first));
    for (int c = 0; c < w.channels; c++) {
        y[c] = 0.0f;
    }
    for (int row = down.first; row < down.last; row++) {
        for (int column = right.first; column < right.last; column++) {
            const float *pixel = x + edgeling_pixel(w, down, right, row, column);
            for (int c = 0; c < w.channels; c++) {
                y[c] += pixel[c];
            }
        }
    }
    for (int c = 0; c < w.channels; c++) {
        y[c] *= share;
    }
}

#if EDGELING_LANES > 1

#define EDGELING_POOL_CHANNELS 16 /* side by side, as vectors take them */

/* Some channels: of each the first of its largest is found, then all elements of the window take what is theirs. */
EDGELING_KERNEL void edgeling_max_pool_gradient_channels(
    int channels, edgeling_window w, edgeling_span down, edgeling_span right, const float *EDGELING_RESTRICT dy,
    const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT dx) {
    const float *first = x + edgeling_pixel(w, down, right, down.first, right.first);
    float largest[EDGELING_POOL_CHANNELS];
    int32_t place[EDGELING_POOL_CHANNELS];
    for (int c = 0; c < channels; c++) {
        largest[c] = first[c];
        place[c] = down.first * w.columns + right.first;
    }
    for (int row = down.first; row < down.last; row++) {
        for (int column = right.first; column < right.last; column++) {
            const float *other = x + edgeling_pixel(w, down, right, row, column);
            const int32_t here = row * w.columns + column;
            for (int c = 0; c < channels; c++) {
                const float best = largest[c], next = other[c];
                const int larger = (next > best) | ((next != next) & (best == best));
                largest[c] = larger ? next : best;
                place[c] = larger ? here : place[c];
            }
        }
    }
    for (int row = down.first; row < down.last; row++) {
        for (int column = right.first; column < right.last; column++) {
            float *pixel = dx + edgeling_pixel(w, down, right, row, column);
            const int32_t here = row * w.columns + column;
            for (int c = 0; c < channels; c++) {
                pixel[c] += place[c] == here ? dy[c] : 0.0f;
            }
        }
    }
}

EDGELING_KERNEL void edgeling_max_pool_gradient_position(
    edgeling_window w, edgeling_span down, edgeling_span right, const float *EDGELING_RESTRICT dy,
    const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT dx) {
    int c = 0;
    for (; c + EDGELING_POOL_CHANNELS <= w.channels; c += EDGELING_POOL_CHANNELS) {
        edgeling_max_pool_gradient_channels(EDGELING_POOL_CHANNELS, w, down, right, dy + c, x + c, dx + c);
    }
    if (c < w.channels) {
        edgeling_max_pool_gradient_channels(w.channels - c, w, down, right, dy + c, x + c, dx + c);
    }
}

#else

/* dx += dy where x is the first of the largest of its window. */
EDGELING_KERNEL void edgeling_max_pool_gradient_position(
    edgeling_window w, edgeling_span down, edgeling_span right, const float *EDGELING_RESTRICT dy,
    const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT dx) {
    for (int c = 0; c < w.channels; c++) {
        int place = edgeling_pixel(w, down, right, down.first, right.first) + c;
        for (int row = down.first; row < down.last; row++) {
            for (int column = right.first; column < right.last; column++) {
                const int other = edgeling_pixel(w, down, right, row, column) + c;
                const int larger = x[other] > x[place] || (edgeling_is_nan(x[other]) && !edgeling_is_nan(x[place]));
                place = larger ? other : place;
            }
        }
        dx[place] += dy[c];
    }
}

#endif

EDGELING_KERNEL void edgeling_average_pool_gradient_position(
    edgeling_window w, edgeling_span down, edgeling_span right, const float *EDGELING_RESTRICT dy,
    float *EDGELING_RESTRICT dx) {
    const float share = 1.0f / (float)((down.last - down.first) * (right.last - right.first));
    for (int row = down.first; row < down.last; row++) {
        for (int column = right.first; column < right.last; column++) {
            float *pixel = dx + edgeling_pixel(w, down, right, row, column);
            for (int c = 0; c < w.channels; c++) {
                pixel[c] += dy[c] * share;
            }
        }
    }
}

EDGELING_KERNEL void edgeling_max_pool(
    int images, const int *lengths, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    const edgeling_window w = edgeling_window_of(lengths);
    for (int image = 0; image < images; image++, x += w.height * w.width * w.channels) {
        for (int i = 0; i < w.down; i++) {
            for (int j = 0; j < w.right; j++, y += w.channels) {
                edgeling_max_pool_position(w, edgeling_span_down(w, i), edgeling_span_right(w, j), x, y);
            }
        }
    }
}

EDGELING_KERNEL void edgeling_average_pool(
    int images, const int *lengths, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    const edgeling_window w = edgeling_window_of(lengths);
    for (int image = 0; image < images; image++, x += w.height * w.width * w.channels) {
        for (int i = 0; i < w.down; i++) {
            for (int j = 0; j < w.right; j++, y += w.channels) {
                edgeling_average_pool_position(w, edgeling_span_down(w, i), edgeling_span_right(w, j), x, y);
            }
        }
    }
}

EDGELING_KERNEL void edgeling_pool_clear(int size, float *dx) {
    for (int i = 0; i < size; i++) {
        dx[i] = 0.0f;
    }
}

EDGELING_KERNEL void edgeling_max_pool_gradient(
    int images, const int *lengths, const float *EDGELING_RESTRICT dy, const float *EDGELING_RESTRICT x,
    float *EDGELING_RESTRICT dx) {
    const edgeling_window w = edgeling_window_of(lengths);
    const int size = w.height * w.width * w.channels;
    for (int image = 0; image < images; image++, x += size, dx += size) {
        edgeling_pool_clear(size, dx);
        for (int i = 0; i < w.down; i++) {
            for (int j = 0; j < w.right; j++, dy += w.channels) {
                edgeling_max_pool_gradient_position(w, edgeling_span_down(w, i), edgeling_span_right(w, j), dy, x, dx);
            }
        }
    }
}

EDGELING_KERNEL void edgeling_average_pool_gradient(
    int images, const int *lengths, const float *EDGELING_RESTRICT dy, float *EDGELING_RESTRICT dx) {
    const edgeling_window w = edgeling_window_of(lengths);
    const int size = w.height * w.width * w.channels;
    for (int image = 0; image < images; image++, dx += size) {
        edgeling_pool_clear(size, dx);
        for (int i = 0; i < w.down; i++) {
            for (int j = 0; j < w.right; j++, dy += w.channels) {
                edgeling_average_pool_gradient_position(w, edgeling_span_down(w, i), edgeling_span_right(w, j), dy, dx);
            }
        }
    }
}

#endif
