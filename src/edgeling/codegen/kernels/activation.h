/* SPDX-License-Identifier: Apache-2.0 */
/* Activation functions and their derivatives; formulas and constants are Keras 3's.
 *
 * x, y, dy, v, dx: [size]. alpha: leaky_relu's negative slope, elu's scale; the others ignore it.
 * y may be x; dx may be dy or v. NaN gives NaN.
 */
#ifndef EDGELING_ACTIVATION_H
#define EDGELING_ACTIVATION_H

#include "elementary.h"

enum edgeling_activation_function {
    EDGELING_LINEAR,
    EDGELING_RELU,
    EDGELING_RELU6,
    EDGELING_LEAKY_RELU,
    EDGELING_ELU,
    EDGELING_SELU,
    EDGELING_GELU,
    EDGELING_SILU,
    EDGELING_SOFTPLUS,
    EDGELING_SOFTSIGN,
    EDGELING_SIGMOID,
    EDGELING_HARD_SIGMOID,
    EDGELING_TANH,
    EDGELING_EXPONENTIAL
};

#define EDGELING_SELU_ALPHA 1.67326324f
#define EDGELING_SELU_SCALE 1.05070099f

EDGELING_KERNEL float edgeling_sigmoid(float x) {
    const float small = edgeling_exp(-edgeling_absolute(x));
    return (x < 0.0f ? small : 1.0f) / (1.0f + small);
}

EDGELING_KERNEL float edgeling_softplus(float x) {
    return edgeling_maximum(x, 0.0f) + edgeling_log1p(edgeling_exp(-edgeling_absolute(x)));
}

EDGELING_KERNEL float edgeling_elu(float x, float alpha) {
    const float below = alpha * edgeling_expm1(edgeling_minimum(x, 0.0f));
    return x > 0.0f ? x : below;
}

EDGELING_KERNEL float edgeling_normal_cdf(float x) { return 0.5f * (1.0f + edgeling_erf(x * 0.707106781f)); }
EDGELING_KERNEL float edgeling_normal_pdf(float x) { return edgeling_exp(-0.5f * x * x) * 0.398942280f; }

EDGELING_KERNEL float edgeling_activate(int function, float alpha, float x) {
    switch (function) {
    case EDGELING_RELU: return edgeling_maximum(x, 0.0f);
    case EDGELING_RELU6: return edgeling_clip_value(x, 0.0f, 6.0f);
    case EDGELING_LEAKY_RELU: return x > 0.0f ? x : alpha * x;
    case EDGELING_ELU: return edgeling_elu(x, alpha);
    case EDGELING_SELU: return EDGELING_SELU_SCALE * edgeling_elu(x, EDGELING_SELU_ALPHA);
    case EDGELING_GELU: return x * edgeling_normal_cdf(x);
    case EDGELING_SILU: return x * edgeling_sigmoid(x);
    case EDGELING_SOFTPLUS: return edgeling_softplus(x);
    case EDGELING_SOFTSIGN: return x / (1.0f + edgeling_absolute(x));
    case EDGELING_SIGMOID: return edgeling_sigmoid(x);
    case EDGELING_HARD_SIGMOID: return edgeling_clip_value(x * (1.0f / 6.0f) + 0.5f, 0.0f, 1.0f);
    case EDGELING_TANH: return edgeling_tanh(x);
    case EDGELING_EXPONENTIAL: return edgeling_exp(x);
    default: return x;
    }
}

EDGELING_KERNEL float edgeling_silu_derivative(float x) {
    const float s = edgeling_sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
}

/* v is the activation's input for gelu, silu and softplus, its output for the others. */
EDGELING_KERNEL float edgeling_activation_derivative(int function, float alpha, float v) {
    switch (function) {
    case EDGELING_RELU: return v > 0.0f ? 1.0f : 0.0f;
    case EDGELING_RELU6: return (v > 0.0f ? 1.0f : 0.0f) * (v < 6.0f ? 1.0f : 0.0f);
    case EDGELING_LEAKY_RELU: return v > 0.0f ? 1.0f : alpha;
    case EDGELING_ELU: return v > 0.0f ? 1.0f : v + alpha;
    case EDGELING_SELU: return v > 0.0f ? EDGELING_SELU_SCALE : v + EDGELING_SELU_SCALE * EDGELING_SELU_ALPHA;
    case EDGELING_GELU: return edgeling_normal_cdf(v) + v * edgeling_normal_pdf(v);
    case EDGELING_SILU: return edgeling_silu_derivative(v);
    case EDGELING_SOFTPLUS: return edgeling_sigmoid(v);
    case EDGELING_SOFTSIGN: return (1.0f - edgeling_absolute(v)) * (1.0f - edgeling_absolute(v));
    case EDGELING_SIGMOID: return v * (1.0f - v);
    case EDGELING_HARD_SIGMOID: return (v > 0.0f ? 1.0f / 6.0f : 0.0f) * (v < 1.0f ? 1.0f : 0.0f);
    case EDGELING_TANH: return 1.0f - v * v;
    case EDGELING_EXPONENTIAL: return v;
    default: return 1.0f;
    }
}

EDGELING_KERNEL void edgeling_activation(int size, int function, float alpha, const float *x, float *y) {
    for (int i = 0; i < size; i++) {
        y[i] = edgeling_activate(function, alpha, x[i]);
    }
}

/* dx = dy * derivative(v) */
EDGELING_KERNEL void edgeling_activation_gradient(
    int size, int function, float alpha, const float *dy, const float *v, float *dx) {
    for (int i = 0; i < size; i++) {
        dx[i] = dy[i] * edgeling_activation_derivative(function, alpha, v[i]);
    }
}

#endif
