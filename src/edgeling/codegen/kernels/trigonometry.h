/* SPDX-License-Identifier: Apache-2.0 */
/* Sines, cosines and inverse tangents of angles in radians, element by element.
 *
 *   function          largest error seen against float64     special values
 *   edgeling_sine     3.0 ulp                                inf: NaN
 *   edgeling_cosine   3.0 ulp                                inf: NaN
 *   edgeling_arctan   1.5 ulp                                inf: pi / 2; -inf: -pi / 2
 *
 * NaN gives NaN. Angles of any size are as exact: they are reduced by integers, after M. Payne and R. Hanek, "Radian
 * Reduction for Trigonometric Functions", 1983, in the form that N. Juffa gave it for float32.
 */
#ifndef EDGELING_TRIGONOMETRY_H
#define EDGELING_TRIGONOMETRY_H

#include "elementary.h"
#include "flash.h"
#include "turn.h"

enum edgeling_trigonometric {
    EDGELING_SIN,
    EDGELING_COS,
    EDGELING_ARCTAN
};

/* x = quarter pi / 2 + rest with |rest| <= pi / 4; quarter modulo 4. */
typedef struct {
    float rest;
    uint32_t quarter;
} edgeling_angle;

/* The angle of |x| = size, of the bits of its mantissa and of those of 2 / pi that count for its exponent. */
EDGELING_KERNEL edgeling_angle edgeling_angle_of_words(float x, float size, uint32_t mantissa, const uint32_t *word) {
    const uint64_t low = (uint64_t)mantissa * word[2];
    const uint64_t middle = (uint64_t)mantissa * word[1] + (low >> 32);
    const uint64_t quarters = ((uint64_t)(mantissa * word[0]) << 32) + middle; /* the point after two bits */
    const uint32_t is_past = (uint32_t)(quarters >> 61) & 1u;                  /* half a quarter: count from the next */
    const uint64_t fraction = is_past ? 0u - (quarters << 2) : quarters << 2;
    const float high = (float)(int32_t)(fraction >> 32), rest_of_it = (float)(int32_t)((uint32_t)fraction >> 8);
    const float magnitude = (high + rest_of_it * 5.9604644775390625e-8f) * 3.6572952e-10f; /* pi / 2 * 2^-32 */
    const uint32_t is_negative = edgeling_bits_of(x) >> 31;
    const uint32_t quarter = (uint32_t)(quarters >> 62) + is_past;
    edgeling_angle angle;
    angle.rest = size < 0.78539816f ? x : (is_past != is_negative ? -magnitude : magnitude);
    angle.quarter = size < 0.78539816f ? 0u : (is_negative ? 0u - quarter : quarter) & 3u;
    return angle;
}

EDGELING_SHARED edgeling_angle edgeling_angle_of(float x) {
    static const int32_t two_over_pi[8] EDGELING_FLASH = {
        0, 0x28BE60DB, -0x6C6EFAB6, 0x7F09D5F4, 0x7D4D3770, 0x36D8A566, 0x4F10E410, 0x7F9458EA};
    const float size = edgeling_absolute(x);
    const uint32_t bits = edgeling_bits_of(size < 0.5f ? 0.5f : size);
    const uint32_t exponent = (bits >> 23) - 126u, shift = exponent & 31u;
    const uint32_t mantissa = (bits << 8) | 0x80000000u;
    uint32_t word[3]; /* of 2 / pi those that count for this exponent: what is above is whole turns */
    for (int k = 0; k < 3; k++) {
        const int at = (int)(exponent >> 5) + k;
        const uint32_t left = (uint32_t)EDGELING_READ_INT32(two_over_pi + at);
        const uint32_t right = (uint32_t)EDGELING_READ_INT32(two_over_pi + at + 1);
        word[k] = (left << shift) | ((right >> 1) >> (31u - shift));
    }
    return edgeling_angle_of_words(x, size, mantissa, word);
}

/* The sine; of an angle that is a quarter further, the cosine. */
EDGELING_KERNEL float edgeling_sine_further(float x, uint32_t further) {
    const edgeling_angle angle = edgeling_angle_of(x);
    const uint32_t quarter = angle.quarter + further;
    const float value = quarter & 1u ? edgeling_cosine_near(angle.rest) : edgeling_sine_near(angle.rest);
    const float finite = quarter & 2u ? -value : value;
    return edgeling_absolute(x) < EDGELING_INFINITY ? finite : EDGELING_NAN;
}

EDGELING_KERNEL float edgeling_sine(float x) { return edgeling_sine_further(x, 0u); }

EDGELING_KERNEL float edgeling_cosine(float x) { return edgeling_sine_further(x, 1u); }

/* A least-maximum fit of this project for |x| <= 1; beyond, a quarter less what its reciprocal gives. */
EDGELING_KERNEL float edgeling_arctan(float x) {
    const float size = edgeling_absolute(x);
    const float t = size > 1.0f ? 1.0f / size : size;
    const float s = t * t;
    float q = -1.793622853e-3f, near, far;
    q = q * s + 1.091461095e-2f;
    q = q * s - 3.117785569e-2f;
    q = q * s + 5.795760361e-2f;
    q = q * s - 8.403450924e-2f;
    q = q * s + 1.095218598e-1f;
    q = q * s - 1.426424172e-1f;
    q = q * s + 1.999854829e-1f;
    q = q * s - 3.333329909e-1f;
    near = q * s * t + t;
    far = 1.57079637f - (near + 4.37113883e-8f);
    return edgeling_with_sign_of(size > 1.0f ? far : near, x);
}

/* x, y: [size]. y may be x. */
EDGELING_KERNEL void edgeling_trigonometric_of(int size, int function, const float *x, float *y) {
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        switch (function) {
        case EDGELING_SIN: y[i] = edgeling_sine(x[i]); break;
        case EDGELING_COS: y[i] = edgeling_cosine(x[i]); break;
        default: y[i] = edgeling_arctan(x[i]); break;
        }
    }
}

#endif
