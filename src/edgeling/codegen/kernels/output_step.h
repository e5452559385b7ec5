/* SPDX-License-Identifier: Apache-2.0 */
/* A few neighbouring outputs of a linear layer while it learns from one row.
 *
 * x [inputs], kernel [inputs,outputs] and bias from the first of them on, truth and gradient [block]; d_row: the
 * gradient of the row's loss, which is a mean over all outputs.
 */
#ifndef EDGELING_OUTPUT_STEP_H
#define EDGELING_OUTPUT_STEP_H

#include "dense.h"
#include "loss.h"
#include "update.h"
#include "update_more.h"

EDGELING_KERNEL void edgeling_output_gradients(
    int block, int inputs, int outputs, int function, int from_logits, float smoothing, float delta, const float *d_row,
    const float *truth, const float *x, const float *kernel, const float *bias, float *gradient) {
    const float share = 1.0f / (float)outputs;
    edgeling_dense_block(1, block, inputs, outputs, EDGELING_LINEAR, 0.0f, x, kernel, bias, gradient);
    for (int o = 0; o < block; o++) {
        const float derivative =
            edgeling_loss_derivative(function, from_logits, smoothing, delta, truth[o], gradient[o]);
        gradient[o] = *d_row * (derivative * share);
    }
}

#endif
