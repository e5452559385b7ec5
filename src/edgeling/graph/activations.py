# SPDX-License-Identifier: Apache-2.0
"""The activation functions: value, derivative, and what the derivative is computed from.

Formulas and constants are Keras 3's (``keras.activations``). ``alpha`` is leaky_relu's negative slope and elu's scale;
the others ignore it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import erf, pi, sqrt

import numpy as np

from edgeling.graph.types import Array

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
_erf = np.frompyfunc(erf, 1, 1)


@dataclass(frozen=True)
class Activation:
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


ACTIVATIONS: dict[str, Activation] = {
    "linear": Activation(lambda x, _: x, lambda y, _: np.ones_like(y)),
    "relu": Activation(lambda x, _: np.maximum(x, 0), lambda y, _: (y > 0).astype(y.dtype)),
    "relu6": Activation(
        lambda x, _: np.clip(x, 0, 6), lambda y, _: ((y > 0) & (y < 6)).astype(y.dtype)
    ),
    "leaky_relu": Activation(
        lambda x, a: np.where(x > 0, x, a * x),
        lambda y, a: np.where(y > 0, 1, a).astype(y.dtype),
        default_alpha=0.2,
    ),
    "elu": Activation(_elu, lambda y, a: np.where(y > 0, 1, y + a).astype(y.dtype), default_alpha=1.0),
    "selu": Activation(
        lambda x, _: SELU_SCALE * _elu(x, SELU_ALPHA),
        lambda y, _: np.where(y > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA).astype(y.dtype),
    ),
    "gelu": Activation(
        lambda x, _: x * _normal_cdf(x), lambda x, _: _normal_cdf(x) + x * _normal_pdf(x), from_input=True
    ),
    "silu": Activation(lambda x, _: x * sigmoid(x), _silu_derivative, from_input=True),
    "softplus": Activation(lambda x, _: softplus(x), lambda x, _: sigmoid(x), from_input=True),
    "softsign": Activation(lambda x, _: x / (1 + np.abs(x)), lambda y, _: np.square(1 - np.abs(y))),
    "sigmoid": Activation(lambda x, _: sigmoid(x), lambda y, _: y * (1 - y)),
    "hard_sigmoid": Activation(
        lambda x, _: np.clip(x / 6 + 0.5, 0, 1), lambda y, _: ((y > 0) & (y < 1)).astype(y.dtype) / 6
    ),
    "tanh": Activation(lambda x, _: np.tanh(x), lambda y, _: 1 - y * y),
    "exponential": Activation(lambda x, _: np.exp(x), lambda y, _: y),
}  # fmt: skip
