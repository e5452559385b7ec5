/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax on int8 told finer than int8 would, the bits of TensorFlow Lite's SOFTMAX from int8 to int16.
 *
 *   multiplier, left_shift, minimum_difference   as in softmax_s8.h
 *   x   int8   [rows,classes]  1 to 511 classes
 *   y   int16  [rows,classes]  scale 2^-16, zero point -32768
 */
#ifndef EDGELING_SOFTMAX_S8_S16_H
#define EDGELING_SOFTMAX_S8_S16_H

#include "softmax_s8.h"

static inline void edgeling_softmax_s8_s16(
    int rows, int classes, int32_t multiplier, int32_t left_shift, int32_t minimum_difference, const int8_t *x,
    int16_t *y) {
    edgeling_softmax_row scaled;
    scaled.multiplier = multiplier;
    scaled.left_shift = left_shift;
    scaled.minimum_difference = minimum_difference;
    for (int row = 0; row < rows; row++) {
        edgeling_softmax_begin(&scaled, classes, x);
        for (int c = 0; c < classes; c++) {
            y[c] = edgeling_clamp_int16(edgeling_softmax_share(&scaled, c, x[c], 16) - 32768, -32768, 32767);
        }
        x = &x[classes];
        y = &y[classes];
    }
}

#endif
