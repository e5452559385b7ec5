# SPDX-License-Identifier: Apache-2.0
"""The activation functions: value, derivative, and what the derivative is computed from.

Formulas and constants are Keras 3's (``keras.activations``). ``alpha`` is the one number a function may be told:
leaky_relu's negative slope, elu's and celu's scale, squareplus's b, the threshold of soft_shrink and hard_shrink.
``yeo_johnson_inverse``, whose power it is, stands behind networks, and is no layer's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import erf, pi, sqrt

import numpy as np

from edgeling.graph.types import Array

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
GELU_SLOPE, GELU_CUBE = sqrt(2 / pi), 0.044715  # Hendrycks and Gimpel, 2016, section 2
FAR = 1e18  # from here on x * x + b is x * x, and soon no float32 holds it
_erf = np.frompyfunc(erf, 1, 1)


@dataclass(frozen=True)
class ScalarFunction:
    """``value(x, alpha)``; ``derivative(v, alpha)`` where ``v`` is the output, or the input if ``from_input``."""

    value: Callable[[Array, float], Array]
    derivative: Callable[[Array, float], Array]
    from_input: bool = False
    default_alpha: float = 0.0


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow for any x."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def softplus(x: Array) -> Array:
    """log(1 + exp(x)), without overflow for any x."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def log_softmax(x: Array) -> Array:
    """The logarithm of softmax over the last axis."""
    shifted = x - np.max(x, axis=-1, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))


def _normal_cdf(x: Array) -> Array:
    return 0.5 * (1 + np.asarray(_erf(x / sqrt(2)), dtype=x.dtype))


def _normal_pdf(x: Array) -> Array:
    return np.exp(-0.5 * x * x) / sqrt(2 * pi)


def _elu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _silu_derivative(x: Array, _: float) -> Array:
    s = sigmoid(x)
    return s * (1 + x * (1 - s))


def _gelu_tanh_share(x: Array) -> Array:
    """(1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2, without cancellation."""
    return sigmoid(2 * GELU_SLOPE * (x + GELU_CUBE * x * x * x))


def _gelu_tanh_derivative(x: Array, _: float) -> Array:
    near = np.clip(x, -10, 10)  # beyond, the derivative is 0 or 1 to the last bit, and no square overflows
    s = _gelu_tanh_share(near)
    return s + 2 * near * s * (1 - s) * GELU_SLOPE * (1 + 3 * GELU_CUBE * near * near)


def _mish_derivative(x: Array, _: float) -> Array:
    t = np.tanh(softplus(x))
    return t + x * (1 - t * t) * sigmoid(x)


def _hard_sigmoid(x: Array) -> Array:
    return np.clip(x / 6 + 0.5, 0, 1)


def _squareplus(x: Array, b: float) -> Array:
    """(x + sqrt(x * x + b)) / 2, in the form that neither cancels nor overflows."""
    near = np.minimum(np.abs(x), FAR)
    root = np.sqrt(near * near + b)
    above = np.where(np.abs(x) > near, x, (x + root) / 2)
    return np.where(x < 0, b / 2 / (root + np.abs(x)), above)


def _squareplus_derivative(y: Array, b: float) -> Array:
    y = np.maximum(y, 1e-30)
    return y / (y + b / 4 / y)


def _sparse_plus(x: Array, _: float) -> Array:
    near = np.clip(x, -1, 1) + 1
    return np.where(x < 1, near * near / 4, x)


def yeo_johnson_inverse(x: Array, power: float) -> Array:
    """What Yeo and Johnson's transform (Biometrika 87, 2000) of this power makes x; 1 leaves x as it is."""
    return np.copysign(np.expm1(_yeo_johnson_exponent(x, power)), x)


def _yeo_johnson_exponent(x: Array, power: float) -> Array:
    """log(1 + |inverse|): log(1 + own * |x|) / own, for the power on x's side."""
    size, own = np.abs(x), np.where(x < 0, 2 - power, power).astype(np.asarray(x).dtype)
    return np.where(own == 0, size, np.log1p(own * size) / np.where(own == 0, 1, own))


def _yeo_johnson_inverse_derivative(x: Array, power: float) -> Array:
    own = np.where(x < 0, 2 - power, power).astype(x.dtype)
    return np.exp((1 - own) * _yeo_johnson_exponent(x, power))


