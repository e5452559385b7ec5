/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products of several rows on cores with vectors: y [m,n] = start + a b over k terms.
 *
 *   a        [m,k], or [k,m] where it is transposed
 *   b        [k,n], or [n,k] where it is transposed
 *   start    [n], what the sums of each row start from (a bias); 0 (null): from zero
 *   scratch  [EDGELING_GEMM_SCRATCH(k)]
 *
 * A panel of b, as wide as one or two vectors, is copied so that its terms lie side by side, under one row of what the
 * sums start from; then tiles of rows run down it. Every element is summed in the order of its terms, whatever the
 * tile: an answer does not depend on how many rows there are.
 *
 * Written with GCC's and Clang's vector types; where there are none, or no vectors, a plain loop does the work.
 */
#ifndef EDGELING_GEMM_H
#define EDGELING_GEMM_H

#include "tile_x86.h"

#define EDGELING_GEMM_COLUMNS 32 /* of a panel, at most */
#define EDGELING_GEMM_ROWS 12    /* of a tile, at most */
/* All panels of b, a tile, and room to begin at a multiple of the widest vector: edgeling_gemm_keep packs once what many
 * calls of edgeling_gemm_kept read, b [k,n] and start. The bits are those of edgeling_gemm. */
#define EDGELING_GEMM_KEPT(k, n)                                                                                      \
    (((k) + 1) * (((n) + EDGELING_GEMM_COLUMNS - 1) / EDGELING_GEMM_COLUMNS * EDGELING_GEMM_COLUMNS) +                \
     EDGELING_GEMM_ROWS * EDGELING_GEMM_COLUMNS + 16)
/* A panel, a tile, and room to begin at a multiple of the widest vector. */
#define EDGELING_GEMM_SCRATCH(k) (((k) + 1 + EDGELING_GEMM_ROWS) * EDGELING_GEMM_COLUMNS + 16)

#if EDGELING_LANES > 1

#define EDGELING_GEMM_AHEAD 16 /* rows of b that are asked for before they are read: they lie far apart */
/* element (row, p) of a lies at a[row * a_row + p * a_step]; b_row: from a term of a panel to the next */
typedef struct {
    int k, a_row, a_step, y_row, b_row;
} edgeling_gemm_strides;

/* The first tile of a panel as wide as b has columns left: it reads b, and leaves the panel behind for the others. */
#if defined(EDGELING_X86_TILES)
#define EDGELING_GEMM_FIRST(lanes, vectors, rows)                                                                     \
    EDGELING_VECTOR_FUNCTION void edgeling_gemm_first_##lanes##_##vectors(                                            \
        edgeling_gemm_strides s, const float *a, const float *b, float *panel, float *y) {                            \
        edgeling_x86_steps steps = edgeling_gemm_x86_steps(s);                                                        \
        steps.b_term = steps.y_row;                                                                                   \
        EDGELING_X86_FIRST(lanes, rows, EDGELING_GEMM_AHEAD, steps, a, b, panel, y);                                  \
    }
#else
#define EDGELING_GEMM_FIRST(lanes, vectors, rows)                                                                     \
    EDGELING_VECTOR_FUNCTION void edgeling_gemm_first_##lanes##_##vectors(                                            \
        edgeling_gemm_strides s, const float *a, const float *b, float *panel, float *y) {                            \
        edgeling_vector_##lanes sum[rows][vectors];                                                                   \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int r = 0; r < (rows); r++) {                                                                            \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int v = 0; v < (vectors); v++) {                                                                     \
                sum[r][v] = *(const edgeling_vector_##lanes *)(panel + v * (lanes));                                  \
            }                                                                                                         \
        }                                                                                                             \
        int left = s.k;                                                                                               \
        do {                                                                                                          \
            panel += (vectors) * (lanes);                                                                             \
            edgeling_vector_##lanes terms[vectors];                                                                   \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int v = 0; v < (vectors); v++) {                                                                     \
                __builtin_prefetch(b + EDGELING_GEMM_AHEAD * s.y_row + v * (lanes));                                  \
                terms[v] = *(const edgeling_vector_##lanes *)(b + v * (lanes));                                       \
                *(edgeling_vector_##lanes *)(panel + v * (lanes)) = terms[v];                                         \
            }                                                                                                         \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int r = 0; r < (rows); r++) { /* what is read of a serves all vectors: no store lies in between */   \
                EDGELING_VECTOR_UNROLL                                                                                \
                for (int v = 0; v < (vectors); v++) {                                                                 \
                    sum[r][v] += a[r * s.a_row] * terms[v];                                                           \
                }                                                                                                     \
            }                                                                                                         \
            a += s.a_step;                                                                                            \
            b += s.y_row;                                                                                             \
        } while (--left);                                                                                             \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int r = 0; r < (rows); r++) {                                                                            \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int v = 0; v < (vectors); v++) {                                                                     \
                *(edgeling_vector_##lanes *)(y + r * s.y_row + v * (lanes)) = sum[r][v];                              \
            }                                                                                                         \
        }                                                                                                             \
    }
