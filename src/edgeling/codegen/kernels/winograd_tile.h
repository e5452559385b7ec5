/* SPDX-License-Identifier: Apache-2.0 */
/* The transforms of A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks" (2016), for windows of 3 by
 * 3 pixels: `size` by `size` results, 2 or 4 each way, of `size + 2` by `size + 2` pixels, whose transform is multiplied
 * by the kernel's, element by element: 4 or 2.25 products a result instead of 9. Along each axis
 *
 *   y = A'[(G k) * (B' x)]
 *
 * which evaluates polynomials at 0, 1, -1 and infinity for 2 results, at 0, 5/8, -5/8, 3/2, -3/2 and infinity for 4:
 * every constant of A and B is a float32 exactly, and results are nearer the truth than from 1 and 2, by half.
 *
 * A vector holds channels; an element (row, column) of a transform lies at [(row * (size + 2) + column) * step].
 */
#ifndef EDGELING_WINOGRAD_TILE_H
#define EDGELING_WINOGRAD_TILE_H

#include "vectors.h"

/* to [6] = B' from */
#define EDGELING_WINOGRAD_PIXELS_4(lanes, from, to)                                                                   \
    {                                                                                                                 \
        const edgeling_vector_##lanes near_even = from[4] - 2.25f * from[2], near_odd = from[3] - 2.25f * from[1];    \
        const edgeling_vector_##lanes far_even = from[4] - 0.390625f * from[2];                                       \
        const edgeling_vector_##lanes far_odd = from[3] - 0.390625f * from[1];                                        \
        to[0] = from[4] - 2.640625f * from[2] + 0.87890625f * from[0];                                                \
        to[1] = near_even + 0.625f * near_odd;                                                                        \
        to[2] = near_even - 0.625f * near_odd;                                                                        \
        to[3] = far_even + 1.5f * far_odd;                                                                            \
        to[4] = far_even - 1.5f * far_odd;                                                                            \
        to[5] = from[5] - 2.640625f * from[3] + 0.87890625f * from[1];                                                \
    }

/* to [4] = A' from */
#define EDGELING_WINOGRAD_RESULTS_4(lanes, from, to)                                                                  \
    {                                                                                                                 \
        const edgeling_vector_##lanes near_even = from[1] + from[2], near_odd = from[1] - from[2];                    \
        const edgeling_vector_##lanes far_even = from[3] + from[4], far_odd = from[3] - from[4];                      \
        to[0] = from[0] + near_even + far_even;                                                                       \
        to[1] = 0.625f * near_odd + 1.5f * far_odd;                                                                   \
        to[2] = 0.390625f * near_even + 2.25f * far_even;                                                             \
        to[3] = from[5] + 0.244140625f * near_odd + 3.375f * far_odd;                                                 \
    }

/* to [6] = G from: of each point p, 1, p and its square, divided by its distances from the others */
#define EDGELING_WINOGRAD_WEIGHTS_4(lanes, from, to)                                                                  \
    {                                                                                                                 \
        const edgeling_vector_##lanes near_even = -0.68840337f * from[0] - 0.26890758f * from[2];                      \
        const edgeling_vector_##lanes far_even = 0.11951447f * from[0] + 0.26890758f * from[2];                       \
        to[0] = 1.1377778f * from[0];                                                                                 \
        to[1] = near_even - 0.4302521f * from[1];                                                                      \
        to[2] = near_even + 0.4302521f * from[1];                                                                      \
        to[3] = far_even + 0.17927171f * from[1];                                                                     \
        to[4] = far_even - 0.17927171f * from[1];                                                                     \
        to[5] = from[2];                                                                                              \
    }

#define EDGELING_WINOGRAD_PIXELS_2(lanes, from, to)                                                                   \
    to[0] = from[0] - from[2];                                                                                        \
    to[1] = from[1] + from[2];                                                                                        \
    to[2] = from[2] - from[1];                                                                                        \
    to[3] = from[3] - from[1];

#define EDGELING_WINOGRAD_RESULTS_2(lanes, from, to)                                                                  \
    to[0] = from[0] + from[1] + from[2];                                                                              \
    to[1] = from[1] - from[2] + from[3];

#define EDGELING_WINOGRAD_WEIGHTS_2(lanes, from, to)                                                                  \
    to[0] = from[0];                                                                                                  \
    to[1] = 0.5f * (from[0] + from[2]) + 0.5f * from[1];                                                              \
    to[2] = 0.5f * (from[0] + from[2]) - 0.5f * from[1];                                                              \
    to[3] = from[2];

/* `taken` by `taken` vectors, which `take` has in from[j] for row i and column j; their transform along columns, then rows, of `made`
 * by `made`, of which `put` gets to[i] of column j. */
