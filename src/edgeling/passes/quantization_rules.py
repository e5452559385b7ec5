# SPDX-License-Identifier: Apache-2.0
"""The table of quantisation: for each operation the rule that makes its integer form, or why there is none.

A rule is given the context and a node of the float graph; it adds nodes to the integer graph, and gives the value that
stands for the node's output. What stands before the first rule of a branch prepares features: it is taken over by the
scales of ``quantize``, or computed in float.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edgeling.graph import integer
from edgeling.graph.integer_tables import Affine, activation_table
from edgeling.graph.limits import LARGEST_SUM, largest_sum
from edgeling.graph.types import Array, Node, Quantization
from edgeling.passes.quantization import Context, Stored, is_wide_softmax, named, refused, require_finite
from edgeling.passes.scales import LEAST_HIDDEN_SCALE, quantize_layer

Rule = Callable[[Context, Node], Stored]

# Beyond these inputs the stored output hardly changes: by less than a step of 1/256 (tanh: 1/128).
SATURATION = {"sigmoid": 6.5, "hard_sigmoid": 3.0, "tanh": 3.5}
LOGISTIC = Affine(integer.LOGISTIC_SCALE, integer.LOGISTIC_ZERO_POINT)
FIXED = {"sigmoid": LOGISTIC, "tanh": Affine(integer.TANH_SCALE, integer.TANH_ZERO_POINT)}


def _dense(c: Context, node: Node) -> Stored:
    if not all(name in c.graph.constants for name in node.inputs[1:]):
        raise refused(named(node), "its weights are not constant")
    kernel, bias = (c.array(name) for name in node.inputs[1:])
    x = c.columns(node.inputs[0])
    linear = c.float[node.inputs[0]].astype(np.float64) @ kernel + bias
    require_finite(linear, node.output)
    function = str(node.attributes["function"])
    if function in integer.CLAMPS:
        return _sums(c, node, node.output, x, kernel, linear, c.reach(node.output), function)
    limit = SATURATION.get(function, np.inf)
    reach = np.clip(linear, -limit, limit)
    return _lookup(c, node, _sums(c, node, f"{node.output}_linear", x, kernel, linear, reach, "linear"))


def _sums(
    c: Context, node: Node, name: str, x: Stored, kernel: Array, linear: Array, reach: Array, clamp: str
) -> Stored:  # fmt: skip
    """A dense node's sums, and its activation if that is a clamp."""
    scale, weights, bias = quantize_layer(kernel * np.reshape(x.columns, (-1, 1)), x.step, x.rows, linear)
    _require_fits(node, weights, bias)
    # Two steps of the sum to a step of the output, at least, so that the multiplier is a fraction.
    out = c.choose(name, 2 * x.step * float(scale.max()), LEAST_HIDDEN_SCALE, reach)
    multiplier, shift = integer.quantize_multipliers(x.step * scale / out.scale)
    kind = Quantization(tuple(scale.tolist()), (0,) * len(scale), axis=0)
    constants = [c.constant(weights, f"{name}_weights", kind)]
    parts: dict[str, Array] = {
        "bias": bias.astype(np.int32),
        "multiplier": multiplier,
        "right_shift": (-shift).astype(np.int8),
    }
    constants += [c.constant(array, f"{name}_{part}") for part, array in parts.items()]
    minimum, maximum = integer.activation_range(clamp, out.scale, out.zero_point)
    return c.emit(
        "dense_int8", node, out, x.name, *constants,
        name=name, zero_point=out.zero_point, minimum=minimum, maximum=maximum,
    )  # fmt: skip


def _require_fits(node: Node, weights: Array, bias: Array) -> None:
    largest = largest_sum(weights, bias)
    if largest > LARGEST_SUM:
        raise refused(named(node), f"its sums may leave int32: {largest}")


def _activation(c: Context, node: Node) -> Stored:
    return _lookup(c, node, _whole(c, node))


def _whole(c: Context, node: Node) -> Stored:
    """The first input of a node that reads one scale for all of it."""
    x = c.columns(node.inputs[0])
    if x.affine is None:
        raise refused(named(node))
    return x


def _lookup(c: Context, node: Node, x: Stored) -> Stored:
    """An activation as a table, indexed by what ``x`` stores."""
    function, alpha = str(node.attributes["function"]), float(node.attributes["alpha"])
    before = _affine_of(x)
    out = _after(c, function, node.output, before)
    table = c.constant(activation_table(function, alpha, before, out), f"{node.output}_table")
    return c.emit("lookup_int8", node, out, x.name, table)


def _after(c: Context, function: str, value: str, before: Affine) -> Affine:
    """How the output of an activation is stored."""
    if function in FIXED:
        return FIXED[function]
    return before if function == "relu6" and not c.is_final(value) else c.choose(value, 0.0)


def _softmax(c: Context, node: Node) -> Stored:
    if is_wide_softmax(c.graph, node):
        classes = c.graph.types[node.output].shape[-1]
        raise refused(f"softmax over {classes} classes", f"{integer.MAXIMUM_CLASSES} at most")
    x = _whole(c, node)
    multiplier, left_shift, least = integer.softmax_multiplier(_affine_of(x).scale)
    return c.emit(
        "softmax_int8", node, LOGISTIC, x.name,
        multiplier=multiplier, left_shift=left_shift, minimum_difference=least,
    )  # fmt: skip


def _affine_of(x: Stored) -> Affine:
    assert x.affine is not None, "features are read by layers alone"
    return x.affine


_PREPARES = "it prepares features, before the first layer"
_TRAINING = "it trains; an integer network is deployed"
_INTEGER = "it is integer already"
_LATER = "its integer form is not written yet"

LAYERS = frozenset({"dense", "activation", "softmax"})
"""The operations that end a preparation: their output is integer whatever they read."""

PREPARATION = frozenset({
    "gather", "impute", "standardize", "calendar", "one_hot", "concatenate", "batch_normalization", "add", "subtract",
    "multiply", "divide", "clip", "square",
})  # fmt: skip
"""The operations that may stand before the first layer: absorbed by the input's scales, or computed in float."""

RULES: Mapping[str, Rule | str] = {
    "dense": _dense,
    "activation": _activation,
    "softmax": _softmax,
    **dict.fromkeys(PREPARATION, _PREPARES),
    **dict.fromkeys(("quantize", "dense_int8", "lookup_int8", "softmax_int8", "dequantize"), _INTEGER),
    **dict.fromkeys(("log_softmax", "matmul", "sum", "broadcast", "reshape", "reciprocal_sqrt", "scan"), _LATER),
    **dict.fromkeys(
        (
            "activation_gradient", "softmax_gradient", "log_softmax_gradient", "loss", "loss_gradient", "metric",
            "penalty", "penalty_gradient", "dropout_mask", "count", "sgd_update", "momentum_update", "rmsprop_update",
            "adagrad_update", "adam_update", "amsgrad_update", "adamax_update", "nadam_update", "lion_update",
            "adadelta_update", "ftrl_update", "lamb_update", "adafactor_update", "decay", "power_step", "adam_alpha",
            "adamax_alpha", "nadam_product", "norm", "clip_scale", "scatter",
        ),
        _TRAINING,
    ),
}  # fmt: skip
