/* SPDX-License-Identifier: Apache-2.0 */
/* A sum over columns, each a curve of straight lines, or one line: a search and a product for each.
 *
 *   x      [rows,columns]
 *   at     [bent,kinks]              where a curve's lines meet, ascending; kinks is 2 ** n - 1, the last one repeated
 *   lines  [bent,most + 1,outputs,2] of each line its value at the kink it begins with (the first: ends with), and its
 *                                    slope; most is how many kinks there really are
 *   bent   [bent]     which columns have curves; flat [flats]: which have one line
 *   kernel [flats,outputs], bias [outputs]
 *   y      [rows,outputs]
 */
#ifndef EDGELING_CURVES_H
#define EDGELING_CURVES_H

#include "activation.h"
#include "flash.h"

/* How many of the kinks are at most x; of NaN none. */
EDGELING_KERNEL int edgeling_line_of(int kinks, const float *at, float x) {
    const float *below = at;
    for (int step = (kinks + 1) / 2; step > 0; step /= 2) {
        if (x >= edgeling_read_float(below + step - 1)) {
            below += step;
        }
    }
    return (int)(below - at);
}

EDGELING_KERNEL void edgeling_curves(
    int rows, int columns, int outputs, int function, float alpha, int bents, const int *bent, int kinks, int most,
    int flats, const int *flat, const float *EDGELING_RESTRICT x, const float *at, const float *lines, const float *kernel,
    const float *bias, float *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++) {
        const float *const values = x + row * columns;
        float *const sums = y + row * outputs;
        for (int o = 0; o < outputs; o++) {
            sums[o] = edgeling_read_float(bias + o);
        }
        for (int c = 0; c < bents; c++) {
            const float value = values[edgeling_read_int(bent + c)];
            const int found = edgeling_line_of(kinks, at + c * kinks, value);
            const int line = found < most ? found : most;
            const float beyond = value - edgeling_read_float(at + c * kinks + (line > 0 ? line - 1 : 0));
            const float *const numbers = lines + (c * (most + 1) + line) * outputs * 2;
            for (int o = 0; o < outputs; o++) {
                sums[o] += edgeling_read_float(numbers + 2 * o) + edgeling_read_float(numbers + 2 * o + 1) * beyond;
            }
        }
        for (int c = 0; c < flats; c++) {
            const float value = values[edgeling_read_int(flat + c)];
            for (int o = 0; o < outputs; o++) {
                sums[o] += value * edgeling_read_float(kernel + c * outputs + o);
            }
        }
    }
    edgeling_activation(rows * outputs, function, alpha, y, y);
}

#endif