ACTIVATIONS: dict[str, ScalarFunction] = {
    "linear": ScalarFunction(lambda x, _: x, lambda y, _: np.ones_like(y)),
    "relu": ScalarFunction(lambda x, _: np.maximum(x, 0), lambda y, _: (y > 0).astype(y.dtype)),
    "relu6": ScalarFunction(
        lambda x, _: np.clip(x, 0, 6), lambda y, _: ((y > 0) & (y < 6)).astype(y.dtype)
    ),
    "leaky_relu": ScalarFunction(
        lambda x, a: np.where(x > 0, x, a * x),
        lambda y, a: np.where((y > 0) | ((y == 0) & (a > 0)), 1, a).astype(y.dtype),  # at 0 as Keras has it of JAX
        default_alpha=0.2,
    ),
    "elu": ScalarFunction(_elu, lambda y, a: np.where(y > 0, 1, y + a).astype(y.dtype), default_alpha=1.0),
    "selu": ScalarFunction(
        lambda x, _: SELU_SCALE * _elu(x, SELU_ALPHA),
        lambda y, _: np.where(y > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA).astype(y.dtype),
    ),
    "gelu": ScalarFunction(
        lambda x, _: x * _normal_cdf(x), lambda x, _: _normal_cdf(x) + x * _normal_pdf(x), from_input=True
    ),
    "silu": ScalarFunction(lambda x, _: x * sigmoid(x), _silu_derivative, from_input=True),
    "softplus": ScalarFunction(lambda x, _: softplus(x), lambda x, _: sigmoid(x), from_input=True),
    "softsign": ScalarFunction(lambda x, _: x / (1 + np.abs(x)), lambda y, _: np.square(1 - np.abs(y))),
    "sigmoid": ScalarFunction(lambda x, _: sigmoid(x), lambda y, _: y * (1 - y)),
    "hard_sigmoid": ScalarFunction(
        lambda x, _: _hard_sigmoid(x), lambda y, _: ((y > 0) & (y < 1)).astype(y.dtype) / 6
    ),
    "tanh": ScalarFunction(lambda x, _: np.tanh(x), lambda y, _: 1 - y * y),
    "exponential": ScalarFunction(lambda x, _: np.exp(x), lambda y, _: y),
    "gelu_tanh": ScalarFunction(  # gelu(approximate=True)
        lambda x, _: x * _gelu_tanh_share(x), _gelu_tanh_derivative, from_input=True
    ),
    "mish": ScalarFunction(lambda x, _: x * np.tanh(softplus(x)), _mish_derivative, from_input=True),
    "hard_silu": ScalarFunction(
        lambda x, _: x * _hard_sigmoid(x),
        lambda x, _: _hard_sigmoid(x) + x * (np.abs(x) < 3) / 6,
        from_input=True,
    ),
    "hard_tanh": ScalarFunction(lambda x, _: np.clip(x, -1, 1), lambda y, _: (np.abs(y) < 1).astype(y.dtype)),
    "log_sigmoid": ScalarFunction(lambda x, _: -softplus(-x), lambda y, _: -np.expm1(y)),
    "celu": ScalarFunction(
        lambda x, a: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0) / a)),
        lambda y, a: np.where(y > 0, 1, y / a + 1).astype(y.dtype),
        default_alpha=1.0,
    ),
    "squareplus": ScalarFunction(_squareplus, _squareplus_derivative, default_alpha=4.0),
    "sparse_plus": ScalarFunction(_sparse_plus, lambda x, _: np.clip((x + 1) / 2, 0, 1), from_input=True),
    "sparse_sigmoid": ScalarFunction(
        lambda x, _: np.clip((x + 1) / 2, 0, 1), lambda y, _: ((y > 0) & (y < 1)).astype(y.dtype) / 2
    ),
    "soft_shrink": ScalarFunction(
        lambda x, a: x - np.clip(x, -a, a), lambda y, _: (y != 0).astype(y.dtype), default_alpha=0.5
    ),
    "hard_shrink": ScalarFunction(
        lambda x, a: np.where(np.abs(x) <= a, 0, x).astype(x.dtype),
        lambda y, _: (y != 0).astype(y.dtype),
        default_alpha=0.5,
    ),
    "tanh_shrink": ScalarFunction(lambda x, _: x - np.tanh(x), lambda x, _: np.square(np.tanh(x)), from_input=True),
    "yeo_johnson_inverse": ScalarFunction(
        yeo_johnson_inverse, _yeo_johnson_inverse_derivative, from_input=True, default_alpha=1.0
    ),
}  # fmt: skip
