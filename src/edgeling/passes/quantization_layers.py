# SPDX-License-Identifier: Apache-2.0
"""Rules of quantisation for layers: products with constant weights, activations, softmax."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from edgeling.errors import GraphError
from edgeling.graph import integer
from edgeling.graph.integer_tables import FINE_LOGISTIC, FINE_REACH, Affine, fine_logistic_table
from edgeling.graph.limits import LARGEST_SUM, largest_sum
from edgeling.graph.types import Array, DType, Node, Quantization
from edgeling.passes.quantization import Context, Stored, named, refused, require_finite
from edgeling.passes.quantization_arithmetic import affine_of, tensor
from edgeling.passes.scales import LEAST_HIDDEN_SCALE, quantize_layer

SOFTMAX_TABLES = ("exponential", "reciprocal")

Sums = Callable[[str, Array, str], Stored]
"""Adds the node of a layer's sums: of a name, of a range to hold, behind a clamp."""


def dense(c: Context, node: Node) -> Stored:
    """A dense layer with constant weights."""
    _require_constant(c, node, *node.inputs[1:])
    kernel, bias = (c.array(name) for name in node.inputs[1:])
    return _product(c, node, kernel, bias)


def matmul(c: Context, node: Node) -> Stored:
    """A product with a constant matrix: a dense layer without bias."""
    _require_constant(c, node, node.inputs[1])
    if node.attributes["transpose_a"] or len(c.array(node.inputs[1]).shape) != 2:
        raise refused(named(node), "it transposes its input, or is a product of many matrices")
    matrix = c.array(node.inputs[1])
    kernel = matrix.T if node.attributes["transpose_b"] else matrix
    return _product(c, node, kernel, np.zeros(kernel.shape[1]))


def _require_constant(c: Context, node: Node, *values: str) -> None:
    if not all(value in c.graph.constants for value in values):
        raise refused(named(node), "its weights are not constant")


def _product(c: Context, node: Node, kernel: Array, bias: Array) -> Stored:
    x = c.columns(node.inputs[0])
    linear = c.float[node.inputs[0]].astype(np.float64) @ kernel + bias
    require_finite(linear, node.output)
    return activated(c, node, linear, partial(_sums, c, node, x, kernel, linear))


def activated(c: Context, node: Node, linear: Array, sums: Sums) -> Stored:
    """A layer's sums, float64 ``linear`` on the calibration rows, and its activation: a clamp of them, or a table."""
    function = str(node.attributes.get("function", "linear"))
    if function in integer.CLAMPS:
        return sums(node.output, c.reach(node.output), function)
    # Beyond it the activation no longer changes by a step, so that the table's 256 places are kept for what does.
    limit = FINE_REACH if c.is_told_finely(node) else c.scheme.saturation.get(function, np.inf)
    return _lookup(c, node, sums(f"{node.output}_linear", np.clip(linear, -limit, limit), "linear"))


def _sums(
    c: Context, node: Node, x: Stored, kernel: Array, linear: Array, name: str, reach: Array, clamp: str
) -> Stored:  # fmt: skip
    """A dense node's sums, and its activation if that is a clamp."""
    centre = c.centre(name, reach)
    scale, weights, bias = quantize_layer(kernel * np.reshape(x.columns, (-1, 1)), x.step, x.rows, linear - centre)
    out = c.choose(name, c.scheme.steps * x.step * float(scale.max()), LEAST_HIDDEN_SCALE, reach)
    # Sums far from 0 are made around their centre: a large bias would make the scale of the weights coarse.
    carried = round(centre / out.scale)  # by the output's zero point
    bias += np.rint((centre - carried * out.scale) / (x.step * scale)).astype(np.int64)
    _require_fits(c, node, weights, bias)
    multiplier, right_shift = c.scheme.multipliers(x.step * scale / out.scale)
    kind = Quantization(tuple(scale.tolist()), (0,) * len(scale), axis=0)
    constants = [c.constant(weights, f"{name}_weights", kind)]
    parts: dict[str, Array] = {
        "bias": bias.astype(np.int32),
        "multiplier": multiplier,
        "right_shift": right_shift,
    }
    constants += [c.constant(array, f"{name}_{part}") for part, array in parts.items()]
    return c.emit(
        c.scheme.operation("dense"), name, out, [x.name, *constants], node.output,
        zero_point=out.zero_point + carried, **c.limits(clamp, out),
    )  # fmt: skip


def _require_fits(c: Context, node: Node, weights: Array, bias: Array) -> None:
    largest = largest_sum(weights, bias, c.scheme.dtype)
    if largest > LARGEST_SUM:
        raise refused(named(node), f"its sums may leave int32: {largest}")


def activation(c: Context, node: Node) -> Stored:
    """An activation that is not part of a dense layer."""
    return _lookup(c, node, tensor(c, node.inputs[0]))


def _lookup(c: Context, node: Node, x: Stored) -> Stored:
    """An activation as a table, indexed by what ``x`` stores."""
    function, alpha = str(node.attributes["function"]), float(node.attributes["alpha"])
    before = affine_of(x)
    if c.is_told_finely(node):
        table = c.constant(fine_logistic_table(before), f"{node.output}_table")
        return c.emit("lookup_int8", node.output, FINE_LOGISTIC, [x.name, table], "", DType.INT16)
    out = _after(c, function, node.output, before)
    table = c.constant(c.scheme.activation(function, alpha, before, out), f"{node.output}_table")
    return c.emit(c.scheme.operation("lookup"), node.output, out, [x.name, table])


def _after(c: Context, function: str, value: str, before: Affine) -> Affine:
    """How the output of an activation is stored."""
    if function in c.scheme.fixed:
        return c.scheme.fixed[function]
    return before if function == "relu6" and not c.is_final(value) else c.choose(value, 0.0)


def softmax(c: Context, node: Node) -> Stored:
    """A softmax over no more classes than TensorFlow Lite's integers can sum."""
    if c.is_wide_softmax(node):
        classes = c.graph.types[node.output].shape[-1]
        raise refused(f"softmax over {classes} classes", f"{c.scheme.most_classes} at most")
    x = tensor(c, node.inputs[0])
    try:
        numbers, tables = c.scheme.softmax(affine_of(x).scale)
    except GraphError as error:
        raise refused(named(node), f"{error.rule}, received {error.received}") from None
    names = [c.constant(table, f"{node.output}_{part}") for table, part in zip(tables, SOFTMAX_TABLES, strict=False)]
    if c.is_told_finely(node):
        return c.emit("softmax_int8", node.output, FINE_LOGISTIC, [x.name], "", DType.INT16, **numbers, fine=True)
    fixed = c.scheme.fixed["softmax"]
    return c.emit(c.scheme.operation("softmax"), node.output, fixed, [x.name, *names], **numbers)
