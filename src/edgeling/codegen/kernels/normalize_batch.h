/* SPDX-License-Identifier: Apache-2.0 */
/* Columns normalised by their own moments over the rows of a batch, and the gradient through those moments.
 *
 * x, y, dy, dx [rows,columns]; gamma, beta, mean, variance, dgamma, dbeta [columns]; share: one over how many rows.
 * y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, limited to [low,high]; dx may be dy or x.
 *   scratch  [EDGELING_BATCH_SCRATCH(rows,columns)]
 *
 * Blocks of rows, which the first level of cache holds, are summed for themselves, then their sums, in this order whoever
 * does them. Squares are summed of what lies around a block's own mean, so that a large mean costs no precision.
 */
#ifndef EDGELING_NORMALIZE_BATCH_H
#define EDGELING_NORMALIZE_BATCH_H

#include "elementary.h"
#include "vectors.h"

#define EDGELING_BATCH_ROWS 64 /* of a block */
#define EDGELING_BATCH_SCRATCH(rows, columns) ((2 * (((rows) - 1) / EDGELING_BATCH_ROWS + 1) + 3) * (columns))

typedef struct {
    float low, high;
} edgeling_batch_limits;

/* given = 0 where z is not between low and high */
#define EDGELING_KEEP_1(given, z, low, high) (given) = (z) > (low) && (z) < (high) ? (given) : 0.0f
#define EDGELING_KEEP_OF(lanes, given, z, low, high)                                                                  \
    (given) = (edgeling_vector_##lanes)(                                                                              \
        (edgeling_bits_##lanes)(given) & (edgeling_bits_##lanes)((z) > (low)) & (edgeling_bits_##lanes)((z) < (high)))
#define EDGELING_KEEP_4(given, z, low, high) EDGELING_KEEP_OF(4, given, z, low, high)
#define EDGELING_KEEP_8(given, z, low, high) EDGELING_KEEP_OF(8, given, z, low, high)
#define EDGELING_KEEP_16(given, z, low, high) EDGELING_KEEP_OF(16, given, z, low, high)

/* Some columns of a block: their sum, and the sum of squares around its mean. */
#define EDGELING_BATCH_MOMENTS(lanes)                                                                                 \
    EDGELING_VECTOR_FUNCTION void edgeling_batch_moments_##lanes(                                                     \
        int rows, int columns, const float *x, float *total, float *rest) {                                           \
        edgeling_vector_##lanes sum[4] = {EDGELING_VECTOR_OF_##lanes(0.0f), EDGELING_VECTOR_OF_##lanes(0.0f),         \
                                          EDGELING_VECTOR_OF_##lanes(0.0f), EDGELING_VECTOR_OF_##lanes(0.0f)};        \
        edgeling_vector_##lanes squares[4] = {sum[0], sum[0], sum[0], sum[0]}, mean;                                  \
        for (int row = 0; row + 4 <= rows; row += 4) {                                                                \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int i = 0; i < 4; i++) {                                                                             \
                sum[i] += EDGELING_CONST_AT(lanes, x + (row + i) * columns);                                          \
            }                                                                                                         \
        }                                                                                                             \
        for (int row = rows / 4 * 4; row < rows; row++) {                                                             \
            sum[0] += EDGELING_CONST_AT(lanes, x + row * columns);                                                    \
        }                                                                                                             \
        sum[0] += sum[1];                                                                                             \
        sum[2] += sum[3];                                                                                             \
        sum[0] += sum[2];                                                                                             \
        mean = sum[0] * (1.0f / (float)rows);                                                                         \
        for (int row = 0; row + 4 <= rows; row += 4) {                                                                \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int i = 0; i < 4; i++) {                                                                             \
                const edgeling_vector_##lanes off = EDGELING_CONST_AT(lanes, x + (row + i) * columns) - mean;         \
                squares[i] += off * off;                                                                              \
            }                                                                                                         \
        }                                                                                                             \
        for (int row = rows / 4 * 4; row < rows; row++) {                                                             \
            const edgeling_vector_##lanes off = EDGELING_CONST_AT(lanes, x + row * columns) - mean;                   \
            squares[0] += off * off;                                                                                  \
        }                                                                                                             \
        squares[0] += squares[1];                                                                                     \
        squares[2] += squares[3];                                                                                     \
        EDGELING_AT(lanes, total) = sum[0];                                                                           \
        EDGELING_AT(lanes, rest) = squares[0] + squares[2];                                                           \
    }