#endif

#if defined(EDGELING_X86_TILES)

EDGELING_KERNEL edgeling_x86_steps edgeling_gemm_x86_steps(edgeling_gemm_strides s) {
    const edgeling_x86_steps steps = {
        1, 1, s.k, EDGELING_X86_BYTES(s.a_row), EDGELING_X86_BYTES(s.a_step), 0, 0, EDGELING_X86_BYTES(s.b_row), 0,
        EDGELING_X86_BYTES(s.y_row), 0, 0.0f, 0.0f};
    return steps;
}

#define EDGELING_GEMM_BEGIN(s) const edgeling_x86_steps steps = edgeling_gemm_x86_steps(s);
#define EDGELING_GEMM_TILES(lanes, vectors, rows)
#define EDGELING_GEMM_RUN(lanes, vectors, rows)                                                                       \
    for (; row + (rows) <= m; row += (rows)) {                                                                        \
        EDGELING_X86_TILE(lanes, vectors, rows, steps, a + row * s.a_row, panel, start, y + row * s.y_row);           \
    }

#else

#define EDGELING_GEMM_BEGIN(s)
/* The sums of some rows over a panel of `vectors` vectors of `lanes`: `tiles` times as many rows as registers hold. */
#define EDGELING_GEMM_TILES(lanes, vectors, rows)                                                                     \
    EDGELING_VECTOR_FUNCTION void edgeling_gemm_tiles_##lanes##_##vectors##_##rows(                                   \
        int tiles, edgeling_gemm_strides s, const float *a, const float *start, const float *panel, float *y) {       \
        do {                                                                                                          \
            const float *x = a, *b = panel;                                                                           \
            edgeling_vector_##lanes sum[rows][vectors];                                                               \
            int left = s.k;                                                                                           \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int r = 0; r < (rows); r++) {                                                                        \
                EDGELING_VECTOR_UNROLL                                                                                \
                for (int v = 0; v < (vectors); v++) {                                                                 \
                    sum[r][v] = *(const edgeling_vector_##lanes *)(start + v * (lanes));                              \
                }                                                                                                     \
            }                                                                                                         \
            do {                                                                                                      \
                if ((rows) * (vectors) == 1) {                                                                        \
                    EDGELING_VECTOR_FUSED(sum[0][0]);                                                                 \
                }                                                                                                     \
                EDGELING_VECTOR_UNROLL                                                                                \
                for (int r = 0; r < (rows); r++) {                                                                    \
                    EDGELING_VECTOR_UNROLL                                                                            \
                    for (int v = 0; v < (vectors); v++) {                                                             \
                        sum[r][v] += x[r * s.a_row] * *(const edgeling_vector_##lanes *)(b + v * (lanes));            \
                    }                                                                                                 \
                }                                                                                                     \
                x += s.a_step;                                                                                        \
                b += s.b_row;                                                                                         \
            } while (--left);                                                                                         \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int r = 0; r < (rows); r++) {                                                                        \
                EDGELING_VECTOR_UNROLL                                                                                \
                for (int v = 0; v < (vectors); v++) {                                                                 \
                    *(edgeling_vector_##lanes *)(y + r * s.y_row + v * (lanes)) = sum[r][v];                          \
                }                                                                                                     \
            }                                                                                                         \
            a += (rows) * s.a_row;                                                                                    \
            y += (rows) * s.y_row;                                                                                    \
        } while (--tiles);                                                                                            \
    }

#define EDGELING_GEMM_RUN(lanes, vectors, rows)                                                                       \
    if (row + (rows) <= m) {                                                                                          \
        const int tiles = (m - row) / (rows);                                                                         \
        edgeling_gemm_tiles_##lanes##_##vectors##_##rows(                                                             \
            tiles, s, a + row * s.a_row, start, panel, y + row * s.y_row);                                            \
        row += tiles * (rows);                                                                                        \
    }

