# SPDX-License-Identifier: Apache-2.0
"""The operations a graph may hold. Every table keyed by operation (types, meaning, gradient, C call, cost, int8)
has one row for each name here, or an entry that says why not; ``tests/graph/test_tables.py`` holds them to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgeling.graph.types import EMPTY_GRAPH, Attribute

MANY = -1  # number of inputs: one or more


@dataclass(frozen=True)
class Operation:
    """What an operation takes; what it gives follows from its type rule.

    Attributes:
        description: its formula, for people.
        inputs: how many; ``MANY`` for one or more.
        attributes: defaults, which also fix the types.
        work: the elements it does something for, one elementary operation each; where that is not all, ``cost.py``
            has its row.
    """

    description: str
    inputs: int
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    work: Literal["outputs", "inputs", "none"] = "outputs"


def _binary(description: str) -> Operation:
    return Operation(description + " (NumPy broadcasting)", 2)


def _update(slots: int, scalars: int, description: str, **attributes: float | bool) -> Operation:
    """An optimizer rule: (parameter, gradient, slots..., scalars...) -> (parameter, slots...)."""
    return Operation(description, 2 + slots + scalars, attributes)


LOSS_ATTRIBUTES: Mapping[str, Attribute] = {
    "function": "mean_squared_error",
    "from_logits": False,
    "label_smoothing": 0.0,
    "delta": 1.0,
    "alpha": 0.25,
    "gamma": 2.0,
    "apply_class_balancing": False,
    "q": 0.5,
}
CROSS_ENTROPY_ATTRIBUTES: Mapping[str, Attribute] = {
    "function": "binary_crossentropy",
    **{key: LOSS_ATTRIBUTES[key] for key in ("label_smoothing", "alpha", "gamma", "apply_class_balancing", "q")},
}
ACTIVATION_ATTRIBUTES: Mapping[str, Attribute] = {"function": "linear", "alpha": 0.0}

TRIGONOMETRIC = ("sin", "cos", "arctan")
WHOLE = ("floor", "ceil", "round", "trunc")
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")

ELEMENTWISE = {
    "add": _binary("a + b"),
    "subtract": _binary("a - b"),
    "multiply": _binary("a * b"),
    "divide": _binary("a / b"),
    "maximum": _binary("the larger of a and b"),
    "minimum": _binary("the smaller of a and b"),
    "compare": Operation("1 where a FUNCTION b, else 0 (NumPy broadcasting)", 2, {"function": "not_equal"}),
    "select": Operation("(condition, a, b): a where condition is not 0, else b (NumPy broadcasting)", 3),
    "square": Operation("x * x", 1),
    "logarithm": Operation("the natural logarithm of x: -infinity of 0, NaN below", 1),
    "trigonometric": Operation("FUNCTION of x, an angle in radians; of arctan the angle is what it gives", 1,
                               {"function": "sin"}),
    "whole": Operation("x to a whole number: down, up, to the nearest, of two the even one, or towards zero", 1,
                       {"function": "round"}),
    "stop_gradient": Operation("x, through which no gradient goes", 1, work="none"),
    "reciprocal_sqrt": Operation("1 / sqrt(x + epsilon)", 1, {"epsilon": 0.0}),
    "clip": Operation("x limited to [minimum, maximum]", 1, {"minimum": 0.0, "maximum": 0.0}),
    "activation": Operation("an activation function; alpha is its slope or scale", 1, ACTIVATION_ATTRIBUTES),
}  # fmt: skip

LINEAR = {
    "dense": Operation("activation(x @ kernel + bias): x [n,i], kernel [i,o], bias [o]", 3, ACTIVATION_ATTRIBUTES),
    "matmul": Operation(
        "a @ b, the last two axes of each transposed first if asked; the axes before are the same",
        2,
        {"transpose_a": False, "transpose_b": False},
    ),
    "sum": Operation("sum over the axes, which are kept with length one", 1, {"axes": (0,)}, work="inputs"),
    "broadcast": Operation("x repeated to a shape (NumPy broadcasting)", 1, {"shape": (1,)}, work="none"),
    "reshape": Operation("the same elements in another shape", 1, {"shape": (1,)}, work="none"),
}

_WINDOW: Mapping[str, Attribute] = {"strides": (1, 1), "padding": (0, 0, 0, 0)}
_KERNEL: Mapping[str, Attribute] = {**_WINDOW, "dilations": (1, 1), "groups": 1}
WINDOWS = {
    "conv": Operation(
        "activation(convolution + bias): x [n,h,w,c], kernel [kh,kw,c/groups,o], bias [o]; padding above, below, left "
        "and right; see `windows.py`", 3, {**_KERNEL, **ACTIVATION_ATTRIBUTES},
    ),
    "conv_input_gradient": Operation("(dy, kernel) -> dx of a shape; a transposed convolution", 2,
                                     {**_KERNEL, "shape": (1,)}),
    "conv_kernel_gradient": Operation("(x, dy) -> dkernel, its first lengths size", 2, {**_KERNEL, "size": (1, 1)}),
    "max_pool": Operation("the largest of each window of x [n,h,w,c]", 1, {**_WINDOW, "size": (1, 1)}),
    "average_pool": Operation("the mean of what each window sees of x [n,h,w,c]", 1, {**_WINDOW, "size": (1, 1)}),
}  # fmt: skip

SHAPING = {
    "transpose": Operation("the axes in another order", 1, {"permutation": (0,)}, work="none"),
    "pad": Operation("x at begin in a shape filled with value", 1, {"begin": (0,), "shape": (1,), "value": 0.0},
                     work="none"),
    "slice": Operation("the part of a shape that begins at begin", 1, {"begin": (0,), "shape": (1,)}, work="none"),
}  # fmt: skip

NORMALISING = {
    "softmax": Operation("softmax over the last axis", 1, work="inputs"),
    "log_softmax": Operation("log of softmax over the last axis", 1, work="inputs"),
    "normalize": Operation(
        "(x - mean) / sqrt(variance + epsilon) over the last axis; if not centered x / sqrt(mean of squares + epsilon)",
        1, {"epsilon": 1e-3, "centered": True}, work="inputs",
    ),
    "batch_normalization": Operation(
        "gamma * (x - mean) / sqrt(variance + epsilon) + beta, with (x, gamma, beta, mean, variance)",
        5, {"epsilon": 1e-3},
    ),
}  # fmt: skip

PREPARATION = {
    "impute": Operation("(x, fill): fill where x is NaN", 2),
    "standardize": Operation("(x, mean, scale): (x - mean) / scale", 3),
    "gather": Operation("the columns of [n, c] named by indices", 1, {"indices": (0,)}, work="none"),
    "scatter": Operation("[n, k] added into the columns, named by indices, of zeros [n, columns]", 1,
                         {"indices": (0,), "columns": 1}, work="none"),
    "calendar": Operation(
        "the parts (0 year, 1 month, 2 day, 3 weekday, 4 hour, 5 minute) of [n, 1] counts of units_per_day since "
        "epoch_days after 1970-01-01", 1, {"parts": (0,), "units_per_day": 1, "epoch_days": 0},
    ),
    "one_hot": Operation("[n, 1] codes to [n, depth]; a code outside is all zeros", 1, {"depth": 1}),
    "embedding": Operation(
        "(codes [n, k], table [d, w]): of each code the table's row, side by side [n, k * w]; column i's codes count "
        "sizes[i] rows from starts[i], a code outside is all zeros", 2, {"starts": (0,), "sizes": (1,)}, work="none",
    ),
    "concatenate": Operation("[n, ...] side by side along the last axis", MANY, work="none"),
}  # fmt: skip

_AFFINE: Mapping[str, Attribute] = {"function": "reflect", "bilinear": True, "fill_value": 0.0}
TRAINING = {
    "loss": Operation("(y_true, y_pred) -> [n] loss of each row", 2, LOSS_ATTRIBUTES, work="inputs"),
    "cross_entropy": Operation(
        "(y_true, logits, probabilities) -> [n] loss of each row: from the logits what their softmax or sigmoid has "
        "rounded away", 3, CROSS_ENTROPY_ATTRIBUTES, work="inputs",
    ),
    "metric": Operation("(y_true, y_pred) -> [n], 1 or 0 or the mean over the row's outputs", 2,
                        {"function": "binary_accuracy", "threshold": 0.5}, work="inputs"),
    "normalize_batch": Operation(
        "(x [...,c], gamma [c], beta [c], share): function(gamma * (x - mean) / sqrt(variance + epsilon) + beta), and "
        "mean and variance [c], sums over all axes but the last times share; function is relu, relu6 or linear",
        4, {"epsilon": 1e-3, "function": "linear"}, work="inputs",
    ),
    "penalty": Operation("l1 * sum|w| + l2 * sum w^2, a scalar", 1, {"l1": 0.0, "l2": 0.0}, work="inputs"),
    "dropout_mask": Operation("(seed, step) uint32 scalars -> 0 or 1/(1-rate), by Philox", 2,
                              {"shape": (1,), "rate": 0.5, "stream": 0}),
    "noise": Operation("(seed, step) uint32 scalars -> standard normals, by Philox and Box and Muller's transform", 2,
                       {"shape": (1,), "stream": 0}),
    "random_affine": Operation(
        "(seed, step) uint32 scalars -> a map [n, 6] for each image of a size, by Philox; see `affine.py`", 2,
        {"function": "translation", "shape": (1, 6), "size": (1, 1), "low": (0.0, 0.0), "high": (0.0, 0.0),
         "together": False, "stream": 0},
    ),
    "affine_transform": Operation("x [n,h,w,c] seen through maps [n, 6]; see `affine.py`", 2, _AFFINE),
    "count": Operation("step + 1, an uint32 scalar", 1),
}  # fmt: skip

_GATES: Mapping[str, Attribute] = {
    "function": "tanh", "alpha": 0.0, "recurrent_function": "sigmoid", "recurrent_alpha": 0.0,
}  # fmt: skip
RECURRENT = {
    "lstm_gates": Operation(
        "(x, g [n,4u], c [n,u]) -> h = o tanh(c'), c' = f c + i n, gates, of the gates i, f, n, o of x + g; see "
        "`recurrent.py`", 3, _GATES,
    ),
    "gru_gates": Operation(
        "(x, g [n,3u], h [n,u]) -> h' = z h + (1 - z) tanh(x_n + r g_n), gates, of the gates z, r of x + g", 3, _GATES,
    ),
    "reverse": Operation("the slices along an axis in reverse order", 1, {"axis": 0}, work="none"),
}  # fmt: skip

BACKWARDS = {
    "lstm_gates_gradient": Operation("(dh, dc', gates, c) -> d(x + g), dc", 4, _GATES),
    "gru_gates_gradient": Operation("(dh', gates, g, h) -> dx, dg, dh", 4, _GATES),
    "embedding_gradient": Operation(
        "(dy [n, k * w], codes [n, k]) -> d_table [depth, w]", 2, {"starts": (0,), "sizes": (1,), "depth": 1},
        work="inputs",
    ),
    "activation_gradient": Operation(
        "(dy, v) -> dx, where v is the activation's output or input, as its row in `activations` says",
        2, ACTIVATION_ATTRIBUTES,
    ),
    "softmax_gradient": Operation("(dy, y) -> dx", 2),
    "log_softmax_gradient": Operation("(dy, y) -> dx", 2),
    "normalize_batch_gradient": Operation(
        "(dy, x, gamma, beta, mean, variance, share) -> dx, dgamma, dbeta, through mean and variance too", 7,
        {"epsilon": 1e-3, "function": "linear"}, work="inputs",
    ),
    "normalize_gradient": Operation("(dy, x) -> dx", 2, {"epsilon": 1e-3, "centered": True}),
    "max_pool_gradient": Operation(
        "(dy, x) -> dx: to the first of the largest in each window", 2, {**_WINDOW, "size": (1, 1)}, work="inputs",
    ),
    "average_pool_gradient": Operation("(dy) -> dx of a shape", 1, {**_WINDOW, "size": (1, 1), "shape": (1,)}),
    "affine_transform_gradient": Operation("(dy, maps) -> dx", 2, _AFFINE),
    "larger_gradient": Operation("(dy, a, b) -> dy where a > b, half of it where they are equal, else 0", 3),
    "loss_gradient": Operation("(d_rows [n], y_true, y_pred) -> d_y_pred", 3, LOSS_ATTRIBUTES, work="inputs"),
    "cross_entropy_gradient": Operation(
        "(d_rows [n], y_true, probabilities) -> d_logits", 3, CROSS_ENTROPY_ATTRIBUTES, work="inputs"
    ),
    "penalty_gradient": Operation("(dy scalar, w) -> dw", 2, {"l1": 0.0, "l2": 0.0}),
}  # fmt: skip

_ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
UPDATES = {
    "sgd_update": _update(0, 1, "w - lr * g; scalars: lr"),
    "momentum_update": _update(1, 1, "slots: m; scalars: lr", momentum=0.9, nesterov=False),
    "rmsprop_update": Operation(
        "slots: v, then mean if centered, then momentum's if momentum > 0; scalars: lr",
        MANY, {"rho": 0.9, "epsilon": 1e-7, "momentum": 0.0, "centered": False},
    ),
    "adagrad_update": _update(1, 1, "slots: accumulator; scalars: lr", epsilon=1e-7),
    "adam_update": _update(2, 1, "slots: m, v; scalars: alpha", **_ADAM),
    "amsgrad_update": _update(3, 1, "slots: m, v, v_hat; scalars: alpha", **_ADAM),
    "adamax_update": _update(2, 1, "slots: m, u; scalars: alpha", **_ADAM),
    "nadam_update": _update(
        2, 4, "slots: m, v; scalars: lr, 0.96 ** t, u_product, beta_2 ** t", **_ADAM
    ),
    "lion_update": _update(1, 1, "slots: m; scalars: lr", beta_1=0.9, beta_2=0.99),
    "adadelta_update": _update(
        2, 1, "slots: mean of squared gradients, of squared steps; scalars: lr", rho=0.95, epsilon=1e-7
    ),
    "ftrl_update": _update(
        2, 1, "slots: accumulator, linear; scalars: lr",
        power=0.5, l1=0.0, l2=0.0, l2_shrinkage=0.0, beta=0.0,
    ),
    "lamb_update": _update(2, 3, "slots: m, v; scalars: lr, beta_1 ** t, beta_2 ** t", **_ADAM),
    "adafactor_update": Operation(
        "of a matrix (w, g, means of rows [n], of columns [k], v, lr, t), of a vector (w, g, v, lr, t)",
        MANY, {"decay": -0.8, "epsilon_1": 1e-30, "epsilon_2": 1e-3, "clip_threshold": 1.0},
    ),
    "decay": Operation("(w, lr): w - w * rate * lr, decoupled weight decay", 2, {"rate": 0.0}),
    "power_step": Operation("beta ** t from beta ** (t - 1): p * beta, 0 once below 1e-30", 1, {"beta": 0.9}),
    "adam_alpha": Operation("(lr, beta_1 ** t, beta_2 ** t): lr * sqrt(1 - beta_2 ** t) / (1 - beta_1 ** t)", 3),
    "adamax_alpha": Operation("(lr, beta_1 ** t): lr / (1 - beta_1 ** t)", 2),
    "nadam_product": Operation("(u_product, 0.96 ** t): u_product * u_t, 0 once below 1e-30", 2, {"beta_1": 0.9}),
    "norm": Operation("sqrt of the sum of squares of all inputs, a scalar", MANY, work="inputs"),
    "clip_scale": Operation("(norm): limit / max(norm, limit), a scalar", 1, {"limit": 1.0}),
}  # fmt: skip

INT8 = {
    "quantize": Operation(
        "(x, fraction_bits, zero_point, missing): clamp(round(x * 2 ** fraction_bits) + zero_point) a column, int8 or "
        "int16 as missing is, which NaN becomes",
        4,
    ),
    "dequantize": Operation("scale * (x - zero_point), exact in float32", 1, {"scale": 1.0, "zero_point": 0}),
    "dense_int8": Operation(
        "(x [n,i], weights [o,i], bias, multiplier, right_shift): TFLite's FULLY_CONNECTED, zero point in the bias",
        5, {"zero_point": 0, "minimum": -128, "maximum": 127},
    ),
    "softmax_int8": Operation(
        "TFLite's SOFTMAX over the last axis; fine: to int16, in steps of 2^-16", 1,
        {"multiplier": 0, "left_shift": 0, "minimum_difference": 0, "fine": False},
    ),
    "lookup_int8": Operation("(x, table [256], int8 or int16): table[x], the table indexed by x's unsigned byte", 2),
    "curves_int8": Operation(
        "(x [n,c], tables [o,e], bias, multiplier, right_shift): 256 times the sum of a table a column, at x + 128 "
        "shifted to the right, then as dense_int8",
        5, {"shifts": (0,), "zero_point": 0, "minimum": -128, "maximum": 127},
    ),
}  # fmt: skip

_OPERANDS = {"zero_point_a": 0, "zero_point_b": 0}
_FRACTION = {"multiplier": 0, "right_shift": 0, "zero_point": 0}
_CLAMP = {"minimum": -128, "maximum": 127}
_SUM = {
    **_OPERANDS,
    "multiplier_a": 0,
    "right_shift_a": 0,
    "multiplier_b": 0,
    "right_shift_b": 0,
    **_FRACTION,
    **_CLAMP,
}
QUANTIZED = {
    "dense_int16": Operation(
        "(x [n,i], weights int8 [o,i], bias, multiplier int16, right_shift): TFLite's FULLY_CONNECTED, 16x8",
        5, {"zero_point": 0, "minimum": -(2**15), "maximum": 2**15 - 1},
    ),
    "lookup_int16": Operation("(x, table [513]): the table's straight lines between every 128th value", 2),
    "softmax_int16": Operation(
        "(x, exponential [513], reciprocal [513]): TFLite's SOFTMAX over the last axis, 16x8",
        3, {"left_shift": 0, "multiplier": 0, "right_shift": 0},
    ),
    "add_quantized": Operation("TFLite's ADD (NumPy broadcasting)", 2, _SUM),
    "subtract_quantized": Operation("TFLite's SUB (NumPy broadcasting)", 2, _SUM),
    "multiply_quantized": Operation("TFLite's MUL (NumPy broadcasting)", 2, {**_OPERANDS, **_FRACTION, **_CLAMP}),
    "requantize": Operation(
        "TFLite's QUANTIZE of integers: the same values in another scale", 1,
        {"input_zero_point": 0, "left_shift": 0, **_FRACTION},
    ),
    "scale_quantized": Operation(
        "(x, weights, bias, multiplier, right_shift): x times a weight, plus a bias, for each last axis",
        5, {"zero_point": 0},
    ),
    "sum_quantized": Operation(
        "TFLite's SUM over the axes, which are kept", 1, {"axes": (0,), "input_zero_point": 0, **_FRACTION},
        work="inputs",
    ),
}  # fmt: skip

REGIONS = {
    "scan": Operation(
        "(carried..., sequences..., captured...): a body graph run once a step; see `scan.py`",
        MANY, {"body": EMPTY_GRAPH, "length": 1, "carried": 0, "axes": (0,), "reverse": False},
    ),
}  # fmt: skip

GATES = ("lstm_gates", "lstm_gates_gradient", "gru_gates", "gru_gates_gradient")

OPERATIONS: Mapping[str, Operation] = {
    **ELEMENTWISE, **LINEAR, **WINDOWS, **SHAPING, **NORMALISING, **PREPARATION, **TRAINING, **RECURRENT, **BACKWARDS,
    **UPDATES, **INT8, **QUANTIZED, **REGIONS,
}  # fmt: skip
