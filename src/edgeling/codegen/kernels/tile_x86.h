/* SPDX-License-Identifier: Apache-2.0 */
/* The tiles of gemm.h, conv_tile.h, conv_direct_kernel.h and winograd_product.h in assembler, for x86-64 with fused
 * products: the bits of the loops in C there, which GCC takes ten times as long to compile, tile by tile.
 *
 *   y [rows,vectors * lanes] = start + the sums of x times b over the steps' rows, columns and terms
 *
 * One statement for a tile of a constant size (1 to 6, 8, 9 or 12 rows), `s` a variable of its function. Its sums, its vectors of b and a factor live in registers throughout.
 */
#ifndef EDGELING_TILE_X86_H
#define EDGELING_TILE_X86_H

#include "vectors.h"

/* A sanitizer sees what C reads and writes, and nothing of assembler. */
#if defined(__SANITIZE_ADDRESS__)
#define EDGELING_X86_IS_WATCHED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EDGELING_X86_IS_WATCHED
#endif
#endif

#if defined(__x86_64__) && defined(__LP64__) && defined(__FMA__) && defined(__GNUC__) && defined(__OPTIMIZE__) && \
    EDGELING_LANES > 1 && !defined(EDGELING_PORTABLE) && !defined(EDGELING_X86_IS_WATCHED)
#define EDGELING_X86_TILES

/* All distances in bytes. */
typedef struct {
    int64_t rows, columns, terms;
    int64_t x_tile; /* from a row of the tile to the next */
    int64_t x_term, x_column, x_row; /* to the next term; column; row, from behind the last column */
    int64_t b_term; /* to the next term, whatever it is of */
    int64_t start_row, y_row;
    int64_t is_limited; /* whether results are limited to [low,high] */
    float low, high;
} edgeling_x86_steps;

#define EDGELING_X86_BYTES(floats) ((int64_t)sizeof(float) * (floats))

/* Registers by lanes: 12 sums (24 of the widest), two vectors of b, a factor. */
#define EDGELING_X86_4(number) "%%xmm" #number
#define EDGELING_X86_8(number) "%%ymm" #number
#define EDGELING_X86_16(number) "%%zmm" #number
#define EDGELING_X86_B_4 "%%xmm12"
#define EDGELING_X86_B_8 "%%ymm12"
#define EDGELING_X86_B_16 "%%zmm24"
#define EDGELING_X86_NEXT_B_4 "%%xmm13"
#define EDGELING_X86_NEXT_B_8 "%%ymm13"
#define EDGELING_X86_NEXT_B_16 "%%zmm25"
#define EDGELING_X86_FACTOR_4 "%%xmm14"
#define EDGELING_X86_FACTOR_8 "%%ymm14"
#define EDGELING_X86_FACTOR_16 "%%zmm26"
#define EDGELING_X86_SIZE_4 "16"
#define EDGELING_X86_SIZE_8 "32"
#define EDGELING_X86_SIZE_16 "64"

/* Each row of a tile: where its factor lies, its sum where it has one, its two sums where it has two. */
#define EDGELING_X86_ROWS_1(make, lanes) make(lanes, "(%[at])", 0, 0, 1)
#define EDGELING_X86_ROWS_2(make, lanes) EDGELING_X86_ROWS_1(make, lanes) make(lanes, "(%[at],%[tile])", 1, 2, 3)
#define EDGELING_X86_ROWS_3(make, lanes) EDGELING_X86_ROWS_2(make, lanes) make(lanes, "(%[at],%[tile],2)", 2, 4, 5)
#define EDGELING_X86_ROWS_4(make, lanes) EDGELING_X86_ROWS_3(make, lanes) make(lanes, "(%[at],%[three])", 3, 6, 7)
#define EDGELING_X86_ROWS_5(make, lanes) EDGELING_X86_ROWS_4(make, lanes) make(lanes, "(%[at4])", 4, 8, 9)
#define EDGELING_X86_ROWS_6(make, lanes) EDGELING_X86_ROWS_5(make, lanes) make(lanes, "(%[at4],%[tile])", 5, 10, 11)
#define EDGELING_X86_ROWS_7(make, lanes) EDGELING_X86_ROWS_6(make, lanes) make(lanes, "(%[at4],%[tile],2)", 6, 12, 13)
#define EDGELING_X86_ROWS_8(make, lanes) EDGELING_X86_ROWS_7(make, lanes) make(lanes, "(%[at4],%[three])", 7, 14, 15)
#define EDGELING_X86_ROWS_9(make, lanes) EDGELING_X86_ROWS_8(make, lanes) make(lanes, "(%[at8])", 8, 16, 17)
#define EDGELING_X86_ROWS_10(make, lanes) EDGELING_X86_ROWS_9(make, lanes) make(lanes, "(%[at8],%[tile])", 9, 18, 19)
#define EDGELING_X86_ROWS_11(make, lanes) EDGELING_X86_ROWS_10(make, lanes) make(lanes, "(%[at8],%[tile],2)", 10, 20, 21)
#define EDGELING_X86_ROWS_12(make, lanes) EDGELING_X86_ROWS_11(make, lanes) make(lanes, "(%[at8],%[three])", 11, 22, 23)

