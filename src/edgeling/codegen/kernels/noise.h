/* SPDX-License-Identifier: Apache-2.0 */
/* Standard normals, drawn from the same words on every machine (see philox.h), by Box and Muller's transform. */
#ifndef EDGELING_NOISE_H
#define EDGELING_NOISE_H

#include "elementary.h"
#include "philox.h"

/* A share of a full turn, in [0, 1), as the nearest quarter and what is left of it in radians, at most pi / 4. */
typedef struct {
    int quarter;
    float rest;
} edgeling_turn;

EDGELING_KERNEL edgeling_turn edgeling_turn_of(float share) {
    edgeling_turn turn;
    turn.quarter = (int)(4.0f * share + 0.5f);
    turn.rest = 6.28318530717958647693f * (share - 0.25f * (float)turn.quarter);
    return turn;
}

/* Taylor's polynomials: within pi / 4 they are off by less than 2e-9. */
EDGELING_KERNEL float edgeling_sine_near(float x) {
    const float s = x * x;
    return x + x * s * (-1.6666667e-1f + s * (8.3333333e-3f + s * (-1.9841270e-4f + s * 2.7557319e-6f)));
}

EDGELING_KERNEL float edgeling_cosine_near(float x) {
    const float s = x * x;
    return 1.0f + s * (-0.5f + s * (4.1666667e-2f + s * (-1.3888889e-3f + s * (2.4801587e-5f - s * 2.7557319e-7f))));
}

/* radius times the cosine (sine: a quarter less) of a turn */
EDGELING_KERNEL float edgeling_cosine_of(edgeling_turn turn, int less) {
    const int quarter = (turn.quarter + 4 - less) % 4;
    const float value = quarter % 2 ? edgeling_sine_near(turn.rest) : edgeling_cosine_near(turn.rest);
    return quarter == 1 || quarter == 2 ? -value : value;
}

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
