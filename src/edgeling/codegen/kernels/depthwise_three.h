/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles of depthwise convolutions whose windows have three neighbouring columns and move by one or two: each value of x
 * is loaded once for all columns that see it. Sums run over the window's rows, then its columns, as in depthwise.h.
 */
#ifndef EDGELING_DEPTHWISE_THREE_H
#define EDGELING_DEPTHWISE_THREE_H

#include "vectors.h"

/* The steps of a tile. */
typedef struct {
    int rows, columns, channels; /* of the window that lie inside */
    int is_cut_left, is_cut_right; /* whether the first position misses the first column, the last one the last */
    int x_row, x_column, weights_row;
    int x_position, y_position; /* from a position to the one to the right */
    float low, high;
} edgeling_depthwise_steps;

typedef void (*edgeling_depthwise_tile)(
    const edgeling_depthwise_steps *steps, const float *x, const float *weights, const float *start, float *y);

typedef struct {
    int channels, positions; /* of a tile, at the most */
    const edgeling_depthwise_tile *tiles;
} edgeling_depthwise_tiles;

/* Tiles of at most 4, 6 or 8 positions, as many as registers hold the sums of. */
#define EDGELING_DEPTHWISE_TO_4(make, lanes, vectors)                                                                 \
    make(lanes, vectors, 1) make(lanes, vectors, 2) make(lanes, vectors, 3) make(lanes, vectors, 4)
#define EDGELING_DEPTHWISE_TO_6(make, lanes, vectors)                                                                 \
    EDGELING_DEPTHWISE_TO_4(make, lanes, vectors) make(lanes, vectors, 5) make(lanes, vectors, 6)
#define EDGELING_DEPTHWISE_TO_8(make, lanes, vectors)                                                                 \
    EDGELING_DEPTHWISE_TO_6(make, lanes, vectors) make(lanes, vectors, 7) make(lanes, vectors, 8)

/* Whether column c of the window of one of the positions lies on column j of those that they see. */
#define EDGELING_DEPTHWISE_MEETS(j, c, positions, stride)                                                             \
    ((j) >= (c) && ((j) - (c)) % (stride) == 0 && ((j) - (c)) / (stride) < (positions))

/* y [positions,vectors * lanes] = start + what the window's elements give. */
#define EDGELING_DEPTHWISE_THREE(lanes, vectors, positions, stride)                                                   \
    EDGELING_VECTOR_FUNCTION void edgeling_depthwise_three_##stride##_##lanes##_##vectors##_##positions(              \
        const edgeling_depthwise_steps *steps, const float *x, const float *weights, const float *start, float *y) {  \
        const edgeling_depthwise_steps s = *steps;                                                                    \
        edgeling_vector_##lanes sum[positions][vectors];                                                              \
        EDGELING_TILE_BEGIN(lanes, vectors, positions, sum, start)                                                    \
        for (int row = 0; row < s.rows; row++) {                                                                      \
            const float *at = x + row * s.x_row, *weight = weights + row * s.weights_row;                             \
            edgeling_vector_##lanes factor[3][vectors];                                                               \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int c = 0; c < 3; c++) {                                                                             \
                EDGELING_VECTOR_UNROLL                                                                                \
                for (int v = 0; v < (vectors); v++) {                                                                 \
                    factor[c][v] = EDGELING_CONST_AT(lanes, weight + c * s.channels + v * (lanes));                   \
                    EDGELING_VECTOR_KEPT(factor[c][v]);                                                               \
                }                                                                                                     \
            }                                                                                                         \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int j = 0; j < ((positions) - 1) * (stride) + 3; j++) {                                              \
                if ((j > 0 || !s.is_cut_left) && (j < ((positions) - 1) * (stride) + 2 || !s.is_cut_right)) {         \
                    EDGELING_VECTOR_UNROLL                                                                            \
                    for (int v = 0; v < (vectors); v++) {                                                             \
                        edgeling_vector_##lanes seen = EDGELING_CONST_AT(lanes, at + v * (lanes));                    \
                        EDGELING_VECTOR_KEPT(seen);                                                                   \
                        EDGELING_VECTOR_UNROLL                                                                        \
                        for (int c = 2; c >= 0; c--) {                                                                \
                            if (EDGELING_DEPTHWISE_MEETS(j, c, positions, stride)) {                                  \
                                if ((positions) * (vectors) == 1) {                                                   \
                                    EDGELING_VECTOR_FUSED(sum[0][0]);                                                 \
                                }                                                                                     \
                                sum[(j - c) / (stride)][v] += seen * factor[c][v];                                    \
                            }                                                                                         \
                        }                                                                                             \
                    }                                                                                                 \
                }                                                                                                     \
                at += s.x_column;                                                                                     \
                EDGELING_VECTOR_STEP(at);                                                                             \
            }                                                                                                         \
        }                                                                                                             \
        const edgeling_vector_##lanes low = EDGELING_VECTOR_OF_##lanes(s.low);                                        \
        const edgeling_vector_##lanes high = EDGELING_VECTOR_OF_##lanes(s.high);                                      \
        EDGELING_TILE_END(lanes, vectors, positions, sum, low, high, y, s.y_position)                                 \
    }

