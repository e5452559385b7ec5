/* SPDX-License-Identifier: Apache-2.0 */
/* The largest, or the mean, of what a window sees of each channel, and their gradients.
 *
 * x, dx [images,height,width,channels], y, dy [images,down,right,channels]. Every window sees a part of the image.
 */
#ifndef EDGELING_POOL_H
#define EDGELING_POOL_H

#include "vectors.h"
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

/* Some vectors of channels: sums stay in registers, as many side by side as hide the latency of an addition. */
#define EDGELING_POOL_MEAN(lanes, vectors)                                                                            \
    EDGELING_KERNEL void edgeling_average_pool_##lanes##_##vectors(                                                   \
        edgeling_window w, edgeling_span down, edgeling_span right, float share, const float *EDGELING_RESTRICT x,    \
        float *EDGELING_RESTRICT y) {                                                                                 \
        edgeling_vector_##lanes sum[vectors];                                                                         \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int v = 0; v < (vectors); v++) {                                                                         \
            sum[v] = EDGELING_VECTOR_OF_##lanes(0.0f);                                                                \
        }                                                                                                             \
        for (int row = down.first; row < down.last; row++) {                                                          \
            for (int column = right.first; column < right.last; column++) {                                           \
                const float *pixel = x + edgeling_pixel(w, down, right, row, column);                                 \
                EDGELING_VECTOR_UNROLL                                                                                \
                for (int v = 0; v < (vectors); v++) {                                                                 \
                    sum[v] += EDGELING_CONST_AT(lanes, pixel + v * (lanes));                                          \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int v = 0; v < (vectors); v++) {                                                                         \
            EDGELING_AT(lanes, y + v * (lanes)) = sum[v] * share;                                                     \
        }                                                                                                             \
    }

#define EDGELING_POOL_MEANS(lanes, vectors)                                                                           \
    for (; c + (lanes) * (vectors) <= w.channels; c += (lanes) * (vectors)) {                                         \
        edgeling_average_pool_##lanes##_##vectors(w, down, right, share, x + c, y + c);                               \
    }

#if EDGELING_LANES == 1
#define EDGELING_POOL_WIDTHS(make)
#elif EDGELING_LANES == 4
#define EDGELING_POOL_WIDTHS(make) make(4, 4) make(4, 1)
#elif EDGELING_LANES == 8
#define EDGELING_POOL_WIDTHS(make) make(8, 4) make(4, 1)
#else
#define EDGELING_POOL_WIDTHS(make) make(16, 4) make(16, 1) make(4, 1)
#endif

EDGELING_POOL_WIDTHS(EDGELING_POOL_MEAN)

EDGELING_KERNEL void edgeling_average_pool_position(
    edgeling_window w, edgeling_span down, edgeling_span right, const float *EDGELING_RESTRICT x,
    float *EDGELING_RESTRICT y) {
    const float share = 1.0f / (float)((down.last - down.first) * (right.last - right.first));
    int c = 0, done;
    EDGELING_POOL_WIDTHS(EDGELING_POOL_MEANS)
    done = c;
    for (; c < w.channels; c++) {
        y[c] = 0.0f;
    }
    for (int row = down.first; row < down.last; row++) {
        for (int column = right.first; column < right.last; column++) {
            const float *pixel = x + edgeling_pixel(w, down, right, row, column);
            for (c = done; c < w.channels; c++) {
                y[c] += pixel[c];
            }
        }
    }
    for (c = done; c < w.channels; c++) {
        y[c] *= share;
    }
}

/* dx += dy where x is the first of the largest of its window; channels from `done` on. */
EDGELING_KERNEL void edgeling_max_pool_gradient_channels(
    int done, edgeling_window w, edgeling_span down, edgeling_span right, const float *EDGELING_RESTRICT dy,
    const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT dx) {
    for (int c = done; c < w.channels; c++) {
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

/* The same for as many channels as a vector takes. */
#define EDGELING_POOL_LANES(lanes)                                                                                    \
    EDGELING_KERNEL void edgeling_max_pool_gradient_##lanes(                                                          \
        edgeling_window w, edgeling_span down, edgeling_span right, const float *EDGELING_RESTRICT dy,                \
        const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT dx) {                                              \
        const int origin = edgeling_pixel(w, down, right, 0, 0);                                                      \
        const int of_row = w.dilation_down * w.width * w.channels, of_column = w.dilation_right * w.channels;         \
        edgeling_vector_##lanes largest =                                                                             \
            EDGELING_CONST_AT(lanes, x + origin + down.first * of_row + right.first * of_column);                     \
        edgeling_bits_##lanes place = (edgeling_bits_##lanes)edgeling_zeros_##lanes() + (down.first * w.columns + right.first); \
        for (int row = down.first; row < down.last; row++) {                                                          \
            for (int column = right.first; column < right.last; column++) {                                           \
                const edgeling_vector_##lanes next =                                                                  \
                    EDGELING_CONST_AT(lanes, x + origin + row * of_row + column * of_column);                         \
                const edgeling_bits_##lanes larger =                                                                  \
                    (edgeling_bits_##lanes)(next > largest) |                                                         \
                    ((edgeling_bits_##lanes)(next != next) & (edgeling_bits_##lanes)(largest == largest));            \
                largest = EDGELING_VECTOR_CHOICE(lanes, larger, next, largest);                                       \
                place = (larger & (row * w.columns + column)) | (~larger & place);                                    \
            }                                                                                                         \
        }                                                                                                             \
        for (int row = down.first; row < down.last; row++) {                                                          \
            for (int column = right.first; column < right.last; column++) {                                           \
                float *pixel = dx + origin + row * of_row + column * of_column;                                       \
                const edgeling_bits_##lanes here = (edgeling_bits_##lanes)(place == row * w.columns + column);        \
                EDGELING_AT(lanes, pixel) +=                                                                          \
                    (edgeling_vector_##lanes)(here & (edgeling_bits_##lanes)EDGELING_CONST_AT(lanes, dy));            \
            }                                                                                                         \
        }                                                                                                             \
    }

#define EDGELING_POOL_RUN(lanes)                                                                                      \
    for (; c + (lanes) <= w.channels; c += (lanes)) {                                                                 \
        edgeling_max_pool_gradient_##lanes(w, down, right, dy + c, x + c, dx + c);                                    \
    }

#define EDGELING_POOL_RUN_4
#define EDGELING_POOL_RUN_8
#define EDGELING_POOL_RUN_16
#if EDGELING_LANES >= 4
EDGELING_POOL_LANES(4)
#undef EDGELING_POOL_RUN_4
#define EDGELING_POOL_RUN_4 EDGELING_POOL_RUN(4)
#endif
#if EDGELING_LANES >= 8
EDGELING_POOL_LANES(8)
#undef EDGELING_POOL_RUN_8
#define EDGELING_POOL_RUN_8 EDGELING_POOL_RUN(8)
#endif
#if EDGELING_LANES >= 16
EDGELING_POOL_LANES(16)
#undef EDGELING_POOL_RUN_16
#define EDGELING_POOL_RUN_16 EDGELING_POOL_RUN(16)
#endif

EDGELING_KERNEL void edgeling_max_pool_gradient_position(
    edgeling_window w, edgeling_span down, edgeling_span right, const float *EDGELING_RESTRICT dy,
    const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT dx) {
    int c = 0;
    EDGELING_POOL_RUN_16
    EDGELING_POOL_RUN_8
    EDGELING_POOL_RUN_4
    edgeling_max_pool_gradient_channels(c, w, down, right, dy, x, dx);
}

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
