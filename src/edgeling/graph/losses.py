# SPDX-License-Identifier: Apache-2.0
"""The loss functions, a row of outputs at a time: value, and gradient with respect to the prediction.

Formulas, clipping and constants are Keras 3's (``keras.losses``, ``keras.ops`` on JAX). Every function takes
``y_true`` and ``y_pred`` of shape [n, k] (sparse labels [n, 1]) and gives one value a row, [n].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log

import numpy as np

from edgeling.graph.activations import log_softmax, sigmoid, softplus
from edgeling.graph.sums import row_sum
from edgeling.graph.types import Array

EPSILON = 1e-7
TINY = 2.0**-126  # the least normal float32, whose logarithm and powers are finite


@dataclass(frozen=True)
class Options:
    """What a loss can be told; each function uses what concerns it."""

    from_logits: bool = False
    label_smoothing: float = 0.0
    delta: float = 1.0
    alpha: float = 0.25
    gamma: float = 2.0
    apply_class_balancing: bool = False
    q: float = 0.5


Function = Callable[[Array, Array, Options], Array]


@dataclass(frozen=True)
class LossMeaning:
    """``value`` -> [n]; ``gradient`` -> [n, k], the derivative of each row's value."""

    value: Function
    gradient: Function
    sparse: bool = False


def elementwise(value: Function, derivative: Function) -> LossMeaning:
    """A loss that is the mean over the outputs of a function of each (truth, prediction) pair."""
    return LossMeaning(
        lambda t, p, o: row_sum(value(t, p, o))[..., 0] / p.shape[-1],
        lambda t, p, o: derivative(t, p, o) / p.shape[-1],
    )


def _inside(p: Array, low: float, high: float) -> Array:
    """1 where a clip to [low, high] lets the gradient through."""
    return ((p >= low) & (p <= high)).astype(p.dtype)


def _smooth_binary(t: Array, o: Options) -> Array:
    return t * (1 - o.label_smoothing) + 0.5 * o.label_smoothing


def _huber(t: Array, p: Array, o: Options) -> Array:
    e = np.abs(p - t)
    return np.where(e <= o.delta, 0.5 * e * e, o.delta * e - 0.5 * o.delta * o.delta)


def _log_cosh(t: Array, p: Array, _: Options) -> Array:
    e = p - t
    return e + softplus(-2 * e) - log(2)


def _log1(x: Array) -> Array:
    return np.log(np.maximum(x, EPSILON) + 1)


def _msle_gradient(t: Array, p: Array, _: Options) -> Array:
    return 2 * (_log1(p) - _log1(t)) / (p + 1) * (p >= EPSILON)


def _binary(t: Array, p: Array, o: Options) -> Array:
    t = _smooth_binary(t, o)
    if o.from_logits:
        return softplus(p) - t * p
    p = np.clip(p, EPSILON, 1 - EPSILON)
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


def _binary_gradient(t: Array, p: Array, o: Options) -> Array:
    t = _smooth_binary(t, o)
    if o.from_logits:
        return sigmoid(p) - t
    clipped = np.clip(p, EPSILON, 1 - EPSILON)
    return (clipped - t) / (clipped * (1 - clipped)) * _inside(p, EPSILON, 1 - EPSILON)


def _smooth_classes(t: Array, classes: int, o: Options) -> Array:
    return t * (1 - o.label_smoothing) + o.label_smoothing / classes


def _categorical(t: Array, p: Array, o: Options) -> Array:
    t = _smooth_classes(t, p.shape[-1], o)
    if o.from_logits:
        return -row_sum(t * log_softmax(p))[..., 0]
    share = p / row_sum(p)
    return -row_sum(t * np.log(np.clip(share, EPSILON, 1 - EPSILON)))[..., 0]


def _categorical_gradient(t: Array, p: Array, o: Options) -> Array:
    t = _smooth_classes(t, p.shape[-1], o)
    if o.from_logits:
        return np.exp(log_softmax(p)) * row_sum(t) - t
    total = row_sum(p)
    share = p / total
    d_share = -t / np.clip(share, EPSILON, 1 - EPSILON) * _inside(share, EPSILON, 1 - EPSILON)
    return (d_share - row_sum(d_share * share)) / total


def _one_hot(labels: Array, p: Array) -> Array:
    return (labels == np.arange(p.shape[-1])).astype(p.dtype)


def _categorical_hinge(t: Array, p: Array, _: Options) -> Array:
    return np.maximum(0, np.max((1 - t) * p, axis=-1) - row_sum(t * p)[..., 0] + 1)


