/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions of conv.h by fewer products, on cores with vectors: a window of 3 by 3 pixels that moves by one, by the
 * transforms of winograd_tile.h. A few tiles of the result at a time, of one image or several: their pixels are
 * transformed, every element of the transform is a matrix product, and what comes out is transformed back.
 *
 * x [images,height,width,channels], kernel [3,3,channels,outputs], bias [outputs], y [images,down,right,outputs], dy and
 * dx likewise; channels and outputs are multiples of 4, results are limited to [low,high].
 *   size         of a tile: 2 or 4 results each way
 *   transformed  [panels,elements,channels,32 outputs (of the last panel: what is left)], the transform of the kernel
 *   scratch      what edgeling_winograd_floats says for each thread; before them, where the kernel is no constant, its transform,
 *                and in the gradient the kernel turned round
 *
 * A result is what its tile's pixels give: one that is infinite spoils the tile, not its own window alone.
 */
#ifndef EDGELING_WINOGRAD_H
#define EDGELING_WINOGRAD_H

#include "conv_direct_input.h"
#include "winograd_product.h"
#include "winograd_tile.h"

#define EDGELING_WINOGRAD_BLOCK 8 /* tiles that are done at once */
#define EDGELING_WINOGRAD_PANEL 32
/* Beside each element's matrix, so that elements do not lie a power of two apart; and at the beginning. */
#define EDGELING_WINOGRAD_BESIDE 16

typedef struct {
    int images, size;
    edgeling_window window;
    float low, high;
    float *scratch; /* of the first thread */
    const float *x, *transformed, *bias;
    float *y;
} edgeling_winograd_work;

EDGELING_KERNEL int edgeling_winograd_elements(int size) { return (size + 2) * (size + 2); }

EDGELING_KERNEL int edgeling_winograd_tiles(int size, edgeling_window w) {
    return ((w.down - 1) / size + 1) * ((w.right - 1) / size + 1);
}

EDGELING_KERNEL int edgeling_winograd_panel(int outputs) {
    return outputs < EDGELING_WINOGRAD_PANEL ? outputs : EDGELING_WINOGRAD_PANEL;
}

/* Of one thread: the transforms of pixels and of results, a tile of results. */
EDGELING_KERNEL int edgeling_winograd_floats(int size, int channels, int outputs) {
    const int panel = edgeling_winograd_panel(outputs);
    const int of_element = EDGELING_WINOGRAD_BLOCK * (channels + panel) + 2 * EDGELING_WINOGRAD_BESIDE;
    return edgeling_winograd_elements(size) * of_element + size * size * panel + EDGELING_WINOGRAD_BESIDE;
}

/* Vectors that lie across two lines of cache take twice as long to load. */
EDGELING_KERNEL float *edgeling_winograd_aligned(float *scratch) {
    return (float *)(((uintptr_t)scratch + 63u) / 64u * 64u);
}

/* How many of the channels that are left one vector takes. */
EDGELING_KERNEL int edgeling_winograd_lanes(int left) {
    int lanes = EDGELING_LANES;
    while (lanes > left) {
        lanes /= 2;
    }
    return lanes;
}

/* NAME(arguments) for a width of vectors and a size of tiles. */
#define EDGELING_WINOGRAD_SIZES(name, lanes, size, arguments)                                                         \
    if ((size) == 4) {                                                                                                \
        name##_##lanes##_4 arguments;                                                                                 \
    } else {                                                                                                          \
        name##_##lanes##_2 arguments;                                                                                 \
    }
#if EDGELING_LANES >= 16
#define EDGELING_WINOGRAD_IF_16(name, size, arguments)                                                                \
    case 16:                                                                                                          \
        EDGELING_WINOGRAD_SIZES(name, 16, size, arguments)                                                            \
        break;
#else
#define EDGELING_WINOGRAD_IF_16(name, size, arguments)
#endif
#if EDGELING_LANES >= 8
#define EDGELING_WINOGRAD_IF_8(name, size, arguments)                                                                 \
    case 8:                                                                                                           \
        EDGELING_WINOGRAD_SIZES(name, 8, size, arguments)                                                             \
        break;