/* y = (x - mean) * slope + beta, limited */
#define EDGELING_BATCH_APPLY(lanes)                                                                                   \
    EDGELING_VECTOR_FUNCTION void edgeling_batch_apply_##lanes(                                                       \
        int rows, int columns, edgeling_batch_limits limits, const float *x, const float *mean, const float *slope,   \
        const float *beta, float *y) {                                                                                \
        const edgeling_vector_##lanes low = EDGELING_VECTOR_OF_##lanes(limits.low);                                   \
        const edgeling_vector_##lanes high = EDGELING_VECTOR_OF_##lanes(limits.high);                                 \
        const edgeling_vector_##lanes m = EDGELING_CONST_AT(lanes, mean), s = EDGELING_CONST_AT(lanes, slope);        \
        const edgeling_vector_##lanes b = EDGELING_CONST_AT(lanes, beta);                                             \
        for (int row = 0; row < rows; row++) {                                                                        \
            edgeling_vector_##lanes z = (EDGELING_CONST_AT(lanes, x + row * columns) - m) * s + b;                    \
            EDGELING_LIMIT_##lanes(z, low, high);                                                                     \
            EDGELING_AT(lanes, y + row * columns) = z;                                                                \
        }                                                                                                             \
    }

/* Some columns of a block: the sum of dy, and of its products with x - mean. */
#define EDGELING_BATCH_SUMS(lanes)                                                                                    \
    EDGELING_VECTOR_FUNCTION void edgeling_batch_sums_##lanes(                                                        \
        int rows, int columns, edgeling_batch_limits limits, const float *dy, const float *x, const float *mean,      \
        const float *slope, const float *beta, float *total, float *along) {                                          \
        const edgeling_vector_##lanes low = EDGELING_VECTOR_OF_##lanes(limits.low);                                   \
        const edgeling_vector_##lanes high = EDGELING_VECTOR_OF_##lanes(limits.high);                                 \
        const edgeling_vector_##lanes m = EDGELING_CONST_AT(lanes, mean), s = EDGELING_CONST_AT(lanes, slope);        \
        const edgeling_vector_##lanes b = EDGELING_CONST_AT(lanes, beta);                                             \
        edgeling_vector_##lanes sum[2] = {EDGELING_VECTOR_OF_##lanes(0.0f), EDGELING_VECTOR_OF_##lanes(0.0f)};        \
        edgeling_vector_##lanes products[2] = {sum[0], sum[0]};                                                       \
        for (int row = 0; row + 2 <= rows; row += 2) {                                                                \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int i = 0; i < 2; i++) {                                                                             \
                const edgeling_vector_##lanes off = EDGELING_CONST_AT(lanes, x + (row + i) * columns) - m;            \
                edgeling_vector_##lanes given = EDGELING_CONST_AT(lanes, dy + (row + i) * columns);                   \
                EDGELING_KEEP_##lanes(given, off * s + b, low, high);                                                 \
                sum[i] += given;                                                                                      \
                products[i] += given * off;                                                                           \
            }                                                                                                         \
        }                                                                                                             \
        if (rows % 2) {                                                                                               \
            const edgeling_vector_##lanes off = EDGELING_CONST_AT(lanes, x + (rows - 1) * columns) - m;               \
            edgeling_vector_##lanes given = EDGELING_CONST_AT(lanes, dy + (rows - 1) * columns);                      \
            EDGELING_KEEP_##lanes(given, off * s + b, low, high);                                                     \
            sum[0] += given;                                                                                          \
            products[0] += given * off;                                                                               \
        }                                                                                                             \
        EDGELING_AT(lanes, total) = sum[0] + sum[1];                                                                  \
        EDGELING_AT(lanes, along) = products[0] + products[1];                                                        \
    }

