/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolutions on cores with vectors, one output a channel: tiles of neighbouring positions, some
 * vectors of channels each, are held in registers while the window's elements go by. The gradient of the image is one too.
 *
 * x, dx [images,height,width,channels], kernel [rows,columns,1,channels], bias [channels],
 * y, dy [images,down,right,channels]; 4 channels at least. Results are limited to [low,high].
 *   scratch  of the gradient: the kernel
 */
#ifndef EDGELING_DEPTHWISE_H
#define EDGELING_DEPTHWISE_H

#include "depthwise_three.h"
#include "phase.h"

/* y [positions,vectors * lanes] = start + what the window's elements give. */
#define EDGELING_DEPTHWISE_TILE(lanes, vectors, positions)                                                            \
    EDGELING_VECTOR_FUNCTION void edgeling_depthwise_tile_##lanes##_##vectors##_##positions(                          \
        const edgeling_depthwise_steps *steps, const float *x, const float *weights, const float *start, float *y) {  \
        const edgeling_depthwise_steps s = *steps;                                                                    \
        const edgeling_vector_##lanes low = EDGELING_VECTOR_OF_##lanes(s.low);                                        \
        const edgeling_vector_##lanes high = EDGELING_VECTOR_OF_##lanes(s.high);                                      \
        edgeling_vector_##lanes sum[positions][vectors];                                                              \
        EDGELING_TILE_BEGIN(lanes, vectors, positions, sum, start)                                                    \
        for (int row = 0; row < s.rows; row++) {                                                                      \
            const float *seen = x + row * s.x_row, *weight = weights + row * s.weights_row;                           \
            for (int column = 0; column < s.columns; column++) {                                                      \
                if ((positions) * (vectors) == 1) {                                                                   \
                    EDGELING_VECTOR_FUSED(sum[0][0]);                                                                 \
                }                                                                                                     \
                edgeling_vector_##lanes factor[vectors]; /* read once: the compiler would not, for each position */      \
                EDGELING_VECTOR_UNROLL                                                                                \
                for (int v = 0; v < (vectors); v++) {                                                                 \
                    factor[v] = EDGELING_CONST_AT(lanes, weight + v * (lanes));                                       \
                    EDGELING_VECTOR_KEPT(factor[v]);                                                                  \
                }                                                                                                     \
                const float *at = seen;                                                                               \
                EDGELING_VECTOR_UNROLL                                                                                \
                for (int r = 0; r < (positions); r++) {                                                               \
                    if ((r > 0 || !s.is_cut_left || column > 0) &&                                                    \
                        (r < (positions) - 1 || !s.is_cut_right || column < s.columns - 1)) {                         \
                        EDGELING_VECTOR_UNROLL                                                                        \
                        for (int v = 0; v < (vectors); v++) {                                                         \
                            sum[r][v] += EDGELING_CONST_AT(lanes, at + v * (lanes)) * factor[v];                      \
                        }                                                                                             \
                    }                                                                                                 \
                    at += s.x_position;                                                                               \
                    EDGELING_VECTOR_STEP(at);                                                                         \
                }                                                                                                     \
                seen += s.x_column;                                                                                   \
                weight += s.channels;                                                                                 \
            }                                                                                                         \
        }                                                                                                             \
        EDGELING_TILE_END(lanes, vectors, positions, sum, low, high, y, s.y_position)                                 \
    }

#define EDGELING_DEPTHWISE_NAME(lanes, vectors, positions) edgeling_depthwise_tile_##lanes##_##vectors##_##positions,

/* The tiles of one width, by their positions. */
#define EDGELING_DEPTHWISE_WIDTH(lanes, vectors, most)                                                                \
    EDGELING_DEPTHWISE_TO_##most(EDGELING_DEPTHWISE_TILE, lanes, vectors)                                             \
    static const edgeling_depthwise_tile edgeling_depthwise_tiles_##lanes##_##vectors[] = {                           \
        EDGELING_DEPTHWISE_TO_##most(EDGELING_DEPTHWISE_NAME, lanes, vectors)};

#define EDGELING_DEPTHWISE_CASE(lanes, vectors, most)                                                                 \
    case (lanes) * (vectors):                                                                                         \
        widest.channels = width;                                                                                      \
        widest.positions = most;                                                                                      \
        widest.tiles = edgeling_depthwise_tiles_##lanes##_##vectors;                                                  \
        break;

/* Widths of tiles as (lanes, vectors, positions at the most); the narrowest is 4 channels, or one. */
#if EDGELING_LANES == 1
#define EDGELING_DEPTHWISE_WIDTHS(make) make(1, 1, 8)
#elif EDGELING_LANES == 4
#define EDGELING_DEPTHWISE_WIDTHS(make) make(4, 1, 8) make(4, 2, 4)
#elif EDGELING_LANES == 8
#define EDGELING_DEPTHWISE_WIDTHS(make) make(4, 1, 8) make(8, 1, 8) make(8, 2, 4)
#else
#define EDGELING_DEPTHWISE_WIDTHS(make) make(4, 1, 8) make(8, 1, 8) make(16, 1, 8) make(16, 2, 8) make(16, 4, 6)
#endif

EDGELING_DEPTHWISE_WIDTHS(EDGELING_DEPTHWISE_WIDTH)