/* What points to the rows of a tile, some at a time, goes on to the next term. */
#define EDGELING_X86_NEXT_4 "add %[next], %[at]\n"
#define EDGELING_X86_NEXT_8 EDGELING_X86_NEXT_4 "add %[next], %[at4]\n"
#define EDGELING_X86_NEXT_12 EDGELING_X86_NEXT_8 "add %[next], %[at8]\n"
#define EDGELING_X86_NEXT_1 EDGELING_X86_NEXT_4
#define EDGELING_X86_NEXT_2 EDGELING_X86_NEXT_4
#define EDGELING_X86_NEXT_3 EDGELING_X86_NEXT_4
#define EDGELING_X86_NEXT_5 EDGELING_X86_NEXT_8
#define EDGELING_X86_NEXT_6 EDGELING_X86_NEXT_8
#define EDGELING_X86_NEXT_9 EDGELING_X86_NEXT_12

/* One vector. */
#define EDGELING_X86_START_1(lanes, at, sum, low, high)                                                               \
    "vmovups (%[start]), " EDGELING_X86_##lanes(sum) "\n add %[start_row], %[start]\n"
#define EDGELING_X86_B_OF_1(lanes) "vmovups (%[b]), " EDGELING_X86_B_##lanes "\n"
#if defined(__AVX512VL__) /* the factor is spread to all lanes on its way from memory */
#define EDGELING_X86_TERM_1(lanes, at, sum, low, high)                                                                \
    "vfmadd231ps " at "%{1to" #lanes "%}, " EDGELING_X86_B_##lanes ", " EDGELING_X86_##lanes(sum) "\n"
#else
#define EDGELING_X86_TERM_1(lanes, at, sum, low, high)                                                                \
    "vbroadcastss " at ", " EDGELING_X86_FACTOR_##lanes "\n"                                                          \
    "vfmadd231ps " EDGELING_X86_FACTOR_##lanes ", " EDGELING_X86_B_##lanes ", " EDGELING_X86_##lanes(sum) "\n"
#endif
#define EDGELING_X86_LIMIT_1(lanes, at, sum, low, high) EDGELING_X86_LIMIT(lanes, sum)
#define EDGELING_X86_END_1(lanes, at, sum, low, high)                                                                 \
    "vmovups " EDGELING_X86_##lanes(sum) ", (%[y])\n add %[y_row], %[y]\n"

/* Two. */
#define EDGELING_X86_START_2(lanes, at, sum, low, high)                                                               \
    "vmovups (%[start]), " EDGELING_X86_##lanes(low) "\n"                                                             \
    "vmovups " EDGELING_X86_SIZE_##lanes "(%[start]), " EDGELING_X86_##lanes(high) "\n add %[start_row], %[start]\n"
#define EDGELING_X86_B_OF_2(lanes)                                                                                    \
    EDGELING_X86_B_OF_1(lanes) "vmovups " EDGELING_X86_SIZE_##lanes "(%[b]), " EDGELING_X86_NEXT_B_##lanes "\n"
