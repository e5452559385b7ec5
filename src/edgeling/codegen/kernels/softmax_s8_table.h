/* SPDX-License-Identifier: Apache-2.0 */
/* softmax_s8.h with its exponentials from a table made at build time; the same bits.
 *
 *   x             int8   [rows,classes]  1 to 511 classes
 *   exponentials  int32  [length]        Q0, by how far an input lies below its row's maximum; beyond them, 0
 *   y             int8   [rows,classes]  scale 1/256, zero point -128; y may be x
 */
#ifndef EDGELING_SOFTMAX_S8_TABLE_H
#define EDGELING_SOFTMAX_S8_TABLE_H

#include "softmax_s8.h"

EDGELING_KERNEL int32_t edgeling_exponential_at(int below, int length, const int32_t *exponentials) {
    return length > 255 || below < length ? edgeling_read_int32(exponentials + below) : 0;
}

static inline void edgeling_softmax_s8_table(
    int rows, int classes, int length, const int8_t *x, const int32_t *exponentials, int8_t *y) {
    for (int row = 0; row < rows; row++) {
        int largest = -128;
        uint32_t sum = 0u /* Q12 */, right_shift;
        int32_t reciprocal, zeros;
        for (int c = 0; c < classes; c++) {
            largest = x[c] > largest ? x[c] : largest;
        }
        for (int c = 0; c < classes; c++) {
            sum += ((uint32_t)edgeling_exponential_at(largest - x[c], length, exponentials) + 2048u) >> 12;
        }
        zeros = edgeling_leading_zeros(sum);
        reciprocal = edgeling_one_over_one_plus((int32_t)((sum << (uint32_t)zeros) - 0x80000000u));
        right_shift = (uint32_t)(35 - zeros);
        for (int c = 0; c < classes; c++) { /* nothing is below zero */
            const int32_t e = edgeling_exponential_at(largest - x[c], length, exponentials);
            const uint32_t product = (uint32_t)edgeling_multiply_high(reciprocal, e);
            const uint32_t share = ((product >> (right_shift - 1u)) + 1u) >> 1;
            y[c] = (int8_t)((int32_t)(share < 255u ? share : 255u) - 128);
        }
        x = &x[classes];
        y = &y[classes];
    }
}

#endif
