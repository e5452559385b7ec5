/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a table, named by codes.
 *
 * codes [rows,columns], whole numbers held as floats; those of column c name sizes[c] rows of the table from starts[c]
 * on. Every other number, and NaN, names none.
 */
#ifndef EDGELING_EMBEDDING_H
#define EDGELING_EMBEDDING_H

#include "elementary.h"
#include "flash.h"

/* The number that a code says, or -1: it is not below size, not whole, or no number. */
EDGELING_KERNEL int edgeling_row_named(float code, int size) {
    int row;
    if (edgeling_is_nan(code) || !(code >= 0.0f && code < (float)size)) return -1;
    row = (int)code;
    return (float)row == code ? row : -1;
}

/* y [rows,columns * width] = the row of table [...,width] that each code names, or zeros */
EDGELING_KERNEL void edgeling_embedding(
    int rows, int columns, int width, const int *EDGELING_RESTRICT starts, const int *EDGELING_RESTRICT sizes,
    const float *EDGELING_RESTRICT codes, const float *EDGELING_RESTRICT table, float *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < columns; c++) {
            const int named = edgeling_row_named(codes[row * columns + c], edgeling_read_int(sizes + c));
            const float *from = table + (edgeling_read_int(starts + c) + (named < 0 ? 0 : named)) * width;
            float *to = y + (row * columns + c) * width;
            for (int i = 0; i < width; i++) {
                to[i] = named < 0 ? 0.0f : edgeling_read_float(from + i);
            }
        }
    }
}

/* d_table [depth,width] = of each row the sum of dy [rows,columns * width] where a code names it, in the codes' order */
EDGELING_KERNEL void edgeling_embedding_gradient(
    int rows, int columns, int width, int depth, const int *EDGELING_RESTRICT starts, const int *EDGELING_RESTRICT sizes,
    const float *EDGELING_RESTRICT dy, const float *EDGELING_RESTRICT codes, float *EDGELING_RESTRICT d_table) {
    for (int i = 0; i < depth * width; i++) {
        d_table[i] = 0.0f;
    }
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < columns; c++) {
            const int named = edgeling_row_named(codes[row * columns + c], edgeling_read_int(sizes + c));
            if (named >= 0) {
                const float *from = dy + (row * columns + c) * width;
                float *to = d_table + (edgeling_read_int(starts + c) + named) * width;
                for (int i = 0; i < width; i++) {
                    to[i] += from[i];
                }
            }
        }
    }
}

#endif
