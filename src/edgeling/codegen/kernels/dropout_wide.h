/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout masks as in dropout.h, many words at a time, so that a compiler can draw them side by side; of some elements
 * of a mask, which threads share. The bits are those of dropout.h.
 */
#ifndef EDGELING_DROPOUT_WIDE_H
#define EDGELING_DROPOUT_WIDE_H

#include "common.h"
#include "philox.h"

#define EDGELING_DROPOUT_BLOCKS 16 /* of four words */

/* y [size]: the elements from `first`, a multiple of 4, on. seed, step: one value each. */
EDGELING_KERNEL void edgeling_dropout_mask_wide(
    int first, int size, float rate, float scale, uint32_t substream, const uint32_t *EDGELING_RESTRICT seed,
    const uint32_t *EDGELING_RESTRICT step, float *EDGELING_RESTRICT y) {
    const uint32_t s = *seed, t = *step, block = (uint32_t)first / 4u;
    for (int i = 0; i < size; i += 4 * EDGELING_DROPOUT_BLOCKS) {
        const int left = size - i, count = left < 4 * EDGELING_DROPOUT_BLOCKS ? left : 4 * EDGELING_DROPOUT_BLOCKS;
        uint32_t word[4 * EDGELING_DROPOUT_BLOCKS];
        for (int b = 0; b < EDGELING_DROPOUT_BLOCKS; b++) {
            const uint32_t at = block + (uint32_t)i / 4u + (uint32_t)b;
            edgeling_philox(s, substream, at, t, EDGELING_DROPOUT_STREAM, word + 4 * b);
        }
        for (int j = 0; j < count; j++) {
            const float uniform = (float)(int32_t)(word[j] >> 8) * 5.9604644775390625e-8f; /* 2^-24 */
            y[i + j] = uniform >= rate ? scale : 0.0f;
        }
    }
}

#endif
