/* SPDX-License-Identifier: Apache-2.0 */
/* Affine maps drawn for augmentation, maps [images,6] as affine.h takes them, from the same bits on every machine.
 *
 * low_, high_: what the two numbers of each map lie between, the first about rows ("down"), the second about columns:
 * shares of the image to translate by, turns to rotate by, factors to zoom by. together: the second is the first.
 */
#ifndef EDGELING_RANDOM_AFFINE_H
#define EDGELING_RANDOM_AFFINE_H

#include "common.h"
#include "philox.h"
#include "turn.h"

/* One map: rows and columns scaled by their factors and moved by their shifts. */
EDGELING_KERNEL void edgeling_straight(float right, float shift_right, float down, float shift_down, float *map) {
    map[0] = right;
    map[1] = 0.0f;
    map[2] = shift_right;
    map[3] = 0.0f;
    map[4] = down;
    map[5] = shift_down;
}

EDGELING_KERNEL void edgeling_translation(int height, int width, float down, float right, float *map) {
    edgeling_straight(1.0f, -right * (float)width, 1.0f, -down * (float)height, map);
}

EDGELING_KERNEL void edgeling_zoom(int height, int width, float down, float right, float *map) {
    const float y = (float)(height - 1) * 0.5f, x = (float)(width - 1) * 0.5f; /* the middle stays where it is */
    edgeling_straight(right, x * (1.0f - right), down, y * (1.0f - down), map);
}

EDGELING_KERNEL void edgeling_rotation(int height, int width, float turns, float *map) {
    const float y = (float)(height - 1) * 0.5f, x = (float)(width - 1) * 0.5f;
    const edgeling_turn turn = edgeling_turn_of(turns);
    const float cosine = edgeling_cosine_of(turn, 0), sine = edgeling_cosine_of(turn, 1);
    map[0] = cosine;
    map[1] = -sine;
    map[2] = x - x * cosine + y * sine;
    map[3] = sine;
    map[4] = cosine;
    map[5] = y - x * sine - y * cosine;
}

/* drawn: whether this image is flipped; down, right: whether rows, columns ever are. */
EDGELING_KERNEL void edgeling_flip(int height, int width, int drawn, int down, int right, float *map) {
    const int rows = drawn != 0 && down != 0, columns = drawn != 0 && right != 0;
    edgeling_straight(columns ? -1.0f : 1.0f, columns ? (float)(width - 1) : 0.0f, rows ? -1.0f : 1.0f,
                      rows ? (float)(height - 1) : 0.0f, map);
}

enum { EDGELING_TRANSLATION, EDGELING_ROTATION, EDGELING_ZOOM, EDGELING_FLIP };

EDGELING_KERNEL void edgeling_random_affine(
    int images, int height, int width, int function, int together, float low_down, float low_right, float high_down,
    float high_right, uint32_t substream, const uint32_t *EDGELING_RESTRICT seed,
    const uint32_t *EDGELING_RESTRICT step, float *EDGELING_RESTRICT maps) {
    for (int image = 0; image < images; image++, maps += 6) {
        uint32_t word[4];
        float first, second, down, right;
        edgeling_philox(*seed, substream, (uint32_t)image, *step, EDGELING_AFFINE_STREAM, word);
        first = (float)(int32_t)(word[0] >> 8) * 5.9604644775390625e-8f; /* 2^-24 */
        second = together != 0 ? first : (float)(int32_t)(word[1] >> 8) * 5.9604644775390625e-8f;
        down = low_down + (high_down - low_down) * first;
        right = low_right + (high_right - low_right) * second;
        if (function == EDGELING_TRANSLATION) {
            edgeling_translation(height, width, down, right, maps);
        } else if (function == EDGELING_ROTATION) {
            edgeling_rotation(height, width, down, maps);
        } else if (function == EDGELING_ZOOM) {
            edgeling_zoom(height, width, down, right, maps);
        } else {
            edgeling_flip(height, width, first <= 0.5f, high_down > 0.0f, high_right > 0.0f, maps);
        }
    }
}

#endif
