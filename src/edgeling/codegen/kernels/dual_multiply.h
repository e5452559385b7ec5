/* SPDX-License-Identifier: Apache-2.0 */
/* Two products of int16 and their sum in one instruction, on Arm cores that have it (Cortex-M4, M7, M33 with DSP).
 *
 * EDGELING_DUAL_MULTIPLY says whether they are here. Sums wrap modulo 2^32 on the way: a sum that fits int32 at its end
 * is exact, and has the bits of one product at a time. Bytes are taken by fours from any address, which these cores
 * load with one instruction; where the compiler is told otherwise (-mno-unaligned-access), nothing here is used.
 */
#ifndef EDGELING_DUAL_MULTIPLY_H
#define EDGELING_DUAL_MULTIPLY_H

#include "flash.h"

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_UNALIGNED) && \
    !defined(EDGELING_READS_FLASH) && !defined(EDGELING_PORTABLE)
#define EDGELING_DUAL_MULTIPLY

/* Four bytes at any address, of any type. */
typedef struct __attribute__((packed, may_alias)) {
    uint32_t bytes;
} edgeling_four_bytes;

EDGELING_KERNEL uint32_t edgeling_load_four(const int8_t *p) {
    return ((const edgeling_four_bytes *)(const void *)p)->bytes;
}

/* Bytes 0 and 2 as two int16. */
EDGELING_KERNEL uint32_t edgeling_even_bytes(uint32_t four) {
    uint32_t two;
    __asm__("sxtb16 %0, %1" : "=r"(two) : "r"(four));
    return two;
}

/* Bytes 1 and 3 as two int16. */
EDGELING_KERNEL uint32_t edgeling_odd_bytes(uint32_t four) {
    uint32_t two;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(two) : "r"(four));
    return two;
}

/* sum + the product of the low halves + the product of the high halves */
EDGELING_KERNEL int32_t edgeling_dual_multiply(uint32_t a, uint32_t b, int32_t sum) {
    __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
}

/* sum + each of four unsigned bytes */
EDGELING_KERNEL int32_t edgeling_add_bytes(uint32_t four, int32_t sum) {
    int32_t total;
    __asm__("usada8 %0, %1, %2, %3" : "=r"(total) : "r"(four), "r"(0), "r"(sum));
    return total;
}
#endif

#endif