def _categorical_hinge_gradient(t: Array, p: Array, o: Options) -> Array:
    wrong = (1 - t) * p
    first = _one_hot(np.argmax(wrong, axis=-1)[..., None], p)
    active = (_categorical_hinge(t, p, o) > 0)[..., None]
    return active * ((1 - t) * first - t)


def _kl(t: Array, p: Array, _: Options) -> Array:
    t, p = np.clip(t, EPSILON, 1), np.clip(p, EPSILON, 1)
    return row_sum(t * np.log(t / p))[..., 0]


def _kl_gradient(t: Array, p: Array, _: Options) -> Array:
    return -np.clip(t, EPSILON, 1) / np.clip(p, EPSILON, 1) * _inside(p, EPSILON, 1)


def _relative(t: Array, p: Array) -> Array:
    return (p - t) / np.maximum(np.abs(t), EPSILON)


def _normalized(x: Array) -> tuple[Array, Array]:
    """Rows of length one, and what they were divided by: their length, 1e-7 at least."""
    length = np.maximum(np.sqrt(row_sum(x * x)), EPSILON)
    return x / length, length


def _cosine(t: Array, p: Array, _: Options) -> Array:
    return -row_sum(_normalized(t)[0] * _normalized(p)[0])[..., 0]


def _cosine_gradient(t: Array, p: Array, _: Options) -> Array:
    a, (b, length) = _normalized(t)[0], _normalized(p)
    along = row_sum(a * b) * (length > EPSILON)
    return (along * b - a) / length


def _power(x: Array, exponent: float) -> Array:
    """x ** exponent for x >= 0, an array of x's precision whatever the exponent is."""
    return np.power(x, np.asarray(exponent, x.dtype))


def _binary_focal(t: Array, p: Array, o: Options) -> Array:
    """The cross-entropy times (1 - probability of the truth) ** gamma (Lin et al., ICCV 2017)."""
    smooth, p = _smooth_binary(t, o), sigmoid(p) if o.from_logits else p
    wrong = smooth * (1 - p) + (1 - smooth) * p
    return _balance(smooth, o) * _power(wrong, o.gamma) * _binary(t, p, replace(o, from_logits=False))


def _binary_focal_gradient(t: Array, p: Array, o: Options) -> Array:
    smooth, p = _smooth_binary(t, o), sigmoid(p) if o.from_logits else p
    plain, wrong = replace(o, from_logits=False), smooth * (1 - p) + (1 - smooth) * p
    slope = o.gamma * _power(wrong, o.gamma - 1) * (1 - 2 * smooth) if o.gamma else np.zeros_like(p)
    d = slope * _binary(t, p, plain) + _power(wrong, o.gamma) * _binary_gradient(t, p, plain)
    return _balance(smooth, o) * d * (p * (1 - p) if o.from_logits else 1)


def _balance(t: Array, o: Options) -> Array | float:
    return t * o.alpha + (1 - t) * (1 - o.alpha) if o.apply_class_balancing else 1.0


def _shares(p: Array, o: Options) -> tuple[Array, Array]:
    """Each class's share of its row, and the row's total (1 of logits, whose softmax is taken)."""
    p = np.exp(log_softmax(p)) if o.from_logits else p
    total = row_sum(p)
    return p / total, total


def _categorical_focal(t: Array, p: Array, o: Options) -> Array:
    share = np.clip(_shares(p, o)[0], EPSILON, 1 - EPSILON)
    return -o.alpha * row_sum(_smooth_classes(t, p.shape[-1], o) * _power(1 - share, o.gamma) * np.log(share))[..., 0]


def _categorical_focal_gradient(t: Array, p: Array, o: Options) -> Array:
    share, total = _shares(p, o)
    c = np.clip(share, EPSILON, 1 - EPSILON)
    slope = o.gamma * _power(1 - c, o.gamma - 1) * np.log(c) if o.gamma else np.zeros_like(c)
    d_share = slope - _power(1 - c, o.gamma) / c
    d_share *= o.alpha * _smooth_classes(t, p.shape[-1], o) * _inside(share, EPSILON, 1 - EPSILON)
    d = d_share - row_sum(d_share * share)
    return share * d if o.from_logits else d / total


def _chosen(labels: Array, p: Array) -> Array:
    return row_sum(_one_hot(labels, p) * p)[..., 0]


def _generalized(t: Array, p: Array, o: Options) -> Array:
    """(1 - p ** q) / q of the truth's probability (Zhang and Sabuncu, NeurIPS 2018)."""
    return (1 - _power(_chosen(t, p), o.q)) / o.q


def _generalized_gradient(t: Array, p: Array, o: Options) -> Array:
    return -_one_hot(t, p) * _power(_chosen(t, p), o.q - 1)[..., None]


