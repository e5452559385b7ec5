/* SPDX-License-Identifier: Apache-2.0 */
/* Any function of one int16 value, from a table of every 128th value, in between on a straight line: TensorFlow Lite's
 * look-up of int16.
 *
 *   x      int16  [size]
 *   table  int16  [513]   of -32768, -32640 ... 32768
 *   y      int16  [size]  y may be x
 */
#ifndef EDGELING_LOOKUP_S16_H
#define EDGELING_LOOKUP_S16_H

#include "flash.h"

static inline int16_t edgeling_interpolate(int32_t x, const int16_t *table) {
    const int32_t from_least = x + 32768, offset = from_least & 127;
    const int at = (int)(from_least >> 7);
    const int32_t base = edgeling_read_int16(table + at), slope = edgeling_read_int16(table + at + 1) - base;
    return (int16_t)(base + ((slope * offset + 64) >> 7));
}

static inline void edgeling_lookup_s16(int size, const int16_t *x, const int16_t *table, int16_t *y) {
    for (int i = 0; i < size; i++) {
        y[i] = edgeling_interpolate(x[i], table);
    }
}

#endif
