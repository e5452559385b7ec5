/* SPDX-License-Identifier: Apache-2.0 */
/* Elementary functions in float32, without a C library and without branches, so that loops over them vectorise.
 *
 *   function          largest error seen against float64     special values
 *   edgeling_exp      1.0 ulp                                overflow: inf; results below 2^-126: 0
 *   edgeling_exp_below 1.0 ulp for x <= 0                    results below 2^-126: 0; above 0 it is not made for
 *   edgeling_expm1    1.5 ulp for x <= 0                     -inf: -1; above 0 it is not made for
 *   edgeling_log      0.8 ulp                                0: -inf; below 0: NaN; inf: inf
 *   edgeling_log1p    1.3 ulp for 0 <= x <= 1                outside it is not made for
 *   edgeling_tanh     2.5 ulp                                inf: 1; -inf: -1
 *   edgeling_erf      1.2 ulp                                inf: 1; -inf: -1
 *   edgeling_sqrt     1 ulp, exact with a hardware unit      below 0: NaN; inf: inf; denormals: 0 without hardware
 *
 * NaN gives NaN everywhere. Polynomials are least-maximum fits of this project; erf's forms follow N. Juffa.
 *
 * Nothing here depends on the order in which a compiler adds, on whether it rounds in between, or on what it takes for
 * equal: where a rounding is meant it is read off the bits. So flags that let it reorder (-funsafe-math-optimizations)
 * or compute in wider registers (x87) cost accuracy, a few units in the sixth digit, and nothing else. Only flags that
 * let it assume there is no NaN are refused, for then it may drop every question whether there is one.
 */
#ifndef EDGELING_ELEMENTARY_H
#define EDGELING_ELEMENTARY_H

#include "common.h"

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0) || defined(_M_FP_FAST)
#error "Edgeling's floats need NaN and infinity: compile without -ffast-math, or add -fno-finite-math-only"
#endif

#define EDGELING_LOG2_E 1.44269504f
#define EDGELING_LN2_HIGH 0.693359375f           /* few bits, so that n * high is exact */
#define EDGELING_LN2_LOW -2.12194440e-4f         /* ln 2 - high */
#define EDGELING_ROUNDER 12582912.0f             /* 1.5 * 2^23: a sum with it has an integer in its low bits */
#define EDGELING_ROUNDER_BITS 0x4B400000u
#define EDGELING_LARGEST_EXPONENT 88.7228394f    /* ln 2^128: from here on exp is infinite */
#define EDGELING_SMALLEST_EXPONENT -87.3365402f  /* ln 2^-126 */
#define EDGELING_SMALLEST_NORMAL 1.17549435e-38f /* 2^-126 */

/* x = n ln 2 + r with |r| <= ln 2 / 2. */
typedef struct {
    float r;
    uint32_t n; /* modulo 2^32 */
} edgeling_reduced;

EDGELING_KERNEL edgeling_reduced edgeling_reduce(float x) {
    const uint32_t whole = edgeling_bits_of(x * EDGELING_LOG2_E + EDGELING_ROUNDER) - EDGELING_ROUNDER_BITS;
    const float n = (float)(int32_t)whole;
    edgeling_reduced reduced;
    reduced.r = (x - n * EDGELING_LN2_HIGH) - n * EDGELING_LN2_LOW;
    reduced.n = whole;
    return reduced;
}

/* exp(r) - 1 for |r| <= ln 2 / 2. */
EDGELING_KERNEL float edgeling_expm1_near_zero(float r) {
    float q = 1.381431999e-3f;
    q = q * r + 8.368851313e-3f;
    q = q * r + 4.166840111e-2f;
    q = q * r + 1.666651952e-1f;
    q = q * r + 4.999999337e-1f;
    return q * (r * r) + r;
}

/* exp(x) for x <= 0. What a NaN leaves in n does not matter: it times anything is NaN. */
EDGELING_KERNEL float edgeling_exp_below(float x) {
    const edgeling_reduced reduced = edgeling_reduce(x);
    const float scale = edgeling_float_of((reduced.n + 127u) << 23); /* 2^n */
    const float result = scale * (edgeling_expm1_near_zero(reduced.r) + 1.0f);
    return x < EDGELING_SMALLEST_EXPONENT ? 0.0f : result;
}

EDGELING_KERNEL float edgeling_exp(float x) {
    const edgeling_reduced reduced = edgeling_reduce(x);
    const float fraction = edgeling_expm1_near_zero(reduced.r) + 1.0f;
    const float scaled = edgeling_float_of(edgeling_bits_of(fraction) + (reduced.n << 23));
    const float positive = x > EDGELING_SMALLEST_EXPONENT ? scaled : 0.0f;
    return x < EDGELING_LARGEST_EXPONENT ? positive : x + EDGELING_INFINITY;
}

EDGELING_KERNEL float edgeling_expm1(float x) {
    const float bounded = x < -20.0f ? -20.0f : x;
    const edgeling_reduced reduced = edgeling_reduce(bounded);
    const float scale = edgeling_float_of((reduced.n + 127u) << 23); /* 2^n */
    const float near = edgeling_expm1_near_zero(reduced.r);
    return reduced.n == 0u ? near : scale * near + (scale - 1.0f);
}