#else
#define EDGELING_WINOGRAD_IF_8(name, size, arguments)
#endif
#if EDGELING_LANES >= 4
#define EDGELING_WINOGRAD_ELSE(name, size, arguments) EDGELING_WINOGRAD_SIZES(name, 4, size, arguments)
#else
#define EDGELING_WINOGRAD_ELSE(name, size, arguments) EDGELING_WINOGRAD_SIZES(name, 1, size, arguments)
#endif
#define EDGELING_WINOGRAD_DO(name, lanes, size, arguments)                                                            \
    switch (lanes) {                                                                                                  \
        EDGELING_WINOGRAD_IF_16(name, size, arguments)                                                                \
        EDGELING_WINOGRAD_IF_8(name, size, arguments)                                                                 \
    default:                                                                                                          \
        EDGELING_WINOGRAD_ELSE(name, size, arguments)                                                                 \
        break;                                                                                                        \
    }

/* One panel of the kernel: transformed [elements,channels,outputs], of `all` outputs. */
EDGELING_VECTOR_FUNCTION void edgeling_winograd_weights(
    int size, int channels, int outputs, int all, const float *kernel, float *transformed) {
    int lanes = 0;
    for (int c = 0; c < channels; c++) {
        for (int o = 0; o < outputs; o += lanes) {
            lanes = edgeling_winograd_lanes(outputs - o);
            EDGELING_WINOGRAD_DO(
                edgeling_winograd_weights, lanes, size,
                (3 * channels * all, channels * all, channels * outputs, kernel + c * all + o,
                 transformed + c * outputs + o))
        }
    }
}

EDGELING_KERNEL void edgeling_winograd_transform(
    int size, int channels, int outputs, const float *kernel, float *transformed) {
    for (int first = 0; first < outputs; first += EDGELING_WINOGRAD_PANEL) {
        const int panel = edgeling_winograd_panel(outputs - first);
        edgeling_winograd_weights(size, channels, panel, outputs, kernel + first, transformed);
        transformed += edgeling_winograd_elements(size) * channels * panel;
    }
}

/* A tile of some image: where its first result lies. */
typedef struct {
    int image, row, column;
} edgeling_winograd_place;

EDGELING_KERNEL edgeling_winograd_place edgeling_winograd_place_of(int size, edgeling_window w, int tile) {
    const int of_row = (w.right - 1) / size + 1, of_image = edgeling_winograd_tiles(size, w);
    const edgeling_winograd_place place = {
        tile / of_image, tile % of_image / of_row * size, tile % of_image % of_row * size};
    return place;
}

EDGELING_KERNEL edgeling_winograd_place edgeling_winograd_next(
    int size, edgeling_window w, edgeling_winograd_place place) {
    place.column += size;
    if (place.column >= w.right) {
        place.column = 0;
        place.row += size;
    }
    if (place.row >= w.down) {
        place.row = 0;
        place.image++;
    }
    return place;
}

/* The part of what a tile sees from `start` on that an image of `length` has. */
EDGELING_KERNEL int edgeling_winograd_first(int start) { return start < 0 ? -start : 0; }
EDGELING_KERNEL int edgeling_winograd_last(int start, int sees, int length) {
    return start + sees < length ? sees : length - start;
}

/* pixels: element by element `step` apart, the transform of what a tile sees; zeros where it sees beyond the image. */
EDGELING_VECTOR_FUNCTION void edgeling_winograd_pixels(
    const edgeling_winograd_work *k, edgeling_winograd_place place, int step, float *pixels) {
    const edgeling_window w = k->window;
    const int row = place.row - w.top, column = place.column - w.left, sees = k->size + 2;
    const int x_row = w.width * w.channels, first = row * x_row + column * w.channels;
    const float *image = k->x + place.image * (w.height * x_row);
    const edgeling_winograd_seen seen = {
        edgeling_winograd_first(row), edgeling_winograd_last(row, sees, w.height), edgeling_winograd_first(column),
        edgeling_winograd_last(column, sees, w.width), first};
    const int is_inside = row >= 0 && column >= 0 && seen.bottom == sees && seen.right == sees;
    int lanes = 0;
    for (int c = 0; c < w.channels; c += lanes) {
        lanes = edgeling_winograd_lanes(w.channels - c);
        if (is_inside) {
            EDGELING_WINOGRAD_DO(
                edgeling_winograd_pixels, lanes, k->size, (x_row, w.channels, step, image + first + c, pixels + c))
        } else {
            EDGELING_WINOGRAD_DO(
                edgeling_winograd_edge, lanes, k->size, (x_row, w.channels, step, &seen, image + c, pixels + c))
        }
    }
}

