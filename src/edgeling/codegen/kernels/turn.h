/* SPDX-License-Identifier: Apache-2.0 */
/* Sines and cosines of angles that are given in turns. */
#ifndef EDGELING_TURN_H
#define EDGELING_TURN_H

#include "common.h"

/* Up to some thousands of turns either way, as the nearest quarter and what is left of it in radians, at most pi / 4. */
typedef struct {
    int quarter;
    float rest;
} edgeling_turn;

EDGELING_KERNEL edgeling_turn edgeling_turn_of(float turns) {
    edgeling_turn turn;
    turn.quarter = (int)(4.0f * turns + (turns < 0.0f ? -0.5f : 0.5f));
    turn.rest = 6.28318530717958647693f * (turns - 0.25f * (float)turn.quarter);
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

/* The cosine, or of a quarter less the sine. */
EDGELING_KERNEL float edgeling_cosine_of(edgeling_turn turn, int less) {
    const int quarter = (turn.quarter % 4 + 4 - less) % 4;
    const float value = quarter % 2 ? edgeling_sine_near(turn.rest) : edgeling_cosine_near(turn.rest);
    return quarter == 1 || quarter == 2 ? -value : value;
}

#endif
