/* SPDX-License-Identifier: Apache-2.0 */
/* The matrix products of winograd.h, of all elements of the transform: tiles of the image by channels, times channels by
 * outputs. Some tiles by a vector or two of outputs stay in registers; each sum runs over the channels.
 */
#ifndef EDGELING_WINOGRAD_PRODUCT_H
#define EDGELING_WINOGRAD_PRODUCT_H

#include "conv_tile.h"

typedef struct {
    int elements, channels, outputs; /* outputs of a panel, side by side */
    int pixels, results;             /* from an element to the next */
} edgeling_winograd_steps;

/* results [elements,rows,vectors * lanes] = pixels [elements,rows,channels] by weights [elements,channels,outputs] */
#define EDGELING_WINOGRAD_PRODUCT(lanes, vectors, rows)                                                               \
    EDGELING_VECTOR_FUNCTION void edgeling_winograd_product_##lanes##_##vectors##_##rows(                             \
        const edgeling_winograd_steps *steps, const float *pixels, const float *weights, float *results) {            \
        const edgeling_winograd_steps s = *steps;                                                                     \
        for (int e = 0; e < s.elements; e++) {                                                                        \
            edgeling_vector_##lanes sum[rows][vectors];                                                               \
            const float *x = pixels;                                                                                  \
            int left = s.channels;                                                                                    \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int r = 0; r < (rows); r++) {                                                                        \
                EDGELING_VECTOR_UNROLL                                                                                \
                for (int v = 0; v < (vectors); v++) {                                                                 \
                    sum[r][v] = EDGELING_VECTOR_OF_##lanes(0.0f);                                                     \
                }                                                                                                     \
            }                                                                                                         \
            do {                                                                                                      \
                if ((rows) * (vectors) == 1) {                                                                        \
                    EDGELING_VECTOR_FUSED(sum[0][0]);                                                                 \
                }                                                                                                     \
                edgeling_vector_##lanes factor[vectors]; /* read once: the compiler would not, for each row */        \
                EDGELING_VECTOR_UNROLL                                                                                \
                for (int v = 0; v < (vectors); v++) {                                                                 \
                    factor[v] = EDGELING_CONST_AT(lanes, weights + v * (lanes));                                      \
                    EDGELING_VECTOR_KEPT(factor[v]);                                                                  \
                }                                                                                                     \
                EDGELING_VECTOR_UNROLL                                                                                \
                for (int r = 0; r < (rows); r++) {                                                                    \
                    EDGELING_VECTOR_UNROLL                                                                            \
                    for (int v = 0; v < (vectors); v++) {                                                             \
                        sum[r][v] += x[r * s.channels] * factor[v];                                                   \
                    }                                                                                                 \
                }                                                                                                     \
                x++;                                                                                                  \
                weights += s.outputs;                                                                                 \
            } while (--left);                                                                                         \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int r = 0; r < (rows); r++) {                                                                        \
                EDGELING_VECTOR_UNROLL                                                                                \
                for (int v = 0; v < (vectors); v++) {                                                                 \
                    EDGELING_AT(lanes, results + r * s.outputs + v * (lanes)) = sum[r][v];                            \
                }                                                                                                     \
            }                                                                                                         \
            pixels += s.pixels;                                                                                       \
            results += s.results;                                                                                     \
        }                                                                                                             \
    }

#define EDGELING_WINOGRAD_RUN(lanes, vectors, rows)                                                                   \
    for (; tiles >= (rows); tiles -= (rows)) {                                                                        \
        edgeling_winograd_product_##lanes##_##vectors##_##rows(s, pixels, weights, results);                          \
        pixels += (rows) * s->channels;                                                                               \
        results += (rows) * s->outputs;                                                                               \
    }

#define EDGELING_WINOGRAD_ROWS_TO_4(make, lanes, vectors)                                                             \
    make(lanes, vectors, 4)                                                                                           \
    make(lanes, vectors, 2)                                                                                           \
    make(lanes, vectors, 1)

#define EDGELING_WINOGRAD_ROWS_TO_8(make, lanes, vectors)                                                             \
    make(lanes, vectors, 8)                                                                                           \
    EDGELING_WINOGRAD_ROWS_TO_4(make, lanes, vectors)

/* All tiles, `most` at once: a whole block, or half of it where registers are few. */
#define EDGELING_WINOGRAD_WIDTH(lanes, vectors, most)                                                                 \
    EDGELING_WINOGRAD_ROWS_TO_##most(EDGELING_WINOGRAD_PRODUCT, lanes, vectors)                                       \
    EDGELING_VECTOR_FUNCTION void edgeling_winograd_products_##lanes##_##vectors(                                     \
        int tiles, const edgeling_winograd_steps *s, const float *pixels, const float *weights, float *results) {     \
        EDGELING_WINOGRAD_ROWS_TO_##most(EDGELING_WINOGRAD_RUN, lanes, vectors)                                       \
    }

#if EDGELING_LANES == 1
EDGELING_WINOGRAD_WIDTH(1, 4, 4)
#else
EDGELING_WINOGRAD_WIDTH(4, 1, 8)
#endif
#if EDGELING_LANES == 4
EDGELING_WINOGRAD_WIDTH(4, 2, 4)
#endif
#if EDGELING_LANES >= 8
EDGELING_WINOGRAD_WIDTH(8, 1, 8)
#endif
#if EDGELING_LANES == 8
EDGELING_WINOGRAD_WIDTH(8, 2, 4)
#endif
#if EDGELING_LANES >= 16
EDGELING_WINOGRAD_WIDTH(16, 1, 8)
EDGELING_WINOGRAD_WIDTH(16, 2, 8)
#endif

/* All outputs of a panel. */
EDGELING_VECTOR_FUNCTION void edgeling_winograd_products(
    int tiles, const edgeling_winograd_steps *s, const float *pixels, const float *weights, float *results) {
    int width = 0;
    for (int o = 0; o < s->outputs; o += width) {
        width = edgeling_conv_width(s->outputs - o);
        switch (width) {
#if defined(EDGELING_CONV_32)
        case 32:
            EDGELING_CONV_32(edgeling_winograd_products)(tiles, s, pixels, weights + o, results + o);
            break;
#endif
#if defined(EDGELING_CONV_16)
        case 16:
            EDGELING_CONV_16(edgeling_winograd_products)(tiles, s, pixels, weights + o, results + o);
            break;
#endif
#if defined(EDGELING_CONV_8)
        case 8:
            EDGELING_CONV_8(edgeling_winograd_products)(tiles, s, pixels, weights + o, results + o);
            break;
#endif
        default:
            EDGELING_CONV_4(edgeling_winograd_products)(tiles, s, pixels, weights + o, results + o);
            break;
        }
    }
}

#endif
