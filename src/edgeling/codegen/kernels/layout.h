/* SPDX-License-Identifier: Apache-2.0 */
/* How an operand that is broadcast lies in the rows and columns of the result. */
#ifndef EDGELING_LAYOUT_H
#define EDGELING_LAYOUT_H

#include "common.h"

enum edgeling_layout { EDGELING_FULL, EDGELING_ROW, EDGELING_COLUMN, EDGELING_SCALAR };

/* Where element (row, column) of an operand lies. */
EDGELING_KERNEL int edgeling_at(int layout, int columns, int row, int column) {
    switch (layout) {
    case EDGELING_ROW: return column;
    case EDGELING_COLUMN: return row;
    case EDGELING_SCALAR: return 0;
    default: return row * columns + column;
    }
}

#endif
