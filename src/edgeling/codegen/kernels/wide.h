/* SPDX-License-Identifier: Apache-2.0 */
/* Rows in the widest vectors of the core: sums, the largest, exponentials. Of a row as many whole vectors are computed
 * side by side as there are, what is left one by one: an element's bits depend on its place in the row alone. Kernels
 * take a few rows at a time through each of their steps, so that a core has something to do while it waits for a sum.
 */
#ifndef EDGELING_WIDE_H
#define EDGELING_WIDE_H

#include "elementary.h"
#include "vectors.h"

#if EDGELING_LANES > 1

#if EDGELING_LANES >= 16
typedef edgeling_vector_16 edgeling_wide;
#define EDGELING_WIDE_OF(x) EDGELING_VECTOR_OF_16(x)
#elif EDGELING_LANES == 8
typedef edgeling_vector_8 edgeling_wide;
#define EDGELING_WIDE_OF(x) EDGELING_VECTOR_OF_8(x)
#else
typedef edgeling_vector_4 edgeling_wide;
#define EDGELING_WIDE_OF(x) EDGELING_VECTOR_OF_4(x)
#endif
typedef uint32_t edgeling_wide_bits __attribute__((vector_size(4 * EDGELING_LANES)));
typedef int32_t edgeling_wide_integers __attribute__((vector_size(4 * EDGELING_LANES)));

#define EDGELING_WIDE_ROWS 8 /* of a few */

#define EDGELING_WIDE_AT(p) (*(edgeling_wide *)(p))
#define EDGELING_CONST_WIDE_AT(p) (*(const edgeling_wide *)(p))
/* How many of a row's columns are whole vectors. */
#define EDGELING_WIDE_COLUMNS(columns) ((columns) - (columns) % EDGELING_LANES)

/* `chosen` where `is`, `other` elsewhere. */
EDGELING_KERNEL edgeling_wide edgeling_wide_choice(
    edgeling_wide_integers is, edgeling_wide chosen, edgeling_wide other) {
    return (edgeling_wide)((is & (edgeling_wide_integers)chosen) | (~is & (edgeling_wide_integers)other));
}

/* Vectors as they are halved. */
typedef union {
    edgeling_wide whole;
    edgeling_vector_4 four[EDGELING_LANES / 4];
#if EDGELING_LANES >= 8
    edgeling_vector_8 eight[EDGELING_LANES / 8];
#endif
} edgeling_wide_parts;

/* Of all lanes. */
EDGELING_KERNEL float edgeling_wide_sum(edgeling_wide x) {
    edgeling_wide_parts parts;
    parts.whole = x;
#if EDGELING_LANES >= 16
    parts.eight[0] += parts.eight[1];
#endif
#if EDGELING_LANES >= 8
    parts.four[0] += parts.four[1];
#endif
    return (parts.four[0][0] + parts.four[0][2]) + (parts.four[0][1] + parts.four[0][3]);
}

EDGELING_KERNEL float edgeling_wide_largest_lane(edgeling_wide x) {
    edgeling_wide_parts parts;
    float low, high;
    parts.whole = x;
#if EDGELING_LANES >= 16
    EDGELING_VECTOR_RAISE(8, parts.eight[0], parts.eight[1]);
#endif
#if EDGELING_LANES >= 8
    EDGELING_VECTOR_RAISE(4, parts.four[0], parts.four[1]);
#endif
    low = edgeling_maximum(parts.four[0][0], parts.four[0][2]);
    high = edgeling_maximum(parts.four[0][1], parts.four[0][3]);
    return edgeling_maximum(low, high);
}

/* The largest of [columns], which are a vector at least. A NaN may be passed over. */
EDGELING_KERNEL float edgeling_wide_largest(int columns, const float *x) {
    const int whole = EDGELING_WIDE_COLUMNS(columns);
    edgeling_wide lanes = EDGELING_CONST_WIDE_AT(x);
    float largest;
    for (int c = EDGELING_LANES; c < whole; c += EDGELING_LANES) {
        const edgeling_wide next = EDGELING_CONST_WIDE_AT(x + c);
        lanes = edgeling_wide_choice(lanes < next, next, lanes);
    }
    largest = edgeling_wide_largest_lane(lanes);
    for (int c = whole; c < columns; c++) {
        largest = edgeling_maximum(largest, x[c]);
    }
    return largest;
}

/* Whole numbers as floats. */
EDGELING_KERNEL edgeling_wide edgeling_wide_converted(edgeling_wide_integers n) {
#if defined(__clang__) || __GNUC__ >= 9
    return __builtin_convertvector(n, edgeling_wide);
#else
    edgeling_wide x = EDGELING_WIDE_OF(0.0f);
    for (int lane = 0; lane < EDGELING_LANES; lane++) {
        x[lane] = (float)n[lane];
    }
    return x;
#endif
}

/* edgeling_exp_below of each lane: exp(x) for x <= 0. */
EDGELING_KERNEL edgeling_wide edgeling_wide_exp_below(edgeling_wide x) {
    const edgeling_wide_bits whole = (edgeling_wide_bits)(x * EDGELING_LOG2_E + EDGELING_ROUNDER) - EDGELING_ROUNDER_BITS;
    const edgeling_wide n = edgeling_wide_converted((edgeling_wide_integers)whole);
    const edgeling_wide r = (x - n * EDGELING_LN2_HIGH) - n * EDGELING_LN2_LOW;
    const edgeling_wide scale = (edgeling_wide)((whole + 127u) << 23); /* 2^n */
    const edgeling_wide_integers is_small = x < EDGELING_WIDE_OF(EDGELING_SMALLEST_EXPONENT);
    edgeling_wide q = EDGELING_WIDE_OF(1.381431999e-3f); /* as edgeling_expm1_near_zero */
    q = q * r + 8.368851313e-3f;
    q = q * r + 4.166840111e-2f;
    q = q * r + 1.666651952e-1f;
    q = q * r + 4.999999337e-1f;
    q = scale * ((q * (r * r) + r) + 1.0f);
    return (edgeling_wide)(~is_small & (edgeling_wide_integers)q);
}

#endif

#endif