#define EDGELING_X86_TERM_2(lanes, at, sum, low, high)                                                                \
    "vbroadcastss " at ", " EDGELING_X86_FACTOR_##lanes "\n"                                                          \
    "vfmadd231ps " EDGELING_X86_FACTOR_##lanes ", " EDGELING_X86_B_##lanes ", " EDGELING_X86_##lanes(low) "\n"        \
    "vfmadd231ps " EDGELING_X86_FACTOR_##lanes ", " EDGELING_X86_NEXT_B_##lanes ", " EDGELING_X86_##lanes(high) "\n"
#define EDGELING_X86_LIMIT_2(lanes, at, sum, low, high) EDGELING_X86_LIMIT(lanes, low) EDGELING_X86_LIMIT(lanes, high)
#define EDGELING_X86_END_2(lanes, at, sum, low, high)                                                                 \
    "vmovups " EDGELING_X86_##lanes(low) ", (%[y])\n"                                                                 \
    "vmovups " EDGELING_X86_##lanes(high) ", " EDGELING_X86_SIZE_##lanes "(%[y])\n add %[y_row], %[y]\n"

/* As EDGELING_VECTOR_LIMIT; what is limited to has the registers of b by then. */
#define EDGELING_X86_LIMIT(lanes, sum)                                                                                \
    "vmaxps " EDGELING_X86_##lanes(sum) ", " EDGELING_X86_B_##lanes ", " EDGELING_X86_##lanes(sum) "\n"               \
    "vminps " EDGELING_X86_##lanes(sum) ", " EDGELING_X86_NEXT_B_##lanes ", " EDGELING_X86_##lanes(sum) "\n"

#if defined(__AVX512F__)
#define EDGELING_X86_MORE_REGISTERS                                                                                   \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27",     \
        "xmm28", "xmm29", "xmm30", "xmm31"
#else
#define EDGELING_X86_MORE_REGISTERS
#endif

