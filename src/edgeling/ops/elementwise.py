# SPDX-License-Identifier: Apache-2.0
"""Arithmetic, comparisons and activations, element by element. Comparisons give 1 where they hold, else 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgeling import activations
from edgeling.errors import UnsupportedError
from edgeling.layers.traced import TracedValue
from edgeling.ops.operation import TensorFunction, operation
from edgeling.ops.values import axis_of, filled, last_first, node, of_one_shape, permuted, together, tracer_now, value

_MOST_FACTORS = 16  # of a whole power that is multiplied out


def _binary(name: str, description: str) -> Callable[..., Any]:
    def body(x1: Any, x2: Any) -> TracedValue:
        return node(name, *together(x1, x2))

    body.__name__, body.__doc__ = name, description
    return body


add = operation()(_binary("add", "``x1 + x2``, broadcast as NumPy does."))
subtract = operation()(_binary("subtract", "``x1 - x2``."))
multiply = operation()(_binary("multiply", "``x1 * x2``."))
divide = operation()(_binary("divide", "``x1 / x2``."))
maximum = operation()(_binary("maximum", "The larger of both."))
minimum = operation()(_binary("minimum", "The smaller of both."))


@operation()
def true_divide(x1: Any, x2: Any) -> TracedValue:
    """``x1 / x2``."""
    return node("divide", *together(x1, x2))


@operation()
def negative(x: Any) -> TracedValue:
    """``-x``."""
    return node("multiply", value(x), value(-1.0))


@operation()
def abs(x: Any) -> TracedValue:
    """``|x|``; at 0 its derivative is 0."""
    return node("maximum", value(x), node("multiply", value(x), value(-1.0)))


@operation()
def absolute(x: Any) -> TracedValue:
    """``|x|``; at 0 its derivative is 0."""
    return node("maximum", value(x), node("multiply", value(x), value(-1.0)))


@operation()
def square(x: Any) -> TracedValue:
    """``x * x``."""
    return node("square", value(x))


@operation()
def sqrt(x: Any) -> TracedValue:
    """The square root."""
    return node("divide", value(1.0), node("reciprocal_sqrt", value(x), epsilon=0.0))


@operation("math")
def rsqrt(x: Any) -> TracedValue:
    """``1 / sqrt(x)``."""
    return node("reciprocal_sqrt", value(x), epsilon=0.0)


@operation()
def reciprocal(x: Any) -> TracedValue:
    """``1 / x``."""
    return node("divide", value(1.0), value(x))


@operation()
def exp(x: Any) -> TracedValue:
    """e to the power of x."""
    return _activated("exponential", x)


@operation()
def log(x: Any) -> TracedValue:
    """The natural logarithm: -infinity of 0, NaN below."""
    return node("logarithm", value(x))


@operation()
def log2(x: Any) -> TracedValue:
    """The logarithm to base 2."""
    return node("multiply", node("logarithm", value(x)), value(1 / np.log(2)))


@operation()
def log10(x: Any) -> TracedValue:
    """The logarithm to base 10."""
    return node("multiply", node("logarithm", value(x)), value(1 / np.log(10)))


@operation("core")
def stop_gradient(variable: Any) -> TracedValue:
    """The value itself, taken for constant where gradients are computed."""
    return node("stop_gradient", value(variable))


@operation()
def tanh(x: Any) -> TracedValue:
    """The hyperbolic tangent."""
    return _activated("tanh", x)


@operation(numbers=("x2",))
def power(x1: Any, x2: Any) -> TracedValue:
    """``x1 ** x2`` of a number ``x2``: multiplied out where it is a whole number or a half and small, else by
    ``exp(x2 * log(x1))``, which is NaN below 0.

    Raises:
        UnsupportedError: ``x2`` is no number.
    """
    if isinstance(x2, TracedValue) or np.ndim(x2):
        raise UnsupportedError(
            "an exponent is one number", received=repr(x2)[:80], remedy="edgeling.ops.exp(p * edgeling.ops.log(x))"
        )
    twice = 2 * float(x2)
    if twice != np.round(twice) or np.abs(twice) > 2 * _MOST_FACTORS:
        return exp.body(node("multiply", log.body(x1), value(float(x2))))
    base, whole = value(x1), int(np.abs(twice)) // 2
    result = _whole_power(base, whole)
    if int(np.abs(twice)) % 2:
        root = node("divide", value(1.0), node("reciprocal_sqrt", base, epsilon=0.0))
        result = node("multiply", result, root) if whole else root
    return node("divide", value(1.0), result) if twice < 0 else result


def _whole_power(base: TracedValue, exponent: int) -> TracedValue:
    """By squaring."""
    result: TracedValue | None = None
    while exponent:
        if exponent % 2:
            result = base if result is None else node("multiply", result, base)
        exponent //= 2
        base = node("square", base) if exponent else base
    return filled(base, 1.0) if result is None else result


@operation(settings=("x_min", "x_max"))
def clip(x: Any, x_min: float, x_max: float) -> TracedValue:
    """x limited to [x_min, x_max]."""
    return node("minimum", node("maximum", value(x), value(x_min)), value(x_max))


def _truth(x: TracedValue) -> TracedValue:
    x.is_truth = True
    return x


def _comparison(name: str, sign: str) -> TensorFunction:
    def body(x1: Any, x2: Any) -> TracedValue:
        return _truth(node("compare", *together(x1, x2), function=name))

    body.__name__, body.__doc__ = name, f"1 where ``x1 {sign} x2``, else 0."
    return operation()(body)


greater, greater_equal = _comparison("greater", ">"), _comparison("greater_equal", ">=")
less, less_equal = _comparison("less", "<"), _comparison("less_equal", "<=")
equal, not_equal = _comparison("equal", "=="), _comparison("not_equal", "!=")


def as_truth(x: Any) -> TracedValue:
    """1 where a value is not 0."""
    given = value(x)
    return given if given.is_truth else not_equal.body(given, 0.0)


@operation()
def logical_and(x1: Any, x2: Any) -> TracedValue:
    """1 where neither is 0, else 0."""
    return _truth(node("minimum", *together(as_truth(x1), as_truth(x2))))


@operation()
def logical_or(x1: Any, x2: Any) -> TracedValue:
    """0 where both are 0, else 1."""
    return _truth(node("maximum", *together(as_truth(x1), as_truth(x2))))


@operation()
def logical_not(x: Any) -> TracedValue:
    """1 where x is 0, else 0."""
    return _truth(node("subtract", value(1.0), as_truth(x)))


@operation()
def sign(x: Any) -> TracedValue:
    """-1, 0 or 1."""
    return node("subtract", greater.body(x, 0.0), less.body(x, 0.0))


@operation()
def where(condition: Any, x1: Any, x2: Any) -> TracedValue:
    """``x1`` where the condition is not 0, else ``x2``; what is not chosen is not looked at, be it infinite."""
    return node("select", *of_one_shape(condition, x1, x2))


@operation()
def isnan(x: Any) -> TracedValue:
    """1 where x is NaN, else 0."""
    given = value(x)
    return _truth(node("compare", given, given, function="not_equal"))


def _activated(name: str, x: Any, **options: Any) -> TracedValue:
    given = value(x)
    told = activations.get(name).told(**options)
    return TracedValue(given.tracer, told.trace(tracer_now().builder, given.name), given.per_row)


def _activation(name: str) -> TensorFunction:
    def body(x: Any) -> TracedValue:
        return _activated(name, x)

    body.__name__, body.__doc__ = (
        name,
        f"The activation function {name}; see :mod:`edgeling.activations`.",
    )
    return operation("nn")(body)


relu, relu6, selu, silu, softplus = map(_activation, ("relu", "relu6", "selu", "silu", "softplus"))
softsign, sigmoid, hard_sigmoid = map(_activation, ("softsign", "sigmoid", "hard_sigmoid"))
hard_silu, hard_tanh, log_sigmoid = map(_activation, ("hard_silu", "hard_tanh", "log_sigmoid"))
sparse_plus, tanh_shrink = map(_activation, ("sparse_plus", "tanh_shrink"))
mish, sparse_sigmoid = map(_activation, ("mish", "sparse_sigmoid"))


@operation("nn", settings=("negative_slope",))
def leaky_relu(x: Any, negative_slope: float = 0.2) -> TracedValue:
    """x above zero, ``negative_slope * x`` below."""
    return _activated("leaky_relu", x, negative_slope=negative_slope)


@operation("nn", settings=("alpha",))
def elu(x: Any, alpha: float = 1.0) -> TracedValue:
    """x above zero, ``alpha * (exp(x) - 1)`` below."""
    return _activated("elu", x, alpha=alpha)


@operation("nn", settings=("alpha",))
def celu(x: Any, alpha: float = 1.0) -> TracedValue:
    """x above zero, ``alpha * (exp(x / alpha) - 1)`` below."""
    return _activated("celu", x, alpha=alpha)


@operation("nn", settings=("approximate",))
def gelu(x: Any, approximate: bool = True) -> TracedValue:
    """x times the normal distribution's share below x; approximated by a hyperbolic tangent, as Keras's ops do."""
    return _activated("gelu", x, approximate=approximate)


@operation("nn", settings=("axis",))
def softmax(x: Any, axis: int = -1) -> TracedValue:
    """Of an axis the exponentials, divided by their sum."""
    return _over_axis("softmax", x, axis)


@operation("nn", settings=("axis",))
def log_softmax(x: Any, axis: int = -1) -> TracedValue:
    """The logarithm of :func:`softmax`."""
    return _over_axis("log_softmax", x, axis)


def _over_axis(name: str, x: Any, axis: int) -> TracedValue:
    given = value(x)
    moved, back = last_first(given, axis_of(given, axis))
    return permuted(node(name, moved), back)
