/* SPDX-License-Identifier: Apache-2.0 */
/* The convolution of conv.h on cores with vectors: tiles of conv_tile.h go along the rows of the result, and read the
 * image where it lies. Where the window reaches over its left or right end, a few rows at a time are copied with zeros
 * beside them; rows above and below are left out.
 *
 * x [images,height,width,channels], kernel [rows,columns,channels/groups,outputs], bias [outputs],
 * y [images,down,right,outputs]; results are limited to [low,high].
 *   scratch  EDGELING_CONV_PADDED_FLOATS or as many padded rows as the window reaches over, whichever is more, for each
 *            thread; before them, where a group's outputs are no multiple of 4, kernel and bias with zeros beside them
 *   packed   for each group, panels of 32 outputs (the last has what is left, in fours): bias, then the weights of each
 *            term; in place of kernel and bias
 */
#ifndef EDGELING_CONV_DIRECT_H
#define EDGELING_CONV_DIRECT_H

#include "conv_pairs.h"
#include "conv_tile.h"
#include "window.h"

#define EDGELING_CONV_PADDED_FLOATS 4096 /* that the first level of cache holds beside weights */
#define EDGELING_CONV_BLOCK_FLOATS 8192  /* that it holds of positions which see one pixel */
#define EDGELING_CONV_PANEL 32

/* Where the weights of a channel of the result lie. */
typedef struct {
    const float *weights; /* 0 (null): behind what the sums of the panel start from */
    const float *start;
    int step, last_step;    /* from a term's weights to those of the next: in whole panels, in the last one */
    int panel, start_panel; /* from a panel to the next */
    int group, start_group; /* from a group to the next */
} edgeling_conv_weights;

/* Of one thread's image. */
typedef struct {
    int y_row, y_column; /* in y, from a position to the one below, to the right */
    float low, high;
} edgeling_conv_result;

EDGELING_KERNEL int edgeling_in_fours(int n) { return (n + 3) / 4 * 4; }

EDGELING_KERNEL int edgeling_reach_down(edgeling_window w) { return (w.rows - 1) * w.dilation_down + 1; }

/* Pixels of a row of the image that positions see, what lies outside it included. */
EDGELING_KERNEL int edgeling_seen_width(edgeling_window w) {
    return (w.right - 1) * w.stride_right + (w.columns - 1) * w.dilation_right + 1;
}

EDGELING_KERNEL int edgeling_is_padded(edgeling_window w) {
    return w.columns > 0 && (w.left != 0 || edgeling_seen_width(w) > w.width);
}

/* How much scratch a thread needs for rows with zeros beside them. */
EDGELING_KERNEL int edgeling_padded_floats(edgeling_window w) {
    const int needed = edgeling_reach_down(w) * edgeling_seen_width(w) * w.channels;
    return needed > EDGELING_CONV_PADDED_FLOATS ? needed : EDGELING_CONV_PADDED_FLOATS;
}

/* padded [last - first,seen width,channels] = the image's rows [first, last), those that there are */
EDGELING_VECTOR_FUNCTION void edgeling_pad_rows(
    const edgeling_window *window, int first, int last, const float *EDGELING_RESTRICT x,
    float *EDGELING_RESTRICT padded) {
    const edgeling_window w = *window;
    const int seen = edgeling_seen_width(w);
    const int before = w.left > 0 ? w.left : 0, skipped = w.left < 0 ? -w.left : 0;
    const int room = seen > before ? seen - before : 0, there = w.width > skipped ? w.width - skipped : 0;
    const int copied = there < room ? there : room, after = seen - before - copied;
    for (int row = first > 0 ? first : 0; row < last && row < w.height; row++) {
        float *to = padded + (row - first) * seen * w.channels;
        edgeling_vector_fill_floats(before * w.channels, 0.0f, to);
        edgeling_vector_copy_floats(
            copied * w.channels, x + (row * w.width + skipped) * w.channels, to + before * w.channels);
        edgeling_vector_fill_floats(after * w.channels, 0.0f, to + (before + copied) * w.channels);
    }
}

/* A row of positions, and fewer than 4 channels of the result: through a tile beside. */
EDGELING_VECTOR_FUNCTION void edgeling_conv_narrow(
    int channels, int count, const edgeling_conv_steps *steps, const float *x, const float *weights, const float *start,
    float *y) {
    float tile[4 * EDGELING_CONV_TILE_ROWS];
    edgeling_conv_steps s = *steps;
    s.y_position = 4;
    for (int done = 0; done < count; done += EDGELING_CONV_TILE_ROWS) {
        const int positions = count - done < EDGELING_CONV_TILE_ROWS ? count - done : EDGELING_CONV_TILE_ROWS;
        edgeling_conv_positions(4, positions, &s, x + done * s.x_position, weights, start, tile);
        for (int p = 0; p < positions; p++) {
            for (int c = 0; c < channels; c++) {
                y[(done + p) * steps->y_position + c] = tile[4 * p + c];
            }
        }
    }
}

