/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolutions on cores with vectors, one output a channel: tiles of positions below one another, a vector of
 * channels each, are held in registers while the window's elements go by. The gradient of the image is one too.
 *
 * x, dx [images,height,width,channels], kernel [rows,columns,1,channels], bias [channels],
 * y, dy [images,down,right,channels]; 4 channels at least. Results are limited to [low,high].
 *   scratch  of the gradient: the kernel
 */
#ifndef EDGELING_DEPTHWISE_H
#define EDGELING_DEPTHWISE_H

#include "phase.h"
#include "vectors.h"

/* The steps of a tile. */
typedef struct {
    int rows, columns, channels; /* of the window that lie inside */
    int x_row, x_column, weights_row;
    int x_position, y_position; /* from a position to the one below */
    float low, high;
} edgeling_depthwise_steps;

/* y [positions,lanes] = start + what the window's elements give. */
#define EDGELING_DEPTHWISE_TILE(lanes, positions)                                                                     \
    EDGELING_VECTOR_FUNCTION void edgeling_depthwise_tile_##lanes##_##positions(                                      \
        const edgeling_depthwise_steps *steps, const float *x, const float *weights, const float *start, float *y) {  \
        const edgeling_depthwise_steps s = *steps;                                                                    \
        const edgeling_vector_##lanes low = EDGELING_VECTOR_OF_##lanes(s.low);                                        \
        const edgeling_vector_##lanes high = EDGELING_VECTOR_OF_##lanes(s.high);                                      \
        edgeling_vector_##lanes sum[positions];                                                                       \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int r = 0; r < (positions); r++) {                                                                       \
            sum[r] = EDGELING_CONST_AT(lanes, start);                                                                 \
        }                                                                                                             \
        for (int row = 0; row < s.rows; row++) {                                                                      \
            for (int column = 0; column < s.columns; column++) {                                                      \
                const float *seen = x + row * s.x_row + column * s.x_column;                                          \
                const edgeling_vector_##lanes weight =                                                                \
                    EDGELING_CONST_AT(lanes, weights + row * s.weights_row + column * s.channels);                    \
                if ((positions) == 1) {                                                                               \
                    EDGELING_VECTOR_FUSED(sum[0]);                                                                    \
                }                                                                                                     \
                EDGELING_VECTOR_UNROLL                                                                                \
                for (int r = 0; r < (positions); r++) {                                                               \
                    sum[r] += EDGELING_CONST_AT(lanes, seen + r * s.x_position) * weight;                             \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int r = 0; r < (positions); r++) {                                                                       \
            EDGELING_LIMIT_##lanes(sum[r], low, high);                                                                \
            EDGELING_AT(lanes, y + r * s.y_position) = sum[r];                                                        \
        }                                                                                                             \
    }

#define EDGELING_DEPTHWISE_RUN(lanes, positions)                                                                      \
    for (; count >= (positions); count -= (positions)) {                                                              \
        edgeling_depthwise_tile_##lanes##_##positions(s, x, weights, start, y);                                       \
        x += (positions) * s->x_position;                                                                             \
        y += (positions) * s->y_position;                                                                             \
    }

#define EDGELING_DEPTHWISE_LANES(lanes)                                                                               \
    EDGELING_DEPTHWISE_TILE(lanes, 1)                                                                                 \
    EDGELING_DEPTHWISE_TILE(lanes, 2)                                                                                 \
    EDGELING_DEPTHWISE_TILE(lanes, 4)                                                                                 \
    EDGELING_DEPTHWISE_TILE(lanes, 8)                                                                                 \
    EDGELING_VECTOR_FUNCTION void edgeling_depthwise_tiles_##lanes(                                                   \
        int count, const edgeling_depthwise_steps *s, const float *x, const float *weights, const float *start,       \
        float *y) {                                                                                                   \
        EDGELING_DEPTHWISE_RUN(lanes, 8)                                                                              \
        EDGELING_DEPTHWISE_RUN(lanes, 4)                                                                              \
        EDGELING_DEPTHWISE_RUN(lanes, 2)                                                                              \
        EDGELING_DEPTHWISE_RUN(lanes, 1)                                                                              \
    }

