/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions as in conv_tile.h to 8 channels, on cores whose vectors hold 16: the lanes are each channel's sum over
 * terms at even places of a row of the window, and that over those at odd places. Two neighbouring terms of x are one
 * load, of 64 bits for all lanes.
 */
#ifndef EDGELING_CONV_PAIRS_H
#define EDGELING_CONV_PAIRS_H

#include "conv_tile.h"

#if EDGELING_LANES >= 16 && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define EDGELING_CONV_PAIRS 1024 /* floats of weights, at the most */
#endif
#endif

#if defined(EDGELING_CONV_PAIRS)

typedef int64_t edgeling_pair_of_terms __attribute__((aligned(4), may_alias));
typedef int64_t edgeling_pairs_of_terms __attribute__((vector_size(64)));

/* Of a row of the window. */
EDGELING_KERNEL int edgeling_conv_pairs_floats(int terms) { return (terms + 1) / 2 * 16; }

/* pairs [rows,pairs,channels,2] = weights [rows,terms,8], zeros where there is no second term; whether it pays. */
EDGELING_VECTOR_FUNCTION int edgeling_conv_pair_up(
    int rows, int channels, const edgeling_conv_steps *s, const float *weights, float *pairs) {
    if (channels != 8 || s->columns != 1 || s->terms < 4 || s->y_position != 8 ||
        rows * edgeling_conv_pairs_floats(s->terms) > EDGELING_CONV_PAIRS) {
        return 0;
    }
    for (int row = 0; row < rows; row++) {
        for (int term = 0; term < s->terms; term += 2) {
            const edgeling_vector_8 even = EDGELING_CONST_AT(8, weights);
            const edgeling_vector_8 odd =
                term + 1 < s->terms ? EDGELING_CONST_AT(8, weights + s->weights) : edgeling_zeros_8();
            EDGELING_AT(16, pairs) =
                __builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
            weights += (term + 1 < s->terms ? 2 : 1) * s->weights;
            pairs += 16;
        }
    }
    return 1;
}

/* y [12,8] = start + what the window's elements give. */
EDGELING_VECTOR_FUNCTION void edgeling_conv_pairs_tile(
    const edgeling_conv_steps *steps, const float *x, const float *pairs, const float *start, float *y) {
    const edgeling_conv_steps s = *steps;
    const edgeling_vector_16 low = EDGELING_VECTOR_OF_16(s.low), high = EDGELING_VECTOR_OF_16(s.high);
    const edgeling_vector_16 first = __builtin_shufflevector(
        EDGELING_CONST_AT(8, start), edgeling_zeros_8(), 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
    const edgeling_pairs_of_terms none = {0};
    edgeling_vector_16 sum[EDGELING_CONV_TILE_ROWS];
    EDGELING_VECTOR_UNROLL
    for (int r = 0; r < EDGELING_CONV_TILE_ROWS; r++) {
        sum[r] = first;
    }
    for (int row = 0; row < s.rows; row++) {
        const float *term = x + row * s.x_row;
        int left = s.terms;
        for (; left >= 2; left -= 2) {
            const float *at = term;
            EDGELING_VECTOR_UNROLL
            for (int r = 0; r < EDGELING_CONV_TILE_ROWS; r++) {
                sum[r] += (edgeling_vector_16)(none + *(const edgeling_pair_of_terms *)at) * EDGELING_CONST_AT(16, pairs);
                at += s.x_position;
                EDGELING_VECTOR_STEP(at);
            }
            term += 2;
            pairs += 16;
        }
        if (left == 1) {
            EDGELING_VECTOR_UNROLL
            for (int r = 0; r < EDGELING_CONV_TILE_ROWS; r++) { /* nothing beside a term, whatever lies there */
                uint32_t bits;
                __builtin_memcpy(&bits, term + r * s.x_position, sizeof bits);
                sum[r] += (edgeling_vector_16)(none + (int64_t)bits) * EDGELING_CONST_AT(16, pairs);
            }
            pairs += 16;
        }
    }
    EDGELING_VECTOR_UNROLL
    for (int r = 0; r < EDGELING_CONV_TILE_ROWS; r += 2) {
        const edgeling_vector_16 even = __builtin_shufflevector(
            sum[r], sum[r + 1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        const edgeling_vector_16 odd = __builtin_shufflevector(
            sum[r], sum[r + 1], 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
        edgeling_vector_16 both = even + odd;
        EDGELING_LIMIT_16(both, low, high);
        EDGELING_AT(16, y + 8 * r) = both;
    }
}

/* A row of positions; what is left of it by other tiles. */
EDGELING_VECTOR_FUNCTION void edgeling_conv_paired(
    int count, const edgeling_conv_steps *s, const float *x, const float *weights, const float *pairs,
    const float *start, float *y) {
    for (; count >= EDGELING_CONV_TILE_ROWS; count -= EDGELING_CONV_TILE_ROWS) {
        edgeling_conv_pairs_tile(s, x, pairs, start, y);
        x += EDGELING_CONV_TILE_ROWS * s->x_position;
        y += EDGELING_CONV_TILE_ROWS * 8;
    }
    edgeling_conv_positions(8, count, s, x, weights, start, y);
}

#else

#define EDGELING_CONV_PAIRS 1

EDGELING_KERNEL int edgeling_conv_pairs_floats(int terms) {
    (void)terms;
    return 0;
}

/* It never pays. */
EDGELING_KERNEL int edgeling_conv_pair_up(
    int rows, int channels, const edgeling_conv_steps *s, const float *weights, const float *pairs) {
    (void)rows, (void)channels, (void)s, (void)weights, (void)pairs;
    return 0;
}

EDGELING_KERNEL void edgeling_conv_paired(
    int count, const edgeling_conv_steps *s, const float *x, const float *weights, const float *pairs,
    const float *start, float *y) {
    (void)pairs;
    edgeling_conv_positions(8, count, s, x, weights, start, y);
}

#endif

#endif
