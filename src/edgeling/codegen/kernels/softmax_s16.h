/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax on int16, the bits of TensorFlow Lite's SOFTMAX.
 *
 *   left_shift, multiplier, right_shift   bring a difference to steps of 10 / 65535; 0 to 14, 2^30 to 2^31 - 1, 0 to 31
 *   x            int16  [rows,classes]  1 to 32768 classes
 *   exponential  int16  [513]           exp from -10 to 0, Q15
 *   reciprocal   int16  [513]           1 / (1 + x) from 0 to 1, Q15
 *   y            int16  [rows,classes]  scale 1/32768, zero point 0; y may be x
 */
#ifndef EDGELING_SOFTMAX_S16_H
#define EDGELING_SOFTMAX_S16_H

#include "fixed_point.h"
#include "lookup_s16.h"

static inline void edgeling_softmax_s16(
    int rows, int classes, int32_t left_shift, int32_t multiplier, int32_t right_shift, const int16_t *x,
    const int16_t *exponential, const int16_t *reciprocal, int16_t *y) {
    const int32_t fine = (int32_t)1 << left_shift;
    for (int row = 0; row < rows; row++) {
        int32_t largest = INT16_MIN, sum = 0 /* Q15 */, shift = 30, inverse;
        uint32_t mantissa;
        for (int c = 0; c < classes; c++) {
            largest = x[c] > largest ? x[c] : largest;
        }
        for (int c = 0; c < classes; c++) {
            const int32_t scaled = edgeling_rescale((x[c] - largest) * fine, multiplier, right_shift) + 32767;
            y[c] = edgeling_interpolate(scaled < -32768 ? -32768 : scaled, exponential);
            sum += y[c];
        }
        /* The sum's leading one goes to bit 30; what stands below it is the x of 1 / (1 + x). */
        for (mantissa = (uint32_t)sum; mantissa < 0x40000000u; mantissa <<= 1) {
            shift--;
        }
        inverse = (int32_t)((mantissa + 0x2000u) >> 14) - 98304;
        inverse = edgeling_interpolate(inverse > 32767 ? 32767 : inverse, reciprocal);
        for (int c = 0; c < classes; c++) {
            const int32_t share = ((int32_t)y[c] * inverse + ((int32_t)1 << (shift - 1))) >> shift;
            y[c] = edgeling_clamp_int16(share, 0, 32767);
        }
        x = &x[classes];
        y = &y[classes];
    }
}

#endif
