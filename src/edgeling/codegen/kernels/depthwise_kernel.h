/* SPDX-License-Identifier: Apache-2.0 */
/* The gradient of depthwise.h's kernel: elements side by side, a vector or two of channels each, are held in registers
 * while the positions of an image go by.
 *
 * x [images,height,width,channels], dy [images,down,right,channels], dkernel [rows,columns,1,channels].
 *   scratch  [height,seen width,EDGELING_DEPTHWISE_MOST_CHANNELS] for each thread, where the window reaches over the
 *            image's left or right end
 */
#ifndef EDGELING_DEPTHWISE_KERNEL_H
#define EDGELING_DEPTHWISE_KERNEL_H

#include "vectors.h"
#include "window.h"

#define EDGELING_DEPTHWISE_MOST_CHANNELS 32 /* of a part: whatever the vectors, scratch is planned for them */

/* The steps of a tile: positions down and to the right, and the channels that dy and dkernel have. */
typedef struct {
    int down, right, channels;
    int x_row, x_column, x_position, dy_row;
} edgeling_depthwise_kernel_steps;

/* dkernel [taps,vectors * lanes] += what the positions of an image give. */
#define EDGELING_DEPTHWISE_KERNEL_TILE(lanes, vectors, taps)                                                          \
    EDGELING_VECTOR_FUNCTION void edgeling_depthwise_kernel_##lanes##_##vectors##_##taps(                             \
        const edgeling_depthwise_kernel_steps *steps, const float *x, const float *dy, float *dkernel) {              \
        const edgeling_depthwise_kernel_steps s = *steps;                                                             \
        edgeling_vector_##lanes sum[taps][vectors], given[vectors];                                                   \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int t = 0; t < (taps); t++) {                                                                            \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int v = 0; v < (vectors); v++) {                                                                     \
                sum[t][v] = EDGELING_CONST_AT(lanes, dkernel + t * s.channels + v * (lanes));                         \
            }                                                                                                         \
        }                                                                                                             \
        for (int row = 0; row < s.down; row++) {                                                                      \
            const float *seen = x + row * s.x_row, *from = dy + row * s.dy_row;                                       \
            for (int j = 0; j < s.right; j++) {                                                                       \
                EDGELING_VECTOR_UNROLL                                                                                \
                for (int v = 0; v < (vectors); v++) {                                                                 \
                    given[v] = EDGELING_CONST_AT(lanes, from + v * (lanes));                                          \
                }                                                                                                     \
                EDGELING_VECTOR_UNROLL                                                                                \
                for (int t = 0; t < (taps); t++) {                                                                    \
                    EDGELING_VECTOR_UNROLL                                                                            \
                    for (int v = 0; v < (vectors); v++) {                                                             \
                        sum[t][v] += EDGELING_CONST_AT(lanes, seen + t * s.x_column + v * (lanes)) * given[v];        \
                    }                                                                                                 \
                }                                                                                                     \
                seen += s.x_position;                                                                                 \
                from += s.channels;                                                                                   \
            }                                                                                                         \
        }                                                                                                             \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int t = 0; t < (taps); t++) {                                                                            \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int v = 0; v < (vectors); v++) {                                                                     \
                EDGELING_AT(lanes, dkernel + t * s.channels + v * (lanes)) = sum[t][v];                               \
            }                                                                                                         \
        }                                                                                                             \
    }

#define EDGELING_DEPTHWISE_KERNEL_WIDTH(lanes, vectors)                                                               \
    EDGELING_DEPTHWISE_KERNEL_TILE(lanes, vectors, 1)                                                                 \
    EDGELING_DEPTHWISE_KERNEL_TILE(lanes, vectors, 3)                                                                 \
    EDGELING_VECTOR_FUNCTION void edgeling_depthwise_kernel_##lanes##_##vectors(                                      \
        int taps, const edgeling_depthwise_kernel_steps *s, const float *x, const float *dy, float *dkernel) {        \
        for (; taps >= 3; taps -= 3) {                                                                                \
            edgeling_depthwise_kernel_##lanes##_##vectors##_3(s, x, dy, dkernel);                                     \
            x += 3 * s->x_column;                                                                                     \
            dkernel += 3 * s->channels;                                                                               \
        }                                                                                                             \
        for (; taps > 0; taps--) {                                                                                    \
            edgeling_depthwise_kernel_##lanes##_##vectors##_1(s, x, dy, dkernel);                                     \
            x += s->x_column;                                                                                         \
            dkernel += s->channels;                                                                                   \
        }                                                                                                             \
    }

