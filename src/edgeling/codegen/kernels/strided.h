/* SPDX-License-Identifier: Apache-2.0 */
/* Elements copied from one order of axes, or part of a value, to another.
 *
 *   outer  the length of the outermost axis
 *   axes   its steps in x and in y, then of each of `rank` further axes: length, step in x, step in y
 */
#ifndef EDGELING_STRIDED_H
#define EDGELING_STRIDED_H

#include "common.h"

#define EDGELING_MOST_AXES 16

/* All axes but the outermost; the last is the inner loop. */
EDGELING_KERNEL void edgeling_strided_inner(
    int rank, const int *axes, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    const int *last = axes + 3 * (rank - 1);
    int turn[EDGELING_MOST_AXES] = {0};
    int axis = 0;
    while (axis >= 0) {
        for (int i = 0; i < last[0]; i++) {
            y[i * last[2]] = x[i * last[1]];
        }
        for (axis = rank - 2; axis >= 0; axis--) { /* as an odometer turns */
            const int *wheel = axes + 3 * axis;
            x += wheel[1];
            y += wheel[2];
            if (++turn[axis] < wheel[0]) {
                break;
            }
            x -= wheel[0] * wheel[1];
            y -= wheel[0] * wheel[2];
            turn[axis] = 0;
        }
    }
}

EDGELING_KERNEL void edgeling_strided(
    int outer, int rank, const int *axes, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    for (int i = 0; i < outer; i++) {
        edgeling_strided_inner(rank, axes + 2, x + i * axes[0], y + i * axes[1]);
    }
}

#endif
