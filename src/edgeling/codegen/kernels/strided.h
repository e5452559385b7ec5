/* SPDX-License-Identifier: Apache-2.0 */
/* Elements copied from one order of axes, or part of a value, to another.
 *
 *   outer  the length of the outermost axis
 *   axes   its steps in x and in y, then of each of `rank` further axes: length, step in x, step in y
 */
#ifndef EDGELING_STRIDED_H
#define EDGELING_STRIDED_H

#include "flash.h"

#define EDGELING_MOST_AXES 16

/* All axes but the outermost; the last is the inner loop. */
EDGELING_KERNEL void edgeling_strided_inner(
    int rank, const int *axes, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    const int *last = axes + 3 * (rank - 1);
    const int length = edgeling_read_int(last), step_x = edgeling_read_int(last + 1), step_y = edgeling_read_int(last + 2);
    int turn[EDGELING_MOST_AXES] = {0};
    int axis = 0;
    while (axis >= 0) {
        for (int i = 0; i < length; i++) {
            y[i * step_y] = x[i * step_x];
        }
        for (axis = rank - 2; axis >= 0; axis--) { /* as an odometer turns */
            const int *wheel = axes + 3 * axis;
            const int turns = edgeling_read_int(wheel), of_x = edgeling_read_int(wheel + 1);
            const int of_y = edgeling_read_int(wheel + 2);
            turn[axis]++;
            if (turn[axis] < turns) {
                x += of_x;
                y += of_y;
                break;
            }
            x -= (turns - 1) * of_x;
            y -= (turns - 1) * of_y;
            turn[axis] = 0;
        }
    }
}

EDGELING_KERNEL void edgeling_strided(
    int outer, int rank, const int *axes, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    for (int i = 0; i < outer; i++) {
        edgeling_strided_inner(
            rank, axes + 2, x + i * edgeling_read_int(axes), y + i * edgeling_read_int(axes + 1));
    }
}

#endif
