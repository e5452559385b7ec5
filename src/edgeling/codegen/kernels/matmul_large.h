/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products as in matmul.h, for sizes worth tiles: y [m,n] = a b over k terms; _ta: a [k,m]; _tb: b [n,k]. */
#ifndef EDGELING_MATMUL_LARGE_H
#define EDGELING_MATMUL_LARGE_H

#include "load_multiple.h"
#include "matmul.h"
#include "tile.h"

/* A panel of the transposed b: terms by the columns of a tile. 8 KiB of stack, only where there are vectors. */
#define EDGELING_PANEL_TERMS 64
#define EDGELING_PANEL_COLUMNS 32

/* b [k,n] */
EDGELING_KERNEL void edgeling_matmul_straight(
    int m, int k, int n, int a_row, int a_step, const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b,
    float *EDGELING_RESTRICT y) {
    const edgeling_strides s = {k, a_row, a_step, n, 0, n};
    edgeling_tiles(m, n, s, a, b, 0, y);
}

/* panel [terms,columns] = b [columns,k] transposed, from term p on */
EDGELING_KERNEL void edgeling_pack(
    int k, int terms, int columns, const float *EDGELING_RESTRICT b, float *EDGELING_RESTRICT panel) {
    for (int c = 0; c < columns; c++) {
        for (int p = 0; p < terms; p++) {
            panel[p * EDGELING_PANEL_COLUMNS + c] = b[c * k + p];
        }
    }
}

EDGELING_KERNEL int edgeling_at_most(int x, int limit) { return x < limit ? x : limit; }

/* b [n,k]: transposed a panel at a time, so that the same tiles do the work */
EDGELING_KERNEL void edgeling_matmul_panels(
    int m, int k, int n, int a_row, int a_step, const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b,
    float *EDGELING_RESTRICT y) {
    float panel[EDGELING_PANEL_TERMS * EDGELING_PANEL_COLUMNS];
    for (int c = 0; c < n; c += EDGELING_PANEL_COLUMNS) {
        const int columns = edgeling_at_most(n - c, EDGELING_PANEL_COLUMNS);
        for (int p = 0; p < k; p += EDGELING_PANEL_TERMS) {
            const int terms = edgeling_at_most(k - p, EDGELING_PANEL_TERMS);
            const edgeling_strides s = {terms, a_row, a_step, EDGELING_PANEL_COLUMNS, n, n};
            edgeling_pack(k, terms, columns, b + c * k + p, panel);
            edgeling_tiles(m, columns, s, a + p * a_step, panel, p ? y + c : 0, y + c);
        }
    }
}

#define EDGELING_MATMUL_BLOCK 8 /* neighbouring sums that registers hold where there are no vectors */

/* y [block] = a [k] times as many columns of b [k,n] */
EDGELING_KERNEL void edgeling_matmul_block(
    int block, int k, int n, const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b,
    float *EDGELING_RESTRICT y) {
    float sum[EDGELING_MATMUL_BLOCK];
    int is_done = 0;
    EDGELING_UNROLL
    for (int c = 0; c < block; c++) {
        sum[c] = 0.0f;
    }
#ifdef EDGELING_LOADS_MULTIPLE
    is_done = edgeling_add_products(block, k, n, a, b, sum);
#endif
    for (int p = 0; p < k && is_done == 0; p++) {
        EDGELING_UNROLL
        for (int c = 0; c < block; c++) {
            sum[c] += a[p] * b[p * n + c];
        }
    }
    EDGELING_UNROLL
    for (int c = 0; c < block; c++) {
        y[c] = sum[c];
    }
}

EDGELING_KERNEL void edgeling_matmul_blocks(
    int m, int k, int n, const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b, float *EDGELING_RESTRICT y)
    {
    const int whole = n - n % EDGELING_MATMUL_BLOCK;
    for (int row = 0; row < m; row++) {
        for (int c = 0; c < whole; c += EDGELING_MATMUL_BLOCK) {
            edgeling_matmul_block(EDGELING_MATMUL_BLOCK, k, n, a + row * k, b + c, y + row * n + c);
        }
        for (int c = whole; c < n; c++) {
            edgeling_matmul_block(1, k, n, a + row * k, b + c, y + row * n + c);
        }
    }
}

EDGELING_KERNEL void edgeling_matmul_large(
    int m, int k, int n, const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b, float *EDGELING_RESTRICT y)
    {
    if (EDGELING_LANES > 1) {
        edgeling_matmul_straight(m, k, n, k, 1, a, b, y);
    } else {
        edgeling_matmul_blocks(m, k, n, a, b, y);
    }
}

EDGELING_KERNEL void edgeling_matmul_large_ta(
    int m, int k, int n, const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b, float *EDGELING_RESTRICT y)
    {
    if (EDGELING_LANES > 1) {
        edgeling_matmul_straight(m, k, n, 1, m, a, b, y);
    } else {
        edgeling_matmul_ta(m, k, n, a, b, y);
    }
}

EDGELING_KERNEL void edgeling_matmul_large_tb(
    int m, int k, int n, const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b, float *EDGELING_RESTRICT y)
    {
    if (EDGELING_LANES > 1) {
        edgeling_matmul_panels(m, k, n, k, 1, a, b, y);
    } else {
        edgeling_matmul_tb(m, k, n, a, b, y);
    }
}

EDGELING_KERNEL void edgeling_matmul_large_ta_tb(
    int m, int k, int n, const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b, float *EDGELING_RESTRICT y)
    {
    if (EDGELING_LANES > 1) {
        edgeling_matmul_panels(m, k, n, 1, m, a, b, y);
    } else {
        edgeling_matmul_ta_tb(m, k, n, a, b, y);
    }
}

#endif
