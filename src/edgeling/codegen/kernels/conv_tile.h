/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of convolutions on cores with vectors: neighbouring positions by channels of the result, held in
 * registers, while the window's elements go by. Each sum runs over the window's rows, its columns, the channels: an
 * answer does not depend on the tile.
 */
#ifndef EDGELING_CONV_TILE_H
#define EDGELING_CONV_TILE_H

#include "tile_x86.h"

#define EDGELING_CONV_TILE_ROWS 12 /* positions, at most */

/* The steps of a tile. The window's element (row, column) meets `terms` values of x that lie side by side. */
typedef struct {
    int rows, columns, terms;
    int x_row, x_column;        /* in x, from a row of the window to the next, from a column to the next */
    int x_position, y_position; /* from a position to the next */
    int weights;                /* from a term's weights to those of the next */
    float low, high;            /* what results are limited to */
} edgeling_conv_steps;

/* How many of `left` positions the next tile takes: not so many that a small tile, whose sums wait, is left. */
EDGELING_KERNEL int edgeling_conv_taken(int left, int most) {
    static const unsigned char few[] = {0, 1, 2, 3, 4, 5, 6, 4, 8, 9, 5, 6};
    if (most < EDGELING_CONV_TILE_ROWS) {
        return left == 7 || left == 8 ? 4 : left < most ? left : most;
    }
    if (left < most) {
        return few[left];
    }
    return left == most + 1 || left == most + 2 || left == most + 4 ? 8 : left == most + 3 ? 9 : most;
}

#if defined(EDGELING_X86_TILES)

EDGELING_KERNEL edgeling_x86_steps edgeling_conv_x86_steps(const edgeling_conv_steps *s) {
    const edgeling_x86_steps steps = {
        s->rows, s->columns, s->terms, EDGELING_X86_BYTES(s->x_position), EDGELING_X86_BYTES(1),
        EDGELING_X86_BYTES(s->x_column), EDGELING_X86_BYTES(s->x_row - s->columns * s->x_column),
        EDGELING_X86_BYTES(s->weights), 0, EDGELING_X86_BYTES(s->y_position), 1, s->low, s->high};
    return steps;
}

#define EDGELING_CONV_BEGIN(s) const edgeling_x86_steps steps = edgeling_conv_x86_steps(s);
#define EDGELING_CONV_TILE(lanes, vectors, positions)
#define EDGELING_CONV_TILE_CASE(lanes, vectors, positions)                                                            \
    case positions:                                                                                                   \
        EDGELING_X86_TILE(lanes, vectors, positions, steps, x, weights, start, y);                                    \
        break;

#else

#define EDGELING_CONV_BEGIN(s)

/* A term's weights: where compilers read them again for each position, some vectors' tiles take half a tenth longer. */
#if EDGELING_LANES == 8
#define EDGELING_CONV_READ(lanes, vectors, weights)                                                                   \
    edgeling_vector_##lanes factor[vectors];                                                                          \
    EDGELING_VECTOR_UNROLL                                                                                            \
    for (int v = 0; v < (vectors); v++) {                                                                             \
        factor[v] = EDGELING_CONST_AT(lanes, weights + v * (lanes));                                                  \
        EDGELING_VECTOR_KEPT(factor[v]);                                                                              \
    }
#define EDGELING_CONV_FACTOR(lanes, v, weights) factor[v]
#else
#define EDGELING_CONV_READ(lanes, vectors, weights)
#define EDGELING_CONV_FACTOR(lanes, v, weights) EDGELING_CONST_AT(lanes, weights + v * (lanes))
#endif