/* The widest tiles for so many channels; where there are fewer than 4, tiles of 4 all the same. */
EDGELING_KERNEL edgeling_depthwise_tiles edgeling_depthwise_widest(int channels) {
    edgeling_depthwise_tiles widest = {0, 0, 0};
    int width = EDGELING_LANES == 1 ? 1 : EDGELING_LANES == 16 ? 64 : 2 * EDGELING_LANES;
    while (width > channels && width > 4) {
        width /= 2;
    }
    switch (width) {
        EDGELING_DEPTHWISE_WIDTHS(EDGELING_DEPTHWISE_CASE)
    default:
        break;
    }
    return widest;
}

/* Results of an image: from a position to the one below, to the one to the right, and what limits them. */
typedef struct {
    int y_row, y_column;
    float low, high;
} edgeling_depthwise_result;

/* Neighbouring positions from j on that see the same columns of the window from `first` on, of rows [top, bottom). */
typedef struct {
    int j, count, first, top, bottom;
} edgeling_depthwise_run;

/* Some channels of a run; the tile at either end may be cut. */
EDGELING_VECTOR_FUNCTION void edgeling_depthwise_channels(
    const edgeling_window *window, const edgeling_depthwise_steps *steps, const edgeling_depthwise_run *run, int y_row,
    const edgeling_depthwise_tiles *with, const float *x, const float *weights, const float *start, float *y) {
    const edgeling_window w = *window;
    edgeling_depthwise_steps s = *steps;
    for (int left = run->count, tiles = (left - 1) / with->positions + 1; left > 0; tiles--) {
        const int positions = (left - 1) / tiles + 1, j = run->j + run->count - left; /* about equal tiles */
        const edgeling_depthwise_tile tile = with->tiles[positions - 1];
        const int column = j * w.stride_right - w.left + run->first * w.dilation_right;
        s.is_cut_left = steps->is_cut_left && left == run->count;
        s.is_cut_right = steps->is_cut_right && positions == left;
        for (int i = run->top; i < run->bottom; i++) {
            const edgeling_span down = edgeling_span_down(w, i);
            s.rows = down.last > down.first ? down.last - down.first : 0;
            tile(
                &s, x + ((down.start + down.first * w.dilation_down) * w.width + column) * w.channels,
                weights + (down.first * w.columns + run->first) * w.channels, start,
                y + (i - run->top) * y_row + j * s.y_position);
        }
        left -= positions;
    }
}

/* The last tile of channels may begin before the end of the one before it: what both compute is the same. */
EDGELING_VECTOR_FUNCTION void edgeling_depthwise_all_channels(
    const edgeling_window *window, const edgeling_depthwise_steps *steps, const edgeling_depthwise_run *run, int y_row,
    const float *x, const float *weights, const float *bias, float *y) {
    static const float zeros[64] = {0.0f};
    const int channels = window->channels;
    const int is_three = steps->columns == 3 && window->dilation_right == 1 && window->stride_right <= 2;
    for (int done = 0; done < channels;) {
        const edgeling_depthwise_tiles with =
            is_three ? edgeling_depthwise_widest_three(channels - done, window->stride_right)
                     : edgeling_depthwise_widest(channels - done);
        const int c = done + with.channels <= channels ? done : channels - with.channels;
        edgeling_depthwise_channels(
            window, steps, run, y_row, &with, x + c, weights + c, bias ? bias + c : zeros, y + c);
        done = c + with.channels;
    }
}

/* Rows [top, bottom) of an image's result: positions whose windows lie inside go by tiles, with those at either end that
 * miss one column; others at the ends each for itself. */
EDGELING_VECTOR_FUNCTION void edgeling_depthwise_rows(
    const edgeling_window *window, const edgeling_depthwise_result *result, int top, int bottom, const float *x,
    const float *weights, const float *bias, float *y) {
    const edgeling_window w = *window;
    const int reach = (w.columns - 1) * w.dilation_right + 1, room = w.width + w.left - reach;
    const int before = w.left > 0 ? (w.left - 1) / w.stride_right + 1 : 0;
    const int inside_end = room >= 0 ? room / w.stride_right + 1 : 0;
    const int last = inside_end < w.right ? inside_end : w.right, is_inside = last > before;
    const edgeling_span ahead = edgeling_span_right(w, before - 1), behind = edgeling_span_right(w, last);
    const int is_cut_left = is_inside && before > 0 && ahead.first == 1 && ahead.last == w.columns;
    const int is_cut_right = is_inside && last < w.right && behind.first == 0 && behind.last == w.columns - 1;
    edgeling_depthwise_steps s = {
        0, 0, w.channels, 0, 0, w.dilation_down * w.width * w.channels, w.dilation_right * w.channels,
        w.columns * w.channels, w.stride_right * w.channels, result->y_column, result->low, result->high};
    edgeling_depthwise_run run = {0, 1, 0, top, bottom};
    for (; run.j < w.right; run.j += run.count) {
        const edgeling_span right = edgeling_span_right(w, run.j);
        const int is_run = is_inside && run.j == before - is_cut_left;
        run.count = is_run ? last + is_cut_right - run.j : 1;
        run.first = is_run ? 0 : right.first;
        s.columns = is_run ? w.columns : right.last - right.first;
        s.is_cut_left = is_run && is_cut_left;
        s.is_cut_right = is_run && is_cut_right;
        edgeling_depthwise_all_channels(window, &s, &run, result->y_row, x, weights, bias, y);
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
    edgeling_depthwise_rows(
        &w, &result, 0, w.down, k->x + image * (w.height * w.width * w.channels), k->kernel, k->bias,
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
            edgeling_depthwise_rows(
                &of, &result, 0, of.down, k->dy + image * (w.down * w.right * w.channels), turned, 0,
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