/* (log(1 + f) - f + f^2 / 2) / f^3 for sqrt(1/2) <= 1 + f <= sqrt(2). */
EDGELING_KERNEL float edgeling_log_series(float f) {
    float q = 6.746632315e-2f;
    q = q * f - 1.167565725e-1f;
    q = q * f + 1.188816910e-1f;
    q = q * f - 1.240558857e-1f;
    q = q * f + 1.421955138e-1f;
    q = q * f - 1.666799583e-1f;
    q = q * f + 2.000211871e-1f;
    q = q * f - 2.500000960e-1f;
    q = q * f + 3.333331260e-1f;
    return q;
}

EDGELING_KERNEL float edgeling_log(float x) {
    const float times = x < EDGELING_SMALLEST_NORMAL ? 23.0f : 0.0f; /* x is taken times 2 to this power */
    const uint32_t bits = edgeling_bits_of(x < EDGELING_SMALLEST_NORMAL ? x * 8388608.0f : x);
    const uint32_t above = bits - 0x3F3504F3u; /* of sqrt(1/2) */
    const int32_t power = (int32_t)above >> 23;
    const float exponent = (float)power - times;
    const float f = edgeling_float_of((above & 0x007FFFFFu) + 0x3F3504F3u) - 1.0f;
    const float square = f * f;
    const float tail = (edgeling_log_series(f) * f * square + exponent * EDGELING_LN2_LOW) - 0.5f * square;
    const float finite = (f + tail) + exponent * EDGELING_LN2_HIGH;
    const float positive = x < EDGELING_INFINITY ? finite : x;
    const float outside = x < 0.0f ? EDGELING_NAN : -EDGELING_INFINITY;
    return x <= 0.0f ? outside : positive;
}

EDGELING_KERNEL float edgeling_log1p(float x) {
    const float s = x / (2.0f + x); /* the logarithm is 2 atanh(s), and 2 s is x - s x */
    const float square = s * s;
    float q = 2.801198661e-1f;
    q = q * square + 2.800180614e-1f;
    q = q * square + 4.002152681e-1f;
    q = q * square + 6.666641831e-1f;
    return x - s * (x - square * q);
}

EDGELING_KERNEL float edgeling_with_sign_of(float magnitude, float sign) {
    return edgeling_float_of(edgeling_bits_of(magnitude) | (edgeling_bits_of(sign) & 0x80000000u));
}

EDGELING_KERNEL float edgeling_tanh(float x) {
    const float e = edgeling_expm1(-2.0f * edgeling_absolute(x));
    return edgeling_with_sign_of(edgeling_absolute(e / (e + 2.0f)), x);
}

/* erf for |x| below 0.93. */
EDGELING_KERNEL float edgeling_erf_near(float x) {
    const float s = x * x;
    float near = -5.96761703e-4f;
    near = near * s + 4.99119423e-3f;
    near = near * s - 2.67681349e-2f;
    near = near * s + 1.12819925e-1f;
    near = near * s - 3.76125336e-1f;
    near = near * s + 1.28379166e-1f;
    return near * x + x;
}

/* erf for x above 0.93; erf(4) is 1 in float32. */
EDGELING_KERNEL float edgeling_erf_far(float x) {
    const float bounded = edgeling_minimum(x, 4.0f);
    float far = -1.72853470e-5f;
    far = far * bounded + 3.83197126e-4f;
    far = far * bounded - 3.88396438e-3f;
    far = far * bounded + 2.42546219e-2f;
    far = far * bounded - 1.06777877e-1f;
    far = far * bounded - 6.34846687e-1f;
    far = far * bounded - 1.28717512e-1f;
    return 1.0f - edgeling_exp_below(far * bounded - bounded);
}

EDGELING_KERNEL float edgeling_erf(float x) {
    const float size = edgeling_absolute(x), near = edgeling_erf_near(x), far = edgeling_erf_far(size);
    return size > 0.927734375f ? edgeling_with_sign_of(far, x) : near;
}

/* __NO_MATH_ERRNO__ says that the builtin is an instruction and not a library call that may set errno. */
#if defined(__NO_MATH_ERRNO__) && (defined(__SSE2__) || defined(__aarch64__) || (defined(__ARM_FP) && (__ARM_FP & 4)))
#define EDGELING_HARDWARE_SQRT 1
#elif defined(__wasm__)
#define EDGELING_HARDWARE_SQRT 1
#else
#define EDGELING_HARDWARE_SQRT 0
#endif

/* About 1 / sqrt(x), for normal numbers. */
EDGELING_KERNEL float edgeling_inverse_sqrt(float x) {
    const float half = 0.5f * x;
    float inverse = edgeling_float_of(0x5F3759DFu - (edgeling_bits_of(x) >> 1)); /* about 1 / sqrt(x) */
    inverse = inverse * (1.5f - half * inverse * inverse);
    inverse = inverse * (1.5f - half * inverse * inverse);
    inverse = inverse * (1.5f - half * inverse * inverse);
    return inverse;
}

EDGELING_KERNEL float edgeling_sqrt(float x) {
#if EDGELING_HARDWARE_SQRT
    return __builtin_sqrtf(x);
#else
    const float inverse = edgeling_inverse_sqrt(x);
    const float root = x * inverse;
    const float better = root + 0.5f * inverse * (x - root * root);
    const float positive = x < EDGELING_INFINITY ? better : x;
    const float nonnegative = x < EDGELING_SMALLEST_NORMAL ? 0.0f : positive;
    return x < 0.0f ? EDGELING_NAN : nonnegative;
#endif
}

#endif