/* y [positions,vectors * lanes] = start + what the window's elements give. */
#define EDGELING_CONV_TILE(lanes, vectors, positions)                                                                 \
    EDGELING_VECTOR_FUNCTION void edgeling_conv_tile_##lanes##_##vectors##_##positions(                               \
        const edgeling_conv_steps *steps, const float *x, const float *weights, const float *start, float *y) {       \
        const edgeling_conv_steps s = *steps;                                                                         \
        const edgeling_vector_##lanes low = EDGELING_VECTOR_OF_##lanes(s.low);                                        \
        const edgeling_vector_##lanes high = EDGELING_VECTOR_OF_##lanes(s.high);                                      \
        edgeling_vector_##lanes sum[positions][vectors];                                                              \
        EDGELING_TILE_BEGIN(lanes, vectors, positions, sum, start)                                                    \
        for (int row = 0; row < s.rows; row++) {                                                                      \
            for (int column = 0; column < s.columns; column++) {                                                      \
                const float *term = x + row * s.x_row + column * s.x_column;                                          \
                int left = s.terms;                                                                                   \
                do {                                                                                                  \
                    if ((positions) * (vectors) == 1) {                                                               \
                        EDGELING_VECTOR_FUSED(sum[0][0]);                                                             \
                    }                                                                                                 \
                    EDGELING_CONV_READ(lanes, vectors, weights)                                                       \
                    const float *at = term;                                                                           \
                    EDGELING_VECTOR_UNROLL                                                                            \
                    for (int r = 0; r < (positions); r++) {                                                           \
                        EDGELING_VECTOR_UNROLL                                                                        \
                        for (int v = 0; v < (vectors); v++) {                                                         \
                            sum[r][v] += *at * EDGELING_CONV_FACTOR(lanes, v, weights);                               \
                        }                                                                                             \
                        at += s.x_position;                                                                           \
                        EDGELING_VECTOR_STEP(at);                                                                     \
                    }                                                                                                 \
                    term++;                                                                                           \
                    weights += s.weights;                                                                             \
                } while (--left);                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
        EDGELING_TILE_END(lanes, vectors, positions, sum, low, high, y, s.y_position)                                 \
    }

#define EDGELING_CONV_TILE_CASE(lanes, vectors, positions)                                                            \
    case positions:                                                                                                   \
        edgeling_conv_tile_##lanes##_##vectors##_##positions(s, x, weights, start, y);                                \
        break;

#endif

#define EDGELING_CONV_TILES_TO_6(make, lanes, vectors)                                                                \
    make(lanes, vectors, 1)                                                                                           \
    make(lanes, vectors, 2)                                                                                           \
    make(lanes, vectors, 3)                                                                                           \
    make(lanes, vectors, 4)                                                                                           \
    make(lanes, vectors, 5)                                                                                           \
    make(lanes, vectors, 6)

#define EDGELING_CONV_TILES_TO_12(make, lanes, vectors)                                                               \
    EDGELING_CONV_TILES_TO_6(make, lanes, vectors)                                                                    \
    make(lanes, vectors, 8)                                                                                           \
    make(lanes, vectors, 9)                                                                                           \
    make(lanes, vectors, 12)

#define EDGELING_CONV_WIDTH(lanes, vectors, most)                                                                     \
    EDGELING_CONV_TILES_TO_##most(EDGELING_CONV_TILE, lanes, vectors)                                                 \
    EDGELING_VECTOR_FUNCTION void edgeling_conv_tiles_##lanes##_##vectors(                                            \
        int count, const edgeling_conv_steps *s, const float *x, const float *weights, const float *start, float *y) {\
        EDGELING_CONV_BEGIN(s)                                                                                        \
        while (count > 0) {                                                                                           \
            const int positions = edgeling_conv_taken(count, most);                                                   \
            switch (positions) {                                                                                      \
                EDGELING_CONV_TILES_TO_##most(EDGELING_CONV_TILE_CASE, lanes, vectors)                                \
            default:                                                                                                  \
                break;                                                                                                \
            }                                                                                                         \
            count -= positions;                                                                                       \
            x += positions * s->x_position;                                                                           \
            y += positions * s->y_position;                                                                           \
        }                                                                                                             \
    }

/* Widths of tiles as (lanes, vectors, positions at the most); and what a function for 4, 8... outputs is called. */
#if EDGELING_LANES == 1
#define EDGELING_CONV_WIDTHS(make) make(1, 4, 6)
#define EDGELING_CONV_4(name) name##_1_4
#elif EDGELING_LANES == 4
#define EDGELING_CONV_WIDTHS(make) make(4, 1, 12) make(4, 2, 6)
#define EDGELING_CONV_4(name) name##_4_1
#define EDGELING_CONV_8(name) name##_4_2
#elif EDGELING_LANES == 8
#define EDGELING_CONV_WIDTHS(make) make(4, 1, 12) make(8, 1, 12) make(8, 2, 6)
#define EDGELING_CONV_4(name) name##_4_1
#define EDGELING_CONV_8(name) name##_8_1
#define EDGELING_CONV_16(name) name##_8_2
#else
#define EDGELING_CONV_WIDTHS(make) make(4, 1, 12) make(8, 1, 12) make(16, 1, 12) make(16, 2, 12)
#define EDGELING_CONV_4(name) name##_4_1
#define EDGELING_CONV_8(name) name##_8_1
#define EDGELING_CONV_16(name) name##_16_1
#define EDGELING_CONV_32(name) name##_16_2
#endif

EDGELING_CONV_WIDTHS(EDGELING_CONV_WIDTH)

/* How many channels the next tiles take: at most `columns`, but 4 at least. */
EDGELING_KERNEL int edgeling_conv_width(int columns) {
    int width = 4;
    while (2 * width <= columns && width < (EDGELING_LANES == 1 ? 4 : 2 * EDGELING_LANES)) {
        width *= 2;
    }
    return width;
}

/* `count` neighbouring positions, `width` channels of the result. */
EDGELING_KERNEL void edgeling_conv_positions(
    int width, int count, const edgeling_conv_steps *s, const float *x, const float *weights, const float *start,
    float *y) {
    switch (width) {
#if defined(EDGELING_CONV_32)
    case 32:
        EDGELING_CONV_32(edgeling_conv_tiles)(count, s, x, weights, start, y);
        break;
#endif
#if defined(EDGELING_CONV_16)
    case 16:
        EDGELING_CONV_16(edgeling_conv_tiles)(count, s, x, weights, start, y);
        break;
#endif
#if defined(EDGELING_CONV_8)
    case 8:
        EDGELING_CONV_8(edgeling_conv_tiles)(count, s, x, weights, start, y);
        break;
#endif
    default:
        EDGELING_CONV_4(edgeling_conv_tiles)(count, s, x, weights, start, y);
        break;
    }
}

#endif