#endif

/* All m rows over a panel of one width; `most` rows at once, as many as registers hold the sums of. */
#define EDGELING_GEMM_WIDTH(lanes, vectors, most, more)                                                               \
    EDGELING_GEMM_TILES(lanes, vectors, most)                                                                         \
    EDGELING_GEMM_TILES(lanes, vectors, more)                                                                         \
    EDGELING_GEMM_TILES(lanes, vectors, 4)                                                                            \
    EDGELING_GEMM_TILES(lanes, vectors, 2)                                                                            \
    EDGELING_GEMM_TILES(lanes, vectors, 1)                                                                            \
    EDGELING_VECTOR_FUNCTION void edgeling_gemm_rows_##lanes##_##vectors(                                             \
        int m, edgeling_gemm_strides s, const float *a, const float *start, const float *panel, float *y) {           \
        const int two = 2 * (more), all = m; /* of these tiles are better than a large one and few rows */            \
        const int ends = two > (most) && all >= two && all % (most) == two - (most) ? two : 0;                        \
        int row = 0;                                                                                                  \
        EDGELING_GEMM_BEGIN(s)                                                                                        \
        m -= ends;                                                                                                    \
        EDGELING_GEMM_RUN(lanes, vectors, most)                                                                       \
        m = all;                                                                                                      \
        EDGELING_GEMM_RUN(lanes, vectors, more)                                                                       \
        EDGELING_GEMM_RUN(lanes, vectors, 4)                                                                          \
        EDGELING_GEMM_RUN(lanes, vectors, 2)                                                                          \
        EDGELING_GEMM_RUN(lanes, vectors, 1)                                                                          \
    }

EDGELING_GEMM_WIDTH(4, 1, 12, 8)
#if EDGELING_LANES == 4
EDGELING_GEMM_WIDTH(4, 2, 6, 3)
EDGELING_GEMM_FIRST(4, 2, 6)
#define EDGELING_GEMM_WIDEST(s, a, b, panel, y) edgeling_gemm_first_4_2(s, a, b, panel, y)
#endif
#if EDGELING_LANES >= 8
EDGELING_GEMM_WIDTH(8, 1, 12, 8)
#endif
#if EDGELING_LANES == 8
EDGELING_GEMM_WIDTH(8, 2, 6, 3)
EDGELING_GEMM_FIRST(8, 2, 6)
#define EDGELING_GEMM_WIDEST(s, a, b, panel, y) edgeling_gemm_first_8_2(s, a, b, panel, y)
#endif
#if EDGELING_LANES >= 16
EDGELING_GEMM_WIDTH(16, 1, 12, 8)
EDGELING_GEMM_WIDTH(16, 2, 12, 8)
EDGELING_GEMM_FIRST(16, 2, 12)
#define EDGELING_GEMM_WIDEST(s, a, b, panel, y) edgeling_gemm_first_16_2(s, a, b, panel, y)
#endif

#define EDGELING_GEMM_FIRST_ROWS (EDGELING_LANES >= 16 ? 12 : 6)

/* The width of the next panel: two vectors while there are columns for more than one, then the smallest that fits. */
EDGELING_KERNEL int edgeling_gemm_width(int columns) {
    int width = 4;
    while (width < columns && width < 2 * EDGELING_LANES) {
        width *= 2;
    }
    return width;
}

