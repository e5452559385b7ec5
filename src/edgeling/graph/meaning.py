# SPDX-License-Identifier: Apache-2.0
"""What every operation means, in NumPy. This is the specification the C kernels are held to.

A meaning takes the node's attributes and its input arrays, and gives one array, or a tuple of several. It computes in
the inputs' own precision, so the same graph runs in float64 for finite differences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edgeling.errors import GraphError
from edgeling.graph import affine, integer, integer16, integer_elementwise, losses, recurrent
from edgeling.graph.activations import ACTIVATIONS, log_softmax
from edgeling.graph.calendar import calendar_parts
from edgeling.graph.random import DROPOUT_STREAM, NOISE_STREAM, random_normal, random_uniform
from edgeling.graph.scan import Scan
from edgeling.graph.sums import axes_sum, product, products, row_sum
from edgeling.graph.types import Array, DType, Graph, Node
from edgeling.graph.updates import UPDATE_MEANINGS
from edgeling.graph.windows import (
    average_pool,
    average_pool_gradient,
    convolve,
    convolve_input_gradient,
    convolve_kernel_gradient,
    max_pool,
    max_pool_gradient,
)

Attributes = Mapping[str, Any]
Meaning = Callable[..., Any]


def _activation(a: Attributes, x: Array) -> Array:
    return ACTIVATIONS[a["function"]].value(x, a["alpha"])


def _activation_gradient(a: Attributes, dy: Array, v: Array) -> Array:
    return dy * ACTIVATIONS[a["function"]].derivative(v, a["alpha"])


def _dense(a: Attributes, x: Array, kernel: Array, bias: Array) -> Array:
    return _activation(a, product(x, kernel, bias))


def _conv(a: Attributes, x: Array, kernel: Array, bias: Array) -> Array:
    return _activation(a, convolve(a, x, kernel, bias))


def _part(a: Attributes, shape: Sequence[int]) -> tuple[slice, ...]:
    """Where a part of a shape lies in the whole."""
    return tuple(slice(start, start + length) for start, length in zip(a["begin"], shape, strict=True))


def _pad(a: Attributes, x: Array) -> Array:
    y = np.full(a["shape"], a["value"], x.dtype)
    y[_part(a, x.shape)] = x
    return y


def _larger_gradient(_: Attributes, dy: Array, a: Array, b: Array) -> Array:
    return np.where(a == b, dy * dy.dtype.type(0.5), np.where(a > b, dy, dy.dtype.type(0)))


def _matmul(a: Attributes, left: Array, right: Array) -> Array:
    turned = left.swapaxes(-1, -2) if a["transpose_a"] else left, right.swapaxes(-1, -2) if a["transpose_b"] else right
    return product(*turned) if left.ndim == 2 else products(*turned)


def _softmax(_: Attributes, x: Array) -> Array:
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def _softmax_gradient(_: Attributes, dy: Array, y: Array) -> Array:
    return y * (dy - row_sum(dy * y))


def _log_softmax_gradient(_: Attributes, dy: Array, y: Array) -> Array:
    return dy - np.exp(y) * row_sum(dy)


def _centered(a: Attributes, x: Array) -> tuple[Array, Array]:
    """Less its mean where that is asked for, and one over its deviation, over the last axis."""
    count = x.dtype.type(x.shape[-1])
    rest = x - row_sum(x) / count if a["centered"] else x
    return rest, 1 / np.sqrt(row_sum(rest * rest) / count + a["epsilon"])


def _normalize(a: Attributes, x: Array) -> Array:
    rest, scale = _centered(a, x)
    return rest * scale


def _normalize_gradient(a: Attributes, dy: Array, x: Array) -> Array:
    rest, scale = _centered(a, x)
    y, count = rest * scale, x.dtype.type(x.shape[-1])
    dx = dy - y * (row_sum(dy * y) / count)
    return scale * (dx - row_sum(dy) / count if a["centered"] else dx)


def _column_sum(x: Array) -> Array:
    """Over all axes but the last."""
    return axes_sum(x, range(x.ndim - 1)).reshape(-1)


def _normalize_batch(a: Attributes, x: Array, gamma: Array, beta: Array, share: Array) -> tuple[Array, Array, Array]:
    mean = _column_sum(x) * share
    variance = _column_sum(np.square(x - mean)) * share
    y = gamma * (x - mean) / np.sqrt(variance + a["epsilon"]) + beta
    return ACTIVATIONS[a["function"]].value(y, 0.0), mean, variance


def _normalize_batch_gradient(
    a: Attributes, dy: Array, x: Array, gamma: Array, beta: Array, mean: Array, variance: Array, share: Array
) -> tuple[Array, Array, Array]:
    """Ioffe and Szegedy, ICML 2015, section 3."""
    deviation = np.sqrt(variance + a["epsilon"])
    normal = (x - mean) / deviation
    arriving = dy * ACTIVATIONS[a["function"]].derivative(
        ACTIVATIONS[a["function"]].value(gamma * normal + beta, 0.0), 0.0
    )
    d_gamma, d_beta = _column_sum(arriving * normal), _column_sum(arriving)
    return gamma / deviation * (arriving - share * (d_beta + normal * d_gamma)), d_gamma, d_beta


def _batch_normalization(a: Attributes, x: Array, gamma: Array, beta: Array, mean: Array, variance: Array) -> Array:
    return gamma * (x - mean) / np.sqrt(variance + a["epsilon"]) + beta


def _scatter(a: Attributes, x: Array) -> Array:
    y = np.zeros((len(x), a["columns"]), x.dtype)
    for column, index in enumerate(a["indices"]):
        y[:, index] += x[:, column]
    return y


def _one_hot(a: Attributes, x: Array) -> Array:
    return (x == np.arange(a["depth"])).astype(x.dtype)


def _rows_named(a: Attributes, codes: Array) -> tuple[Array, Array]:
    """Of each code [n, k] the table's row, and whether there is one."""
    with np.errstate(invalid="ignore"):
        known = (codes >= 0) & (codes < np.asarray(a["sizes"])) & (codes == np.floor(codes))
    return np.where(known, codes, 0).astype(np.int64) + np.asarray(a["starts"]), known


