/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory functions a compiler may call on its own, for targets without a C library. A program that needs one pays
 * for it: they are measured with the program.
 *
 * Compile with -fno-builtin, or the compiler turns memcpy's loop into a call of memcpy.
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    uint8_t *d = to;
    const uint8_t *s = from;
    while (n--) *d++ = *s++;
    return to;
}

void *memmove(void *to, const void *from, size_t n) {
    uint8_t *d = to;
    const uint8_t *s = from;
    if ((uintptr_t)to <= (uintptr_t)from)
        while (n--) *d++ = *s++;
    else
        while (n--) d[n] = s[n];
    return to;
}

void *memset(void *to, int value, size_t n) {
    uint8_t *d = to;
    while (n--) *d++ = (uint8_t)value;
    return to;
}

#if defined(__arm__)

/* The Arm run-time ABI's spellings. "4" promises that pointers, not sizes, are multiples of four. */
void __aeabi_memcpy(void *to, const void *from, size_t n);
void __aeabi_memcpy4(void *to, const void *from, size_t n);
void __aeabi_memcpy8(void *to, const void *from, size_t n);
void __aeabi_memmove(void *to, const void *from, size_t n);
void __aeabi_memmove4(void *to, const void *from, size_t n);
void __aeabi_memmove8(void *to, const void *from, size_t n);
void __aeabi_memset(void *to, size_t n, int value);
void __aeabi_memset4(void *to, size_t n, int value);
void __aeabi_memset8(void *to, size_t n, int value);
void __aeabi_memclr(void *to, size_t n);
void __aeabi_memclr4(void *to, size_t n);
void __aeabi_memclr8(void *to, size_t n);

void __aeabi_memcpy4(void *to, const void *from, size_t n) {
    uint32_t *d = to;
    const uint32_t *s = from;
    for (; n >= 4; n -= 4) *d++ = *s++;
    memcpy(d, s, n);
}

void __aeabi_memset4(void *to, size_t n, int value) {
    uint32_t *d = to;
    const uint32_t word = (uint32_t)(uint8_t)value * 0x01010101u;
    for (; n >= 4; n -= 4) *d++ = word;
    memset(d, value, n);
}

void __aeabi_memcpy(void *to, const void *from, size_t n) { memcpy(to, from, n); }
void __aeabi_memcpy8(void *to, const void *from, size_t n) { __aeabi_memcpy4(to, from, n); }
void __aeabi_memmove(void *to, const void *from, size_t n) { memmove(to, from, n); }
void __aeabi_memmove4(void *to, const void *from, size_t n) { memmove(to, from, n); }
void __aeabi_memmove8(void *to, const void *from, size_t n) { memmove(to, from, n); }
void __aeabi_memset(void *to, size_t n, int value) { memset(to, value, n); }
void __aeabi_memset8(void *to, size_t n, int value) { __aeabi_memset4(to, n, value); }
void __aeabi_memclr(void *to, size_t n) { memset(to, 0, n); }
void __aeabi_memclr4(void *to, size_t n) { __aeabi_memset4(to, n, 0); }
void __aeabi_memclr8(void *to, size_t n) { __aeabi_memset4(to, n, 0); }

#endif