EDGELING_DEPTHWISE_KERNEL_WIDTH(1, 1)
#if EDGELING_LANES >= 4
EDGELING_DEPTHWISE_KERNEL_WIDTH(4, 1)
#endif
#if EDGELING_LANES == 4
EDGELING_DEPTHWISE_KERNEL_WIDTH(4, 2)
#define EDGELING_DEPTHWISE_KERNEL_8 edgeling_depthwise_kernel_4_2
#elif EDGELING_LANES >= 8
EDGELING_DEPTHWISE_KERNEL_WIDTH(8, 1)
#define EDGELING_DEPTHWISE_KERNEL_8 edgeling_depthwise_kernel_8_1
#endif
#if EDGELING_LANES == 8
EDGELING_DEPTHWISE_KERNEL_WIDTH(8, 2)
#define EDGELING_DEPTHWISE_KERNEL_16 edgeling_depthwise_kernel_8_2
#elif EDGELING_LANES >= 16
EDGELING_DEPTHWISE_KERNEL_WIDTH(16, 1)
EDGELING_DEPTHWISE_KERNEL_WIDTH(16, 2)
#define EDGELING_DEPTHWISE_KERNEL_16 edgeling_depthwise_kernel_16_1
#define EDGELING_DEPTHWISE_KERNEL_32 edgeling_depthwise_kernel_16_2
#endif

/* A row of the window, some channels; how many are taken. */
EDGELING_VECTOR_FUNCTION int edgeling_depthwise_kernel_taps(
    int channels, int taps, const edgeling_depthwise_kernel_steps *s, const float *x, const float *dy, float *dkernel) {
#if defined(EDGELING_DEPTHWISE_KERNEL_32)
    if (channels >= 32) {
        EDGELING_DEPTHWISE_KERNEL_32(taps, s, x, dy, dkernel);
        return 32;
    }
#endif
#if defined(EDGELING_DEPTHWISE_KERNEL_16)
    if (channels >= 16) {
        EDGELING_DEPTHWISE_KERNEL_16(taps, s, x, dy, dkernel);
        return 16;
    }
#endif
#if EDGELING_LANES > 1
    if (channels >= 8) {
        EDGELING_DEPTHWISE_KERNEL_8(taps, s, x, dy, dkernel);
        return 8;
    }
    if (channels >= 4) {
        edgeling_depthwise_kernel_4_1(taps, s, x, dy, dkernel);
        return 4;
    }
#endif
    edgeling_depthwise_kernel_1_1(taps, s, x, dy, dkernel);
    return 1;
}

EDGELING_KERNEL int edgeling_depthwise_seen_width(edgeling_window w) {
    return (w.right - 1) * w.stride_right + (w.columns - 1) * w.dilation_right + 1;
}

EDGELING_KERNEL int edgeling_depthwise_is_padded(edgeling_window w) {
    return w.left > 0 || edgeling_depthwise_seen_width(w) > w.width;
}

/* How many channels a part takes: few enough that two threads have something to do. */
EDGELING_KERNEL int edgeling_depthwise_channels_of_a_part(edgeling_window w) {
    return w.channels >= 4 * EDGELING_LANES ? 2 * EDGELING_LANES : EDGELING_LANES;
}

/* padded [height,seen width,channels] = some channels of the image, zeros left and right of it */
EDGELING_VECTOR_FUNCTION void edgeling_depthwise_pad(
    const edgeling_window *window, int channels, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT padded) {
    const edgeling_window w = *window;
    const int seen = edgeling_depthwise_seen_width(w);
    for (int row = 0; row < w.height; row++) {
        for (int place = 0; place < seen; place++, padded += channels) {
            const int column = place - w.left;
            if (column >= 0 && column < w.width) {
                edgeling_vector_copy_floats(channels, x + (row * w.width + column) * w.channels, padded);
            } else {
                edgeling_vector_fill_floats(channels, 0.0f, padded);
            }
        }
    }
}

