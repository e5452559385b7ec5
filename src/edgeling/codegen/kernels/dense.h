/* A fully connected layer: y = activation(x kernel + bias).
 *
 * x [rows,inputs], kernel [inputs,outputs], bias [outputs], y [rows,outputs].
 */
#ifndef EDGELING_DENSE_H
#define EDGELING_DENSE_H

#include "activation.h"

/* Four outputs at a time, so that each input is loaded once for four products. */
EDGELING_KERNEL void edgeling_dense_row(
    int inputs, int outputs, int function, float alpha, const float *restrict x, const float *restrict kernel,
    const float *restrict bias, float *restrict y) {
    int o = 0;
    for (; o + 4 <= outputs; o += 4) {
        float sum[4] = {bias[o], bias[o + 1], bias[o + 2], bias[o + 3]};
        for (int i = 0; i < inputs; i++) {
            for (int lane = 0; lane < 4; lane++) {
                sum[lane] += x[i] * kernel[i * outputs + o + lane];
            }
        }
        for (int lane = 0; lane < 4; lane++) {
            y[o + lane] = edgeling_activate(function, alpha, sum[lane]);
        }
    }
    for (; o < outputs; o++) {
        float sum = bias[o];
        for (int i = 0; i < inputs; i++) {
            sum += x[i] * kernel[i * outputs + o];
        }
        y[o] = edgeling_activate(function, alpha, sum);
    }
}

EDGELING_KERNEL void edgeling_dense(
    int rows, int inputs, int outputs, int function, float alpha, const float *restrict x,
    const float *restrict kernel, const float *restrict bias, float *restrict y) {
    for (int row = 0; row < rows; row++) {
        edgeling_dense_row(inputs, outputs, function, alpha, x + row * inputs, kernel, bias, y + row * outputs);
    }
}

#endif