/* A panel of a tile's results; `part` [size,size,outputs] where some of the tile lie outside. */
EDGELING_VECTOR_FUNCTION void edgeling_winograd_results(
    const edgeling_winograd_work *k, edgeling_winograd_place place, int first, int outputs, int step,
    const float *results, float *part) {
    static const float zeros[EDGELING_WINOGRAD_PANEL] = {0.0f};
    const edgeling_window w = k->window;
    const float *bias = k->bias ? k->bias + first : zeros;
    const int below = w.down - place.row, beside = w.right - place.column;
    const int is_whole = below >= k->size && beside >= k->size;
    float *y = k->y + ((place.image * w.down + place.row) * w.right + place.column) * w.outputs + first;
    float *to = is_whole ? y : part;
    const int y_column = is_whole ? w.outputs : outputs;
    const int y_row = (is_whole ? w.right : k->size) * y_column;
    int lanes = 0;
    for (int o = 0; o < outputs; o += lanes) {
        lanes = edgeling_winograd_lanes(outputs - o);
        EDGELING_WINOGRAD_DO(
            edgeling_winograd_results, lanes, k->size,
            (step, y_row, y_column, k->low, k->high, results + o, bias + o, to + o))
    }
    for (int i = 0; !is_whole && i < k->size && i < below; i++) {
        for (int j = 0; j < k->size && j < beside; j++) {
            edgeling_vector_copy_floats(outputs, part + i * y_row + j * y_column, y + (i * w.right + j) * w.outputs);
        }
    }
}

EDGELING_KERNEL int edgeling_winograd_blocks(const edgeling_winograd_work *k) {
    return (k->images * edgeling_winograd_tiles(k->size, k->window) - 1) / EDGELING_WINOGRAD_BLOCK + 1;
}

/* One block of tiles. */
EDGELING_KERNEL void edgeling_winograd_part(const void *work, int part, int thread) {
    const edgeling_winograd_work *k = (const edgeling_winograd_work *)work;
    const edgeling_window w = k->window;
    const int elements = edgeling_winograd_elements(k->size), first = part * EDGELING_WINOGRAD_BLOCK;
    const int left = k->images * edgeling_winograd_tiles(k->size, w) - first;
    const int tiles = left < EDGELING_WINOGRAD_BLOCK ? left : EDGELING_WINOGRAD_BLOCK;
    const edgeling_winograd_place begin = edgeling_winograd_place_of(k->size, w, first);
    edgeling_winograd_steps s = {
        elements, w.channels, 0, EDGELING_WINOGRAD_BLOCK * w.channels + EDGELING_WINOGRAD_BESIDE, 0};
    float *pixels = edgeling_winograd_aligned(k->scratch) + thread * edgeling_winograd_floats(k->size, w.channels, w.outputs);
    float *results = pixels + elements * s.pixels;
    float *part_of_tile = results + elements * (EDGELING_WINOGRAD_BLOCK * edgeling_winograd_panel(w.outputs) + EDGELING_WINOGRAD_BESIDE);
    const float *transformed = k->transformed;
    edgeling_winograd_place place = begin;
    for (int t = 0; t < tiles; t++, place = edgeling_winograd_next(k->size, w, place)) {
        edgeling_winograd_pixels(k, place, s.pixels, pixels + t * w.channels);
    }
    for (int o = 0; o < w.outputs; o += EDGELING_WINOGRAD_PANEL) {
        s.outputs = edgeling_winograd_panel(w.outputs - o);
        s.results = EDGELING_WINOGRAD_BLOCK * s.outputs + EDGELING_WINOGRAD_BESIDE;
        edgeling_winograd_products(tiles, &s, pixels, transformed, results);
        transformed += elements * w.channels * s.outputs;
        place = begin;
        for (int t = 0; t < tiles; t++, place = edgeling_winograd_next(k->size, w, place)) {
            edgeling_winograd_results(
                k, place, o, s.outputs, s.results, results + t * s.outputs, part_of_tile);
        }
    }
}

