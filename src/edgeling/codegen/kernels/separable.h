/* SPDX-License-Identifier: Apache-2.0 */
/* A depthwise convolution and the convolution of one pixel behind it, as in conv_depthwise.h and conv.h, row by row: a row
 * of the result is made when nobody reads the same row of the image any more, so that y may be x.
 *
 * x, y [images,height,width,channels], kernel [rows,columns,1,channels], second [channels,channels], biases [channels].
 * The window moves by one pixel, and has as many places as there are pixels.
 *   scratch  one row of pixels, and as many more as the window begins above the image
 */
#ifndef EDGELING_SEPARABLE_H
#define EDGELING_SEPARABLE_H

#include "conv.h"
#include "conv_depthwise.h"

EDGELING_KERNEL void edgeling_separable(
    int images, const int *lengths, int function, float alpha, int second_function, float second_alpha,
    float *EDGELING_RESTRICT scratch, const float *x, const float *EDGELING_RESTRICT kernel,
    const float *EDGELING_RESTRICT bias, const float *EDGELING_RESTRICT second,
    const float *EDGELING_RESTRICT second_bias, float *y) {
    const edgeling_window w = edgeling_window_of(lengths);
    const edgeling_window pixel = {1, 1, w.channels, 1, 1, w.channels, 1, 1, 1, 1, 0, 0, 1, 1, 1};
    const edgeling_span all = {0, 0, 1};
    const int of_row = w.width * w.channels, held = w.top + 1;
    for (int image = 0; image < images; image++) {
        for (int i = 0; i < w.down + w.top; i++) {
            const int done = i - w.top;
            if (i < w.down) {
                edgeling_depthwise_row_of(w, i, function, alpha, x, kernel, bias, scratch + i % held * of_row);
            }
            if (done >= 0) {
                for (int j = 0; j < of_row; j += w.channels) {
                    edgeling_conv_group(
                        pixel, all, all, second_function, second_alpha, scratch + done % held * of_row + j, second,
                        second_bias, y + done * of_row + j);
                }
            }
        }
        x += w.height * of_row;
        y += w.height * of_row;
    }
}

#endif
