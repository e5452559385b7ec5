/* SPDX-License-Identifier: Apache-2.0 */
/* Standard normals, drawn from the same words on every machine (see philox.h), by Box and Muller's transform. */
#ifndef EDGELING_NOISE_H
#define EDGELING_NOISE_H

#include "elementary.h"
#include "philox.h"
#include "turn.h"

/* y [size]; seed, step: one value each. */
EDGELING_KERNEL void edgeling_noise(
    int size, uint32_t substream, const uint32_t *EDGELING_RESTRICT seed, const uint32_t *EDGELING_RESTRICT step,
    float *EDGELING_RESTRICT y) {
    const uint32_t s = *seed, t = *step;
    for (int i = 0; i < size; i += 4) {
        uint32_t word[4];
        edgeling_philox(s, substream, (uint32_t)i / 4u, t, EDGELING_NOISE_STREAM, word);
        for (int lane = 0; lane < 4 && i + lane < size; lane++) {
            const float u = (float)(int32_t)(word[lane / 2 * 2] >> 8) * 5.9604644775390625e-8f; /* 2^-24 */
            const float v = (float)(int32_t)(word[lane / 2 * 2 + 1] >> 8) * 5.9604644775390625e-8f;
            const float radius = edgeling_sqrt(-2.0f * edgeling_log(1.0f - u));
            y[i + lane] = radius * edgeling_cosine_of(edgeling_turn_of(v), lane % 2);
        }
    }
}

#endif
