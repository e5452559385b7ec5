/* SPDX-License-Identifier: Apache-2.0 */
/* A window that moves over an image [height,width,channels]; what lies outside the image is left out.
 *
 * A call hands over a table of its lengths, in the order of the struct: constants, wherever kernels are inlined.
 */
#ifndef EDGELING_WINDOW_H
#define EDGELING_WINDOW_H

#include "flash.h"

typedef struct {
    int height, width, channels; /* of the image */
    int down, right, outputs;    /* positions of the window, and what is computed at each */
    int rows, columns;           /* of the window */
    int stride_down, stride_right;
    int top, left; /* padding */
    int dilation_down, dilation_right;
    int groups;
} edgeling_window;

EDGELING_KERNEL edgeling_window edgeling_window_of(const int *lengths) {
    edgeling_window w;
    w.height = edgeling_read_int(lengths);
    w.width = edgeling_read_int(lengths + 1);
    w.channels = edgeling_read_int(lengths + 2);
    w.down = edgeling_read_int(lengths + 3);
    w.right = edgeling_read_int(lengths + 4);
    w.outputs = edgeling_read_int(lengths + 5);
    w.rows = edgeling_read_int(lengths + 6);
    w.columns = edgeling_read_int(lengths + 7);
    w.stride_down = edgeling_read_int(lengths + 8);
    w.stride_right = edgeling_read_int(lengths + 9);
    w.top = edgeling_read_int(lengths + 10);
    w.left = edgeling_read_int(lengths + 11);
    w.dilation_down = edgeling_read_int(lengths + 12);
    w.dilation_right = edgeling_read_int(lengths + 13);
    w.groups = edgeling_read_int(lengths + 14);
    return w;
}

/* The elements [first, last) of a window of `size` that see an image of `length`, where its first lies at `start`. */
typedef struct {
    int start, first, last;
} edgeling_span;

EDGELING_KERNEL edgeling_span edgeling_span_at(int start, int size, int dilation, int length) {
    edgeling_span span = {start, 0, 0};
    span.first = start < 0 ? (dilation - 1 - start) / dilation : 0;
    span.last = start < length ? (length - 1 - start) / dilation + 1 : 0;
    span.last = span.last < size ? span.last : size;
    return span;
}

EDGELING_KERNEL edgeling_span edgeling_span_down(edgeling_window w, int y) {
    return edgeling_span_at(y * w.stride_down - w.top, w.rows, w.dilation_down, w.height);
}

EDGELING_KERNEL edgeling_span edgeling_span_right(edgeling_window w, int x) {
    return edgeling_span_at(x * w.stride_right - w.left, w.columns, w.dilation_right, w.width);
}

/* Where the image's pixel under an element of the window lies. */
EDGELING_KERNEL int edgeling_pixel(edgeling_window w, edgeling_span down, edgeling_span right, int row, int column) {
    const int y = down.start + row * w.dilation_down, x = right.start + column * w.dilation_right;
    return (y * w.width + x) * w.channels;
}

#endif