LOSSES: dict[str, LossMeaning] = {
    "mean_squared_error": elementwise(lambda t, p, _: np.square(p - t), lambda t, p, _: 2 * (p - t)),
    "mean_absolute_error": elementwise(lambda t, p, _: np.abs(p - t), lambda t, p, _: np.sign(p - t)),
    "huber": elementwise(_huber, lambda t, p, o: np.clip(p - t, -o.delta, o.delta)),
    "log_cosh": elementwise(_log_cosh, lambda t, p, _: np.tanh(p - t)),
    "mean_squared_logarithmic_error": elementwise(
        lambda t, p, _: np.square(_log1(p) - _log1(t)), _msle_gradient
    ),
    "binary_crossentropy": elementwise(_binary, _binary_gradient),
    "hinge": elementwise(
        lambda t, p, _: np.maximum(1 - t * p, 0), lambda t, p, _: np.where(t * p < 1, -t, 0)
    ),
    "squared_hinge": elementwise(
        lambda t, p, _: np.square(np.maximum(1 - t * p, 0)),
        lambda t, p, _: -2 * t * np.maximum(1 - t * p, 0),
    ),
    "poisson": elementwise(
        lambda t, p, _: p - t * np.log(p + EPSILON), lambda t, p, _: 1 - t / (p + EPSILON)
    ),
    "categorical_crossentropy": LossMeaning(_categorical, _categorical_gradient),
    "sparse_categorical_crossentropy": LossMeaning(
        lambda t, p, o: _categorical(_one_hot(t, p), p, o),
        lambda t, p, o: _categorical_gradient(_one_hot(t, p), p, o),
        sparse=True,
    ),
    "categorical_hinge": LossMeaning(_categorical_hinge, _categorical_hinge_gradient),
    "mean_absolute_percentage_error": elementwise(
        lambda t, p, _: 100 * np.abs(_relative(t, p)),
        lambda t, p, _: 100 * np.sign(p - t) / np.maximum(np.abs(t), EPSILON),
    ),
    "cosine_similarity": LossMeaning(_cosine, _cosine_gradient),
    "binary_focal_crossentropy": elementwise(_binary_focal, _binary_focal_gradient),
    "categorical_focal_crossentropy": LossMeaning(_categorical_focal, _categorical_focal_gradient),
    "categorical_generalized_cross_entropy": LossMeaning(_generalized, _generalized_gradient, sparse=True),
    "kl_divergence": LossMeaning(_kl, _kl_gradient),
}  # fmt: skip


@dataclass(frozen=True)
class CrossEntropyMeaning:
    """A loss of the probabilities that a sigmoid or softmax makes of logits, from both.

    The largest probability of a row is at least one over the classes, so its logarithm is exact; every other is as
    far below it as the logits are. So nothing is clipped, and a probability that has become zero still has its loss
    and its gradient. The gradient is with respect to the logits, by both ways.

    Attributes:
        value: (y_true, logits, probabilities) -> [n].
        gradient: (y_true, probabilities) -> [n, k].
    """

    value: Callable[[Array, Array, Array, Options], Array]
    gradient: Function


def _binary_of_logits(t: Array, z: Array, p: Array, o: Options) -> Array:
    certain = np.log(np.maximum(p, 1 - p))
    return row_sum(np.maximum(z, 0) - _smooth_binary(t, o) * z - certain)[..., 0] / z.shape[-1]


def _categorical_of_logits(t: Array, z: Array, p: Array, o: Options) -> Array:
    t = _smooth_classes(t, z.shape[-1], o)
    largest = np.max(z, axis=-1, keepdims=True)
    return row_sum(t * (largest - z - np.log(np.max(p, axis=-1, keepdims=True))))[..., 0]


def _categorical_to_logits(t: Array, p: Array, o: Options) -> Array:
    t = _smooth_classes(t, p.shape[-1], o)
    return p * row_sum(t) - t


def _binary_focal_of_logits(t: Array, z: Array, p: Array, o: Options) -> Array:
    t, certain = _smooth_binary(t, o), np.log(np.maximum(p, 1 - p))
    each = _power(t * (1 - p) + (1 - t) * p, o.gamma) * (np.maximum(z, 0) - t * z - certain)
    return row_sum(_balance(t, o) * each)[..., 0] / z.shape[-1]


def _log_above(p: Array) -> Array:
    """The logarithm of what is multiplied by itself, so that 0 counts nothing."""
    return np.log(np.maximum(p, TINY))


def _log_rest(p: Array) -> Array:
    """The logarithm of 1 - p, likewise; near 0 it is -p, which 1 - p has rounded away."""
    return np.where(p < 0.5, np.log1p(-np.minimum(p, 0.5)), _log_above(1 - p))


