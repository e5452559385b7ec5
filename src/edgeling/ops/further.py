# SPDX-License-Identifier: Apache-2.0
"""Functions made of the others: places of the largest, running sums, norms, parts of matrices, losses by rows."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from math import prod as product
from typing import Any

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.layers.traced import TracedValue
from edgeling.ops import elementwise, products, reductions, shaping
from edgeling.ops.operation import operation
from edgeling.ops.values import (
    axis_of,
    between,
    filled,
    joined,
    last_first,
    node,
    part,
    permuted,
    reshaped,
    spread,
    value,
)


@operation(settings=("axis", "keepdims"))
def amax(x: Any, axis: Any = None, keepdims: bool = False) -> TracedValue:
    """As :func:`max`."""
    return reductions.max.body(x, axis, keepdims)


@operation(settings=("axis", "keepdims"))
def amin(x: Any, axis: Any = None, keepdims: bool = False) -> TracedValue:
    """As :func:`min`."""
    return reductions.min.body(x, axis, keepdims)


@operation(settings=("axis", "keepdims"))
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> TracedValue:
    """Where along an axis the largest stands, the first of them, from 0 on; nothing is learnt through it."""
    given = value(x)
    if axis is None and not given.per_row:
        given, axis = reshaped(given, (product(given.lengths),)), 0
    along = axis_of(given, -1 if axis is None and len(given.lengths) == 2 else axis)
    most = reductions.max.body(given, along, keepdims=True)
    shape = [given.lengths[along] if i == along else 1 for i in range(len(given.lengths))]
    places = spread(value(np.arange(shape[along], dtype=np.float32).reshape(shape)), given.lengths, given.per_row)
    is_most = elementwise.greater_equal.body(given, most)
    found = elementwise.where.body(is_most, places, float(given.lengths[along]))
    return elementwise.stop_gradient.body(reductions.min.body(found, along, keepdims))


@operation(settings=("axis", "keepdims"))
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> TracedValue:
    """Where along an axis the smallest stands, the first of them."""
    return argmax.body(elementwise.negative.body(x), axis, keepdims)


@operation(settings=("axis",))
def average(x: Any, axis: Any = None, weights: Any = None) -> TracedValue:
    """The mean over axes; with weights of the shape of x or of one axis, ``sum(x * weights) / sum(weights)``."""
    if weights is None:
        return reductions.mean.body(x, axis)
    given, told = value(x), value(weights)
    if len(told.lengths) == 1 and len(given.lengths) > 1 and not told.per_row:
        along = axis_of(given, axis)
        told = reshaped(told, [given.lengths[along] if i == along else 1 for i in range(len(given.lengths))])
    told = spread(told, given.lengths, given.per_row)
    total = reductions.sum.body(elementwise.multiply.body(given, told), axis)
    return elementwise.divide.body(total, reductions.sum.body(told, axis))


@operation(settings=("axis",))
def count_nonzero(x: Any, axis: Any = None) -> TracedValue:
    """How many along axes are not 0."""
    return reductions.sum.body(elementwise.as_truth(x), axis)


@operation(settings=("axis",))
def cumsum(x: Any, axis: int | None = None) -> TracedValue:
    """Running sums along an axis."""
    given = value(x)
    if axis is None and not given.per_row:
        given, axis = reshaped(given, (product(given.lengths),)), 0
    moved, back = last_first(given, axis_of(given, axis))
    *heads, length = moved.lengths
    sums = products.matmul.body(
        reshaped(moved, (product(heads), length)), np.triu(np.ones((length, length), np.float32))
    )
    return permuted(reshaped(sums, moved.lengths, given.per_row), back)


@operation(settings=("axis", "keepdims"))
def prod(x: Any, axis: Any = None, keepdims: bool = False) -> TracedValue:
    """The product along an axis."""
    given = value(x)
    along = axis_of(given, -1 if axis is None and len(given.lengths) == 1 + given.per_row else axis)
    lengths = [1 if i == along else n for i, n in enumerate(given.lengths)]
    begins = [[at if i == along else 0 for i in range(len(lengths))] for at in range(given.lengths[along])]
    result = part(given, begins[0], lengths)
    for begin in begins[1:]:
        result = node("multiply", result, part(given, begin, lengths))
    return reductions.without_axes(result, [along], keepdims)


@operation(settings=("axis",))
def cumprod(x: Any, axis: int | None = None) -> TracedValue:
    """Running products along an axis."""
    given = value(x)
    if axis is None and not given.per_row:
        given, axis = reshaped(given, (product(given.lengths),)), 0
    along = axis_of(given, axis)
    parts = [between(given, along, at, at + 1) for at in range(given.lengths[along])]
    for at in range(1, len(parts)):
        parts[at] = node("multiply", parts[at - 1], parts[at])
    return joined(parts, along)


@operation(settings=("axis", "keepdims"))
def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> TracedValue:
    """The largest less the smallest along axes."""
    most, least = reductions.max.body(x, axis, keepdims), reductions.min.body(x, axis, keepdims)
    return elementwise.subtract.body(most, least)


@operation("math", settings=("ord", "axis", "keepdims"))
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> TracedValue:
    """Norms of vectors: Euclid's, or with ``ord`` 1 or infinity the sum or the largest of the magnitudes.

    Raises:
        UnsupportedError: another ``ord``.
    """
    if ord in (1, np.inf):
        over = reductions.sum if ord == 1 else reductions.max
        return over.body(elementwise.abs.body(x), axis, keepdims)
    if ord not in (None, 2, "euclidean", "fro"):
        raise UnsupportedError("a norm is of order 1, 2 or infinity", received=f"ord={ord!r}", remedy="ord=2")
    squares = reductions.sum.body(elementwise.square.body(x), axis, keepdims)
    return elementwise.sqrt.body(squares)


@operation("nn", settings=("axis", "order", "epsilon"))
def normalize(x: Any, axis: int = -1, order: int = 2, epsilon: float | None = None) -> TracedValue:
    """x divided by its norms along an axis, which are at least ``epsilon`` (1e-7).

    Raises:
        UnsupportedError: another order than 2.
    """
    if order != 2:
        raise UnsupportedError(
            "vectors are made of length one by Euclid's norm", received=f"order={order}", remedy="order=2"
        )
    least = 1e-7 if epsilon is None else float(epsilon)
    squares = reductions.sum.body(elementwise.square.body(x), axis, True)
    scale = node("reciprocal_sqrt", elementwise.maximum.body(squares, least * least), epsilon=0.0)
    return elementwise.multiply.body(x, scale)


@operation("nn", settings=("axes", "keepdims"))
def moments(x: Any, axes: Any, keepdims: bool = False) -> list[TracedValue]:
    """Mean and variance over axes."""
    return [reductions.mean.body(x, axes, keepdims), reductions.var.body(x, axes, keepdims)]


@operation(settings=("k",))
def tril(x: Any, k: int = 0) -> TracedValue:
    """Matrices [..., n, m] with zeros above the ``k``-th diagonal."""
    return _masked(x, lambda shape: np.tril(np.ones(shape, np.float32), k))


@operation(settings=("k",))
def triu(x: Any, k: int = 0) -> TracedValue:
    """Matrices [..., n, m] with zeros below the ``k``-th diagonal."""
    return _masked(x, lambda shape: np.triu(np.ones(shape, np.float32), k))


def _masked(x: Any, mask: Any) -> TracedValue:
    given = value(x)
    kept = mask(given.lengths[-2:])
    return elementwise.where.body(kept, given, 0.0)


@operation(settings=("shift", "axis"))
def roll(x: Any, shift: int, axis: int | None = None) -> TracedValue:
    """What lies along an axis moved on by ``shift`` places, the last ones to the beginning."""
    given = value(x)
    along = axis_of(given, axis)
    length = given.lengths[along]
    cut = -int(shift) % length
    if not cut:
        return given

    return joined([between(given, along, cut, length), between(given, along, 0, cut)], along)


@operation()
def ravel(x: Any) -> TracedValue:
    """Along one axis; of a batch of rows each row along one."""
    given = value(x)
    flat = product(given.lengths[given.per_row :])
    return reshaped(given, (given.lengths[0], flat) if given.per_row else (flat,))


@operation()
def vstack(xs: Sequence[Any]) -> TracedValue:
    """Values one below the other, along the first axis; of one axis as rows."""
    values = [value(one) for one in xs]
    return shaping.concatenate.body(
        [one if len(one.lengths) > 1 else reshaped(one, (1, *one.lengths)) for one in values], 0
    )


@operation()
def outer(x1: Any, x2: Any) -> TracedValue:
    """Each of x1 times each of x2, two values of one axis: [n, m]."""
    one, other = value(x1), value(x2)
    return elementwise.multiply.body(reshaped(one, (*one.lengths, 1)), reshaped(other, (1, *other.lengths)))


@operation(settings=("rtol", "atol"))
def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8) -> TracedValue:
    """1 where x1 is no further from x2 than ``atol + rtol * |x2|``, else 0."""
    apart = elementwise.abs.body(elementwise.subtract.body(x1, x2))
    room = elementwise.add.body(elementwise.multiply.body(elementwise.abs.body(x2), float(rtol)), float(atol))
    return elementwise.less_equal.body(apart, room)


@operation()
def hstack(xs: Sequence[Any]) -> TracedValue:
    """Values side by side along the second axis; of one axis along it."""
    return shaping.concatenate.body(xs, 0 if len(value(xs[0]).lengths) == 1 else 1)


@operation("core", settings=("num", "axis"))
def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[TracedValue]:
    """What lies along an axis, one by one, without it."""
    given = value(x)
    along = axis_of(given, axis)
    lengths = [1 if i == along else n for i, n in enumerate(given.lengths)]
    places = range(given.lengths[along])
    parts = [part(given, [at if i == along else 0 for i in range(len(lengths))], lengths) for at in places]
    return [reductions.without_axes(one, [along]) for one in parts]


@operation()
def logical_xor(x1: Any, x2: Any) -> TracedValue:
    """1 where one of both is 0 and the other is not, else 0."""
    return elementwise.not_equal.body(elementwise.as_truth(x1), elementwise.as_truth(x2))


@operation()
def isinf(x: Any) -> TracedValue:
    """1 where x is infinite, else 0."""
    return elementwise.greater.body(elementwise.abs.body(x), float(np.finfo(np.float32).max))


@operation()
def isfinite(x: Any) -> TracedValue:
    """1 where x is neither infinite nor NaN, else 0."""
    return elementwise.less_equal.body(elementwise.abs.body(x), float(np.finfo(np.float32).max))


@operation()
def log1p(x: Any) -> TracedValue:
    """``log(1 + x)``; of x far below 1 right to the last place of 1, not of x."""
    return elementwise.log.body(elementwise.add.body(x, 1.0))


@operation()
def expm1(x: Any) -> TracedValue:
    """``exp(x) - 1``; of x far below 1 right to the last place of 1, not of x."""
    return elementwise.subtract.body(elementwise.exp.body(x), 1.0)


@operation()
def logaddexp(x1: Any, x2: Any) -> TracedValue:
    """``log(exp(x1) + exp(x2))``, however large they are."""
    apart = elementwise.negative.body(elementwise.abs.body(elementwise.subtract.body(x1, x2)))
    return elementwise.add.body(elementwise.maximum.body(x1, x2), log1p.body(elementwise.exp.body(apart)))


@operation("nn", settings=("b",))
def squareplus(x: Any, b: int = 4) -> TracedValue:
    """``(x + sqrt(x^2 + b)) / 2``."""
    return elementwise._activated("squareplus", x, b=b)


@operation("nn", settings=("threshold",))
def soft_shrink(x: Any, threshold: float = 0.5) -> TracedValue:
    """x nearer to zero by the threshold, 0 where it is nearer than that."""
    return elementwise._activated("soft_shrink", x, threshold=threshold)


@operation("nn", settings=("threshold",))
def hard_shrink(x: Any, threshold: float = 0.5) -> TracedValue:
    """x, but 0 where it is no further from zero than the threshold."""
    return elementwise._activated("hard_shrink", x, threshold=threshold)


@operation("nn", settings=("axis",))
def glu(x: Any, axis: int = -1) -> TracedValue:
    """The first half of an axis times the sigmoid of the second."""
    first, second = shaping.split.body(x, 2, axis)
    return elementwise.multiply.body(first, elementwise.sigmoid.body(second))


@operation("nn", settings=("threshold", "default_value"))
def threshold(x: Any, threshold: float, default_value: float) -> TracedValue:
    """x above the threshold, else ``default_value``."""
    return elementwise.where.body(elementwise.greater.body(x, threshold), x, default_value)


def _loss_of(name: str, target: Any, output: Any, **options: Any) -> TracedValue:
    """The loss of each row or step by the class of that name."""
    known = getattr(import_module("edgeling.losses"), name)(**options)
    return known.call(value(target), value(output))


@operation("nn", settings=("from_logits", "axis"))
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> TracedValue:
    """``-sum(target * log(output))`` over the last axis, of probabilities or logits."""
    return _loss_of("CategoricalCrossentropy", target, output, from_logits=from_logits)


@operation("nn", settings=("from_logits", "axis"))
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> TracedValue:
    """``-log(output[target])`` along the last axis, of probabilities or logits."""
    return _loss_of("SparseCategoricalCrossentropy", target, output, from_logits=from_logits)


@operation("nn", settings=("from_logits",))
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> TracedValue:
    """``-(target * log(output) + (1 - target) * log(1 - output))``, element by element."""
    given = value(output)
    truth = spread(value(target), given.lengths, given.per_row)
    if from_logits:
        positive = elementwise.maximum.body(given, 0.0)
        tail = elementwise.softplus.body(elementwise.negative.body(elementwise.abs.body(given)))
        return elementwise.add.body(elementwise.subtract.body(positive, node("multiply", truth, given)), tail)
    p = elementwise.clip.body(given, 1e-7, 1 - 1e-7)
    ones = filled(given, 1.0)
    of_one = node("multiply", truth, elementwise.log.body(p))
    of_other = node("multiply", node("subtract", ones, truth), elementwise.log.body(node("subtract", ones, p)))
    return elementwise.negative.body(node("add", of_one, of_other))
