/* SPDX-License-Identifier: Apache-2.0 */
/* The gradient of an image as convolutions of the result's. */
#ifndef EDGELING_PHASE_H
#define EDGELING_PHASE_H

#include "window.h"

/* Pixels of the image as far apart as a window moves see the same of its elements: one of as many phases. */
typedef struct {
    int taps, first;   /* elements of the window, and the first of them */
    int origin, count; /* the first pixel, and how many there are */
    int padding;
} edgeling_phase;

EDGELING_KERNEL edgeling_phase edgeling_phase_of(
    int phase, int length, int size, int stride, int dilation, int padding) {
    if (stride == 1) {
        const edgeling_phase whole = {size, 0, 0, length, (size - 1) * dilation - padding};
        return whole;
    }
    const int taps = phase < size ? (size - 1 - phase) / stride + 1 : 0;
    const int origin = ((phase - padding) % stride + stride) % stride;
    const int count = origin < length ? (length - 1 - origin) / stride + 1 : 0;
    const edgeling_phase some = {taps, phase, origin, count, taps - 1 - (origin + padding - phase) / stride};
    return some;
}

EDGELING_KERNEL edgeling_phase edgeling_phase_down(edgeling_window w, int phase) {
    return edgeling_phase_of(phase, w.height, w.rows, w.stride_down, w.dilation_down, w.top);
}

EDGELING_KERNEL edgeling_phase edgeling_phase_right(edgeling_window w, int phase) {
    return edgeling_phase_of(phase, w.width, w.columns, w.stride_right, w.dilation_right, w.left);
}

/* The window over dy that gives the pixels of a phase. */
EDGELING_KERNEL edgeling_window edgeling_phase_window(edgeling_window w, edgeling_phase down, edgeling_phase right) {
    const int is_empty = down.taps == 0 || right.taps == 0;
    const edgeling_window of = {
        w.down, w.right, w.outputs, down.count, right.count, w.channels, is_empty ? 0 : down.taps,
        is_empty ? 0 : right.taps, 1, 1, down.padding, right.padding, w.dilation_down, w.dilation_right, w.groups};
    return of;
}

#endif
