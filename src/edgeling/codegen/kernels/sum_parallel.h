/* SPDX-License-Identifier: Apache-2.0 */
/* sum.h over rows: y [columns] = sum of x [rows,columns], in columns that threads share. Each column is summed in the
 * order that it is summed in there.
 */
#ifndef EDGELING_SUM_PARALLEL_H
#define EDGELING_SUM_PARALLEL_H

#include "parallel.h"

#define EDGELING_SUM_COLUMNS 32 /* of a part: whole lines of the cache */

typedef struct {
    int rows, columns;
    const float *x;
    float *y;
} edgeling_sum_work;

static void edgeling_sum_part(const void *work, int part, int thread) {
    const edgeling_sum_work w = *(const edgeling_sum_work *)work;
    const int first = part * EDGELING_SUM_COLUMNS, left = w.columns - first;
    const int columns = left < EDGELING_SUM_COLUMNS ? left : EDGELING_SUM_COLUMNS;
    const float *EDGELING_RESTRICT x = w.x + first;
    float sum[EDGELING_SUM_COLUMNS];
    (void)thread;
    for (int c = 0; c < columns; c++) {
        sum[c] = x[c];
    }
    if (columns == EDGELING_SUM_COLUMNS) {
        for (int row = 1; row < w.rows; row++) {
            x += w.columns;
            for (int c = 0; c < EDGELING_SUM_COLUMNS; c++) {
                sum[c] += x[c];
            }
        }
    } else {
        for (int row = 1; row < w.rows; row++) {
            x += w.columns;
            for (int c = 0; c < columns; c++) {
                sum[c] += x[c];
            }
        }
    }
    for (int c = 0; c < columns; c++) {
        w.y[first + c] = sum[c];
    }
}

EDGELING_KERNEL void edgeling_sum_parallel(
    int rows, int columns, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    const edgeling_sum_work work = {rows, columns, x, y};
    edgeling_in_parts(
        edgeling_sum_part, &work, (int)sizeof work, (columns - 1) / EDGELING_SUM_COLUMNS + 1);
}

#endif
