/* SPDX-License-Identifier: Apache-2.0 */
/* Activation functions and their derivatives; formulas and constants are Keras 3's.
 *
 * x, y, dy, v, dx: [size]. alpha: leaky_relu's negative slope, elu's and celu's scale, squareplus's b, the threshold of
 * soft_shrink and hard_shrink, the power of yeo_johnson_inverse; the others ignore it.
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
    EDGELING_EXPONENTIAL,
    EDGELING_GELU_TANH,
    EDGELING_MISH,
    EDGELING_HARD_SILU,
    EDGELING_HARD_TANH,
    EDGELING_LOG_SIGMOID,
    EDGELING_CELU,
    EDGELING_SQUAREPLUS,
    EDGELING_SPARSE_PLUS,
    EDGELING_SPARSE_SIGMOID,
    EDGELING_SOFT_SHRINK,
    EDGELING_HARD_SHRINK,
    EDGELING_TANH_SHRINK,
    EDGELING_YEO_JOHNSON_INVERSE
};

#define EDGELING_SELU_ALPHA 1.67326324f
#define EDGELING_SELU_SCALE 1.05070099f

EDGELING_KERNEL float edgeling_sigmoid(float x) {
    const float small = edgeling_exp_below(-edgeling_absolute(x));
    return (x < 0.0f ? small : 1.0f) / (1.0f + small);
}

EDGELING_KERNEL float edgeling_softplus(float x) {
    return edgeling_maximum(x, 0.0f) + edgeling_log1p(edgeling_exp_below(-edgeling_absolute(x)));
}

EDGELING_KERNEL float edgeling_elu(float x, float alpha) {
    const float below = alpha * edgeling_expm1(edgeling_minimum(x, 0.0f));
    return x > 0.0f ? x : below;
}

EDGELING_KERNEL float edgeling_normal_cdf(float x) { return 0.5f * (1.0f + edgeling_erf(x * 0.707106781f)); }
EDGELING_KERNEL float edgeling_normal_pdf(float x) { return edgeling_exp_below(-0.5f * x * x) * 0.398942280f; }

/* (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2, without cancellation (Hendrycks and Gimpel, 2016) */
EDGELING_KERNEL float edgeling_gelu_share(float x) {
    return edgeling_sigmoid(1.59576912f * (x + 0.044715f * x * x * x));
}

EDGELING_KERNEL float edgeling_hard_sigmoid(float x) { return edgeling_clip_value(x * (1.0f / 6.0f) + 0.5f, 0.0f, 1.0f); }

/* (x + sqrt(x * x + b)) / 2, in the form that neither cancels nor overflows */
EDGELING_KERNEL float edgeling_squareplus(float x, float b) {
    const float size = edgeling_absolute(x), near = edgeling_minimum(size, 1e18f);
    const float root = edgeling_sqrt(near * near + b);
    const float above = size > near ? x : 0.5f * (x + root);
    return x < 0.0f ? 0.5f * b / (root + size) : above;
}

EDGELING_KERNEL float edgeling_sparse_plus(float x) {
    const float near = edgeling_clip_value(x, -1.0f, 1.0f) + 1.0f;
    return x < 1.0f ? 0.25f * near * near : x;
}

/* log(1 + |inverse of Yeo and Johnson's transform|): log(1 + own * |x|) / own, for the power on x's side */
EDGELING_KERNEL float edgeling_yeo_johnson_exponent(float x, float own) {
    const float size = edgeling_absolute(x), inside = own * size;
    const float logarithm = inside > 1.0f ? edgeling_log(1.0f + inside) : edgeling_log1p(inside);
    return own > 0.0f ? logarithm / own : size;
}

EDGELING_KERNEL float edgeling_yeo_johnson_own(float x, float power) { return x < 0.0f ? 2.0f - power : power; }

/* exp(e) - 1 as (1 - exp(-e)) * exp(e), without cancellation */
EDGELING_KERNEL float edgeling_yeo_johnson_inverse(float x, float power) {
    const float exponent = edgeling_yeo_johnson_exponent(x, edgeling_yeo_johnson_own(x, power));
    return edgeling_with_sign_of(-edgeling_expm1(-exponent) * edgeling_exp(exponent), x);
}

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
    case EDGELING_HARD_SIGMOID: return edgeling_hard_sigmoid(x);
    case EDGELING_TANH: return edgeling_tanh(x);
    case EDGELING_EXPONENTIAL: return edgeling_exp(x);
    case EDGELING_GELU_TANH: return x * edgeling_gelu_share(x);
    case EDGELING_MISH: return x * edgeling_tanh(edgeling_softplus(x));
    case EDGELING_HARD_SILU: return x * edgeling_hard_sigmoid(x);
    case EDGELING_HARD_TANH: return edgeling_clip_value(x, -1.0f, 1.0f);
    case EDGELING_LOG_SIGMOID: return -edgeling_softplus(-x);
    case EDGELING_CELU: return x > 0.0f ? x : alpha * edgeling_expm1(edgeling_minimum(x, 0.0f) / alpha);
    case EDGELING_SQUAREPLUS: return edgeling_squareplus(x, alpha);
    case EDGELING_SPARSE_PLUS: return edgeling_sparse_plus(x);
    case EDGELING_SPARSE_SIGMOID: return edgeling_clip_value(0.5f * (x + 1.0f), 0.0f, 1.0f);
    case EDGELING_SOFT_SHRINK: return x - edgeling_clip_value(x, -alpha, alpha);
    case EDGELING_HARD_SHRINK: return edgeling_absolute(x) <= alpha ? 0.0f : x;
    case EDGELING_TANH_SHRINK: return x - edgeling_tanh(x);
    case EDGELING_YEO_JOHNSON_INVERSE: return edgeling_yeo_johnson_inverse(x, alpha);
    default: return x;
    }
}

