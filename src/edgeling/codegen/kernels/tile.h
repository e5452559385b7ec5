/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of matrix products on cores with vectors: tiles of rows by columns held in registers.
 *
 *   a      element (row, p) at a[row * a_row + p * a_step]
 *   b      element (p, column) at b[p * b_step + column]
 *   start  what the sums start from, element (row, column) at start[row * start_row + column]; 0 (null): from zero
 *   y      element (row, column) at y[row * y_row + column]: the sum over p, 0 to k - 1
 *
 * Written with GCC's and Clang's vector types. Where there are none, or the core has no vectors, EDGELING_LANES is 1.
 */
#ifndef EDGELING_TILE_H
#define EDGELING_TILE_H

#include "common.h"

#define EDGELING_TILE_ROWS 8 /* at most */
#define EDGELING_TILE_VECTORS 8 /* at most, in one row */

typedef struct {
    int k, a_row, a_step, b_step, start_row, y_row;
} edgeling_strides;

/* One function for each width of vector; rows (at most EDGELING_TILE_ROWS) and vectors are constant. */
#define EDGELING_DEFINE_TILE(width)                                                                                   \
    typedef float edgeling_lanes_##width __attribute__((vector_size(4 * width), aligned(4), may_alias));              \
    EDGELING_KERNEL void edgeling_tile_##width(                                                                       \
        int rows, int vectors, edgeling_strides s, const float *a, const float *b, const float *start, float *y) {    \
        const edgeling_lanes_##width zero = {0.0f};                                                                   \
        edgeling_lanes_##width sum[EDGELING_TILE_ROWS][EDGELING_TILE_VECTORS];                                        \
        for (int r = 0; r < rows; r++) {                                                                              \
            for (int v = 0; v < vectors; v++) {                                                                       \
                sum[r][v] = start ? *(const edgeling_lanes_##width *)(start + r * s.start_row + v * width)            \
                                  : zero;                                                                             \
            }                                                                                                         \
        }                                                                                                             \
        for (int p = 0; p < s.k; p++) {                                                                               \
            for (int r = 0; r < rows; r++) {                                                                          \
                for (int v = 0; v < vectors; v++) {                                                                   \
                    sum[r][v] += a[r * s.a_row + p * s.a_step] *                                                      \
                                 *(const edgeling_lanes_##width *)(b + p * s.b_step + v * width);                     \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
        for (int r = 0; r < rows; r++) {                                                                              \
            for (int v = 0; v < vectors; v++) {                                                                       \
                *(edgeling_lanes_##width *)(y + r * s.y_row + v * width) = sum[r][v];                                 \
            }                                                                                                         \
        }                                                                                                             \
    }

#if EDGELING_LANES >= 16
EDGELING_DEFINE_TILE(16)
#endif
#if EDGELING_LANES >= 8
EDGELING_DEFINE_TILE(8)
#endif
#if EDGELING_LANES >= 4
EDGELING_DEFINE_TILE(4)
#endif

/* One column, for what is left when no vector fits. */
EDGELING_KERNEL void edgeling_tile_1(
    int rows, edgeling_strides s, const float *a, const float *b, const float *start, float *y) {
    float sum[EDGELING_TILE_ROWS];
    for (int r = 0; r < rows; r++) {
        sum[r] = start ? start[r * s.start_row] : 0.0f;
    }
    for (int p = 0; p < s.k; p++) {
        for (int r = 0; r < rows; r++) {
            sum[r] += a[r * s.a_row + p * s.a_step] * b[p * s.b_step];
        }
    }
    for (int r = 0; r < rows; r++) {
        y[r * s.y_row] = sum[r];
    }
}

/* All columns of a few rows. `c` counts the columns done. */
#define EDGELING_TILE_COLUMNS(width, vectors)                                                                         \
    for (; c + width * (vectors) <= columns; c += width * (vectors)) {                                                \
        edgeling_tile_##width(rows, (vectors), s, a, b + c, start ? start + c : start, y + c);                        \
    }

/* As many sums at once as hide the latency of an addition. */
#define EDGELING_TILE_WIDEST(width)                                                                                   \
    if (rows == 1) {                                                                                                  \
        EDGELING_TILE_COLUMNS(width, 8)                                                                               \
        EDGELING_TILE_COLUMNS(width, 4)                                                                               \
    }                                                                                                                 \
    EDGELING_TILE_COLUMNS(width, 2)

EDGELING_KERNEL void edgeling_tile_rows(
    int rows, int columns, edgeling_strides s, const float *a, const float *b, const float *start, float *y) {
    int c = 0;
#if EDGELING_LANES >= 16
    EDGELING_TILE_WIDEST(16)
    EDGELING_TILE_COLUMNS(16, 1)
#endif
#if EDGELING_LANES == 8
    EDGELING_TILE_WIDEST(8)
#endif
#if EDGELING_LANES >= 8
    EDGELING_TILE_COLUMNS(8, 1)
#endif
#if EDGELING_LANES == 4
    EDGELING_TILE_WIDEST(4)
#endif
#if EDGELING_LANES >= 4
    EDGELING_TILE_COLUMNS(4, 1)
    if (c < columns && columns >= 4 && s.start_row == 0) { /* the last four again, unless sums are added to */
        c = columns - 4;
        EDGELING_TILE_COLUMNS(4, 1)
    }
#endif
    for (; c < columns; c++) {
        edgeling_tile_1(rows, s, a, b + c, start ? start + c : start, y + c);
    }
}

/* y [m,n] = start + a b; narrow matrices take more rows at once, so that as many sums run */
EDGELING_KERNEL void edgeling_tiles(
    int m, int n, edgeling_strides s, const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b, const float
    *start, float *y) {
    const int rows = n < 2 * EDGELING_LANES ? EDGELING_TILE_ROWS : EDGELING_TILE_ROWS / 2;
    const int whole = m - m % rows;
    for (int row = 0; row < whole; row += rows) {
        edgeling_tile_rows(rows, n, s, a + row * s.a_row, b, start ? start + row * s.start_row : start,
                           y + row * s.y_row);
    }
    for (int row = whole; row < m; row++) {
        edgeling_tile_rows(1, n, s, a + row * s.a_row, b, start ? start + row * s.start_row : start,
                           y + row * s.y_row);
    }
}

#endif
