/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products: y [m,n] = a b over k terms, a [m,k] and b [k,n]; _ta: a is given as [k,m]; _tb: b is given as [n,k].
 *
 * Plain loops, for small constant sizes, which compilers unroll whole; matmul_large.h is for the others.
 */
#ifndef EDGELING_MATMUL_H
#define EDGELING_MATMUL_H

#include "common.h"

EDGELING_KERNEL void edgeling_matmul_strided(
    int m, int k, int n, int a_row, int a_step, int b_step, int b_column, const float *EDGELING_RESTRICT a,
    const float *EDGELING_RESTRICT b, float *EDGELING_RESTRICT y) {
    for (int row = 0; row < m; row++) {
        for (int c = 0; c < n; c++) {
            float sum = 0.0f;
            for (int p = 0; p < k; p++) {
                sum += a[row * a_row + p * a_step] * b[p * b_step + c * b_column];
            }
            y[row * n + c] = sum;
        }
    }
}

EDGELING_KERNEL void edgeling_matmul(
    int m, int k, int n, const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b, float *EDGELING_RESTRICT y)
    {
    edgeling_matmul_strided(m, k, n, k, 1, n, 1, a, b, y);
}

EDGELING_KERNEL void edgeling_matmul_ta(
    int m, int k, int n, const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b, float *EDGELING_RESTRICT y)
    {
    edgeling_matmul_strided(m, k, n, 1, m, n, 1, a, b, y);
}

EDGELING_KERNEL void edgeling_matmul_tb(
    int m, int k, int n, const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b, float *EDGELING_RESTRICT y)
    {
    edgeling_matmul_strided(m, k, n, k, 1, 1, k, a, b, y);
}

EDGELING_KERNEL void edgeling_matmul_ta_tb(
    int m, int k, int n, const float *EDGELING_RESTRICT a, const float *EDGELING_RESTRICT b, float *EDGELING_RESTRICT y)
    {
    edgeling_matmul_strided(m, k, n, 1, m, 1, k, a, b, y);
}

#endif
