# SPDX-License-Identifier: Apache-2.0
"""Angles and whole numbers, element by element, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgeling.layers.traced import TracedValue
from edgeling.ops import elementwise
from edgeling.ops.operation import TensorFunction, operation
from edgeling.ops.values import node, together, value


def _element(name: str, table: str, description: str) -> TensorFunction:
    def body(x: Any) -> TracedValue:
        return node(table, value(x), function=name)

    body.__name__, body.__doc__ = name, description
    return operation()(body)


sin = _element("sin", "trigonometric", "The sine of angles in radians.")
cos = _element("cos", "trigonometric", "The cosine of angles in radians.")
arctan = _element("arctan", "trigonometric", "The inverse tangent, from -pi / 2 to pi / 2.")
floor = _element("floor", "whole", "Down to whole numbers; nothing is learnt through it, as in Keras.")
ceil = _element("ceil", "whole", "Up to whole numbers; nothing is learnt through it.")
trunc = _element("trunc", "whole", "Towards zero to whole numbers; nothing is learnt through it.")


@operation(settings=("decimals",))
def round(x: Any, decimals: int = 0) -> TracedValue:
    """To the nearest number of so many decimals, of two the even one; nothing is learnt through it."""
    if not decimals:
        return node("whole", value(x), function="round")
    scale = float(10**decimals)
    return node("divide", node("whole", node("multiply", value(x), value(scale)), function="round"), value(scale))


@operation()
def tan(x: Any) -> TracedValue:
    """The tangent of angles in radians."""
    return node("divide", sin.body(x), cos.body(x))


@operation()
def arctan2(x1: Any, x2: Any) -> TracedValue:
    """The angle from -pi to pi of points whose height is ``x1`` and whose width is ``x2``; 0 of (0, 0)."""
    high, wide = together(x1, x2)
    is_left = elementwise.less.body(wide, 0.0)
    turned = elementwise.where.body(elementwise.less.body(high, 0.0), -np.pi, np.pi)
    is_zero = elementwise.equal.body(wide, 0.0)
    slope = node("divide", high, elementwise.where.body(is_zero, 1.0, wide))
    angle = node("add", arctan.body(slope), node("multiply", is_left, turned))
    return elementwise.where.body(is_zero, elementwise.multiply.body(elementwise.sign.body(high), np.pi / 2), angle)


@operation()
def arcsin(x: Any) -> TracedValue:
    """The angle, from -pi / 2 to pi / 2, whose sine is x; NaN outside -1 to 1."""
    return arctan2.body(x, _other_side(x))


@operation()
def arccos(x: Any) -> TracedValue:
    """The angle, from 0 to pi, whose cosine is x; NaN outside -1 to 1."""
    return arctan2.body(_other_side(x), x)


def _other_side(x: Any) -> TracedValue:
    """``sqrt(1 - x^2)``, as a product, which loses nothing near 1."""
    return elementwise.sqrt.body(
        elementwise.multiply.body(elementwise.subtract.body(1.0, x), elementwise.add.body(1.0, x))
    )


def _of_exponentials(name: str, description: str, combined: Callable[[Any, Any], TracedValue]) -> TensorFunction:
    def body(x: Any) -> TracedValue:
        up, down = elementwise.exp.body(x), elementwise.exp.body(elementwise.negative.body(x))
        return elementwise.multiply.body(combined(up, down), 0.5)

    body.__name__, body.__doc__ = name, description
    return operation()(body)


sinh = _of_exponentials(
    "sinh", "``(exp(x) - exp(-x)) / 2``; of x far below 1 right to the last place of 1.",
    elementwise.subtract.body,
)  # fmt: skip
cosh = _of_exponentials("cosh", "``(exp(x) + exp(-x)) / 2``.", elementwise.add.body)


@operation()
def floor_divide(x1: Any, x2: Any) -> TracedValue:
    """Whole quotients, rounded down."""
    return floor.body(elementwise.divide.body(x1, x2))


@operation()
def mod(x1: Any, x2: Any) -> TracedValue:
    """What is left of a division whose quotient is rounded down: ``x1 - x2 * floor(x1 / x2)``."""
    return elementwise.subtract.body(x1, elementwise.multiply.body(x2, floor_divide.body(x1, x2)))


@operation()
def deg2rad(x: Any) -> TracedValue:
    """Degrees as radians."""
    return elementwise.multiply.body(x, np.pi / 180)


@operation()
def rad2deg(x: Any) -> TracedValue:
    """Radians as degrees."""
    return elementwise.multiply.body(x, 180 / np.pi)


@operation()
def hypot(x1: Any, x2: Any) -> TracedValue:
    """``sqrt(x1^2 + x2^2)``."""
    squares = elementwise.add.body(elementwise.square.body(x1), elementwise.square.body(x2))
    return elementwise.sqrt.body(squares)


@operation()
def exp2(x: Any) -> TracedValue:
    """2 to the power of x."""
    return elementwise.exp.body(elementwise.multiply.body(x, float(np.log(2))))


@operation()
def divide_no_nan(x1: Any, x2: Any) -> TracedValue:
    """``x1 / x2``, and 0 where ``x2`` is 0."""
    is_zero = elementwise.equal.body(x2, 0.0)
    quotient = elementwise.divide.body(x1, elementwise.where.body(is_zero, 1.0, x2))
    return elementwise.where.body(is_zero, 0.0, quotient)


@operation(settings=("nan", "posinf", "neginf"))
def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> TracedValue:
    """Numbers in the place of NaN and infinity; of the latter the largest float32 unless told."""
    most = float(np.finfo(np.float32).max)
    given = value(x)
    above = most if posinf is None else posinf
    below = -most if neginf is None else neginf
    given = elementwise.where.body(elementwise.greater.body(given, most), above, given)
    given = elementwise.where.body(elementwise.less.body(given, -most), below, given)
    return elementwise.where.body(elementwise.isnan.body(given), nan, given)
