/* SPDX-License-Identifier: Apache-2.0 */
/* Weighted sums on Arm cores with a float unit and no vectors (Cortex-M4F, M7, M33): sum[o] += x[i] kernel[i][o].
 *
 * One VLDM fills up to eight registers, where C has a load for each weight; a product and its sum are one VFMA, rounded
 * once. Terms are added in their order, as everywhere. EDGELING_LOADS_MULTIPLE says whether these functions are here.
 */
#ifndef EDGELING_LOAD_MULTIPLE_H
#define EDGELING_LOAD_MULTIPLE_H

#include "flash.h"

#if defined(__GNUC__) && defined(__thumb2__) && defined(__ARM_FP) && defined(__ARM_FEATURE_FMA) && \
    !defined(__ARM_NEON) && !defined(EDGELING_READS_FLASH) && !defined(EDGELING_PORTABLE)
#define EDGELING_LOADS_MULTIPLE
#define EDGELING_LEAST_PRODUCTS 16 /* of fewer, a compiler's own code is shorter */

#define EDGELING_FMA(sum, x, w) "vfma.f32 %[s" sum "], " x ", " w "\n\t"
#define EDGELING_FMA_2(x) EDGELING_FMA("0", x, "s8") EDGELING_FMA("1", x, "s9")
#define EDGELING_FMA_4(x) EDGELING_FMA_2(x) EDGELING_FMA("2", x, "s10") EDGELING_FMA("3", x, "s11")
#define EDGELING_FMA_8(x)                                                                                             \
    EDGELING_FMA_4(x) EDGELING_FMA("4", x, "s12") EDGELING_FMA("5", x, "s13") EDGELING_FMA("6", x, "s14")             \
    EDGELING_FMA("7", x, "s15")

/* The weights of one input, which lie side by side; those of the next lie `skip` bytes after their end. */
#define EDGELING_TERM_2(x) "vldmia %[w]!, {s8-s9}\n\tadd %[w], %[skip]\n\t" EDGELING_FMA_2(x)
#define EDGELING_TERM_4(x) "vldmia %[w]!, {s8-s11}\n\tadd %[w], %[skip]\n\t" EDGELING_FMA_4(x)
#define EDGELING_TERM_8(x) "vldmia %[w]!, {s8-s15}\n\tadd %[w], %[skip]\n\t" EDGELING_FMA_8(x)

#define EDGELING_SUMS_2(sum) [s0] "+t"((sum)[0]), [s1] "+t"((sum)[1])
#define EDGELING_SUMS_4(sum) EDGELING_SUMS_2(sum), [s2] "+t"((sum)[2]), [s3] "+t"((sum)[3])
#define EDGELING_SUMS_8(sum)                                                                                          \
    EDGELING_SUMS_4(sum), [s4] "+t"((sum)[4]), [s5] "+t"((sum)[5]), [s6] "+t"((sum)[6]), [s7] "+t"((sum)[7])

#define EDGELING_CHANGED                                                                                              \
    "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "s16", "s17", "s18", "s19", "cc", "memory"

/* Four inputs a turn, then those that are left. Inlined with constant sizes, what does not run is not there. */
#define EDGELING_DEFINE_SUMS(width)                                                                                   \
    EDGELING_KERNEL void edgeling_sums_##width(                                                                       \
        int inputs, int stride, const float *x, const float *w, float *sum) {                                         \
        int left = inputs % 4, fours = inputs - left;                                                                 \
        const int skip = (stride - width) * 4;                                                                        \
        if (fours > 0) {                                                                                              \
            __asm__ volatile(                                                                                         \
                "1:\n\tvldmia %[x]!, {s16-s19}\n\t" EDGELING_TERM_##width("s16") EDGELING_TERM_##width("s17")         \
                    EDGELING_TERM_##width("s18") EDGELING_TERM_##width("s19") "subs %[n], %[n], #4\n\tbgt 1b"         \
                : EDGELING_SUMS_##width(sum), [x] "+&r"(x), [w] "+&r"(w), [n] "+&r"(fours)                               \
                : [skip] "r"(skip)                                                                                    \
                : EDGELING_CHANGED);                                                                                  \
        }                                                                                                             \
        if (left > 0) {                                                                                               \
            __asm__ volatile(                                                                                         \
                "1:\n\tvldmia %[x]!, {s16}\n\t" EDGELING_TERM_##width("s16") "subs %[n], %[n], #1\n\tbgt 1b"          \
                : EDGELING_SUMS_##width(sum), [x] "+&r"(x), [w] "+&r"(w), [n] "+&r"(left)                                \
                : [skip] "r"(skip)                                                                                    \
                : EDGELING_CHANGED);                                                                                  \
        }                                                                                                             \
    }

EDGELING_DEFINE_SUMS(2)
EDGELING_DEFINE_SUMS(4)
EDGELING_DEFINE_SUMS(8)

/* One sum, whose weights lie side by side. */
EDGELING_KERNEL float edgeling_inner_product(int inputs, const float *x, const float *w, float sum) {
    const int left = inputs % 4;
    int fours = inputs - left;
    if (fours > 0) {
        __asm__ volatile(
            "1:\n\tvldmia %[x]!, {s16-s19}\n\tvldmia %[w]!, {s8-s11}\n\t" EDGELING_FMA("0", "s16", "s8")
                EDGELING_FMA("0", "s17", "s9") EDGELING_FMA("0", "s18", "s10") EDGELING_FMA("0", "s19", "s11")
                "subs %[n], %[n], #4\n\tbgt 1b"
            : [s0] "+t"(sum), [x] "+&r"(x), [w] "+&r"(w), [n] "+&r"(fours)
            :
            : EDGELING_CHANGED);
    }
    for (int i = 0; i < left; i++) {
        sum += x[i] * w[i];
    }
    return sum;
}

/* sum[o] += x[i] kernel[i][o], of 1, 2, 4 or 8 neighbouring outputs of `outputs`. 0 where it did nothing. */
EDGELING_KERNEL int edgeling_add_products(
    int block, int inputs, int outputs, const float *x, const float *kernel, float *sum) {
    if (inputs * block < EDGELING_LEAST_PRODUCTS || (block == 1 && outputs > 1)) {
        return 0;
    }
    switch (block) {
    case 8: edgeling_sums_8(inputs, outputs, x, kernel, sum); break;
    case 4: edgeling_sums_4(inputs, outputs, x, kernel, sum); break;
    case 2: edgeling_sums_2(inputs, outputs, x, kernel, sum); break;
    default: sum[0] = edgeling_inner_product(inputs, x, kernel, sum[0]); break;
    }
    return 1;
}
#endif

#endif