def _embedding(a: Attributes, codes: Array, table: Array) -> Array:
    rows, known = _rows_named(a, codes)
    return np.where(known[..., None], table[rows], table.dtype.type(0)).reshape(len(codes), -1)


def _embedding_gradient(a: Attributes, dy: Array, codes: Array) -> Array:
    rows, known = _rows_named(a, codes)
    total = np.zeros((a["depth"], dy.shape[1] // codes.shape[1]), dy.dtype)
    np.add.at(total, rows[known], dy.reshape(*codes.shape, -1)[known])
    return total


def _options(a: Attributes) -> losses.Options:
    return losses.Options(**{key: value for key, value in a.items() if key != "function"})


def _loss(a: Attributes, y_true: Array, y_pred: Array) -> Array:
    return losses.LOSSES[a["function"]].value(y_true, y_pred, _options(a))


def _loss_gradient(a: Attributes, d_rows: Array, y_true: Array, y_pred: Array) -> Array:
    return d_rows[:, None] * losses.LOSSES[a["function"]].gradient(y_true, y_pred, _options(a))


def _cross_entropy(a: Attributes, y_true: Array, logits: Array, probabilities: Array) -> Array:
    return losses.CROSS_ENTROPIES[a["function"]].value(y_true, logits, probabilities, _options(a))


def _cross_entropy_gradient(a: Attributes, d_rows: Array, y_true: Array, probabilities: Array) -> Array:
    return d_rows[:, None] * losses.CROSS_ENTROPIES[a["function"]].gradient(y_true, probabilities, _options(a))


def _penalty(a: Attributes, w: Array) -> Array:
    return np.asarray(a["l1"] * np.sum(np.abs(w)) + a["l2"] * np.sum(w * w))


def _penalty_gradient(a: Attributes, dy: Array, w: Array) -> Array:
    """That of |w| is 1 where w is 0, as Keras has it of JAX: many a bias begins there."""
    return dy * (float(a["l1"]) * np.where(w >= 0, 1, -1).astype(w.dtype) + 2 * a["l2"] * w)


def _dropout_mask(a: Attributes, seed: Array, step: Array) -> Array:
    size = int(np.prod(a["shape"]))
    drawn = random_uniform(size, seed=int(seed), step=int(step), stream=DROPOUT_STREAM, substream=a["stream"])
    kept = (drawn >= np.float32(a["rate"])).astype(np.float32)
    return (kept * np.float32(1 / (1 - a["rate"]))).reshape(a["shape"])


def _noise(a: Attributes, seed: Array, step: Array) -> Array:
    size = int(np.prod(a["shape"]))
    drawn = random_normal(size, seed=int(seed), step=int(step), stream=NOISE_STREAM, substream=a["stream"])
    return drawn.reshape(a["shape"])


def _scale(fraction_bits: Any) -> Array:
    return np.ldexp(np.float32(1), -np.asarray(fraction_bits, np.int32))


def _quantize(_: Attributes, x: Array, bits: Array, zero_point: Array, missing: Array) -> Array:
    return integer.quantize(x, _scale(bits), zero_point, missing, missing.dtype)


def _dense_int8(a: Attributes, x: Array, weights: Array, bias: Array, multiplier: Array, shift: Array) -> Array:
    limits = {"minimum": a["minimum"], "maximum": a["maximum"]}
    left_shift = -shift.astype(np.int32)
    return integer.dense(x, weights, bias, multiplier, left_shift, output_zero_point=a["zero_point"], **limits)


MEANINGS: dict[str, Meaning] = {
    "add": lambda _, x, y: x + y,
    "subtract": lambda _, x, y: x - y,
    "multiply": lambda _, x, y: x * y,
    "divide": lambda _, x, y: x / y,
    "maximum": lambda _, x, y: np.maximum(x, y),
    "minimum": lambda _, x, y: np.minimum(x, y),
    "compare": lambda a, x, y: getattr(np, a["function"])(x, y).astype(x.dtype),
    "select": lambda _, condition, x, y: np.where(condition != 0, x, y),
    "larger_gradient": _larger_gradient,
    "square": lambda _, x: x * x,
    "logarithm": lambda _, x: np.log(x),
    "trigonometric": lambda a, x: getattr(np, a["function"])(x),
    "whole": lambda a, x: getattr(np, a["function"])(x),
    "stop_gradient": lambda _, x: x,
    "reciprocal_sqrt": lambda a, x: 1 / np.sqrt(x + a["epsilon"]),
    "clip": lambda a, x: np.clip(x, a["minimum"], a["maximum"]),
    "activation": _activation,
    "activation_gradient": _activation_gradient,
    "dense": _dense,
    "matmul": _matmul,
    "conv": _conv,
    "conv_input_gradient": convolve_input_gradient,
    "conv_kernel_gradient": convolve_kernel_gradient,
    "max_pool": max_pool,
    "max_pool_gradient": max_pool_gradient,
    "average_pool": average_pool,
    "average_pool_gradient": average_pool_gradient,
    "transpose": lambda a, x: np.transpose(x, a["permutation"]),
    "pad": _pad,
    "slice": lambda a, x: x[_part(a, a["shape"])],
    "sum": lambda a, x: axes_sum(x, a["axes"]),
    "broadcast": lambda a, x: np.broadcast_to(x, a["shape"]),
    "reshape": lambda a, x: np.reshape(x, a["shape"]),
    "reverse": lambda a, x: np.flip(x, a["axis"]),
    **recurrent.MEANINGS,
    "softmax": _softmax,
    "softmax_gradient": _softmax_gradient,
    "log_softmax": lambda _, x: log_softmax(x),
    "log_softmax_gradient": _log_softmax_gradient,
    "normalize": _normalize,
    "normalize_gradient": _normalize_gradient,
    "normalize_batch": _normalize_batch,
    "normalize_batch_gradient": _normalize_batch_gradient,
    "batch_normalization": _batch_normalization,
    "impute": lambda _, x, fill: np.where(np.isnan(x), fill, x),
    "standardize": lambda _, x, mean, scale: (x - mean) / scale,
    "gather": lambda a, x: x[:, list(a["indices"])],
    "scatter": _scatter,
    "calendar": lambda a, x: calendar_parts(x, a["parts"], a["units_per_day"], a["epoch_days"]),
    "one_hot": _one_hot,
    "embedding": _embedding,
    "embedding_gradient": _embedding_gradient,
    "concatenate": lambda _, *xs: np.concatenate(xs, axis=-1),
    "loss": _loss,
    "loss_gradient": _loss_gradient,
    "cross_entropy": _cross_entropy,
    "cross_entropy_gradient": _cross_entropy_gradient,
    "metric": lambda a, t, p: losses.METRICS[a["function"]](t, p, a["threshold"]),
    "penalty": _penalty,
    "penalty_gradient": _penalty_gradient,
    "dropout_mask": _dropout_mask,
    "noise": _noise,
    "random_affine": affine.random_affine,
    "affine_transform": affine.affine_transform,
    "affine_transform_gradient": affine.affine_transform_gradient,
    "count": lambda _, step: np.asarray(step + np.uint32(1), dtype=np.uint32),
    **UPDATE_MEANINGS,
    "quantize": _quantize,
    "dequantize": lambda a, x: integer.dequantize(x, a["scale"], a["zero_point"]),
    "dense_int8": _dense_int8,
    "softmax_int8": lambda a, x: integer.softmax(
        x, a["multiplier"], a["left_shift"], a["minimum_difference"], fine=a["fine"]
    ),
    "lookup_int8": lambda _, x, table: integer.lookup(x, table),
    "curves_int8": lambda a, *inputs: integer.curves(*inputs, **a),
    "dense_int16": lambda a, *inputs: integer16.dense(*inputs, **a),
    "softmax_int16": lambda a, *inputs: integer16.softmax(*inputs, **a),
    "lookup_int16": lambda _, x, table: integer16.lookup(x, table),
    "add_quantized": integer_elementwise.add,
    "subtract_quantized": integer_elementwise.subtract,
    "multiply_quantized": integer_elementwise.multiply,
    "requantize": integer_elementwise.requantize,
    "scale_quantized": integer_elementwise.scale,
    "sum_quantized": integer_elementwise.total,
}


def evaluate(node: Node, inputs: Iterable[Array]) -> tuple[Array, ...]:
    """The outputs of one node, in the precision its meaning computes in."""
    result = MEANINGS[node.operation](node.attributes, *inputs)
    return result if isinstance(result, tuple) else (result,)


def run_nodes(graph: Graph, values: dict[str, Array], float64: bool) -> None:
    """Add to ``values`` (inputs, constants and variables by name) what every node of a graph makes."""
    for node in graph.nodes:
        results = evaluate(node, (values[i] for i in node.inputs))
        for output, result in zip(node.outputs, results, strict=True):
            values[output] = cast(graph, output, result, float64)


def cast(graph: Graph, name: str, array: ArrayLike, float64: bool) -> Array:
    """An array as the value ``name`` is stored, or floats in double precision.

    Raises:
        GraphError: it has another shape.
    """
    kind = graph.types[name]
    wide = float64 and kind.dtype is DType.FLOAT32
    stored = np.asarray(array).astype(np.float64 if wide else kind.dtype.numpy, copy=False)
    if stored.shape != kind.shape:
        raise GraphError(f"{name!r} has shape {kind.shape}", received=str(stored.shape), remedy="a value of that shape")
    return stored


def _run_body(body: Graph, inputs: Sequence[Array]) -> list[Array]:
    float64 = any(array.dtype == np.float64 for array in inputs)
    given = zip((*body.inputs, *body.constants), (*inputs, *body.constants.values()), strict=True)
    values = {name: cast(body, name, array, float64) for name, array in given}
    run_nodes(body, values, float64)
    return [values[output] for output in body.outputs]


def _scan(a: Attributes, *inputs: Array) -> tuple[Array, ...]:
    scan = Scan.of(a)
    carried, sequences, captured = scan.split_inputs(inputs)
    results: dict[int, Sequence[Array]] = {}
    for step in scan.steps:
        slices = [np.take(x, step, axis) for x, axis in zip(sequences, scan.sequence_axes, strict=True)]
        carried, results[step] = scan.split_outputs(_run_body(scan.body, [*carried, *slices, *captured]))
    each = zip(*(results[step] for step in range(scan.length)), strict=True)
    return (*carried, *(np.stack(made, axis) for made, axis in zip(each, scan.stack_axes, strict=True)))


MEANINGS["scan"] = _scan  # the one meaning that runs others
