/* SPDX-License-Identifier: Apache-2.0 */
/* A fully connected layer as in dense.h, of one row that a rectifier made: y = activation(x kernel + bias), and what
 * meets a zero of x is not read. Of such a row half is zero, of a kernel that no near cache holds reading is what counts.
 *
 * x [1,inputs], kernel [inputs,outputs], which is finite, bias [outputs], y [1,outputs]; rows is 1.
 */
#ifndef EDGELING_DENSE_RECTIFIED_H
#define EDGELING_DENSE_RECTIFIED_H

#include "activation.h"
#include "flash.h"
#include "vectors.h"

#define EDGELING_RECTIFIED_TERMS 128 /* that are looked through before their products are summed */

/* places: those of [inputs] that are not zero, in order; gives how many */
EDGELING_KERNEL int edgeling_places(int inputs, const float *EDGELING_RESTRICT x, int *EDGELING_RESTRICT places) {
    int count = 0;
    for (int i = 0; i < inputs; i++) {
        places[count] = i; /* written over where it is zero, so that nothing is to be guessed */
        count += edgeling_bits_of(x[i]) << 1 != 0;
    }
    return count;
}

/* y [vectors * lanes] = start + the products of x's values at some places */
#define EDGELING_RECTIFIED_TILE(lanes, vectors)                                                                       \
    EDGELING_VECTOR_FUNCTION void edgeling_rectified_tile_##lanes##_##vectors(                                        \
        int count, const int *places, int outputs, const float *x, const float *kernel, const float *start,           \
        float *y) {                                                                                                   \
        edgeling_vector_##lanes sum[vectors];                                                                         \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int v = 0; v < (vectors); v++) {                                                                         \
            sum[v] = EDGELING_CONST_AT(lanes, start + v * (lanes));                                                   \
        }                                                                                                             \
        for (int i = 0; i < count; i++) {                                                                             \
            const float *row = kernel + places[i] * outputs;                                                          \
            const float value = x[places[i]];                                                                         \
            if ((vectors) == 1) {                                                                                     \
                EDGELING_VECTOR_FUSED(sum[0]);                                                                        \
            }                                                                                                         \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int v = 0; v < (vectors); v++) {                                                                     \
                sum[v] += value * EDGELING_CONST_AT(lanes, row + v * (lanes));                                        \
            }                                                                                                         \
        }                                                                                                             \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int v = 0; v < (vectors); v++) {                                                                         \
            EDGELING_AT(lanes, y + v * (lanes)) = sum[v];                                                             \
        }                                                                                                             \
    }

/* As many columns as there are tiles for; `c` counts those done. */
#define EDGELING_RECTIFIED_COLUMNS(lanes, vectors)                                                                    \
    for (; c + (lanes) * (vectors) <= outputs; c += (lanes) * (vectors)) {                                            \
        edgeling_rectified_tile_##lanes##_##vectors(count, places, outputs, seen, weights + c, start + c, y + c);     \
    }

/* Widths of tiles as (lanes, vectors): as many sums as hide the latency of an addition, then what is left. */
#if EDGELING_LANES >= 16
#define EDGELING_RECTIFIED_WIDTHS(make) make(16, 8) make(16, 4) make(16, 1) make(4, 1) make(1, 1)
#elif EDGELING_LANES == 8
#define EDGELING_RECTIFIED_WIDTHS(make) make(8, 8) make(8, 4) make(8, 1) make(4, 1) make(1, 1)
#elif EDGELING_LANES == 4
#define EDGELING_RECTIFIED_WIDTHS(make) make(4, 8) make(4, 4) make(4, 1) make(1, 1)
#else
#define EDGELING_RECTIFIED_WIDTHS(make) make(1, 4) make(1, 1)
#endif

EDGELING_RECTIFIED_WIDTHS(EDGELING_RECTIFIED_TILE)

EDGELING_KERNEL void edgeling_dense_rectified(
    int rows, int inputs, int outputs, int function, float alpha, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    int places[EDGELING_RECTIFIED_TERMS];
    const float *start = bias;
    for (int first = 0; first < inputs; first += EDGELING_RECTIFIED_TERMS) {
        const int left = inputs - first, terms = left < EDGELING_RECTIFIED_TERMS ? left : EDGELING_RECTIFIED_TERMS;
        const float *seen = x + first, *weights = kernel + first * outputs;
        const int count = edgeling_places(terms, seen, places);
        int c = 0;
        EDGELING_RECTIFIED_WIDTHS(EDGELING_RECTIFIED_COLUMNS)
        start = y;
    }
    edgeling_activation(rows * outputs, function, alpha, y, y);
}

#endif
