/* SPDX-License-Identifier: Apache-2.0 */
/* The layer of dense_s8.h with its constants packed for cores that multiply twice an instruction; the same bits.
 *
 *   x       int8    [rows,inputs]   any value
 *   packed  uint32  [words]         block by block, in the order they are read: where the sums start, weights,
 *                                   multipliers, right shifts less one
 *   y       int8    [rows,outputs]  minimum to maximum
 *
 * A block is four neighbouring outputs; of those left over, two, the second of which may be padding. Its weights are, for
 * each four inputs, two words for each pair of outputs a and b: of inputs 0 and 2, then of 1 and 3, two int16
 * a + 128 + 256 b. One SMLAD adds both outputs' products, x (a + 128 + 256 b), to a first sum; b alone, which SXTB16 takes
 * out, goes to a second. Then 256 times the second and 128 times the sum of x leave a's. So three instructions do four
 * products, where weights as they come take four. Sums wrap modulo 2^32 on the way and are exact.
 *
 * The first sum starts at bias a + 256 bias b, the second at bias b. A multiplier m is stored as 2 m, whose missing 33rd
 * bit is SMMLAR's sum: (sum m + 2^30) / 2^31 is one instruction. Shifts are 1 to 31.
 */
#ifndef EDGELING_DENSE_S8_PAIRS_H
#define EDGELING_DENSE_S8_PAIRS_H

#include "dual_multiply.h"
#include "fixed_point.h"

/* Outputs of a whole block; where fewer are left, blocks of a pair follow. */
#define EDGELING_PAIRS_BLOCK 4

#if defined(EDGELING_DUAL_MULTIPLY) && defined(__thumb2__) && !defined(__ARM_BIG_ENDIAN)
/* A pair's word of weights, in r3 to r6, by inputs: lr holds 0 and 2 of four, ip 1 and 3. */
#define EDGELING_PAIR(word, x, both, second)                                                                          \
    "smlad " both ", " word ", " x ", " both "\n\tsxtb16 " word ", " word ", ror #8\n\t"                             \
    "smlad " second ", " word ", " x ", " second "\n\t"
#define EDGELING_SPLIT "sxtb16 ip, lr, ror #8\n\tsxtb16 lr, lr\n\t"
#define EDGELING_FIRST_PAIR EDGELING_PAIR("r3", "lr", "r8", "r9") EDGELING_PAIR("r4", "ip", "r8", "r9")
#define EDGELING_SECOND_PAIR EDGELING_PAIR("r5", "lr", "r10", "r11") EDGELING_PAIR("r6", "ip", "r10", "r11")
#define EDGELING_FOUR_2 EDGELING_SPLIT "ldmia %[w]!, {r3-r4}\n\t" EDGELING_FIRST_PAIR
#define EDGELING_FOUR_4 EDGELING_SPLIT "ldmia %[w]!, {r3-r6}\n\t" EDGELING_FIRST_PAIR EDGELING_SECOND_PAIR
#define EDGELING_LOAD_FOUR "ldr lr, [%[x]], #4\n\t"
#define EDGELING_EIGHT_2 EDGELING_LOAD_FOUR EDGELING_FOUR_2 EDGELING_LOAD_FOUR EDGELING_FOUR_2
#define EDGELING_EIGHT_4 EDGELING_LOAD_FOUR EDGELING_FOUR_4 EDGELING_LOAD_FOUR EDGELING_FOUR_4
#define EDGELING_ONE_2 "sxtb16 lr, %[n]\n\tldmia %[w]!, {r3-r4}\n\t" EDGELING_PAIR("r3", "lr", "r8", "r9")
#define EDGELING_ONE_4                                                                                                \
    "sxtb16 lr, %[n]\n\tldmia %[w]!, {r3-r6}\n\t" EDGELING_PAIR("r3", "lr", "r8", "r9")                                 \
    EDGELING_PAIR("r5", "lr", "r10", "r11")

/* Thirteen registers are in use: named, so that no compiler runs out of them while it looks for some. */
#define EDGELING_PAIR_RUN(text)                                                                                       \
    __asm__ volatile(                                                                                                 \
        text                                                                                                          \
        : "+r"(s0), "+r"(s1), "+r"(s2), "+r"(s3), [x] "+r"(at), [w] "+r"(words), [n] "+r"(left)                       \
        :                                                                                                             \
        : "r3", "r4", "r5", "r6", "ip", "lr", "cc", "memory")
