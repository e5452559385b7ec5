/* SPDX-License-Identifier: Apache-2.0 */
/* A sum over columns on int8, a table for each: what a column adds to each output, exact for every value it can have.
 *
 *   x            int8   [rows,columns]    any value
 *   tables       int8   [outputs,entries] one column's entries after the other's: 256 >> its shift of them
 *   shifts              [columns]         0 to 7: x + 128, shifted to the right, is the place in a column's table
 *   bias         int32  [outputs]
 *   multiplier   int32  [outputs]         0, or 2^30 to 2^31 - 1
 *   right_shift  int8   [outputs]         0 to 31
 *   y            int8   [rows,outputs]    minimum to maximum
 *
 * The accumulator must fit int32: |bias| + 256 * 127 * columns + |zero_point| below 2^31.
 */
#ifndef EDGELING_CURVES_S8_H
#define EDGELING_CURVES_S8_H

#include "fixed_point.h"
#include "flash.h"

EDGELING_KERNEL void edgeling_curves_s8(
    int rows, int columns, int outputs, const int *shifts, int32_t zero_point, int32_t minimum, int32_t maximum,
    const int8_t *EDGELING_RESTRICT x, const int8_t *tables, const int32_t *bias, const int32_t *multiplier,
    const int8_t *right_shift, int8_t *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++) {
        const int8_t *table = tables;
        for (int o = 0; o < outputs; o++) {
            int32_t sum = 0;
            for (int c = 0; c < columns; c++) {
                const uint32_t shift = (uint32_t)edgeling_read_int(shifts + c);
                const uint32_t level = (uint32_t)((int32_t)x[row * columns + c] + 128);
                sum += edgeling_read_int8(table + (level >> shift));
                table += 256u >> shift;
            }
            sum = 256 * sum + edgeling_read_int32(bias + o);
            sum = edgeling_rescale(sum, edgeling_read_int32(multiplier + o), edgeling_read_int8(right_shift + o));
            y[row * outputs + o] = edgeling_clamp_int8(sum + zero_point, minimum, maximum);
        }
    }
}

#endif