EDGELING_KERNEL float edgeling_silu_derivative(float x) {
    const float s = edgeling_sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
}

/* Beyond 10 the derivative is 0 or 1 to the last bit, and no square overflows. */
EDGELING_KERNEL float edgeling_gelu_tanh_derivative(float x) {
    const float near = edgeling_clip_value(x, -10.0f, 10.0f);
    const float s = edgeling_gelu_share(near);
    return s + near * s * (1.0f - s) * (1.59576912f + 0.214064494f * near * near);
}

EDGELING_KERNEL float edgeling_mish_derivative(float x) {
    const float t = edgeling_tanh(edgeling_softplus(x));
    return t + x * (1.0f - t * t) * edgeling_sigmoid(x);
}

EDGELING_KERNEL float edgeling_squareplus_derivative(float y, float b) {
    const float above = edgeling_maximum(y, 1e-30f);
    return above / (above + 0.25f * b / above);
}

EDGELING_KERNEL float edgeling_square_tanh(float x) {
    const float t = edgeling_tanh(x);
    return t * t;
}

EDGELING_KERNEL float edgeling_yeo_johnson_inverse_derivative(float x, float power) {
    const float own = edgeling_yeo_johnson_own(x, power);
    return edgeling_exp((1.0f - own) * edgeling_yeo_johnson_exponent(x, own));
}

/* v is the activation's input for gelu, gelu_tanh, silu, hard_silu, mish, softplus, sparse_plus, tanh_shrink and
 * yeo_johnson_inverse, its output for the others. */
EDGELING_KERNEL float edgeling_activation_derivative(int function, float alpha, float v) {
    switch (function) {
    case EDGELING_RELU: return v > 0.0f ? 1.0f : 0.0f;
    case EDGELING_RELU6: return (v > 0.0f ? 1.0f : 0.0f) * (v < 6.0f ? 1.0f : 0.0f);
    case EDGELING_LEAKY_RELU: return v > 0.0f || (v == 0.0f && alpha > 0.0f) ? 1.0f : alpha; /* at 0 as JAX */
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
    case EDGELING_GELU_TANH: return edgeling_gelu_tanh_derivative(v);
    case EDGELING_MISH: return edgeling_mish_derivative(v);
    case EDGELING_HARD_SILU:
        return edgeling_hard_sigmoid(v) + v * (edgeling_absolute(v) < 3.0f ? 1.0f / 6.0f : 0.0f);
    case EDGELING_HARD_TANH: return edgeling_absolute(v) < 1.0f ? 1.0f : 0.0f;
    case EDGELING_LOG_SIGMOID: return -edgeling_expm1(v);
    case EDGELING_CELU: return v > 0.0f ? 1.0f : v / alpha + 1.0f;
    case EDGELING_SQUAREPLUS: return edgeling_squareplus_derivative(v, alpha);
    case EDGELING_SPARSE_PLUS: return edgeling_clip_value(0.5f * (v + 1.0f), 0.0f, 1.0f);
    case EDGELING_SPARSE_SIGMOID: return (v > 0.0f ? 0.5f : 0.0f) * (v < 1.0f ? 1.0f : 0.0f);
    case EDGELING_SOFT_SHRINK: return edgeling_absolute(v) > 0.0f ? 1.0f : 0.0f;
    case EDGELING_HARD_SHRINK: return edgeling_absolute(v) > 0.0f ? 1.0f : 0.0f;
    case EDGELING_TANH_SHRINK: return edgeling_square_tanh(v);
    case EDGELING_YEO_JOHNSON_INVERSE: return edgeling_yeo_johnson_inverse_derivative(v, alpha);
    default: return 1.0f;
    }
}

EDGELING_KERNEL void edgeling_activation(int size, int function, float alpha, const float *x, float *y) {
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        y[i] = edgeling_activate(function, alpha, x[i]);
    }
}

/* dx = dy * derivative(v) */
EDGELING_KERNEL void edgeling_activation_gradient(
    int size, int function, float alpha, const float *dy, const float *v, float *dx) {
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        dx[i] = dy[i] * edgeling_activation_derivative(function, alpha, v[i]);
    }
}

#endif
