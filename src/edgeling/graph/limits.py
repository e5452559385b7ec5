# SPDX-License-Identifier: Apache-2.0
"""How large values may be, and what the constants of int8 nodes may hold, so that no size and no sum leaves int32 and
no shift its width, on any target."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeling.errors import GraphError
from edgeling.graph.fixed_point import INT32_MAX
from edgeling.graph.integer import CURVES_UNIT, FLOAT32_BITS, INT8_MAX, LARGEST_EXPONENT, LARGEST_ZERO_POINT
from edgeling.graph.types import LARGEST_FLOAT32, Array, DType, Graph, Node, Quantization, TensorType

MAX_ELEMENTS = 1 << 28  # of one value: a gigabyte; what is larger is no network for an edge, but an attack
MAX_RANK = 16

LARGEST_BIAS = 1 << 30  # of a value times one weight; with the product of int16 and int8 it fits int32
# By operation and position among the inputs: least and largest element. All these inputs are constants.
LIMITS: Mapping[str, Mapping[int, tuple[int, int]]] = {
    "quantize": {1: (-LARGEST_EXPONENT, LARGEST_EXPONENT), 2: (-LARGEST_ZERO_POINT, LARGEST_ZERO_POINT)},
    "dense_int8": {1: (-INT8_MAX, INT8_MAX), 2: (-INT32_MAX, INT32_MAX), 3: (0, INT32_MAX), 4: (0, 31)},
    "curves_int8": {1: (-INT8_MAX, INT8_MAX), 2: (-INT32_MAX, INT32_MAX), 3: (0, INT32_MAX), 4: (0, 31)},
    "dense_int16": {1: (-INT8_MAX, INT8_MAX), 2: (-INT32_MAX, INT32_MAX), 3: (0, 2**15 - 1), 4: (2, 31)},
    "softmax_int16": {1: (1, 2**15 - 1), 2: (-(2**15), 2**15 - 1)},
    "scale_quantized": {
        1: (-INT8_MAX, INT8_MAX), 2: (-LARGEST_BIAS, LARGEST_BIAS), 3: (0, INT32_MAX), 4: (0, 31),
    },
}  # fmt: skip
# Requantising makes a sum no larger; an output's zero point is added to it then.
LARGEST_SUM = INT32_MAX - LARGEST_ZERO_POINT


def check_type(kind: TensorType) -> None:
    """Raise a GraphError unless a value of this type can be: kernels are made for lengths of one and more."""
    whole = all(isinstance(length, int | np.integer) and length >= 1 for length in kind.shape)
    if not (whole and len(kind.shape) <= MAX_RANK and kind.size <= MAX_ELEMENTS):
        raise GraphError(
            f"a shape has at most {MAX_RANK} lengths of one or more, and at most {MAX_ELEMENTS} elements",
            received=str(kind)[:200], remedy="another shape; several smaller arrays for one that is too large",
        )  # fmt: skip
    if kind.quantization is not None:
        _check_quantization(kind, kind.quantization)


def _check_quantization(kind: TensorType, q: Quantization) -> None:
    on_axis = q.axis is None or 0 <= q.axis < len(kind.shape)
    length = kind.shape[q.axis] if on_axis and q.axis is not None else 1
    counts = len(q.scale) in (1, length) and len(q.zero_point) in (1, length)
    scales = all(0 < scale <= LARGEST_FLOAT32 for scale in q.scale)
    if not (on_axis and counts and scales and all(abs(point) < 1 << FLOAT32_BITS for point in q.zero_point)):
        raise GraphError(
            "a quantisation has positive scales and whole zero points, one or as many as its axis is long",
            received=str(q)[:200], remedy="positive scales, whole zero points, one of each or one for each channel",
        )  # fmt: skip


def check_limits(node: Node, graph: Graph) -> None:
    """Raise a GraphError if a constant of an int8 node, whose types have been checked, is out of its limits."""
    for index, (least, largest) in LIMITS.get(node.operation, {}).items():
        name = node.inputs[index]
        values = graph.constants.get(name)
        if values is None or np.any(values < least) or np.any(values > largest):
            raise GraphError(
                f"input {index + 1} of {node.operation} is a constant between {least} and {largest}",
                received=repr(name), remedy="a constant in between",
            )  # fmt: skip
    if node.operation in ("dense_int8", "dense_int16"):
        weights, bias = (graph.constants[name].astype(np.int64) for name in node.inputs[1:3])
        if largest_sum(weights, bias, graph.types[node.inputs[0]].dtype) > LARGEST_SUM:
            raise _too_large(node)
    if node.operation == "curves_int8" and largest_curves_sum(node, graph.constants[node.inputs[2]]) > LARGEST_SUM:
        raise _too_large(node)
    if node.operation == "softmax_int16" and np.any(graph.constants[node.inputs[1]][-2:] < 2):
        raise GraphError(
            "the exponential of softmax_int16 ends near one", received=repr(node.inputs[1]),
            remedy="the table that edgeling.passes.quantize makes",
        )  # fmt: skip


def _too_large(node: Node) -> GraphError:
    return GraphError(
        f"the sums of {node.operation} fit int32", received=f"{node.output!r}, whose may not",
        remedy="coarser weights (edgeling.passes.quantize makes them), or float32",
    )  # fmt: skip


def largest_curves_sum(node: Node, bias: Array) -> int:
    """What the magnitude of a sum of tables can reach."""
    return int(np.abs(bias.astype(np.int64)).max()) + CURVES_UNIT * INT8_MAX * len(node.attributes["shifts"])


def largest_sum(weights: Array, bias: Array, dtype: DType = DType.INT8) -> int:
    """What the magnitude of a dense layer's sum can reach, for any input of an element type."""
    reach = 1 << (8 * dtype.bytes - 1)
    return int(np.max(np.abs(bias.astype(np.int64)) + reach * np.abs(weights.astype(np.int64)).sum(axis=1), initial=0))