EDGELING_VECTOR_FUNCTION void edgeling_gemm_rows(
    int width, int m, edgeling_gemm_strides s, const float *a, const float *start, const float *panel, float *y) {
    switch (width) {
#if EDGELING_LANES >= 16
    case 32:
        edgeling_gemm_rows_16_2(m, s, a, start, panel, y);
        break;
    case 16:
        edgeling_gemm_rows_16_1(m, s, a, start, panel, y);
        break;
#endif
#if EDGELING_LANES == 8
    case 16:
        edgeling_gemm_rows_8_2(m, s, a, start, panel, y);
        break;
#endif
#if EDGELING_LANES >= 8
    case 8:
        edgeling_gemm_rows_8_1(m, s, a, start, panel, y);
        break;
#else
    case 8:
        edgeling_gemm_rows_4_2(m, s, a, start, panel, y);
        break;
#endif
    default:
        edgeling_gemm_rows_4_1(m, s, a, start, panel, y);
        break;
    }
}

/* panel [k,width] = `columns` columns of b [k,n], zeros beside them */
EDGELING_VECTOR_FUNCTION void edgeling_gemm_pack(
    int width, int columns, int k, int n, const float *EDGELING_RESTRICT b, float *EDGELING_RESTRICT panel) {
    for (int p = 0; p < k; p++) {
        if (columns == width) {
            for (int c = 0; c < width; c += 4) {
                *(edgeling_vector_4 *)(panel + c) = *(const edgeling_vector_4 *)(b + c);
            }
        } else {
            for (int c = 0; c < width; c++) {
                panel[c] = c < columns ? b[c] : 0.0f;
            }
        }
        panel += width;
        b += n;
    }
}

#if defined(__has_builtin) && EDGELING_LANES >= 8
#if __has_builtin(__builtin_shufflevector)
#define EDGELING_GEMM_TURN 8
#endif
#endif