/* dx = slope * (dy - of_all - of_x * (x - mean)) */
#define EDGELING_BATCH_BACK(lanes)                                                                                    \
    EDGELING_VECTOR_FUNCTION void edgeling_batch_back_##lanes(                                                        \
        int rows, int columns, edgeling_batch_limits limits, const float *dy, const float *x, const float *mean,      \
        const float *slope, const float *beta, const float *of_all, const float *of_x, float *dx) {                   \
        const edgeling_vector_##lanes low = EDGELING_VECTOR_OF_##lanes(limits.low);                                   \
        const edgeling_vector_##lanes high = EDGELING_VECTOR_OF_##lanes(limits.high);                                 \
        const edgeling_vector_##lanes m = EDGELING_CONST_AT(lanes, mean), s = EDGELING_CONST_AT(lanes, slope);        \
        const edgeling_vector_##lanes b = EDGELING_CONST_AT(lanes, beta), all = EDGELING_CONST_AT(lanes, of_all);     \
        const edgeling_vector_##lanes along = EDGELING_CONST_AT(lanes, of_x);                                         \
        for (int row = 0; row < rows; row++) {                                                                        \
            const edgeling_vector_##lanes off = EDGELING_CONST_AT(lanes, x + row * columns) - m;                      \
            edgeling_vector_##lanes given = EDGELING_CONST_AT(lanes, dy + row * columns);                             \
            EDGELING_KEEP_##lanes(given, off * s + b, low, high);                                                     \
            EDGELING_AT(lanes, dx + row * columns) = s * (given - all - off * along);                                 \
        }                                                                                                             \
    }

#define EDGELING_BATCH_LANES(lanes)                                                                                   \
    EDGELING_BATCH_MOMENTS(lanes)                                                                                     \
    EDGELING_BATCH_APPLY(lanes)                                                                                       \
    EDGELING_BATCH_SUMS(lanes)                                                                                        \
    EDGELING_BATCH_BACK(lanes)

EDGELING_BATCH_LANES(1)
#define EDGELING_BATCH_CASE_4(name, arguments)
#define EDGELING_BATCH_CASE_8(name, arguments)
#define EDGELING_BATCH_CASE_16(name, arguments)
#if EDGELING_LANES >= 4
EDGELING_BATCH_LANES(4)
#undef EDGELING_BATCH_CASE_4
#define EDGELING_BATCH_CASE_4(name, arguments)                                                                        \
    if (lanes == 4) {                                                                                                 \
        edgeling_batch_##name##_4 arguments;                                                                          \
    }
#endif
#if EDGELING_LANES >= 8
EDGELING_BATCH_LANES(8)
#undef EDGELING_BATCH_CASE_8
#define EDGELING_BATCH_CASE_8(name, arguments)                                                                        \
    if (lanes == 8) {                                                                                                 \
        edgeling_batch_##name##_8 arguments;                                                                          \
    }
#endif
#if EDGELING_LANES >= 16
EDGELING_BATCH_LANES(16)
#undef EDGELING_BATCH_CASE_16
#define EDGELING_BATCH_CASE_16(name, arguments)                                                                       \
    if (lanes == 16) {                                                                                                \
        edgeling_batch_##name##_16 arguments;                                                                         \
    }
#endif

/* How many of the columns left the next vector takes. */
EDGELING_KERNEL int edgeling_batch_lanes(int columns) {
    int lanes = EDGELING_LANES;
    while (lanes > columns) {
        lanes /= 2;
    }
    return lanes < 4 ? 1 : lanes;
}

#define EDGELING_BATCH_EACH(columns, name, arguments)                                                                 \
    for (int c = 0; c < (columns);) {                                                                                 \
        const int lanes = edgeling_batch_lanes((columns) - c);                                                        \
        EDGELING_BATCH_CASE_16(name, arguments)                                                                       \
        EDGELING_BATCH_CASE_8(name, arguments)                                                                        \
        EDGELING_BATCH_CASE_4(name, arguments)                                                                        \
        if (lanes == 1) {                                                                                             \
            edgeling_batch_##name##_1 arguments;                                                                      \
        }                                                                                                             \
        c += lanes;                                                                                                   \
    }

