/* SPDX-License-Identifier: Apache-2.0 */
/* Which elements compare so, and one of two by what a condition says, with broadcasting as in elementwise.h.
 *
 * y [rows,columns]; y may be a FULL operand, or any operand of the same size.
 */
#ifndef EDGELING_COMPARE_H
#define EDGELING_COMPARE_H

#include "layout.h"

enum edgeling_comparison {
    EDGELING_EQUAL,
    EDGELING_NOT_EQUAL,
    EDGELING_LESS,
    EDGELING_LESS_EQUAL,
    EDGELING_GREATER,
    EDGELING_GREATER_EQUAL
};

EDGELING_KERNEL float edgeling_compared(int function, float a, float b) {
    switch (function) {
    case EDGELING_EQUAL: return a == b ? 1.0f : 0.0f;
    case EDGELING_LESS: return a < b ? 1.0f : 0.0f;
    case EDGELING_LESS_EQUAL: return a <= b ? 1.0f : 0.0f;
    case EDGELING_GREATER: return a > b ? 1.0f : 0.0f;
    case EDGELING_GREATER_EQUAL: return a >= b ? 1.0f : 0.0f;
    default: return a == b ? 0.0f : 1.0f;
    }
}

/* y = 1 where a compares with b so, else 0 */
EDGELING_KERNEL void edgeling_compare(
    int rows, int columns, int layout_a, int layout_b, int function, const float *a, const float *b, float *y) {
    for (int row = 0; row < rows; row++) {
        EDGELING_INDEPENDENT
        for (int c = 0; c < columns; c++) {
            const float p = a[edgeling_at(layout_a, columns, row, c)], q = b[edgeling_at(layout_b, columns, row, c)];
            y[row * columns + c] = edgeling_compared(function, p, q);
        }
    }
}

/* y = a where condition is not 0, else b */
EDGELING_KERNEL void edgeling_select(
    int rows, int columns, int layout_condition, int layout_a, int layout_b, const float *condition, const float *a,
    const float *b, float *y) {
    for (int row = 0; row < rows; row++) {
        EDGELING_INDEPENDENT
        for (int c = 0; c < columns; c++) {
            const float p = a[edgeling_at(layout_a, columns, row, c)], q = b[edgeling_at(layout_b, columns, row, c)];
            y[row * columns + c] = condition[edgeling_at(layout_condition, columns, row, c)] == 0.0f ? q : p;
        }
    }
}

#endif
