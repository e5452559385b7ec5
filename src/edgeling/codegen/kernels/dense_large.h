/* SPDX-License-Identifier: Apache-2.0 */
/* A fully connected layer as in dense.h, for sizes worth tiles: y = activation(x kernel + bias).
 *
 * x [rows,inputs], kernel [inputs,outputs], bias [outputs], y [rows,outputs].
 */
#ifndef EDGELING_DENSE_LARGE_H
#define EDGELING_DENSE_LARGE_H

#include "dense.h"
#include "tile.h"

EDGELING_KERNEL void edgeling_dense_large(
    int rows, int inputs, int outputs, int function, float alpha, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT kernel, const float *EDGELING_RESTRICT bias, float *EDGELING_RESTRICT y) {
    if (EDGELING_LANES > 1) {
        const edgeling_strides s = {inputs, inputs, 1, outputs, 0, outputs};
        edgeling_tiles(rows, outputs, s, x, kernel, bias, y);
        edgeling_activation(rows * outputs, function, alpha, y, y);
    } else {
        edgeling_dense(rows, inputs, outputs, function, alpha, x, kernel, bias, y);
    }
}

#endif
