/* SPDX-License-Identifier: Apache-2.0 */
/* Eight products of int8 at once, on WebAssembly with 128-bit vectors. EDGELING_VECTOR_DOT says whether they are here.
 *
 * Bytes are widened to int16 as they are loaded; a dot product of eight pairs gives four int32, exact in any order.
 */
#ifndef EDGELING_VECTOR_DOT_H
#define EDGELING_VECTOR_DOT_H

#include "common.h"

#if defined(__wasm_simd128__) && defined(__clang__) && !defined(EDGELING_PORTABLE)
#define EDGELING_VECTOR_DOT

typedef int8_t edgeling_bytes __attribute__((vector_size(8), aligned(1), may_alias));
typedef int16_t edgeling_halves __attribute__((vector_size(16)));
typedef int32_t edgeling_words __attribute__((vector_size(16)));

/* Eight bytes at any address. */
EDGELING_KERNEL edgeling_halves edgeling_load_eight(const int8_t *p) {
    return __builtin_convertvector(*(const edgeling_bytes *)(const void *)p, edgeling_halves);
}

EDGELING_KERNEL edgeling_words edgeling_dot(edgeling_halves a, edgeling_halves b) {
    return __builtin_wasm_dot_s_i32x4_i16x8(a, b);
}

EDGELING_KERNEL int32_t edgeling_total(edgeling_words four) { return four[0] + four[1] + four[2] + four[3]; }
#endif

#endif