typedef struct {
    int rows, columns;
    edgeling_batch_limits limits;
    const float *dy, *x, *mean, *beta;
    float *slope; /* then, of the gradient, what is taken away; then of each block two sums */
    float *y;
} edgeling_batch_work;

EDGELING_KERNEL int edgeling_batch_blocks(int rows) { return (rows - 1) / EDGELING_BATCH_ROWS + 1; }

EDGELING_KERNEL int edgeling_batch_rows_of(int rows, int block) {
    const int left = rows - block * EDGELING_BATCH_ROWS;
    return left < EDGELING_BATCH_ROWS ? left : EDGELING_BATCH_ROWS;
}

EDGELING_KERNEL void edgeling_batch_moments_part(const void *work, int block) {
    const edgeling_batch_work *k = (const edgeling_batch_work *)work;
    const int n = k->columns, rows = edgeling_batch_rows_of(k->rows, block);
    const float *x = k->x + block * EDGELING_BATCH_ROWS * n;
    float *total = k->slope + 2 * (block + 1) * n;
    EDGELING_BATCH_EACH(n, moments, (rows, n, x + c, total + c, total + n + c))
}

EDGELING_KERNEL void edgeling_batch_apply_part(const void *work, int block) {
    const edgeling_batch_work *k = (const edgeling_batch_work *)work;
    const int n = k->columns, rows = edgeling_batch_rows_of(k->rows, block), first = block * EDGELING_BATCH_ROWS * n;
    EDGELING_BATCH_EACH(
        n, apply, (rows, n, k->limits, k->x + first + c, k->mean + c, k->slope + c, k->beta + c, k->y + first + c))
}

EDGELING_KERNEL void edgeling_batch_sums_part(const void *work, int block) {
    const edgeling_batch_work *k = (const edgeling_batch_work *)work;
    const int n = k->columns, rows = edgeling_batch_rows_of(k->rows, block), first = block * EDGELING_BATCH_ROWS * n;
    float *total = k->slope + (2 * block + 3) * n;
    EDGELING_BATCH_EACH(
        n, sums, (rows, n, k->limits, k->dy + first + c, k->x + first + c, k->mean + c, k->slope + c, k->beta + c,
                  total + c, total + n + c))
}

EDGELING_KERNEL void edgeling_batch_back_part(const void *work, int block) {
    const edgeling_batch_work *k = (const edgeling_batch_work *)work;
    const int n = k->columns, rows = edgeling_batch_rows_of(k->rows, block), first = block * EDGELING_BATCH_ROWS * n;
    const float *of_all = k->slope + n, *of_x = k->slope + 2 * n;
    EDGELING_BATCH_EACH(
        n, back, (rows, n, k->limits, k->dy + first + c, k->x + first + c, k->mean + c, k->slope + c, k->beta + c,
                  of_all + c, of_x + c, k->y + first + c))
}

/* Mean, variance and slope, from the blocks' sums. */
EDGELING_KERNEL void edgeling_batch_moments_of_blocks(
    edgeling_batch_work work, float epsilon, const float *gamma, float share, float *mean, float *variance) {
    const int blocks = edgeling_batch_blocks(work.rows), n = work.columns;
    const float *total = work.slope + 2 * n;
    for (int c = 0; c < n; c++) {
        float sum = 0.0f, squares = 0.0f;
        for (int block = 0; block < blocks; block++) {
            sum += total[2 * block * n + c];
        }
        mean[c] = sum * share;
        for (int block = 0; block < blocks; block++) {
            const int count = edgeling_batch_rows_of(work.rows, block);
            const float rows = (float)count;
            const float off = total[2 * block * n + c] / rows - mean[c];
            squares += total[(2 * block + 1) * n + c] + rows * off * off;
        }
        variance[c] = squares * share;
        work.slope[c] = gamma[c] / edgeling_sqrt(variance[c] + epsilon);
    }
}