/* Rows [first, last) of the result, some channels of it. seen: rows of the image from `at` on, `width` pixels each. */
EDGELING_VECTOR_FUNCTION void edgeling_conv_rows(
    const edgeling_window *window, int columns, int channels, int first, int last, int at, int width, int y_row,
    const edgeling_conv_steps *steps, const float *seen, const float *weights, const float *start, float *y) {
    const edgeling_window w = *window;
    const int of_row = w.columns * (w.channels / w.groups) * steps->weights;
    edgeling_conv_steps s = *steps;
    float pairs[EDGELING_CONV_PAIRS];
    const int of_pairs = edgeling_conv_pairs_floats(s.terms);
    const int is_paired = columns == channels && edgeling_conv_pair_up(w.rows, columns, &s, weights, pairs);
    for (int i = first; i < last; i++) {
        const edgeling_span down = edgeling_span_down(w, i);
        const float *x = seen + (down.start + down.first * w.dilation_down - at) * width * w.channels;
        s.rows = down.last > down.first && w.columns > 0 ? down.last - down.first : 0;
        if (is_paired) {
            edgeling_conv_paired(
                w.right, &s, x, weights + down.first * of_row, pairs + down.first * of_pairs, start, y + i * y_row);
        } else if (channels < columns) {
            edgeling_conv_narrow(channels, w.right, &s, x, weights + down.first * of_row, start, y + i * y_row);
        } else {
            edgeling_conv_positions(
                columns, w.right, &s, x, weights + down.first * of_row, start, y + i * y_row);
        }
    }
}

/* Rows [first, last) of the result. */
EDGELING_VECTOR_FUNCTION void edgeling_conv_direct_block(
    const edgeling_window *window, const edgeling_conv_weights *weights, const edgeling_conv_result *result, int first,
    int last, int at, int width, const float *seen, float *y) {
    const edgeling_window w = *window;
    const edgeling_conv_weights k = *weights;
    const int inputs = w.channels / w.groups, outputs = w.outputs / w.groups, all = edgeling_in_fours(outputs);
    const int joined = w.dilation_right == 1 && w.groups == 1;
    edgeling_conv_steps s = {
        0, joined ? 1 : w.columns, joined ? w.columns * inputs : inputs, w.dilation_down * width * w.channels,
        w.dilation_right * w.channels, w.stride_right * w.channels, result->y_column, 0, result->low, result->high};
    for (int group = 0; group < w.groups; group++) {
        int columns = 0;
        for (int c = 0; c < all; c += columns) {
            const int panel = c / EDGELING_CONV_PANEL, inside = c % EDGELING_CONV_PANEL;
            const int is_whole = (panel + 1) * EDGELING_CONV_PANEL <= all;
            const float *start = k.start + group * k.start_group + panel * k.start_panel;
            const float *first_weights = k.weights + group * k.group + panel * k.panel;
            s.weights = is_whole ? k.step : k.last_step;
            const int left = outputs - c, in_panel = EDGELING_CONV_PANEL - inside;
            columns = edgeling_conv_width(left < in_panel ? left : in_panel);
            const int channels = left < columns ? left : columns;
            edgeling_conv_rows(
                window, columns, channels, first, last, at, width, result->y_row, &s,
                seen + group * inputs, (k.weights ? first_weights : start + s.weights) + inside, start + inside,
                y + group * outputs + c);
        }
    }
}

EDGELING_VECTOR_FUNCTION void edgeling_conv_image(
    const edgeling_window *window, const edgeling_conv_weights *weights, const edgeling_conv_result *result,
    float *padded, const float *x, float *y) {
    const edgeling_window w = *window;
    const int width = edgeling_seen_width(w), reach = edgeling_reach_down(w);
    if (!edgeling_is_padded(w)) {
        edgeling_conv_direct_block(window, weights, result, 0, w.down, 0, w.width, x, y);
        return;
    }
    const int room = edgeling_padded_floats(w) / (width * w.channels);
    const int rows = (room - reach) / w.stride_down + 1;
    for (int first = 0; first < w.down; first += rows) {
        const int last = first + rows < w.down ? first + rows : w.down, at = first * w.stride_down - w.top;
        edgeling_pad_rows(window, at, (last - 1) * w.stride_down - w.top + reach, x, padded);
        edgeling_conv_direct_block(window, weights, result, first, last, at, width, padded, y);
    }
}

typedef struct {
    const int *lengths;
    edgeling_conv_weights weights;
    float low, high;
    float *padded; /* of the first thread */
    const float *x;
    float *y;
} edgeling_conv_work;

/* One image. */
EDGELING_KERNEL void edgeling_conv_part(const void *work, int image, int thread) {
    const edgeling_conv_work *k = (const edgeling_conv_work *)work;
    const edgeling_window w = edgeling_window_of(k->lengths);
    const edgeling_conv_result result = {w.right * w.outputs, w.outputs, k->low, k->high};
    edgeling_conv_image(
        &w, &k->weights, &result, k->padded + thread * edgeling_padded_floats(w),
        k->x + image * (w.height * w.width * w.channels), k->y + image * (w.down * w.right * w.outputs));
}

