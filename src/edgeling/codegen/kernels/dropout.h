/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout masks, drawn so that every machine has the same bits (see philox.h). */
#ifndef EDGELING_DROPOUT_H
#define EDGELING_DROPOUT_H

#include "common.h"
#include "philox.h"

/* y [size]: 0 with probability `rate`, else scale = 1 / (1 - rate). seed, step: one value each. */
EDGELING_KERNEL void edgeling_dropout_mask(
    int size, float rate, float scale, uint32_t substream, const uint32_t *EDGELING_RESTRICT seed, const uint32_t
    *EDGELING_RESTRICT step, float *EDGELING_RESTRICT y) {
    const uint32_t s = *seed, t = *step;
    for (int i = 0; i < size; i += 4) {
        uint32_t word[4];
        edgeling_philox(s, substream, (uint32_t)i / 4u, t, EDGELING_DROPOUT_STREAM, word);
        for (int lane = 0; lane < 4 && i + lane < size; lane++) {
            const float uniform = (float)(int32_t)(word[lane] >> 8) * 5.9604644775390625e-8f; /* 2^-24 */
            y[i + lane] = uniform >= rate ? scale : 0.0f;
        }
    }
}

#endif
