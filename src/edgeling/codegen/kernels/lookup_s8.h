/* SPDX-License-Identifier: Apache-2.0 */
/* Any function of one int8 value: y = table[x].
 *
 *   x      int8  [size]
 *   table  int8  [256]   indexed by x's unsigned byte: first 0 to 127, then -128 to -1
 *   y      int8  [size]  y may be x
 */
#ifndef EDGELING_LOOKUP_S8_H
#define EDGELING_LOOKUP_S8_H

#include "flash.h"

static inline void edgeling_lookup_s8(int size, const int8_t *x, const int8_t *table, int8_t *y) {
    for (int i = 0; i < size; i++) {
        y[i] = edgeling_read_int8(table + (uint8_t)x[i]);
    }
}

#endif
