/* SPDX-License-Identifier: Apache-2.0 */
/* Whole numbers near others, element by element, exact: down, up, to the nearest (of two the even one), towards zero.
 *
 * x, y: [size]. y may be x.
 */
#ifndef EDGELING_WHOLE_H
#define EDGELING_WHOLE_H

#include "common.h"

enum edgeling_whole {
    EDGELING_FLOOR,
    EDGELING_CEIL,
    EDGELING_ROUND,
    EDGELING_TRUNC
};

EDGELING_KERNEL float edgeling_whole_of(int function, float x) {
    const int has_fraction = edgeling_absolute(x) < 8388608.0f; /* 2^23: what is larger is whole, or NaN */
    const float cut = (float)(int32_t)(has_fraction ? x : 0.0f);
    const float below = x < cut ? cut - 1.0f : cut;
    const float rest = x - below;
    const int is_odd = (int)((int32_t)(has_fraction ? below : 0.0f) & 1);
    const int is_next = function == EDGELING_CEIL ? rest > 0.0f : rest > 0.5f || (rest == 0.5f && is_odd);
    const float nearest = is_next ? below + 1.0f : below;
    const float whole = function == EDGELING_TRUNC ? cut : function == EDGELING_FLOOR ? below : nearest;
    return has_fraction ? whole : x;
}

EDGELING_KERNEL void edgeling_whole_numbers(int size, int function, const float *x, float *y) {
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        y[i] = edgeling_whole_of(function, x[i]);
    }
}

#endif
