/* SPDX-License-Identifier: Apache-2.0 */
/* Slices of tensors whose elements lie apart: whole [outer,length,inner], slice [outer,inner].
 *
 * take: slice = whole[:,step,:]. put: whole[:,step,:] = slice. fill: y [size] = value.
 */
#ifndef EDGELING_SLICE_H
#define EDGELING_SLICE_H

#include "copy.h"

EDGELING_KERNEL void edgeling_take_float32(
    int outer, int length, int inner, int32_t step, const float *EDGELING_RESTRICT whole,
    float *EDGELING_RESTRICT slice) {
    for (int o = 0; o < outer; o++) {
        edgeling_copy_float32(inner, whole + (o * length + step) * inner, slice + o * inner);
    }
}

EDGELING_KERNEL void edgeling_put_float32(
    int outer, int length, int inner, int32_t step, const float *EDGELING_RESTRICT slice,
    float *EDGELING_RESTRICT whole) {
    for (int o = 0; o < outer; o++) {
        edgeling_copy_float32(inner, slice + o * inner, whole + (o * length + step) * inner);
    }
}

EDGELING_KERNEL void edgeling_fill_float32(int size, float value, float *EDGELING_RESTRICT y) {
    for (int i = 0; i < size; i++) {
        y[i] = value;
    }
}

EDGELING_KERNEL void edgeling_take_int32(
    int outer, int length, int inner, int32_t step, const int32_t *EDGELING_RESTRICT whole,
    int32_t *EDGELING_RESTRICT slice) {
    for (int o = 0; o < outer; o++) {
        edgeling_copy_int32(inner, whole + (o * length + step) * inner, slice + o * inner);
    }
}

EDGELING_KERNEL void edgeling_put_int32(
    int outer, int length, int inner, int32_t step, const int32_t *EDGELING_RESTRICT slice,
    int32_t *EDGELING_RESTRICT whole) {
    for (int o = 0; o < outer; o++) {
        edgeling_copy_int32(inner, slice + o * inner, whole + (o * length + step) * inner);
    }
}

EDGELING_KERNEL void edgeling_fill_int32(int size, int32_t value, int32_t *EDGELING_RESTRICT y) {
    for (int i = 0; i < size; i++) {
        y[i] = value;
    }
}

EDGELING_KERNEL void edgeling_take_uint32(
    int outer, int length, int inner, int32_t step, const uint32_t *EDGELING_RESTRICT whole,
    uint32_t *EDGELING_RESTRICT slice) {
    for (int o = 0; o < outer; o++) {
        edgeling_copy_uint32(inner, whole + (o * length + step) * inner, slice + o * inner);
    }
}

EDGELING_KERNEL void edgeling_put_uint32(
    int outer, int length, int inner, int32_t step, const uint32_t *EDGELING_RESTRICT slice,
    uint32_t *EDGELING_RESTRICT whole) {
    for (int o = 0; o < outer; o++) {
        edgeling_copy_uint32(inner, slice + o * inner, whole + (o * length + step) * inner);
    }
}

EDGELING_KERNEL void edgeling_fill_uint32(int size, uint32_t value, uint32_t *EDGELING_RESTRICT y) {
    for (int i = 0; i < size; i++) {
        y[i] = value;
    }
}

EDGELING_KERNEL void edgeling_take_int8(
    int outer, int length, int inner, int32_t step, const int8_t *EDGELING_RESTRICT whole,
    int8_t *EDGELING_RESTRICT slice) {
    for (int o = 0; o < outer; o++) {
        edgeling_copy_int8(inner, whole + (o * length + step) * inner, slice + o * inner);
    }
}

EDGELING_KERNEL void edgeling_put_int8(
    int outer, int length, int inner, int32_t step, const int8_t *EDGELING_RESTRICT slice,
    int8_t *EDGELING_RESTRICT whole) {
    for (int o = 0; o < outer; o++) {
        edgeling_copy_int8(inner, slice + o * inner, whole + (o * length + step) * inner);
    }
}

EDGELING_KERNEL void edgeling_fill_int8(int size, int8_t value, int8_t *EDGELING_RESTRICT y) {
    for (int i = 0; i < size; i++) {
        y[i] = value;
    }
}

EDGELING_KERNEL void edgeling_take_int16(
    int outer, int length, int inner, int32_t step, const int16_t *EDGELING_RESTRICT whole,
    int16_t *EDGELING_RESTRICT slice) {
    for (int o = 0; o < outer; o++) {
        edgeling_copy_int16(inner, whole + (o * length + step) * inner, slice + o * inner);
    }
}

EDGELING_KERNEL void edgeling_put_int16(
    int outer, int length, int inner, int32_t step, const int16_t *EDGELING_RESTRICT slice,
    int16_t *EDGELING_RESTRICT whole) {
    for (int o = 0; o < outer; o++) {
        edgeling_copy_int16(inner, slice + o * inner, whole + (o * length + step) * inner);
    }
}

EDGELING_KERNEL void edgeling_fill_int16(int size, int16_t value, int16_t *EDGELING_RESTRICT y) {
    for (int i = 0; i < size; i++) {
        y[i] = value;
    }
}

#endif
