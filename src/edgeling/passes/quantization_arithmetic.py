# SPDX-License-Identifier: Apache-2.0
"""Rules of quantisation for arithmetic element by element, sums, and what moves values about.

Whatever is affine in one variable value becomes a weight and a bias for each column (``scale_quantized``); so do
features that somebody reads with one scale. What joins two variable values is TensorFlow Lite's ADD, SUB and MUL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgeling.graph import integer, integer_elementwise
from edgeling.graph.integer_tables import Affine
from edgeling.graph.meaning import evaluate
from edgeling.graph.types import Array, Node, Quantization
from edgeling.passes.quantization import Context, Rule, Stored, named, refused
from edgeling.passes.scales import LEAST_HIDDEN_SCALE, hidden_scale, quantize_columns

ABOVE_ONE = 1 + 2.0**-10  # the result's scale over the operands': their ratio is then a fraction


def tensor(c: Context, value: str, out: Affine | None = None) -> Stored:
    """A value with one scale for all of it: ``out``, or one whose zero point the element type holds, to pad with."""
    if value in c.graph.constants:
        return c.once(value, out, lambda: _constant(c, value, out))
    x = c.columns(value)
    if x.affine is None:
        return c.once(value, out, lambda: _scaled(c, value, x, np.ones(x.rows.shape[-1]), out))
    return x if out in (None, x.affine) else c.once(value, out, lambda: requantized(c, value, out or affine_of(x)))


def affine_of(x: Stored) -> Affine:
    """The one scale of a value that has one."""
    assert x.affine is not None, "features have a scale a column"
    return x.affine


def requantized(c: Context, value: str, out: Affine) -> Stored:
    """An integer value in another scale."""
    x = c.stored(value)
    given = affine_of(x)
    multiplier, shift = integer.quantize_multiplier(given.scale / out.scale)
    return c.emit(
        "requantize", value, out, [x.name], input_zero_point=given.zero_point, left_shift=max(shift, 0),
        multiplier=multiplier, right_shift=max(-shift, 0), zero_point=out.zero_point,
    )  # fmt: skip


def _constant(c: Context, value: str, out: Affine | None) -> Stored:
    array = c.graph.constants[value]
    dtype = c.scheme.dtype
    affine = out or hidden_scale(array, LEAST_HIDDEN_SCALE, dtype)
    stored = integer.quantize(array, affine.scale, affine.zero_point, dtype=dtype.numpy)
    return Stored(c.constant(stored, f"{value}_{dtype.value}", affine.quantization), stored, affine)


def _scaled(c: Context, value: str, x: Stored, slope: Array, out: Affine | None = None) -> Stored:
    """A value that is ``slope`` times ``x``, column by column, plus what its mean over the rows asks for."""
    worth = slope * (x.columns if x.affine is None else x.step)
    scale, weights, bias = quantize_columns(worth, x.rows, c.float[value].astype(np.float64))
    made = out or c.choose(value, 2 * float(scale.max()), LEAST_HIDDEN_SCALE)
    multiplier, shift = integer.quantize_multipliers(scale / made.scale)
    kind = Quantization(tuple(scale.tolist()), (0,) * len(scale), axis=0)
    names = [c.constant(weights, f"{value}_weights", kind)]
    parts: dict[str, Array] = {"bias": bias, "multiplier": multiplier, "right_shift": (-shift).astype(np.int8)}
    names += [c.constant(array, f"{value}_{part}") for part, array in parts.items()]
    return c.emit("scale_quantized", value, made, [x.name, *names], zero_point=made.zero_point)


# ------------------------------------------------------------------------------------------ one variable value


def columns(c: Context, node: Node) -> Stored | None:
    """A node that is affine in each column of its one variable input; None if it is not."""
    variable = [value for value in node.inputs if value not in c.graph.constants]
    if len(variable) != 1 or (slope := _slope(c, node, variable[0])) is None:
        return None
    return _scaled(c, node.output, c.columns(variable[0]), slope)


def _slope(c: Context, node: Node, variable: str) -> Array | None:
    """What each last axis of ``variable`` is multiplied by, if the rest of the node does not depend on other axes."""
    shape = c.graph.types[node.output].shape
    others = [c.array(value) for value in node.inputs if value != variable]
    if c.graph.types[variable].shape != shape or not all(_is_by_column(other, shape) for other in others):
        return None
    slope = SLOPES[node.operation](node, node.inputs.index(variable) == 0, *others)
    return None if slope is None else np.array(np.broadcast_to(slope, shape)[(0,) * (len(shape) - 1)])


def _is_by_column(array: Array, shape: tuple[int, ...]) -> bool:
    """Whether an array, broadcast to a shape, differs along its last axis only."""
    whole = np.broadcast_to(array, shape)
    return bool((whole == whole[(0,) * (len(shape) - 1)]).all())


def _normalisation(node: Node, _: bool, gamma: Array, beta: Array, mean: Array, variance: Array) -> Array:
    return np.asarray(gamma / np.sqrt(variance + float(node.attributes["epsilon"])))


SLOPES: dict[str, Callable[..., Array | None]] = {
    "add": lambda _, first, other: np.ones(()),
    "subtract": lambda _, first, other: np.asarray(1.0 if first else -1.0),
    "multiply": lambda _, first, other: other,
    "divide": lambda _, first, other: 1 / other if first else None,
    "standardize": lambda _, first, mean, scale: 1 / scale,
    "batch_normalization": _normalisation,
}


def columnwise(c: Context, node: Node) -> Stored:
    """The rule of what is affine in its columns, and nothing else."""
    if (made := columns(c, node)) is None:
        raise refused(named(node), "of its inputs only the first is variable in an integer network")
    return made


def table(c: Context, node: Node) -> Stored:
    """Any function of one value, as a table."""
    x = tensor(c, node.inputs[0])
    before, out = affine_of(x), c.choose(node.output, 0.0, LEAST_HIDDEN_SCALE)
    entries = c.scheme.table(lambda values: evaluate(node, [values])[0], before, out)
    return c.emit(c.scheme.operation("lookup"), node.output, out, [x.name, c.constant(entries, f"{node.output}_table")])


def total(c: Context, node: Node) -> Stored:
    """A sum over axes."""
    x = tensor(c, node.inputs[0])
    given = affine_of(x)
    out = c.choose(node.output, given.scale * ABOVE_ONE, LEAST_HIDDEN_SCALE)
    numbers = integer_elementwise.fraction(given.scale / out.scale)
    points = {"input_zero_point": given.zero_point, "zero_point": out.zero_point}
    return c.emit("sum_quantized", node.output, out, [x.name], **numbers, **points, axes=node.attributes["axes"])


# ------------------------------------------------------------------------------------------ two variable values


def joined(operation: str, least: Least, numbers: Numbers) -> Rule:
    """The rule of a node that joins two values, and of an activation after it that is a clamp.

    Where one value is constant, the node may be affine in the other's columns.

    Args:
        least: what the result's scale has to be above, by the operands' scales and the element type.
        numbers: the multipliers, by the scales of the operands and of the result, and the element type.
    """

    def rule(c: Context, node: Node) -> Stored:
        if (made := columns(c, node)) is not None:
            return made
        a, b = (tensor(c, value) for value in node.inputs)
        first, second, dtype = affine_of(a), affine_of(b), c.scheme.dtype.numpy
        last = c.clamp_after(node) or node
        out = c.choose(last.output, least(first.scale, second.scale, dtype) * ABOVE_ONE, LEAST_HIDDEN_SCALE)
        function = "linear" if last is node else str(last.attributes["function"])
        minimum, maximum = integer.activation_range(function, out.scale, out.zero_point, dtype)
        points = {"zero_point_a": first.zero_point, "zero_point_b": second.zero_point, "zero_point": out.zero_point}
        attributes = {**numbers(first.scale, second.scale, out.scale, dtype), **points}
        made = c.emit(operation, last.output, out, [a.name, b.name], minimum=minimum, maximum=maximum, **attributes)
        c.keep(last.output, made)
        return made

    return rule


Least = Callable[[float, float, "np.dtype[Any]"], float]
Numbers = Callable[[float, float, float, "np.dtype[Any]"], dict[str, int]]
add = joined("add_quantized", integer_elementwise.least_sum_scale, integer_elementwise.sum_numbers)
subtract = joined("subtract_quantized", integer_elementwise.least_sum_scale, integer_elementwise.sum_numbers)
multiply = joined(
    "multiply_quantized",
    lambda first, second, _: first * second,
    lambda first, second, made, _: integer_elementwise.fraction(first * second / made),
)


# ------------------------------------------------------------------------------------------------------ moving


def moved(c: Context, node: Node) -> Stored:
    """What gives elements of its input as they are."""
    x = tensor(c, node.inputs[0])
    return c.emit(node.operation, node.output, affine_of(x), [x.name], **node.attributes)


def concatenate(c: Context, node: Node) -> Stored:
    """Side by side, in one scale: the inputs', if they have the same, or one that holds them all."""
    stored = {c.stored(value).affine if c.is_integer(value) else None for value in node.inputs}
    out = stored.pop()
    if stored or out is None:
        out = c.choose(node.output, max(_least_scale(c, value) for value in node.inputs), LEAST_HIDDEN_SCALE)
    return c.emit("concatenate", node.output, out, [tensor(c, value, out).name for value in node.inputs])


def _least_scale(c: Context, value: str) -> float:
    """The finest scale that a value can be brought to."""
    if value in c.graph.constants:
        return 0.0
    x = c.columns(value)
    return 2 * float(np.max(np.abs(x.columns))) / integer.INT8_MAX if x.affine is None else x.affine.scale