#define EDGELING_WINOGRAD_TAKE(lanes) from[j] = EDGELING_CONST_AT(lanes, x + i * x_row + j * x_column)
#define EDGELING_WINOGRAD_BOTH_WAYS(lanes, transform, taken, made, take, put)                                         \
    edgeling_vector_##lanes half[taken][made];                                                                        \
    EDGELING_VECTOR_UNROLL                                                                                            \
    for (int i = 0; i < (taken); i++) {                                                                               \
        edgeling_vector_##lanes from[taken];                                                                          \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int j = 0; j < (taken); j++) {                                                                           \
            take;                                                                                                     \
        }                                                                                                             \
        transform(lanes, from, half[i])                                                                               \
    }                                                                                                                 \
    EDGELING_VECTOR_UNROLL                                                                                            \
    for (int j = 0; j < (made); j++) {                                                                                \
        edgeling_vector_##lanes from[taken], to[made];                                                                \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int i = 0; i < (taken); i++) {                                                                           \
            from[i] = half[i][j];                                                                                     \
        }                                                                                                             \
        transform(lanes, from, to)                                                                                    \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int i = 0; i < (made); i++) {                                                                            \
            put;                                                                                                      \
        }                                                                                                             \
    }

/* The rows and columns of what a tile sees that lie within the image; where its first pixel lies, or would. */
typedef struct {
    int top, bottom, left, right, first;
} edgeling_winograd_seen;

#define EDGELING_WINOGRAD_TILES(lanes, size, elements)                                                                \
    EDGELING_VECTOR_FUNCTION void edgeling_winograd_pixels_##lanes##_##size(                                          \
        int x_row, int x_column, int step, const float *x, float *y) {                                                \
        EDGELING_WINOGRAD_BOTH_WAYS(                                                                                  \
            lanes, EDGELING_WINOGRAD_PIXELS_##size, elements, elements, EDGELING_WINOGRAD_TAKE(lanes),                \
            EDGELING_AT(lanes, y + (i * (elements) + j) * step) = to[i])                                              \
    }                                                                                                                 \
    EDGELING_VECTOR_FUNCTION void edgeling_winograd_edge_##lanes##_##size(                                            \
        int x_row, int x_column, int step, const edgeling_winograd_seen *seen, const float *x, float *y) {            \
        const edgeling_winograd_seen s = *seen;                                                                       \
        EDGELING_WINOGRAD_BOTH_WAYS(                                                                                  \
            lanes, EDGELING_WINOGRAD_PIXELS_##size, elements, elements,                                               \
            from[j] = EDGELING_VECTOR_OF_##lanes(0.0f); if (i >= s.top && i < s.bottom && j >= s.left && j < s.right) {\
                from[j] = EDGELING_CONST_AT(lanes, x + (s.first + i * x_row + j * x_column));                         \
            },                                                                                                        \
            EDGELING_AT(lanes, y + (i * (elements) + j) * step) = to[i])                                              \
    }                                                                                                                 \
    EDGELING_VECTOR_FUNCTION void edgeling_winograd_weights_##lanes##_##size(                                         \
        int x_row, int x_column, int step, const float *x, float *y) {                                                \
        EDGELING_WINOGRAD_BOTH_WAYS(                                                                                  \
            lanes, EDGELING_WINOGRAD_WEIGHTS_##size, 3, elements, EDGELING_WINOGRAD_TAKE(lanes),                      \
            EDGELING_AT(lanes, y + (i * (elements) + j) * step) = to[i])                                              \
    }                                                                                                                 \
    EDGELING_VECTOR_FUNCTION void edgeling_winograd_results_##lanes##_##size(                                         \
        int step, int y_row, int y_column, float least, float most, const float *x, const float *bias, float *y) {    \
        const edgeling_vector_##lanes low = EDGELING_VECTOR_OF_##lanes(least);                                        \
        const edgeling_vector_##lanes high = EDGELING_VECTOR_OF_##lanes(most);                                        \
        const edgeling_vector_##lanes start = EDGELING_CONST_AT(lanes, bias);                                         \
        const int x_row = (elements) * step, x_column = step;                                                         \
        EDGELING_WINOGRAD_BOTH_WAYS(                                                                                  \
            lanes, EDGELING_WINOGRAD_RESULTS_##size, elements, size, EDGELING_WINOGRAD_TAKE(lanes),                   \
            edgeling_vector_##lanes sum = to[i] + start; EDGELING_LIMIT_##lanes(sum, low, high);                      \
            EDGELING_AT(lanes, y + i * y_row + j * y_column) = sum)                                                   \
    }

#define EDGELING_WINOGRAD_LANES(lanes)                                                                                \
    EDGELING_WINOGRAD_TILES(lanes, 2, 4)                                                                              \
    EDGELING_WINOGRAD_TILES(lanes, 4, 6)

#if EDGELING_LANES == 1
EDGELING_WINOGRAD_LANES(1)
#else
EDGELING_WINOGRAD_LANES(4)
#endif
#if EDGELING_LANES >= 8
EDGELING_WINOGRAD_LANES(8)
#endif
#if EDGELING_LANES >= 16
EDGELING_WINOGRAD_LANES(16)
#endif

#endif
