/* SPDX-License-Identifier: Apache-2.0 */
/* What every kernel shares: how kernels are inlined, and the bits of a float.
 *
 * Kernels are always inlined, so that the constant sizes of a call reach the loops: that is how they are specialised.
 * Integer kernels are plain `static inline`, for small cores, where the compiler weighs a copy against a call: inlining
 * them always moved instructions by 2% either way and made code slightly larger (Cortex-M4 and M0+).
 * Tensors are contiguous, last axis fastest; sizes are int and at least 1. Pointers marked EDGELING_RESTRICT never
 * overlap; where a kernel's comment says "y may be x", the two are either the same or apart.
 *
 * C99 and later, and C++. `int` may have 16 bits, so literals that need more are of a type that has them.
 */
#ifndef EDGELING_COMMON_H
#define EDGELING_COMMON_H

#include <stdint.h>

#if !defined(__cplusplus) && !defined(_MSC_VER) && (!defined(__STDC_VERSION__) || __STDC_VERSION__ < 199901L)
#error "Edgeling's C is C99: compile with -std=c99 or later"
#endif

/* C's restrict, which C++ only knows by other names. */
#if defined(__GNUC__) || defined(_MSC_VER)
#define EDGELING_RESTRICT __restrict
#elif defined(__cplusplus)
#define EDGELING_RESTRICT
#else
#define EDGELING_RESTRICT restrict
#endif

/* Where tables lie that are read as any other memory: whoever compiles may name a section,
 * -DEDGELING_CONSTANT='__attribute__((section(".model")))'. flash.h has those that need instructions of their own. */
#ifndef EDGELING_CONSTANT
#define EDGELING_CONSTANT
#endif

/* Inlined where the compiler optimises: their sizes are known there. Where it does not (__NO_INLINE__), a copy for each
 * call would only take time and hide them from a debugger. */
#if defined(__GNUC__) && !defined(__NO_INLINE__)
#define EDGELING_KERNEL static inline __attribute__((always_inline))
#else
#define EDGELING_KERNEL static inline
#endif

/* Functions called from several places, of which flash is to hold one copy. */
#if defined(__GNUC__)
#define EDGELING_SHARED __attribute__((noinline, unused)) static
#else
#define EDGELING_SHARED static inline
#endif

#if defined(__GNUC__)
#define EDGELING_INFINITY __builtin_inff()
#define EDGELING_NAN __builtin_nanf("")
#else
#define EDGELING_INFINITY (1e30f * 1e30f)
#define EDGELING_NAN (EDGELING_INFINITY - EDGELING_INFINITY)
#endif

/* Before a loop whose turns do not meet, though its pointers may be the same: GCC need not test whether they overlap. */
#if defined(__GNUC__) && !defined(__clang__)
#define EDGELING_INDEPENDENT _Pragma("GCC ivdep")
#else
#define EDGELING_INDEPENDENT
#endif

/* Before a short loop of a constant number of turns, whose arrays are to live in registers: GCC unrolls few by itself. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 8
#define EDGELING_UNROLL _Pragma("GCC unroll 8")
#else
#define EDGELING_UNROLL
#endif

/* Before a loop whose turns are long already: repeated, they would only take flash. */
#if defined(__clang__)
#define EDGELING_ROLLED _Pragma("clang loop unroll(disable)")
#elif defined(__GNUC__) && __GNUC__ >= 8
#define EDGELING_ROLLED _Pragma("GCC unroll 1")
#else
#define EDGELING_ROLLED
#endif

/* Floats in the widest vector of the core; 1 where there are none, or no compiler that has GCC's vector types. */
#if defined(EDGELING_LANES)
/* chosen by whoever compiles */
#elif !defined(__GNUC__)
#define EDGELING_LANES 1
#elif defined(__AVX512F__)
#define EDGELING_LANES 16
#elif defined(__AVX__)
#define EDGELING_LANES 8
#elif defined(__SSE__) || defined(__ARM_NEON) || defined(__wasm_simd128__)
#define EDGELING_LANES 4
#else
#define EDGELING_LANES 1
#endif

typedef union {
    float value;
    uint32_t bits;
} edgeling_float_bits;

EDGELING_KERNEL uint32_t edgeling_bits_of(float x) {
    edgeling_float_bits both;
    both.value = x;
    return both.bits;
}

EDGELING_KERNEL float edgeling_float_of(uint32_t bits) {
    edgeling_float_bits both;
    both.bits = bits;
    return both.value;
}

EDGELING_KERNEL float edgeling_absolute(float x) { return edgeling_float_of(edgeling_bits_of(x) & 0x7FFFFFFFu); }

EDGELING_KERNEL int edgeling_is_nan(float x) { return (edgeling_bits_of(x) & 0x7FFFFFFFu) > 0x7F800000u; }

/* The larger and the smaller of two; NaN in the first argument is kept. */
EDGELING_KERNEL float edgeling_maximum(float x, float y) { return x < y ? y : x; }
EDGELING_KERNEL float edgeling_minimum(float x, float y) { return x > y ? y : x; }

/* x limited to [low, high]; NaN is kept. */
EDGELING_KERNEL float edgeling_clip_value(float x, float low, float high) {
    return edgeling_minimum(edgeling_maximum(x, low), high);
}

/* -1, 0 or 1; NaN is kept. */
EDGELING_KERNEL float edgeling_sign(float x) {
    const float sign = (x > 0.0f ? 1.0f : 0.0f) - (x < 0.0f ? 1.0f : 0.0f);
    return edgeling_is_nan(x) ? x : sign;
}

#endif