#if EDGELING_LANES == 1
EDGELING_DEPTHWISE_LANES(1)
#else
EDGELING_DEPTHWISE_LANES(4)
#endif
#if EDGELING_LANES >= 8
EDGELING_DEPTHWISE_LANES(8)
#endif
#if EDGELING_LANES >= 16
EDGELING_DEPTHWISE_LANES(16)
#endif

/* How many channels one vector takes: as many as there are, or fewer. */
EDGELING_KERNEL int edgeling_depthwise_lanes(int channels) {
    int lanes = EDGELING_LANES;
    while (lanes > channels) {
        lanes /= 2;
    }
    return lanes;
}

EDGELING_KERNEL void edgeling_depthwise_positions(
    int lanes, int count, const edgeling_depthwise_steps *s, const float *x, const float *weights, const float *start,
    float *y) {
    switch (lanes) {
#if EDGELING_LANES >= 16
    case 16:
        edgeling_depthwise_tiles_16(count, s, x, weights, start, y);
        break;
#endif
#if EDGELING_LANES >= 8
    case 8:
        edgeling_depthwise_tiles_8(count, s, x, weights, start, y);
        break;
#endif
    default:
#if EDGELING_LANES == 1
        edgeling_depthwise_tiles_1(count, s, x, weights, start, y);
#else
        edgeling_depthwise_tiles_4(count, s, x, weights, start, y);
#endif
        break;
    }
}

/* Results of an image: from a position to the one below, to the one to the right, and what limits them. */
typedef struct {
    int y_row, y_column;
    float low, high;
} edgeling_depthwise_result;

/* Positions one below the other, at one place from left to right, some channels of them. */
EDGELING_VECTOR_FUNCTION void edgeling_depthwise_column(
    const edgeling_window *window, const edgeling_depthwise_result *result, int lanes, int j, const float *x,
    const float *weights, const float *start, float *y) {
    const edgeling_window w = *window;
    const edgeling_span right = edgeling_span_right(w, j);
    const int of_row = w.width * w.channels, reach = (w.rows - 1) * w.dilation_down + 1;
    const int above = w.top > 0 ? (w.top - 1) / w.stride_down + 1 : 0, room = w.height + w.top - reach;
    const int inside_end = room >= 0 ? room / w.stride_down + 1 : 0; /* positions whose windows end inside */
    const int last = inside_end < w.down ? inside_end : w.down;
    edgeling_depthwise_steps s = {
        0, right.last - right.first, w.channels, w.dilation_down * of_row, w.dilation_right * w.channels,
        w.columns * w.channels, w.stride_down * of_row, result->y_row, result->low, result->high};
    int count = 1;
    x += (right.start + right.first * w.dilation_right) * w.channels;
    weights += right.first * w.channels;
    for (int i = 0; i < w.down; i += count) {
        const edgeling_span down = edgeling_span_down(w, i);
        count = i >= above && i < last ? last - i : 1;
        s.rows = down.last - down.first;
        edgeling_depthwise_positions(
            lanes, count, &s, x + (down.start + down.first * w.dilation_down) * of_row,
            weights + down.first * s.weights_row, start, y + i * result->y_row);
    }
}

/* The last vector of channels may begin before the end of the one before it: what both compute is the same. */
EDGELING_VECTOR_FUNCTION void edgeling_depthwise_image(
    const edgeling_window *window, const edgeling_depthwise_result *result, const float *x, const float *weights,
    const float *bias, float *y) {
    static const float zeros[16] = {0.0f};
    const int channels = window->channels, lanes = edgeling_depthwise_lanes(channels);
    for (int next = 0; next < channels; next += lanes) {
        const int c = next + lanes <= channels ? next : channels - lanes;
        for (int j = 0; j < window->right; j++) {
            edgeling_depthwise_column(
                window, result, lanes, j, x + c, weights + c, bias ? bias + c : zeros, y + j * result->y_column + c);
        }
    }
}

