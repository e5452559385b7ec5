/* SPDX-License-Identifier: Apache-2.0 */
/* y = x, [size] elements of one type. */
#ifndef EDGELING_COPY_H
#define EDGELING_COPY_H

#include "common.h"

EDGELING_KERNEL void edgeling_copy_float32(int size, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    for (int i = 0; i < size; i++) {
        y[i] = x[i];
    }
}

EDGELING_KERNEL void edgeling_copy_int32(int size, const int32_t *EDGELING_RESTRICT x, int32_t *EDGELING_RESTRICT y) {
    for (int i = 0; i < size; i++) {
        y[i] = x[i];
    }
}

EDGELING_KERNEL void edgeling_copy_uint32(
    int size, const uint32_t *EDGELING_RESTRICT x, uint32_t *EDGELING_RESTRICT y) {
    for (int i = 0; i < size; i++) {
        y[i] = x[i];
    }
}

EDGELING_KERNEL void edgeling_copy_int8(int size, const int8_t *EDGELING_RESTRICT x, int8_t *EDGELING_RESTRICT y) {
    for (int i = 0; i < size; i++) {
        y[i] = x[i];
    }
}

EDGELING_KERNEL void edgeling_copy_int16(int size, const int16_t *EDGELING_RESTRICT x, int16_t *EDGELING_RESTRICT y) {
    for (int i = 0; i < size; i++) {
        y[i] = x[i];
    }
}

#endif