EDGELING_KERNEL edgeling_winograd_work edgeling_winograd_packed_begin(
    int images, const int *lengths, float low, float high, int size, float *scratch, const float *x,
    const float *transformed, const float *bias, float *y) {
    const edgeling_winograd_work work = {
        images, size, edgeling_window_of(lengths), low, high, scratch, x, transformed, bias, y};
    return work;
}

/* The kernel transformed in scratch. */
EDGELING_KERNEL edgeling_winograd_work edgeling_winograd_begin(
    int images, const int *lengths, float low, float high, int size, float *scratch, const float *x,
    const float *kernel, const float *bias, float *y) {
    const edgeling_window w = edgeling_window_of(lengths);
    float *transformed = edgeling_winograd_aligned(scratch);
    const edgeling_winograd_work work = {
        images, size, w, low, high, transformed + edgeling_winograd_elements(size) * w.channels * w.outputs,
        x, transformed, bias, y};
    edgeling_winograd_transform(size, w.channels, w.outputs, kernel, transformed);
    return work;
}

/* The convolution of dy with the kernel turned round. */
EDGELING_KERNEL edgeling_winograd_work edgeling_winograd_input_begin(
    int images, const int *lengths, int size, float *scratch, const float *dy, const float *kernel,
    float *dx) {
    const edgeling_window w = edgeling_window_of(lengths);
    const edgeling_window of =
        edgeling_phase_window(w, edgeling_phase_down(w, 0), edgeling_phase_right(w, 0));
    float *transformed = edgeling_winograd_aligned(scratch);
    float *turned = transformed + edgeling_winograd_elements(size) * w.channels * w.outputs;
    const edgeling_winograd_work work = {
        images, size, of, -EDGELING_INFINITY, EDGELING_INFINITY, turned, dy, transformed, 0, dx};
    edgeling_turn_kernel(&w, kernel, turned);
    edgeling_winograd_transform(size, w.outputs, w.channels, turned, transformed);
    return work;
}

EDGELING_KERNEL void edgeling_winograd_all(const edgeling_winograd_work *work) {
    for (int part = 0; part < edgeling_winograd_blocks(work); part++) {
        edgeling_winograd_part(work, part, 0);
    }
}

EDGELING_KERNEL void edgeling_winograd_packed(
    int images, const int *lengths, float low, float high, int size, float *EDGELING_RESTRICT scratch,
    const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT transformed, const float *EDGELING_RESTRICT bias,
    float *EDGELING_RESTRICT y) {
    const edgeling_winograd_work work =
        edgeling_winograd_packed_begin(images, lengths, low, high, size, scratch, x, transformed, bias, y);
    edgeling_winograd_all(&work);
}

EDGELING_KERNEL void edgeling_winograd(
    int images, const int *lengths, float low, float high, int size, float *EDGELING_RESTRICT scratch,
    const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias,
    float *EDGELING_RESTRICT y) {
    const edgeling_winograd_work work =
        edgeling_winograd_begin(images, lengths, low, high, size, scratch, x, kernel, bias, y);
    edgeling_winograd_all(&work);
}

EDGELING_KERNEL void edgeling_winograd_input_gradient(
    int images, const int *lengths, int size, float *EDGELING_RESTRICT scratch,
    const float *EDGELING_RESTRICT dy, const float *EDGELING_RESTRICT kernel, float *EDGELING_RESTRICT dx) {
    const edgeling_winograd_work work =
        edgeling_winograd_input_begin(images, lengths, size, scratch, dy, kernel, dx);
    edgeling_winograd_all(&work);
}

#endif
