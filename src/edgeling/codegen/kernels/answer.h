/* SPDX-License-Identifier: Apache-2.0 */
/* What a deployed network does at its ends: inputs it does not answer, and the class its outputs choose.
 *
 * NaN and infinity are told by their bits, for flags may promise a compiler that there are none: shifted left by one,
 * which drops the sign, infinity is 0xFF000000 and NaN is above.
 */
#ifndef EDGELING_ANSWER_H
#define EDGELING_ANSWER_H

#include "flash.h"

/* A function that another of the same file calls, and that flash is to hold once. */
#if defined(__GNUC__)
#define EDGELING_ONCE __attribute__((noinline))
#else
#define EDGELING_ONCE
#endif

/* Whether all of x [size] are finite.
 *
 * A float unit tells it with one instruction an input: a finite number times zero is zero, others times zero are NaN.
 * (Flags that let sums be reordered may then also refuse finite inputs whose sum is infinite.) Elsewhere bits do: one
 * more in the exponent carries into the sign only where all its bits are set.
 */
EDGELING_KERNEL int edgeling_all_finite(int size, const float *x) {
#if defined(__ARM_FP)
    float sum = 0.0f;
    for (int i = 0; i < size; i++) {
        sum += x[i] * 0.0f;
    }
    return edgeling_bits_of(sum) == 0u;
#else
    uint32_t carried = 0u;
    for (int i = 0; i < size; i++) {
        const uint32_t bits = edgeling_bits_of(x[i]);
        carried |= (bits + 0x800000u) ^ bits;
    }
    return carried >> 31 == 0u;
#endif
}

/* Whether none of x [size] is infinite; NaN stands for what is missing. */
EDGELING_KERNEL int edgeling_none_infinite(int size, const float *x) {
    for (int i = 0; i < size; i++) {
        if ((edgeling_bits_of(x[i]) << 1) == 0xFF000000u) {
            return 0;
        }
    }
    return 1;
}

/* Whether none of x [size] is infinite, and none NaN but where may_be_missing [size] is 1. */
EDGELING_KERNEL int edgeling_all_answerable(int size, const float *x, const int8_t *may_be_missing) {
    for (int i = 0; i < size; i++) {
        const uint32_t shifted = edgeling_bits_of(x[i]) << 1;
        if (shifted >= 0xFF000000u && (shifted == 0xFF000000u || edgeling_read_int8(may_be_missing + i) == 0)) {
            return 0;
        }
    }
    return 1;
}

/* Whether y is the number of a class: whole, from 0 up and below that many. */
EDGELING_KERNEL int edgeling_is_class(float y, int classes) {
    return y >= 0.0f && y < (float)classes && (float)(int)y == y ? 1 : 0;
}

/* y [size] = NaN */
EDGELING_KERNEL void edgeling_fill_nan(int size, float *y) {
    for (int i = 0; i < size; i++) {
        y[i] = edgeling_float_of(0x7FC00000u);
    }
}

/* The position of the largest of y [size], the first of equals; -1 where one is NaN. */
EDGELING_KERNEL int edgeling_class_of(int size, const float *y) {
    int best = 0;
    for (int i = 0; i < size; i++) {
        if ((edgeling_bits_of(y[i]) << 1) > 0xFF000000u) {
            return -1;
        }
        if (y[i] > y[best]) {
            best = i;
        }
    }
    return best;
}

/* 1 where y is above the threshold, else 0; -1 where it is NaN. */
EDGELING_KERNEL int edgeling_is_above(float y, float threshold) {
    if ((edgeling_bits_of(y) << 1) > 0xFF000000u) {
        return -1;
    }
    return y > threshold ? 1 : 0;
}

/* The position of the largest of y [size], the first of equals. */
EDGELING_KERNEL int edgeling_class_of_s8(int size, const int8_t *y) {
    int best = 0;
    for (int i = 1; i < size; i++) {
        if (y[i] > y[best]) {
            best = i;
        }
    }
    return best;
}

/* The position of the largest of y [size] times what each counts, whole numbers [size] above zero, the first of equals;
 * -1 where one is NaN. */
EDGELING_KERNEL int edgeling_class_of_weighted(int size, const float *y, const int32_t *counts) {
    int best = 0;
    float most = -1.0f;
    for (int i = 0; i < size; i++) {
        const int32_t count = edgeling_read_int32(counts + i);
        const float weighted = y[i] * (float)count;
        if ((edgeling_bits_of(y[i]) << 1) > 0xFF000000u) {
            return -1;
        }
        if (weighted > most) {
            most = weighted;
            best = i;
        }
    }
    return best;
}

/* The same of stored y, which stand for (y - zero_point) times a scale; with counts of at most 32767 no product leaves
 * 32 bits. */
EDGELING_KERNEL int edgeling_class_of_weighted_s8(int size, const int8_t *y, int32_t zero_point,
                                                  const int32_t *counts) {
    int best = 0;
    int32_t most = -1;
    for (int i = 0; i < size; i++) {
        const int32_t weighted = ((int32_t)y[i] - zero_point) * edgeling_read_int32(counts + i);
        if (weighted > most) {
            most = weighted;
            best = i;
        }
    }
    return best;
}

/* x = a table [size] */
EDGELING_KERNEL void edgeling_load(int size, const float *table, float *x) {
    for (int i = 0; i < size; i++) {
        x[i] = edgeling_read_float(table + i);
    }
}

EDGELING_KERNEL void edgeling_load_s8(int size, const int8_t *table, int8_t *x) {
    for (int i = 0; i < size; i++) {
        x[i] = edgeling_read_int8(table + i);
    }
}

/* Whether y [size] are within a tolerance of what a table holds; NaN is not. */
EDGELING_KERNEL int edgeling_all_close(int size, float tolerance, const float *y, const float *expected) {
    for (int i = 0; i < size; i++) {
        const float difference = y[i] - edgeling_read_float(expected + i);
        if ((edgeling_bits_of(y[i]) << 1) > 0xFF000000u || difference > tolerance || -difference > tolerance) {
            return 0;
        }
    }
    return 1;
}

/* Whether y [size] are what a table holds. */
EDGELING_KERNEL int edgeling_all_close_s8(int size, const int8_t *y, const int8_t *expected) {
    for (int i = 0; i < size; i++) {
        if (y[i] != edgeling_read_int8(expected + i)) {
            return 0;
        }
    }
    return 1;
}

#endif