#if defined(EDGELING_GEMM_TURN)
/* Eight columns of b [n,k] from term p on, turned: pairs change places, then fours, then halves. */
EDGELING_KERNEL void edgeling_gemm_turn(int width, int k, const float *EDGELING_RESTRICT b, float *EDGELING_RESTRICT panel) {
    edgeling_vector_8 row[8], pair[8];
    EDGELING_UNROLL
    for (int r = 0; r < 8; r++) {
        row[r] = *(const edgeling_vector_8 *)(b + r * k);
    }
    EDGELING_UNROLL
    for (int r = 0; r < 8; r += 2) {
        pair[r] = __builtin_shufflevector(row[r], row[r + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        pair[r + 1] = __builtin_shufflevector(row[r], row[r + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    EDGELING_UNROLL
    for (int r = 0; r < 8; r += 4) {
        EDGELING_UNROLL
        for (int i = 0; i < 2; i++) {
            row[r + 2 * i] = __builtin_shufflevector(pair[r + i], pair[r + i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            row[r + 2 * i + 1] = __builtin_shufflevector(pair[r + i], pair[r + i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    }
    EDGELING_UNROLL
    for (int p = 0; p < 4; p++) {
        const edgeling_vector_8 low = __builtin_shufflevector(row[p], row[p + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        const edgeling_vector_8 high = __builtin_shufflevector(row[p], row[p + 4], 4, 5, 6, 7, 12, 13, 14, 15);
        *(edgeling_vector_8 *)(panel + p * width) = low;
        *(edgeling_vector_8 *)(panel + (p + 4) * width) = high;
    }
}
#endif

/* Four columns of b [n,k] from term p on: as many terms of four columns of the panel. */
EDGELING_KERNEL void edgeling_gemm_transpose(
    int width, int k, const float *EDGELING_RESTRICT b, float *EDGELING_RESTRICT panel) {
    EDGELING_UNROLL
    for (int p = 0; p < 4; p++) {
        const edgeling_vector_4 term = {b[p], b[k + p], b[2 * k + p], b[3 * k + p]};
        *(edgeling_vector_4 *)(panel + p * width) = term;
    }
}

/* panel [k,width] = `columns` rows of b [n,k], transposed, zeros beside them */
EDGELING_VECTOR_FUNCTION void edgeling_gemm_pack_transposed(
    int width, int columns, int k, const float *EDGELING_RESTRICT b, float *EDGELING_RESTRICT panel) {
    int c = 0;
#if defined(EDGELING_GEMM_TURN)
    for (; c + 8 <= columns; c += 8) {
        int p = 0;
        for (; p + 8 <= k; p += 8) {
            edgeling_gemm_turn(width, k, b + c * k + p, panel + p * width + c);
        }
        for (; p < k; p++) {
            for (int j = c; j < c + 8; j++) {
                panel[p * width + j] = b[j * k + p];
            }
        }
    }
#endif
    for (; c + 4 <= columns; c += 4) {
        int p = 0;
        for (; p + 4 <= k; p += 4) {
            edgeling_gemm_transpose(width, k, b + c * k + p, panel + p * width + c);
        }
        for (; p < k; p++) {
            for (int j = c; j < c + 4; j++) {
                panel[p * width + j] = b[j * k + p];
            }
        }
    }
    for (; c < width; c++) {
        for (int p = 0; p < k; p++) {
            panel[p * width + c] = c < columns ? b[c * k + p] : 0.0f;
        }
    }
}

/* A few rows, EDGELING_GEMM_ROWS at most, through a tile in scratch: `columns` of its columns. */
EDGELING_VECTOR_FUNCTION void edgeling_gemm_narrow(
    int width, int columns, int rows, edgeling_gemm_strides s, const float *a, const float *panel, float *tile,
    float *y) {
    edgeling_gemm_strides to_tile = s;
    to_tile.y_row = width;
    edgeling_gemm_rows(width, rows, to_tile, a, panel, panel + width, tile);
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
            y[r * s.y_row + c] = tile[r * width + c];
        }
    }
}

/* The m rows of y under a panel that is wider than the columns left. What a row writes beyond its end, the rows after
 * it write again; the last rows, which would write beyond y, go through a tile; all rows do where others write what
 * lies between (`apart`). */
EDGELING_VECTOR_FUNCTION void edgeling_gemm_edge(
    int width, int columns, int m, int apart, edgeling_gemm_strides s, const float *a, const float *panel, float *tile,
    float *y) {
    const int beyond = apart ? m : (width - columns + s.y_row - 1) / s.y_row;
    const int inside = m > beyond ? m - beyond : 0;
    edgeling_gemm_rows(width, inside, s, a, panel, panel + width, y);
    for (int row = inside; row < m; row += EDGELING_GEMM_ROWS) {
        const int rows = m - row < EDGELING_GEMM_ROWS ? m - row : EDGELING_GEMM_ROWS;
        edgeling_gemm_narrow(width, columns, rows, s, a + row * s.a_row, panel, tile, y + row * s.y_row);
    }
}

/* `columns` columns of y [m,n], at most two vectors of them; b, start and y begin there. apart: no other column of y
 * is written, not even for a while. */
EDGELING_VECTOR_FUNCTION void edgeling_gemm_columns(
    int columns, int m, int transposed_b, int apart, edgeling_gemm_strides s, float *panel, const float *a,
    const float *b, const float *start, float *y) {
    const int width = edgeling_gemm_width(columns);
    const int whole = columns == width;
    int rows = 0;
    s.b_row = width;
    for (int c = 0; c < width; c++) {
        panel[c] = start && c < columns ? start[c] : 0.0f;
    }
    if (transposed_b) {
        edgeling_gemm_pack_transposed(width, columns, s.k, b, panel + width);
    } else if (width == 2 * EDGELING_LANES && whole && m >= EDGELING_GEMM_FIRST_ROWS) {
        rows = EDGELING_GEMM_FIRST_ROWS;
        EDGELING_GEMM_WIDEST(s, a, b, panel, y);
    } else if (whole && m < EDGELING_GEMM_FIRST_ROWS) { /* few rows read b where it lies */
        rows = m;
        s.b_row = s.y_row;
        edgeling_gemm_rows(width, m, s, a, panel, b, y);
    } else {
        edgeling_gemm_pack(width, columns, s.k, s.y_row, b, panel + width);
    }
    if (whole) {
        edgeling_gemm_rows(width, m - rows, s, a + rows * s.a_row, panel, panel + width, y + rows * s.y_row);
    } else {
        edgeling_gemm_edge(width, columns, m, apart, s, a, panel, panel + (s.k + 1) * width, y);
    }
}

/* Where the panel begins in scratch: vectors that lie across two cache lines take twice as long to load. */
EDGELING_KERNEL float *edgeling_gemm_panel(float *scratch) {
    return (float *)(((uintptr_t)scratch + 63u) / 64u * 64u);
}

EDGELING_KERNEL void edgeling_gemm(
    int m, int k, int n, int transposed_a, int transposed_b, float *EDGELING_RESTRICT scratch,
    const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b, const float *start,
    float *EDGELING_RESTRICT y) {
    const edgeling_gemm_strides s = {k, transposed_a ? 1 : k, transposed_a ? m : 1, n, 0};
    const int step = 2 * EDGELING_LANES, last = (n - 1) / step * step, b_column = transposed_b ? k : 1;
    float *panel = edgeling_gemm_panel(scratch);
    /* The last columns first: what they write beyond their rows is written again. */
    edgeling_gemm_columns(
        n - last, m, transposed_b, 0, s, panel, a, b + last * b_column, start ? start + last : start, y + last);
    for (int c = 0; c < last; c += step) {
        edgeling_gemm_columns(
            step, m, transposed_b, 0, s, panel, a, b + c * b_column, start ? start + c : start, y + c);
    }
}

EDGELING_KERNEL void edgeling_gemm_keep(
    int k, int n, int transposed_b, const float *EDGELING_RESTRICT b, const float *start,
    float *EDGELING_RESTRICT kept) {
    float *panel = edgeling_gemm_panel(kept);
    for (int first = 0; first < n; first += 2 * EDGELING_LANES) {
        const int left = n - first, columns = left < 2 * EDGELING_LANES ? left : 2 * EDGELING_LANES;
        const int width = edgeling_gemm_width(columns);
        for (int c = 0; c < width; c++) {
            panel[c] = start && c < columns ? start[first + c] : 0.0f;
        }
        if (transposed_b) {
            edgeling_gemm_pack_transposed(width, columns, k, b + first * k, panel + width);
        } else {
            edgeling_gemm_pack(width, columns, k, n, b + first, panel + width);
        }
        panel += (k + 1) * width;
    }
}

EDGELING_KERNEL void edgeling_gemm_kept(
    int m, int k, int n, const float *EDGELING_RESTRICT a, float *EDGELING_RESTRICT kept, float *EDGELING_RESTRICT y) {
    edgeling_gemm_strides s = {k, k, 1, n, 2 * EDGELING_LANES};
    const int step = 2 * EDGELING_LANES, last = (n - 1) / step * step, width = edgeling_gemm_width(n - last);
    float *const panels = edgeling_gemm_panel(kept), *const panel = panels + last * (k + 1);
    for (int c = 0; c < last; c += step) {
        const float *const before = panels + c * (k + 1);
        edgeling_gemm_rows(step, m, s, a, before, before + step, y + c);
    }
    s.b_row = width;
    if (n - last == width) {
        edgeling_gemm_rows(width, m, s, a, panel, panel + width, y + last);
    } else {
        edgeling_gemm_edge(width, n - last, m, 1, s, a, panel, panel + (k + 1) * width, y + last);
    }
}

#else

EDGELING_KERNEL void edgeling_gemm(
    int m, int k, int n, int transposed_a, int transposed_b, float *EDGELING_RESTRICT scratch,
    const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b, const float *start,
    float *EDGELING_RESTRICT y) {
    (void)scratch;
    for (int row = 0; row < m; row++) {
        for (int c = 0; c < n; c++) {
            float sum = start ? start[c] : 0.0f;
            for (int p = 0; p < k; p++) {
                sum += a[transposed_a ? p * m + row : row * k + p] * b[transposed_b ? c * k + p : p * n + c];
            }
            y[row * n + c] = sum;
        }
    }
}

/* Kept are the matrix, term by term, and what the sums start from. */
EDGELING_KERNEL void edgeling_gemm_keep(
    int k, int n, int transposed_b, const float *EDGELING_RESTRICT b, const float *start,
    float *EDGELING_RESTRICT kept) {
    for (int c = 0; c < n; c++) {
        kept[k * n + c] = start ? start[c] : 0.0f;
        for (int p = 0; p < k; p++) {
            kept[p * n + c] = b[transposed_b ? c * k + p : p * n + c];
        }
    }
}

EDGELING_KERNEL void edgeling_gemm_kept(
    int m, int k, int n, const float *EDGELING_RESTRICT a, float *EDGELING_RESTRICT kept, float *EDGELING_RESTRICT y) {
    edgeling_gemm(m, k, n, 0, 0, kept, a, kept, kept + k * n, y);
}

#endif

#endif