#define EDGELING_PAIR_LOOP(text) EDGELING_PAIR_RUN("1:\n\t" text "subs %[n], %[n], #1\n\tbne 1b")
#define EDGELING_START_2 "ldmia %[w]!, {r8, r9}\n\tsub r8, r8, %[n]"
#define EDGELING_START_4 "ldmia %[w]!, {r8, r9, r10, r11}\n\tsub r8, r8, %[n]\n\tsub r10, r10, %[n]"

/* The block's sums, less 128 times that of x; `last` holds the inputs beyond the last whole four. Gives what follows. */
#define EDGELING_DEFINE_PAIR_SUMS(block)                                                                              \
    EDGELING_KERNEL const uint32_t *edgeling_pair_sums_##block(                                                       \
        int inputs, uint32_t offset, uint32_t last, const int8_t *x, const uint32_t *w, uint32_t *sum) {              \
        register const int8_t *at __asm__("r0") = x;                                                                  \
        register const uint32_t *words __asm__("r1") = w;                                                             \
        register uint32_t left __asm__("r2") = offset;                                                                \
        register uint32_t s0 __asm__("r8") = 0u, s1 __asm__("r9") = 0u;                                               \
        register uint32_t s2 __asm__("r10") = 0u, s3 __asm__("r11") = 0u;                                             \
        __asm__ volatile(                                                                                             \
            EDGELING_START_##block                                                                                    \
            : "=r"(s0), "=r"(s1), "=r"(s2), "=r"(s3), [w] "+r"(words) : [n] "r"(left) : "memory");                    \
        left = (uint32_t)(inputs / 16);                                                                               \
        if (inputs >= 32) {                                                                                           \
            EDGELING_PAIR_LOOP(EDGELING_EIGHT_##block EDGELING_EIGHT_##block);                                        \
        } else if (inputs >= 16) {                                                                                    \
            EDGELING_PAIR_RUN(EDGELING_EIGHT_##block EDGELING_EIGHT_##block);                                         \
        }                                                                                                             \
        if (inputs % 16 >= 8) {                                                                                       \
            EDGELING_PAIR_RUN(EDGELING_EIGHT_##block);                                                                \
        }                                                                                                             \
        if (inputs % 8 >= 4) {                                                                                        \
            EDGELING_PAIR_RUN(EDGELING_LOAD_FOUR EDGELING_FOUR_##block);                                              \
        }                                                                                                             \
        left = last;                                                                                                  \
        if (inputs % 4 == 1) {                                                                                        \
            EDGELING_PAIR_RUN(EDGELING_ONE_##block);                                                                  \
        } else if (inputs % 4 > 0) {                                                                                  \
            EDGELING_PAIR_RUN("mov lr, %[n]\n\t" EDGELING_FOUR_##block);                                              \
        }                                                                                                             \
        sum[0] = s0;                                                                                                  \
        sum[1] = s1;                                                                                                  \
        if (block > 2) {                                                                                              \
            sum[2] = s2;                                                                                              \
            sum[3] = s3;                                                                                              \
        }                                                                                                             \
        return words;                                                                                                 \
    }

EDGELING_DEFINE_PAIR_SUMS(2)
EDGELING_DEFINE_PAIR_SUMS(4)

EDGELING_KERNEL const uint32_t *edgeling_pair_sums(
    int block, int inputs, uint32_t offset, uint32_t last, const int8_t *x, const uint32_t *w, uint32_t *sum) {
    return block == 4 ? edgeling_pair_sums_4(inputs, offset, last, x, w, sum)
                      : edgeling_pair_sums_2(inputs, offset, last, x, w, sum);
}

/* The sum of x: of bytes made unsigned by USADA8, four an instruction. */
EDGELING_KERNEL int32_t edgeling_row_sum_s8(int inputs, const int8_t *x, uint32_t last) {
    int32_t sum = 0;
    const int whole = inputs - inputs % 4;
    EDGELING_UNROLL
    for (int i = 0; i < whole; i += 4) {
        sum = edgeling_add_bytes(edgeling_load_four(x + i) ^ 0x80808080u, sum);
    }
    if (inputs % 4 > 0) {
        sum = edgeling_add_bytes(last ^ 0x80808080u, sum);
    }
    return sum - 128 * ((inputs + 3) / 4 * 4);
}

/* The inputs beyond the last whole four, and zeros. */
EDGELING_KERNEL uint32_t edgeling_last_bytes(int inputs, const int8_t *x) {
    uint32_t last = 0u;
    for (int i = inputs % 4; i > 0; i--) {
        last = (last << 8) | (uint8_t)x[inputs - inputs % 4 + i - 1];
    }
    return last;
}

#define EDGELING_ALL_2(step) step("0", "r3") step("1", "r4")
#define EDGELING_ALL_4(step) EDGELING_ALL_2(step) step("2", "r5") step("3", "r6")
#define EDGELING_NEXT_2 "ldmia %[w]!, {r3-r4}\n\t"
#define EDGELING_NEXT_4 "ldmia %[w]!, {r3-r6}\n\t"
#define EDGELING_TOTALS_2 "+r"(s0), "+r"(s1)
#define EDGELING_TOTALS_4 EDGELING_TOTALS_2, "+r"(s2), "+r"(s3)
#define EDGELING_MULTIPLY(sum, stored) "smmlar %" sum ", %" sum ", " stored ", %" sum "\n\t"
#define EDGELING_DOWN(sum, word) "add %" sum ", %" sum ", %" sum ", asr #31\n\t"
#define EDGELING_SHIFT(sum, shift) "asr %" sum ", %" sum ", " shift "\n\tadd %" sum ", %" sum ", %[offset]\n\t"
#define EDGELING_SATURATE(sum, word) "ssat %" sum ", #8, %" sum ", asr #1\n\t"

#define EDGELING_FINISH(block, down)                                                                                  \
    __asm__ volatile(                                                                                                 \
        EDGELING_NEXT_##block EDGELING_ALL_##block(EDGELING_MULTIPLY) down EDGELING_NEXT_##block EDGELING_ALL_##block(\
            EDGELING_SHIFT) EDGELING_ALL_##block(EDGELING_SATURATE)                                                   \
        : EDGELING_TOTALS_##block, [w] "+r"(words)                                                                    \
        : [offset] "r"(added)                                                                                         \
        : "r3", "r4", "r5", "r6", "memory")

#define EDGELING_DEFINE_FINISH(block)                                                                                 \
    EDGELING_KERNEL const uint32_t *edgeling_finish_##block(                                                          \
        int downwards, int32_t offset, const uint32_t *w, uint32_t *sum) {                                            \
        register const uint32_t *words __asm__("r1") = w;                                                             \
        register int32_t added __asm__("r2") = offset;                                                                \
        register uint32_t s0 __asm__("r8") = sum[0], s1 __asm__("r9") = sum[1];                                       \
        register uint32_t s2 __asm__("r10") = sum[block - 2], s3 __asm__("r11") = sum[block - 1];                     \
        if (downwards != 0) {                                                                                         \
            EDGELING_FINISH(block, EDGELING_ALL_##block(EDGELING_DOWN));                                              \
        } else {                                                                                                      \
            EDGELING_FINISH(block, "");                                                                               \
        }                                                                                                             \
        sum[0] = s0;                                                                                                  \
        sum[1] = s1;                                                                                                  \
        if (block > 2) {                                                                                              \
            sum[2] = s2;                                                                                              \
            sum[3] = s3;                                                                                              \
        }                                                                                                             \
        return words;                                                                                                 \
    }

EDGELING_DEFINE_FINISH(2)
EDGELING_DEFINE_FINISH(4)

EDGELING_KERNEL const uint32_t *edgeling_finish_block(
    int block, int downwards, int32_t offset, const uint32_t *w, uint32_t *sum) {
    return block == 4 ? edgeling_finish_4(downwards, offset, w, sum) : edgeling_finish_2(downwards, offset, w, sum);
}
#else
/* x at i, and 0 beyond the last. */
EDGELING_KERNEL int32_t edgeling_input_at(int i, int inputs, const int8_t *x) { return i < inputs ? x[i] : 0; }

EDGELING_KERNEL void edgeling_add_pair(uint32_t word, int32_t low, int32_t high, uint32_t *sum) {
    const int32_t first = (int16_t)(uint16_t)word, second = (int16_t)(uint16_t)(word >> 16);
    sum[0] += (uint32_t)(first * low + second * high);
    sum[1] += (uint32_t)((first >> 8) * low + (second >> 8) * high);
}

EDGELING_KERNEL const uint32_t *edgeling_pair_sums(
    int block, int inputs, uint32_t offset, uint32_t last, const int8_t *x, const uint32_t *w, uint32_t *sum) {
    for (int o = 0; o < block; o++) {
        sum[o] = w[o] - (o % 2 == 0 ? offset : 0u);
    }
    for (int i = 0; i < inputs; i += 4) {
        w = &w[block];
        for (int o = 0; o < block; o += 2) {
            edgeling_add_pair(w[o], x[i], edgeling_input_at(i + 2, inputs, x), sum + o);
            edgeling_add_pair(
                w[o + 1], edgeling_input_at(i + 1, inputs, x), edgeling_input_at(i + 3, inputs, x), sum + o);
        }
    }
    (void)last;
    return &w[block];
}

EDGELING_KERNEL int32_t edgeling_row_sum_s8(int inputs, const int8_t *x, uint32_t last) {
    int32_t sum = 0;
    for (int i = 0; i < inputs; i++) {
        sum += x[i];
    }
    (void)last;
    return sum;
}

EDGELING_KERNEL uint32_t edgeling_last_bytes(int inputs, const int8_t *x) {
    (void)inputs;
    (void)x;
    return 0u;
}

EDGELING_KERNEL const uint32_t *edgeling_finish_block(
    int block, int downwards, int32_t offset, const uint32_t *w, uint32_t *sum) {
    for (int o = 0; o < block; o++) {
        const int32_t scaled = edgeling_multiply_high((int32_t)sum[o], (int32_t)(w[o] >> 1));
        const int32_t down = downwards != 0 ? scaled >> 31 : 0;
        const int32_t twice = ((scaled + down) >> w[block + o]) + offset;
        sum[o] = (uint32_t)(int32_t)edgeling_clamp_int8(twice >> 1, -128, 127);
    }
    return &w[2 * block];
}
#endif

/* An int8 value within limits; those of its type need no test. */
EDGELING_KERNEL int8_t edgeling_within(int32_t x, int32_t minimum, int32_t maximum) {
    const int32_t above = minimum > -128 && x < minimum ? minimum : x;
    return (int8_t)(maximum < 127 && above > maximum ? maximum : above);
}

/* `outputs` of a block are there. */
EDGELING_KERNEL const uint32_t *edgeling_pairs_block(
    int block, int outputs, int inputs, int32_t zero_point, int32_t minimum, int32_t maximum, uint32_t offset,
    uint32_t last, const int8_t *x, const uint32_t *w, int8_t *y) {
    uint32_t sum[EDGELING_PAIRS_BLOCK];
    w = edgeling_pair_sums(block, inputs, offset, last, x, w, sum);
    EDGELING_UNROLL
    for (int o = 0; o < block; o += 2) {
        sum[o] -= sum[o + 1] << 8;
    }
    /* Where nothing below the zero point is kept, it is not seen how negative halves round. */
    w = edgeling_finish_block(block, minimum < zero_point ? 1 : 0, 2 * zero_point + 1, w, sum);
    EDGELING_UNROLL
    for (int o = 0; o < outputs; o++) {
        y[o] = edgeling_within((int32_t)sum[o], minimum, maximum);
    }
    return w;
}

EDGELING_KERNEL void edgeling_dense_s8_pairs(
    int rows, int inputs, int outputs, int32_t zero_point, int32_t minimum, int32_t maximum, const int8_t *x,
    const uint32_t *packed, int8_t *y) {
    for (int row = 0; row < rows; row++) {
        const uint32_t *w = packed, last = edgeling_last_bytes(inputs, x);
        const uint32_t offset = (uint32_t)edgeling_row_sum_s8(inputs, x, last) << 7;
        int o = 0;
        EDGELING_ROLLED
        for (; o + 4 <= outputs; o += 4) {
            w = edgeling_pairs_block(4, 4, inputs, zero_point, minimum, maximum, offset, last, x, w, y + o);
        }
        if (o + 2 <= outputs) {
            w = edgeling_pairs_block(2, 2, inputs, zero_point, minimum, maximum, offset, last, x, w, y + o);
            o += 2;
        }
        if (o < outputs) {
            (void)edgeling_pairs_block(2, 1, inputs, zero_point, minimum, maximum, offset, last, x, w, y + o);
        }
        x = &x[inputs];
        y = &y[outputs];
    }
}

#endif