/* Some channels' share of an image. seen: its rows, `width` pixels of `of_each` floats. */
EDGELING_VECTOR_FUNCTION void edgeling_depthwise_kernel_image(
    const edgeling_window *window, int channels, int width, int of_each, const float *seen, const float *dy,
    float *dkernel) {
    const edgeling_window w = *window;
    for (int row = 0; row < w.rows; row++) {
        const int above = w.top - row * w.dilation_down; /* positions see row i * stride_down - above */
        const int first = above > 0 ? (above - 1) / w.stride_down + 1 : 0;
        const int below = w.height + above, end = below > 0 ? (below - 1) / w.stride_down + 1 : 0;
        const int last = end < w.down ? end : w.down;
        const edgeling_depthwise_kernel_steps s = {
            last - first, w.right, w.channels, w.stride_down * width * of_each, w.dilation_right * of_each,
            w.stride_right * of_each, w.right * w.channels};
        int taken = 0;
        for (int c = 0; c < channels && last > first; c += taken) {
            taken = edgeling_depthwise_kernel_taps(
                channels - c, w.columns, &s, seen + (first * w.stride_down - above) * width * of_each + c,
                dy + first * s.dy_row + c, dkernel + row * w.columns * w.channels + c);
        }
    }
}

typedef struct {
    const int *lengths;
    int images;
    float *padded; /* of the first thread */
    const float *x, *dy;
    float *dkernel;
} edgeling_depthwise_kernel_work;

EDGELING_KERNEL int edgeling_depthwise_kernel_parts(const int *lengths) {
    const edgeling_window w = edgeling_window_of(lengths);
    return (w.channels - 1) / edgeling_depthwise_channels_of_a_part(w) + 1;
}

/* Some channels, of all images. */
EDGELING_KERNEL void edgeling_depthwise_kernel_part(const void *work, int part, int thread) {
    const edgeling_depthwise_kernel_work *k = (const edgeling_depthwise_kernel_work *)work;
    const edgeling_window w = edgeling_window_of(k->lengths);
    const int of_part = edgeling_depthwise_channels_of_a_part(w), first = part * of_part;
    const int channels = w.channels - first < of_part ? w.channels - first : of_part;
    const int is_padded = edgeling_depthwise_is_padded(w), seen_width = edgeling_depthwise_seen_width(w);
    float *padded = k->padded + (is_padded ? thread * w.height * seen_width * EDGELING_DEPTHWISE_MOST_CHANNELS : 0);
    for (int element = 0; element < w.rows * w.columns; element++) {
        edgeling_vector_fill_floats(channels, 0.0f, k->dkernel + element * w.channels + first);
    }
    for (int image = 0; image < k->images; image++) {
        const float *x = k->x + image * (w.height * w.width * w.channels) + first;
        const float *dy = k->dy + image * (w.down * w.right * w.channels) + first;
        if (is_padded) {
            edgeling_depthwise_pad(&w, channels, x, padded);
            edgeling_depthwise_kernel_image(&w, channels, seen_width, channels, padded, dy, k->dkernel + first);
        } else {
            edgeling_depthwise_kernel_image(&w, channels, w.width, w.channels, x, dy, k->dkernel + first);
        }
    }
}

EDGELING_KERNEL void edgeling_depthwise_kernel_gradient(
    int images, const int *lengths, float *EDGELING_RESTRICT scratch, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT dy, float *EDGELING_RESTRICT dkernel) {
    const edgeling_depthwise_kernel_work work = {lengths, images, scratch, x, dy, dkernel};
    for (int part = 0; part < edgeling_depthwise_kernel_parts(lengths); part++) {
        edgeling_depthwise_kernel_part(&work, part, 0);
    }
}

#endif