def _binary_focal_to_logits(t: Array, p: Array, o: Options) -> Array:
    t = _smooth_binary(t, o)
    wrong, both = t * (1 - p) + (1 - t) * p, p * (1 - p)
    entropy = -both * (t * _log_above(p) + (1 - t) * _log_rest(p))
    steeper = o.gamma * _power(np.maximum(wrong, TINY), o.gamma - 1) * ((1 - 2 * t) * entropy)
    return _balance(t, o) * (steeper + _power(wrong, o.gamma) * (p - t)) / p.shape[-1]


def _log_softmax(z: Array, p: Array) -> Array:
    return z - np.max(z, axis=-1, keepdims=True) + np.log(np.max(p, axis=-1, keepdims=True))


def _categorical_focal_of_logits(t: Array, z: Array, p: Array, o: Options) -> Array:
    t = _smooth_classes(t, p.shape[-1], o)
    return -o.alpha * row_sum(t * _power(1 - p, o.gamma) * _log_softmax(z, p))[..., 0]


def _categorical_focal_to_logits(t: Array, p: Array, o: Options) -> Array:
    """With u the derivative by each probability times it: u - p * sum(u), the way through a softmax."""
    wrong, t = 1 - p, _smooth_classes(t, p.shape[-1], o)
    steeper = o.gamma * _power(np.maximum(wrong, TINY), o.gamma - 1) * (p * _log_above(p))
    u = o.alpha * t * (steeper - _power(wrong, o.gamma))
    return u - p * row_sum(u)


def _generalized_to_logits(t: Array, p: Array, o: Options) -> Array:
    return _power(_chosen(t, p), o.q)[..., None] * (p * row_sum(_one_hot(t, p)) - _one_hot(t, p))


def _kl_of_log(t: Array, log_p: Array) -> Array:
    t = np.clip(t, EPSILON, 1)
    return row_sum(t * (np.log(t) - log_p))[..., 0]


def _log_sigmoid(z: Array, p: Array) -> Array:
    return np.minimum(z, 0) + np.log(np.maximum(p, 1 - p))


CROSS_ENTROPIES: dict[str, CrossEntropyMeaning] = {
    "binary_crossentropy": CrossEntropyMeaning(
        _binary_of_logits, lambda t, p, o: (p - _smooth_binary(t, o)) / p.shape[-1]
    ),
    "categorical_crossentropy": CrossEntropyMeaning(_categorical_of_logits, _categorical_to_logits),
    "sparse_categorical_crossentropy": CrossEntropyMeaning(
        lambda t, z, p, o: _categorical_of_logits(_one_hot(t, p), z, p, o),
        lambda t, p, o: _categorical_to_logits(_one_hot(t, p), p, o),
    ),
    "binary_focal_crossentropy": CrossEntropyMeaning(_binary_focal_of_logits, _binary_focal_to_logits),
    "categorical_focal_crossentropy": CrossEntropyMeaning(_categorical_focal_of_logits, _categorical_focal_to_logits),
    "categorical_generalized_cross_entropy": CrossEntropyMeaning(
        lambda t, z, p, o: _generalized(t, p, o), _generalized_to_logits
    ),
    "kl_divergence": CrossEntropyMeaning(
        lambda t, z, p, o: _kl_of_log(t, _log_softmax(z, p)),
        lambda t, p, o: p * row_sum(np.clip(t, EPSILON, 1)) - np.clip(t, EPSILON, 1),
    ),
    "binary_kl_divergence": CrossEntropyMeaning(
        lambda t, z, p, o: _kl_of_log(t, _log_sigmoid(z, p)),
        lambda t, p, o: p * np.clip(t, EPSILON, 1) - np.clip(t, EPSILON, 1),
    ),
}
"""By the loss's name; those of sigmoids begin with ``binary``, the others are of a softmax."""


def _mean_equal(a: Array, b: Array) -> Array:
    return np.mean(np.equal(a, b), axis=-1, dtype=np.float64).astype(b.dtype)


# (y_true, y_pred, threshold) -> [n], Keras's accuracy metrics before their mean over rows.
METRICS: dict[str, Callable[[Array, Array, float], Array]] = {
    "binary_accuracy": lambda t, p, threshold: _mean_equal(t, (p > threshold).astype(p.dtype)),
    "categorical_accuracy": lambda t, p, _: np.equal(np.argmax(t, -1), np.argmax(p, -1)).astype(p.dtype),
    "sparse_categorical_accuracy": lambda t, p, _: np.equal(t[..., 0], np.argmax(p, -1)).astype(p.dtype),
}
