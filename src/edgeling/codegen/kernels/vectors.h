/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of floats as GCC and Clang have them, and how loops over registers full of them are written. */
#ifndef EDGELING_VECTORS_H
#define EDGELING_VECTORS_H

#include "common.h"

/* Tuned for AMD's cores, GCC does not fuse the product and the sum of a tile that has only one of them, lest it wait, but
 * does those of larger tiles: a row's bits would depend on how many there are. It does where it cannot see the chain. */
#if (defined(__x86_64__) || defined(__i386__)) && !defined(__clang__) && EDGELING_LANES > 1
#define EDGELING_VECTOR_FUSED(sum) __asm__("" : "+x"(sum))
#else
#define EDGELING_VECTOR_FUSED(sum)
#endif
/* What is read from memory is kept in a register for all that follows. */
#if (defined(__x86_64__) || defined(__i386__)) && !defined(__clang__) && EDGELING_LANES > 1
#define EDGELING_VECTOR_KEPT(x) __asm__("" : "+v"(x))
#else
#define EDGELING_VECTOR_KEPT(x)
#endif
/* A pointer goes from place to place: compilers would hold each place in a register, of which there are not so many. */
#if defined(__GNUC__)
#define EDGELING_VECTOR_STEP(pointer) __asm__("" : "+r"(pointer))
#else
#define EDGELING_VECTOR_STEP(pointer)
#endif
/* The sums of a tile live in registers: GCC unrolls so far only where it is told to. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 8
#define EDGELING_VECTOR_UNROLL _Pragma("GCC unroll 16")
#else
#define EDGELING_VECTOR_UNROLL
#endif

#if defined(__GNUC__)
#define EDGELING_VECTOR_FUNCTION static __attribute__((noinline, unused))
#else
#define EDGELING_VECTOR_FUNCTION static
#endif

typedef float edgeling_vector_1;
#if EDGELING_LANES > 1
typedef float edgeling_vector_4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t edgeling_bits_4 __attribute__((vector_size(16)));
#endif
#if EDGELING_LANES >= 8
typedef float edgeling_vector_8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t edgeling_bits_8 __attribute__((vector_size(32)));
#endif
#if EDGELING_LANES >= 16
typedef float edgeling_vector_16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t edgeling_bits_16 __attribute__((vector_size(64)));
#endif

/* C++ knows no literals of vectors. */
#define EDGELING_VECTOR_ZEROS(lanes)                                                                                  \
    EDGELING_KERNEL edgeling_vector_##lanes edgeling_zeros_##lanes(void) {                                            \
        const edgeling_vector_##lanes zeros = {0.0f};                                                                 \
        return zeros;                                                                                                 \
    }
#if EDGELING_LANES > 1
EDGELING_VECTOR_ZEROS(4)
#endif
#if EDGELING_LANES >= 8
EDGELING_VECTOR_ZEROS(8)
#endif
#if EDGELING_LANES >= 16
EDGELING_VECTOR_ZEROS(16)
#endif

/* `chosen` where a lane of `is` has all bits set, `other` elsewhere. */
#define EDGELING_VECTOR_CHOICE(lanes, is, chosen, other)                                                              \
    ((edgeling_vector_##lanes)(((edgeling_bits_##lanes)(is) & (edgeling_bits_##lanes)(chosen)) |                      \
                               (~(edgeling_bits_##lanes)(is) & (edgeling_bits_##lanes)(other))))
/* x limited to [low, high], vectors all; NaN stays. */
#if defined(__AVX__) && defined(__GNUC__) /* one instruction each: the second operand where one is NaN */
#define EDGELING_VECTOR_LIMIT(lanes, x, low, high)                                                                    \
    __asm__("vmaxps %1, %2, %0" : "=v"(x) : "v"(x), "v"(low));                                                        \
    __asm__("vminps %1, %2, %0" : "=v"(x) : "v"(x), "v"(high))
#else
#define EDGELING_VECTOR_LIMIT(lanes, x, low, high)                                                                    \
    (x) = EDGELING_VECTOR_CHOICE(lanes, (x) < (low), low, x);                                                         \
    (x) = EDGELING_VECTOR_CHOICE(lanes, (x) > (high), high, x)
#endif
/* x = y where that is larger */
#define EDGELING_VECTOR_RAISE(lanes, x, y) (x) = EDGELING_VECTOR_CHOICE(lanes, (x) < (y), y, x)
#define EDGELING_LIMIT_1(x, low, high) (x) = edgeling_clip_value(x, low, high)
#define EDGELING_LIMIT_4(x, low, high) EDGELING_VECTOR_LIMIT(4, x, low, high)
#define EDGELING_LIMIT_8(x, low, high) EDGELING_VECTOR_LIMIT(8, x, low, high)
#define EDGELING_LIMIT_16(x, low, high) EDGELING_VECTOR_LIMIT(16, x, low, high)

/* A vector of one number. */
#define EDGELING_VECTOR_OF_1(x) (x)
#define EDGELING_VECTOR_OF_4(x) (edgeling_zeros_4() + (x))
#define EDGELING_VECTOR_OF_8(x) (edgeling_zeros_8() + (x))
#define EDGELING_VECTOR_OF_16(x) (edgeling_zeros_16() + (x))

#define EDGELING_AT(lanes, p) (*(edgeling_vector_##lanes *)(p))
#define EDGELING_CONST_AT(lanes, p) (*(const edgeling_vector_##lanes *)(p))

/* The sums of a tile, sum [rows][vectors], begin as start [vectors * lanes], and come to the rows of y, limited. */
#define EDGELING_TILE_BEGIN(lanes, vectors, rows, sum, start)                                                         \
    EDGELING_VECTOR_UNROLL                                                                                            \
    for (int r = 0; r < (rows); r++) {                                                                                \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int v = 0; v < (vectors); v++) {                                                                         \
            sum[r][v] = EDGELING_CONST_AT(lanes, start + v * (lanes));                                                \
        }                                                                                                             \
    }
#define EDGELING_TILE_END(lanes, vectors, rows, sum, low, high, y, y_row)                                             \
    EDGELING_VECTOR_UNROLL                                                                                            \
    for (int r = 0; r < (rows); r++) {                                                                                \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int v = 0; v < (vectors); v++) {                                                                         \
            EDGELING_LIMIT_##lanes(sum[r][v], low, high);                                                             \
            EDGELING_AT(lanes, y + r * y_row + v * (lanes)) = sum[r][v];                                              \
        }                                                                                                             \
    }

/* to [size] = from [size]; vectors, for compilers that make none of a loop where they optimise for little code */
EDGELING_KERNEL void edgeling_vector_copy_floats(int size, const float *EDGELING_RESTRICT from, float *EDGELING_RESTRICT to) {
    int i = 0;
#if EDGELING_LANES >= 16
    for (; i + 16 <= size; i += 16) {
        EDGELING_AT(16, to + i) = EDGELING_CONST_AT(16, from + i);
    }
#endif
#if EDGELING_LANES >= 4
    for (; i + 4 <= size; i += 4) {
        EDGELING_AT(4, to + i) = EDGELING_CONST_AT(4, from + i);
    }
#endif
    for (; i < size; i++) {
        to[i] = from[i];
    }
}

EDGELING_KERNEL void edgeling_vector_fill_floats(int size, float value, float *to) {
    int i = 0;
#if EDGELING_LANES >= 4
    for (; i + 4 <= size; i += 4) {
        EDGELING_AT(4, to + i) = EDGELING_VECTOR_OF_4(value);
    }
#endif
    for (; i < size; i++) {
        to[i] = value;
    }
}

#endif
