/* SPDX-License-Identifier: Apache-2.0 */
/* int16 elements moved, as they are. */
#ifndef EDGELING_MOVE_S16_H
#define EDGELING_MOVE_S16_H

#include "flash.h"
#include "layout.h"

/* y [rows,chosen] = the columns of x named by indices [chosen], each in 0 .. columns - 1 */
static inline void edgeling_gather_s16(
    int rows, int columns, int chosen, const int *EDGELING_RESTRICT indices, const int16_t *EDGELING_RESTRICT x, int16_t
    *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < chosen; c++) {
            y[row * chosen + c] = x[row * columns + edgeling_read_int(indices + c)];
        }
    }
}

/* Puts x [rows,columns] into the columns of y [rows,whole] from `first` on. */
static inline void edgeling_concatenate_s16(
    int rows, int columns, int whole, int first, const int16_t *EDGELING_RESTRICT x, int16_t *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < columns; c++) {
            y[row * whole + first + c] = x[row * columns + c];
        }
    }
}

/* y [rows,columns] = x repeated */
static inline void edgeling_broadcast_s16(
    int rows, int columns, int layout, const int16_t *EDGELING_RESTRICT x, int16_t *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < columns; c++) {
            y[row * columns + c] = x[edgeling_at(layout, columns, row, c)];
        }
    }
}

#endif
