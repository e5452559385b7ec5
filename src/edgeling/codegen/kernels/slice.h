/* SPDX-License-Identifier: Apache-2.0 */
/* Slices of tensors whose elements lie apart: whole [outer,length,inner], slice [outer,inner].
 *
 * take: slice = whole[:,step,:]. put: whole[:,step,:] = slice. fill: y [size] = value.
 */
#ifndef EDGELING_SLICE_H
#define EDGELING_SLICE_H

#include "copy.h"

#define EDGELING_SLICES(name, type) \
    EDGELING_KERNEL void edgeling_take_##name( \
        int outer, int length, int inner, int step, const type *EDGELING_RESTRICT whole, type *EDGELING_RESTRICT slice) { \
        for (int o = 0; o < outer; o++) { \
            edgeling_copy_##name(inner, whole + (o * length + step) * inner, slice + o * inner); \
        } \
    } \
    EDGELING_KERNEL void edgeling_put_##name( \
        int outer, int length, int inner, int step, const type *EDGELING_RESTRICT slice, type *EDGELING_RESTRICT whole) { \
        for (int o = 0; o < outer; o++) { \
            edgeling_copy_##name(inner, slice + o * inner, whole + (o * length + step) * inner); \
        } \
    } \
    EDGELING_KERNEL void edgeling_fill_##name(int size, type value, type *EDGELING_RESTRICT y) { \
        for (int i = 0; i < size; i++) { \
            y[i] = value; \
        } \
    }

EDGELING_SLICES(float32, float)
EDGELING_SLICES(int32, int32_t)
EDGELING_SLICES(uint32, uint32_t)
EDGELING_SLICES(int8, int8_t)

#endif
