/* SPDX-License-Identifier: Apache-2.0 */
/* Images through affine maps, one for each, and the way back.
 *
 * x, y, dx, dy [images,height,width,channels]; maps [images,6]: a0, a1, a2, b0, b1, b2. The pixel in column j of row i
 * is taken from column a0 j + a1 i + a2 of row b0 j + b1 i + b2, interpolated or the nearest; what is outside is filled.
 */
#ifndef EDGELING_AFFINE_H
#define EDGELING_AFFINE_H

#include "common.h"

enum { EDGELING_FILL_CONSTANT, EDGELING_FILL_NEAREST, EDGELING_FILL_REFLECT, EDGELING_FILL_WRAP };
enum { EDGELING_NEAREST, EDGELING_BILINEAR };

#define EDGELING_FURTHEST 1048576.0f /* pixels from the first one: further away is as far, so that int32_t holds it */

/* Two neighbours along an axis, -1 where there is none, and their weights; of the nearest pixel the second weighs 0. */
typedef struct {
    int32_t at[2];
    float weight[2];
} edgeling_taps;

/* The pixel that stands for the one at an index; -1 for none. */
EDGELING_KERNEL int32_t edgeling_filled(int fill_mode, int32_t index, int32_t length) {
    const int32_t period = fill_mode == EDGELING_FILL_WRAP ? length : 2 * length;
    const int32_t rest = index % period;
    const int32_t place = rest < 0 ? rest + period : rest;
    if (index >= 0 && index < length) {
        return index;
    }
    if (fill_mode == EDGELING_FILL_CONSTANT) {
        return -1;
    }
    if (fill_mode == EDGELING_FILL_NEAREST) {
        return index < 0 ? 0 : length - 1;
    }
    return place < length ? place : period - 1 - place;
}

EDGELING_KERNEL edgeling_taps edgeling_taps_of(int fill_mode, int interpolation, float place, int32_t length) {
    edgeling_taps taps;
    const float near = place > -EDGELING_FURTHEST ? place : -EDGELING_FURTHEST; /* NaN too */
    const float bounded = near < EDGELING_FURTHEST ? near : EDGELING_FURTHEST;
    const float shifted = interpolation == EDGELING_BILINEAR ? bounded : bounded + (bounded < 0.0f ? -0.5f : 0.5f);
    const int32_t toward_zero = (int32_t)shifted;
    const int32_t before = interpolation == EDGELING_BILINEAR && (float)toward_zero > shifted ? toward_zero - 1 : toward_zero;
    const float share = interpolation == EDGELING_BILINEAR ? shifted - (float)before : 0.0f;
    taps.at[0] = edgeling_filled(fill_mode, before, length);
    taps.at[1] = interpolation == EDGELING_BILINEAR ? edgeling_filled(fill_mode, before + 1, length) : taps.at[0];
    taps.weight[0] = 1.0f - share;
    taps.weight[1] = share;
    return taps;
}

EDGELING_KERNEL float edgeling_seen(
    edgeling_taps down, edgeling_taps right, int row, int column, int width, int channels, int c, float value,
    const float *EDGELING_RESTRICT x) {
    const int32_t i = down.at[row], j = right.at[column];
    return i < 0 || j < 0 ? value : x[(i * width + j) * channels + c];
}

EDGELING_KERNEL void edgeling_affine_transform(
    int images, int height, int width, int channels, int fill_mode, int interpolation, float value,
    const float *EDGELING_RESTRICT x, const float *EDGELING_RESTRICT maps, float *EDGELING_RESTRICT y) {
    for (int image = 0; image < images; image++, maps += 6, x += height * width * channels) {
        for (int i = 0; i < height; i++) {
            for (int j = 0; j < width; j++, y += channels) {
                const float row = (float)i, column = (float)j;
                const edgeling_taps down =
                    edgeling_taps_of(fill_mode, interpolation, maps[3] * column + maps[4] * row + maps[5], height);
                const edgeling_taps right =
                    edgeling_taps_of(fill_mode, interpolation, maps[0] * column + maps[1] * row + maps[2], width);
                for (int c = 0; c < channels; c++) {
                    const float first = edgeling_seen(down, right, 0, 0, width, channels, c, value, x);
                    if (interpolation != EDGELING_BILINEAR) {
                        y[c] = first;
                    } else {
                        const float second = edgeling_seen(down, right, 0, 1, width, channels, c, value, x);
                        const float third = edgeling_seen(down, right, 1, 0, width, channels, c, value, x);
                        const float fourth = edgeling_seen(down, right, 1, 1, width, channels, c, value, x);
                        y[c] = down.weight[0] * (right.weight[0] * first + right.weight[1] * second) +
                               down.weight[1] * (right.weight[0] * third + right.weight[1] * fourth);
                    }
                }
            }
        }
    }
}

/* dx [height,width,channels] += what one pixel was made of. */
EDGELING_KERNEL void edgeling_affine_back(
    edgeling_taps down, edgeling_taps right, int width, int channels, const float *EDGELING_RESTRICT dy,
    float *EDGELING_RESTRICT dx) {
    for (int row = 0; row < 2; row++) {
        for (int column = 0; column < 2; column++) {
            const int32_t i = down.at[row], j = right.at[column];
            const float weight = down.weight[row] * right.weight[column];
            for (int c = 0; c < channels && i >= 0 && j >= 0 && weight > 0.0f; c++) {
                dx[(i * width + j) * channels + c] += weight * dy[c];
            }
        }
    }
}

EDGELING_KERNEL void edgeling_affine_transform_gradient(
    int images, int height, int width, int channels, int fill_mode, int interpolation, const float *EDGELING_RESTRICT dy,
    const float *EDGELING_RESTRICT maps, float *EDGELING_RESTRICT dx) {
    const int size = height * width * channels;
    for (int image = 0; image < images; image++, maps += 6, dx += size) {
        for (int i = 0; i < size; i++) {
            dx[i] = 0.0f;
        }
        for (int i = 0; i < height; i++) {
            for (int j = 0; j < width; j++, dy += channels) {
                const float row = (float)i, column = (float)j;
                const edgeling_taps down =
                    edgeling_taps_of(fill_mode, interpolation, maps[3] * column + maps[4] * row + maps[5], height);
                const edgeling_taps right =
                    edgeling_taps_of(fill_mode, interpolation, maps[0] * column + maps[1] * row + maps[2], width);
                edgeling_affine_back(down, right, width, channels, dy, dx);
            }
        }
    }
}

#endif