#define EDGELING_DEPTHWISE_THREE_BY_1(lanes, vectors, positions) EDGELING_DEPTHWISE_THREE(lanes, vectors, positions, 1)
#define EDGELING_DEPTHWISE_THREE_BY_2(lanes, vectors, positions) EDGELING_DEPTHWISE_THREE(lanes, vectors, positions, 2)
#define EDGELING_DEPTHWISE_NAME_BY_1(lanes, vectors, positions) edgeling_depthwise_three_1_##lanes##_##vectors##_##positions,
#define EDGELING_DEPTHWISE_NAME_BY_2(lanes, vectors, positions) edgeling_depthwise_three_2_##lanes##_##vectors##_##positions,

/* The tiles of one width that move by one, by their positions, and those that move by two. */
#define EDGELING_DEPTHWISE_THREE_WIDTH(lanes, vectors)                                                                \
    EDGELING_DEPTHWISE_TO_8(EDGELING_DEPTHWISE_THREE_BY_1, lanes, vectors)                                            \
    EDGELING_DEPTHWISE_TO_8(EDGELING_DEPTHWISE_THREE_BY_2, lanes, vectors)                                            \
    static const edgeling_depthwise_tile edgeling_depthwise_threes_##lanes##_##vectors[2][8] = {                      \
        {EDGELING_DEPTHWISE_TO_8(EDGELING_DEPTHWISE_NAME_BY_1, lanes, vectors)},                                      \
        {EDGELING_DEPTHWISE_TO_8(EDGELING_DEPTHWISE_NAME_BY_2, lanes, vectors)}};

#define EDGELING_DEPTHWISE_THREE_CASE(lanes, vectors)                                                                 \
    case (lanes) * (vectors):                                                                                         \
        widest.channels = width;                                                                                      \
        widest.tiles = edgeling_depthwise_threes_##lanes##_##vectors[stride - 1];                                     \
        break;

/* Widths of tiles as (lanes, vectors): registers hold the sums of eight positions, weights, and what is seen. */
#if EDGELING_LANES == 1
#define EDGELING_DEPTHWISE_THREE_WIDTHS(make) make(1, 1)
#elif EDGELING_LANES == 4
#define EDGELING_DEPTHWISE_THREE_WIDTHS(make) make(4, 1)
#elif EDGELING_LANES == 8
#define EDGELING_DEPTHWISE_THREE_WIDTHS(make) make(4, 1) make(8, 1)
#else
#define EDGELING_DEPTHWISE_THREE_WIDTHS(make) make(4, 1) make(8, 1) make(16, 1) make(16, 2)
#endif

EDGELING_DEPTHWISE_THREE_WIDTHS(EDGELING_DEPTHWISE_THREE_WIDTH)

/* The widest tiles for so many channels; where there are fewer than 4, tiles of 4 all the same. stride: 1 or 2 */
EDGELING_KERNEL edgeling_depthwise_tiles edgeling_depthwise_widest_three(int channels, int stride) {
    edgeling_depthwise_tiles widest = {0, 8, 0};
    int width = EDGELING_LANES == 16 ? 32 : EDGELING_LANES;
    while (width > channels && width > 4) {
        width /= 2;
    }
    switch (width) {
        EDGELING_DEPTHWISE_THREE_WIDTHS(EDGELING_DEPTHWISE_THREE_CASE)
    default:
        break;
    }
    return widest;
}

#endif