/* The kernel where it lies; with zeros beside each group's outputs in scratch, where they are no multiple of 4. */
EDGELING_KERNEL edgeling_conv_work edgeling_conv_begin(
    const int *lengths, float low, float high, float *scratch, const float *x, const float *kernel, const float *bias,
    float *y) {
    const edgeling_window w = edgeling_window_of(lengths);
    const int outputs = w.outputs / w.groups, all = edgeling_in_fours(outputs), step = w.groups * all;
    const int terms = w.rows * w.columns * (w.channels / w.groups);
    edgeling_conv_work work = {
        lengths, {kernel, bias, step, step, EDGELING_CONV_PANEL, EDGELING_CONV_PANEL, all, all},
        low, high, scratch, x, y};
    if (all == outputs) {
        return work;
    }
    work.weights.start = scratch;
    work.weights.weights = scratch + step;
    work.padded = scratch + (terms + 1) * step;
    for (int term = -1; term < terms; term++) {
        const float *from = term < 0 ? bias : kernel + term * w.outputs;
        for (int place = 0; place < step; place++) {
            const int group = place / all, o = place % all;
            *scratch++ = o < outputs ? from[group * outputs + o] : 0.0f;
        }
    }
    return work;
}

/* Where the weights of groups of so many outputs, sums of so many terms, lie in a table. */
EDGELING_KERNEL edgeling_conv_weights edgeling_conv_panels(int terms, int groups, int outputs, const float *packed) {
    const int all = edgeling_in_fours(outputs / groups), last = all % EDGELING_CONV_PANEL;
    const int panel = (terms + 1) * EDGELING_CONV_PANEL;
    const edgeling_conv_weights weights = {
        0, packed, EDGELING_CONV_PANEL, last ? last : EDGELING_CONV_PANEL, panel, panel, 0, (terms + 1) * all};
    return weights;
}

EDGELING_KERNEL edgeling_conv_work edgeling_conv_packed_begin(
    const int *lengths, float low, float high, float *scratch, const float *x, const float *packed, float *y) {
    const edgeling_window w = edgeling_window_of(lengths);
    const int terms = w.rows * w.columns * (w.channels / w.groups);
    const edgeling_conv_work work = {
        lengths, edgeling_conv_panels(terms, w.groups, w.outputs, packed), low, high, scratch, x, y};
    return work;
}

EDGELING_KERNEL void edgeling_conv_direct(
    int images, const int *lengths, float low, float high, float *EDGELING_RESTRICT scratch,
    const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias,
    float *EDGELING_RESTRICT y) {
    const edgeling_conv_work work = edgeling_conv_begin(lengths, low, high, scratch, x, kernel, bias, y);
    for (int image = 0; image < images; image++) {
        edgeling_conv_part(&work, image, 0);
    }
}

/* Whether positions see one pixel each and lie side by side, whatever image they are of. (Sums to 8 outputs may be those of
 * conv_pairs.h, which depend on where in its image a position lies.) */
EDGELING_KERNEL int edgeling_conv_is_pointwise(edgeling_window w) {
    return w.height == 1 && w.rows == 1 && w.columns == 1 && w.stride_right == 1 && w.left == 0 && w.groups == 1 &&
           w.right == w.width && w.outputs != 8;
}

/* The positions of all images in whole tiles, some at a time: the near cache holds them for all panels. */
EDGELING_VECTOR_FUNCTION void edgeling_conv_pointwise(int positions, const edgeling_conv_work *work) {
    const edgeling_window w = edgeling_window_of(work->lengths);
    const edgeling_conv_result result = {0, w.outputs, work->low, work->high};
    const int tiles = EDGELING_CONV_BLOCK_FLOATS / (EDGELING_CONV_TILE_ROWS * w.channels);
    const int most = (tiles > 2 ? tiles : 2) * EDGELING_CONV_TILE_ROWS;
    edgeling_window of = w;
    for (int first = 0; first < positions; first += most) {
        of.width = of.right = positions - first < most ? positions - first : most;
        edgeling_conv_direct_block(
            &of, &work->weights, &result, 0, 1, 0, of.width, work->x + first * w.channels, work->y + first * w.outputs);
    }
}

EDGELING_KERNEL void edgeling_conv_packed(
    int images, const int *lengths, float low, float high, float *EDGELING_RESTRICT scratch,
    const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT packed, float *EDGELING_RESTRICT y) {
    const edgeling_conv_work work = edgeling_conv_packed_begin(lengths, low, high, scratch, x, packed, y);
    const edgeling_window w = edgeling_window_of(lengths);
    if (edgeling_conv_is_pointwise(w)) {
        edgeling_conv_pointwise(images * w.right, &work);
        return;
    }
    for (int image = 0; image < images; image++) {
        edgeling_conv_part(&work, image, 0);
    }
}

#endif