/* dgamma, dbeta, and what is taken away of each element of dy. */
EDGELING_KERNEL void edgeling_batch_sums_of_blocks(
    edgeling_batch_work work, float epsilon, const float *variance, float share, float *dgamma, float *dbeta) {
    const int blocks = edgeling_batch_blocks(work.rows), n = work.columns;
    const float *total = work.slope + 3 * n;
    for (int c = 0; c < n; c++) {
        const float deviation = edgeling_sqrt(variance[c] + epsilon);
        float sum = 0.0f, along = 0.0f;
        for (int block = 0; block < blocks; block++) {
            sum += total[2 * block * n + c];
            along += total[(2 * block + 1) * n + c];
        }
        dbeta[c] = sum;
        dgamma[c] = along / deviation;
        work.slope[n + c] = share * sum;
        work.slope[2 * n + c] = share * dgamma[c] / deviation;
    }
}

EDGELING_KERNEL edgeling_batch_work edgeling_batch_begin(
    int rows, int columns, float low, float high, float *scratch, const float *dy, const float *x, const float *mean,
    const float *beta, float *y) {
    const edgeling_batch_work work = {rows, columns, {low, high}, dy, x, mean, beta, scratch, y};
    return work;
}

EDGELING_KERNEL void edgeling_batch_slope(
    int columns, float epsilon, const float *gamma, const float *variance, float *slope) {
    for (int c = 0; c < columns; c++) {
        slope[c] = gamma[c] / edgeling_sqrt(variance[c] + epsilon);
    }
}

/* The deployed form, by given moments; y may be x. scratch [columns] */
EDGELING_KERNEL void edgeling_normalize_by_moments(
    int rows, int columns, float epsilon, float *EDGELING_RESTRICT scratch, const float *x,
    const float *EDGELING_RESTRICT gamma, const float *EDGELING_RESTRICT beta, const float *EDGELING_RESTRICT mean,
    const float *EDGELING_RESTRICT variance, float *y) {
    const edgeling_batch_work work =
        edgeling_batch_begin(rows, columns, -EDGELING_INFINITY, EDGELING_INFINITY, scratch, 0, x, mean, beta, y);
    edgeling_batch_slope(columns, epsilon, gamma, variance, scratch);
    for (int block = 0; block < edgeling_batch_blocks(rows); block++) {
        edgeling_batch_apply_part(&work, block);
    }
}

EDGELING_KERNEL void edgeling_normalize_batch(
    int rows, int columns, float epsilon, float low, float high, float *EDGELING_RESTRICT scratch,
    const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT gamma, const float *EDGELING_RESTRICT beta,
    const float *EDGELING_RESTRICT share, float *EDGELING_RESTRICT y, float *EDGELING_RESTRICT mean,
    float *EDGELING_RESTRICT variance) {
    const edgeling_batch_work work = edgeling_batch_begin(rows, columns, low, high, scratch, 0, x, mean, beta, y);
    for (int block = 0; block < edgeling_batch_blocks(rows); block++) {
        edgeling_batch_moments_part(&work, block);
    }
    edgeling_batch_moments_of_blocks(work, epsilon, gamma, *share, mean, variance);
    for (int block = 0; block < edgeling_batch_blocks(rows); block++) {
        edgeling_batch_apply_part(&work, block);
    }
}

EDGELING_KERNEL void edgeling_normalize_batch_gradient(
    int rows, int columns, float epsilon, float low, float high, float *EDGELING_RESTRICT scratch, const float *dy,
    const float *x, const float *EDGELING_RESTRICT gamma, const float *EDGELING_RESTRICT beta,
    const float *EDGELING_RESTRICT mean, const float *EDGELING_RESTRICT variance, const float *EDGELING_RESTRICT share,
    float *dx, float *EDGELING_RESTRICT dgamma, float *EDGELING_RESTRICT dbeta) {
    const edgeling_batch_work work = edgeling_batch_begin(rows, columns, low, high, scratch, dy, x, mean, beta, dx);
    edgeling_batch_slope(columns, epsilon, gamma, variance, scratch);
    for (int block = 0; block < edgeling_batch_blocks(rows); block++) {
        edgeling_batch_sums_part(&work, block);
    }
    edgeling_batch_sums_of_blocks(work, epsilon, variance, *share, dgamma, dbeta);
    for (int block = 0; block < edgeling_batch_blocks(rows); block++) {
        edgeling_batch_back_part(&work, block);
    }
}

#endif
