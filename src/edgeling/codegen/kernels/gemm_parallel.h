/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products as in gemm.h, in parts that threads share: blocks of rows under panels of columns. Each element is
 * computed by the same instructions in the same order as there.
 *
 *   scratch  [EDGELING_GEMM_SCRATCH(k)] for each thread there may be
 *   after    what is done with elements of y as soon as they are there, by who made them; 0 (null): nothing. It must not
 *            depend on where in a vector an element is computed.
 */
#ifndef EDGELING_GEMM_PARALLEL_H
#define EDGELING_GEMM_PARALLEL_H

#include "activation.h"
#include "gemm.h"
#include "parallel.h"

#if EDGELING_LANES > 1

#define EDGELING_GEMM_BLOCK_ROWS 48 /* of a part, at least: its panel is packed for them */
#define EDGELING_GEMM_PARTS 2       /* for each thread, if there are rows enough: none waits long for another */

typedef struct {
    int m, n, transposed_b, block_rows;
    edgeling_gemm_strides s;
    float *scratch;
    const float *a, *b, *start;
    float *y;
    edgeling_elements after;
    void *const *arrays;
} edgeling_gemm_work;

static void edgeling_gemm_part(const void *work, int part, int thread) {
    const edgeling_gemm_work w = *(const edgeling_gemm_work *)work;
    const int panels = (w.n - 1) / (2 * EDGELING_LANES) + 1;
    const int c = part % panels * 2 * EDGELING_LANES, row = part / panels * w.block_rows;
    const int columns = w.n - c < 2 * EDGELING_LANES ? w.n - c : 2 * EDGELING_LANES;
    const int rows = w.m - row < w.block_rows ? w.m - row : w.block_rows;
    float *panel = edgeling_gemm_panel(w.scratch + thread * EDGELING_GEMM_SCRATCH(w.s.k));
    edgeling_gemm_columns(
        columns, rows, w.transposed_b, 1, w.s, panel, w.a + row * w.s.a_row, w.b + c * (w.transposed_b ? w.s.k : 1),
        w.start ? w.start + c : w.start, w.y + row * w.n + c);
    for (int r = row; w.after && r < row + rows; r++) {
        w.after(w.arrays, r * w.n + c, columns);
    }
}

EDGELING_KERNEL void edgeling_gemm_parallel(
    int m, int k, int n, int transposed_a, int transposed_b, float *EDGELING_RESTRICT scratch,
    const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b, const float *start,
    float *EDGELING_RESTRICT y, edgeling_elements after, void *const *arrays) {
    const int panels = (n - 1) / (2 * EDGELING_LANES) + 1, wanted = EDGELING_GEMM_PARTS * edgeling_thread_count();
    /* A gradient of weights is cut by its rows, as the update is that reads it next. */
    const int most = (m - 1) / EDGELING_GEMM_BLOCK_ROWS + 1, split = transposed_a ? wanted : (wanted - 1) / panels + 1;
    const int rows = (m - 1) / (split < most ? split : most) + 1;
    const int block_rows = (rows - 1) / EDGELING_GEMM_ROWS * EDGELING_GEMM_ROWS + EDGELING_GEMM_ROWS;
    const edgeling_gemm_work work = {
        m, n, transposed_b, block_rows,
        {k, transposed_a ? 1 : k, transposed_a ? m : 1, n, 0}, scratch, a, b, start, y,
        after, arrays};
    edgeling_in_parts(edgeling_gemm_part, &work, (int)sizeof work, panels * ((m - 1) / block_rows + 1));
}

#else

EDGELING_KERNEL void edgeling_gemm_parallel(
    int m, int k, int n, int transposed_a, int transposed_b, float *EDGELING_RESTRICT scratch,
    const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b, const float *start,
    float *EDGELING_RESTRICT y, edgeling_elements after, void *const *arrays) {
    edgeling_gemm(m, k, n, transposed_a, transposed_b, scratch, a, b, start, y);
    if (after) {
        after(arrays, 0, m * n);
    }
}

#endif

#endif