#define EDGELING_X86_TILE(lanes, vectors, rows_of_tile, s, x_given, b_given, start_given, y_given)                    \
    do {                                                                                                              \
        const float *x_ = (x_given), *b_ = (b_given), *start_ = (start_given);                                        \
        float *y_ = (y_given);                                                                                        \
        int64_t row_, term_, tile_, three_, next_, next_b_, at_, at4_, at8_;                                          \
        __asm__ volatile(                                                                                             \
            EDGELING_X86_ROWS_##rows_of_tile(EDGELING_X86_START_##vectors, lanes)                                     \
            "mov %[x_tile], %[tile]\n lea (%[tile],%[tile],2), %[three]\n"                                            \
            "mov %[x_term], %[next]\n mov %[b_term], %[next_b]\n"                                                     \
            "mov %[rows], %[row]\n test %[row], %[row]\n jz 4f\n"                                                     \
            "1: mov %[columns], %[start]\n"                                                                           \
            "2: mov %[terms], %[term]\n mov %[x], %[at]\n"                                                            \
            "lea (%[at],%[tile],4), %[at4]\n lea (%[at4],%[tile],4), %[at8]\n"                                        \
            ".p2align 4\n"                                                                                            \
            "3: " EDGELING_X86_B_OF_##vectors(lanes)                                                                  \
            EDGELING_X86_ROWS_##rows_of_tile(EDGELING_X86_TERM_##vectors, lanes)                                      \
            "add %[next_b], %[b]\n" EDGELING_X86_NEXT_##rows_of_tile "dec %[term]\n jnz 3b\n"                         \
            "add %[x_column], %[x]\n dec %[start]\n jnz 2b\n"                                                         \
            "add %[x_row], %[x]\n dec %[row]\n jnz 1b\n"                                                              \
            "4: cmpq $0, %[is_limited]\n je 5f\n"                                                                     \
            "vbroadcastss %[low], " EDGELING_X86_B_##lanes "\n vbroadcastss %[high], " EDGELING_X86_NEXT_B_##lanes    \
            "\n" EDGELING_X86_ROWS_##rows_of_tile(EDGELING_X86_LIMIT_##vectors, lanes)                                \
            "5:\n" EDGELING_X86_ROWS_##rows_of_tile(EDGELING_X86_END_##vectors, lanes)                                \
            "vzeroupper\n"                                                                                            \
            : [x] "+r"(x_), [b] "+r"(b_), [start] "+r"(start_), [y] "+r"(y_), [row] "=&r"(row_), [term] "=&r"(term_), \
              [tile] "=&r"(tile_), [three] "=&r"(three_), [next] "=&r"(next_), [next_b] "=&r"(next_b_),               \
              [at] "=&r"(at_), [at4] "=&r"(at4_), [at8] "=&r"(at8_)                                                   \
            : [rows] "m"((s).rows), [columns] "m"((s).columns), [terms] "m"((s).terms), [x_tile] "m"((s).x_tile),     \
              [x_term] "m"((s).x_term), [x_column] "m"((s).x_column), [x_row] "m"((s).x_row),                         \
              [b_term] "m"((s).b_term), [start_row] "m"((s).start_row), [y_row] "m"((s).y_row),                       \
              [is_limited] "m"((s).is_limited), [low] "m"((s).low), [high] "m"((s).high)                              \
            : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",         \
              "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15" EDGELING_X86_MORE_REGISTERS);                      \
    } while (0)

/* A tile of two vectors and one run of terms that leaves b behind: in panel, under the row that the sums start from. What
 * lies some terms ahead is asked for before it is read. */
#define EDGELING_X86_FIRST(lanes, rows_of_tile, ahead_terms, s, x_given, b_given, panel_given, y_given)               \
    do {                                                                                                              \
        const float *at_ = (x_given), *b_ = (b_given);                                                                \
        float *start_ = (panel_given), *y_ = (y_given);                                                               \
        int64_t term_ = (s).terms, ahead_ = (ahead_terms) * (s).b_term, tile_, three_, next_, next_b_, at4_, at8_;    \
        __asm__ volatile(                                                                                             \
            EDGELING_X86_ROWS_##rows_of_tile(EDGELING_X86_START_2, lanes)                                             \
            "mov %[x_tile], %[tile]\n lea (%[tile],%[tile],2), %[three]\n"                                            \
            "mov %[x_term], %[next]\n mov %[b_term], %[next_b]\n"                                                     \
            "lea (%[at],%[tile],4), %[at4]\n lea (%[at4],%[tile],4), %[at8]\n"                                        \
            ".p2align 4\n"                                                                                            \
            "1: add $2*" EDGELING_X86_SIZE_##lanes ", %[start]\n" EDGELING_X86_B_OF_2(lanes)                          \
            "prefetcht0 (%[b],%[ahead])\n prefetcht0 " EDGELING_X86_SIZE_##lanes "(%[b],%[ahead])\n"                  \
            "vmovups " EDGELING_X86_B_##lanes ", (%[start])\n"                                                        \
            "vmovups " EDGELING_X86_NEXT_B_##lanes ", " EDGELING_X86_SIZE_##lanes "(%[start])\n"                      \
            EDGELING_X86_ROWS_##rows_of_tile(EDGELING_X86_TERM_2, lanes)                                              \
            "add %[next_b], %[b]\n" EDGELING_X86_NEXT_##rows_of_tile "dec %[term]\n jnz 1b\n"                         \
            EDGELING_X86_ROWS_##rows_of_tile(EDGELING_X86_END_2, lanes)                                               \
            "vzeroupper\n"                                                                                            \
            : [at] "+r"(at_), [b] "+r"(b_), [start] "+r"(start_), [y] "+r"(y_), [term] "+r"(term_), [tile] "=&r"(tile_),\
              [three] "=&r"(three_), [next] "=&r"(next_), [next_b] "=&r"(next_b_), [at4] "=&r"(at4_), [at8] "=&r"(at8_)\
            : [ahead] "r"(ahead_), [x_tile] "m"((s).x_tile), [x_term] "m"((s).x_term), [b_term] "m"((s).b_term),      \
              [start_row] "m"((s).start_row), [y_row] "m"((s).y_row)                                                  \
            : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",         \
              "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15" EDGELING_X86_MORE_REGISTERS);                      \
    } while (0)

#endif

#endif
