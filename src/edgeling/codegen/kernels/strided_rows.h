/* SPDX-License-Identifier: Apache-2.0 */
/* As strided.h, where elements along the last axis lie side by side in both: rows of them are copied.
 *
 *   outer  the length of the outermost axis
 *   axes   its steps in x and in y, then of each of `rank` further axes: length, step in x, step in y
 */
#ifndef EDGELING_STRIDED_ROWS_H
#define EDGELING_STRIDED_ROWS_H

#include "strided.h"
#include "vectors.h"

EDGELING_KERNEL void edgeling_copy_rows(
    int rows, int length, int of_x, int of_y, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++, x += of_x, y += of_y) {
        edgeling_vector_copy_floats(length, x, y);
    }
}

/* The last two axes are loops, those before them turn as an odometer does. */
EDGELING_KERNEL void edgeling_strided_rows(
    int outer, int rank, const int *axes, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    const int *const wheels = axes + 2, *const last = wheels + 3 * (rank - 1), *const rows = last - 3;
    const int length = last[0], is_row = rank == 1;
    int turn[EDGELING_MOST_AXES] = {0};
    for (int i = 0; i < outer; i++) {
        const float *from = x + i * axes[0];
        float *to = y + i * axes[1];
        int axis = 0;
        while (axis >= 0) {
            edgeling_copy_rows(is_row ? 1 : rows[0], length, is_row ? 0 : rows[1], is_row ? 0 : rows[2], from, to);
            for (axis = rank - 3; axis >= 0; axis--) {
                const int *const wheel = wheels + 3 * axis;
                turn[axis]++;
                if (turn[axis] < wheel[0]) {
                    from += wheel[1];
                    to += wheel[2];
                    break;
                }
                from -= (wheel[0] - 1) * wheel[1];
                to -= (wheel[0] - 1) * wheel[2];
                turn[axis] = 0;
            }
        }
    }
}

#endif
