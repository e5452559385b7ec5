/* SPDX-License-Identifier: Apache-2.0 */
/* Any function of one int8 value, told finer than int8 would: y = table[x].
 *
 *   x      int8   [size]
 *   table  int16  [256]   indexed by x's unsigned byte: first 0 to 127, then -128 to -1
 *   y      int16  [size]
 */
#ifndef EDGELING_LOOKUP_S8_S16_H
#define EDGELING_LOOKUP_S8_S16_H

#include "flash.h"

static inline void edgeling_lookup_s8_s16(int size, const int8_t *x, const int16_t *table, int16_t *y) {
    for (int i = 0; i < size; i++) {
        y[i] = edgeling_read_int16(table + (uint8_t)x[i]);
    }
}

#endif