typedef struct {
    const int *lengths;
    float low, high;
    const float *x, *kernel, *bias;
    float *y;
} edgeling_depthwise_work;

/* One image. */
EDGELING_KERNEL void edgeling_depthwise_part(const void *work, int image) {
    const edgeling_depthwise_work *k = (const edgeling_depthwise_work *)work;
    const edgeling_window w = edgeling_window_of(k->lengths);
    const edgeling_depthwise_result result = {w.right * w.channels, w.channels, k->low, k->high};
    edgeling_depthwise_image(
        &w, &result, k->x + image * (w.height * w.width * w.channels), k->kernel, k->bias,
        k->y + image * (w.down * w.right * w.channels));
}

EDGELING_KERNEL void edgeling_depthwise(
    int images, const int *lengths, float low, float high, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    const edgeling_depthwise_work work = {lengths, low, high, x, kernel, bias, y};
    for (int image = 0; image < images; image++) {
        edgeling_depthwise_part(&work, image);
    }
}

/* The kernels of all phases, one behind the other. */
EDGELING_VECTOR_FUNCTION void edgeling_depthwise_turn(
    const edgeling_window *window, const float *EDGELING_RESTRICT kernel, float *EDGELING_RESTRICT turned) {
    const edgeling_window w = *window;
    for (int phase = 0; phase < w.stride_down * w.stride_right; phase++) {
        const edgeling_phase down = edgeling_phase_down(w, phase / w.stride_right);
        const edgeling_phase right = edgeling_phase_right(w, phase % w.stride_right);
        for (int u = down.taps - 1; u >= 0; u--) {
            for (int v = right.taps - 1; v >= 0; v--) {
                const int row = down.first + u * w.stride_down, column = right.first + v * w.stride_right;
                edgeling_vector_copy_floats(w.channels, kernel + (row * w.columns + column) * w.channels, turned);
                turned += w.channels;
            }
        }
    }
}

typedef struct {
    const int *lengths;
    const float *turned, *dy;
    float *dx;
} edgeling_depthwise_input_work;

/* One image. */
EDGELING_KERNEL void edgeling_depthwise_input_part(const void *work, int image) {
    const edgeling_depthwise_input_work *k = (const edgeling_depthwise_input_work *)work;
    const edgeling_window w = edgeling_window_of(k->lengths);
    const float *turned = k->turned;
    float *dx = k->dx + image * (w.height * w.width * w.channels);
    const edgeling_depthwise_result result = {
        w.stride_down * w.width * w.channels, w.stride_right * w.channels, -EDGELING_INFINITY, EDGELING_INFINITY};
    for (int phase = 0; phase < w.stride_down * w.stride_right; phase++) {
        const edgeling_phase down = edgeling_phase_down(w, phase / w.stride_right);
        const edgeling_phase right = edgeling_phase_right(w, phase % w.stride_right);
        const edgeling_window of = edgeling_phase_window(w, down, right);
        if (of.down > 0 && of.right > 0) {
            edgeling_depthwise_image(
                &of, &result, k->dy + image * (w.down * w.right * w.channels), turned, 0,
                dx + (down.origin * w.width + right.origin) * w.channels);
        }
        turned += of.rows * of.columns * w.channels;
    }
}

EDGELING_KERNEL void edgeling_depthwise_input_gradient(
    int images, const int *lengths, float *EDGELING_RESTRICT scratch, const float *EDGELING_RESTRICT dy,
    const float *EDGELING_RESTRICT kernel, float *EDGELING_RESTRICT dx) {
    const edgeling_window w = edgeling_window_of(lengths);
    const edgeling_depthwise_input_work work = {lengths, scratch, dy, dx};
    edgeling_depthwise_turn(&w, kernel, scratch);
    for (int image = 0; image < images; image++) {
        edgeling_depthwise_input_part(&work, image);
    }
}

#endif
