# SPDX-License-Identifier: Apache-2.0
"""One legal node of every operation, from which the tests of type rules make all the illegal ones.

An operation without a row here is tried on matrices [2,3] of float32 with its default attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeling.graph import Graph, GraphBuilder
from edgeling.graph.integer16 import softmax_tables
from edgeling.graph.operations import MANY, OPERATIONS
from edgeling.graph.types import Array, DType, TensorType

FLOAT, INT8, INT16, UINT32 = DType.FLOAT32, DType.INT8, DType.INT16, DType.UINT32
Given = TensorType | Array  # what the caller hands over, or a constant


@dataclass(frozen=True)
class Example:
    """The inputs of a node, and its attributes besides the defaults."""

    inputs: tuple[Given, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


def t(*shape: int, dtype: DType = FLOAT) -> TensorType:
    return TensorType(shape, dtype)


def example(*inputs: Given, **attributes: Any) -> Example:
    return Example(inputs, attributes)


M, R, S = t(2, 3), t(3), t()  # a matrix, a row, a scalar
STEP = t(dtype=UINT32)
IMAGE = t(1, 4, 5, 2)
MAPS = t(1, 6)
MOVED: Mapping[str, Any] = {"strides": (2, 1), "padding": (1, 0, 1, 1), "dilations": (2, 1), "groups": 2}
POOLED: Mapping[str, Any] = {"size": (3, 2), "strides": (2, 2), "padding": (1, 0, 0, 1)}
STORED = t(2, 3, dtype=INT8)
WHOLE_INT8 = (
    np.array([[1, -127, 3], [4, 5, 127]], np.int8), np.array([5, -6], np.int32),
    np.array([2**30, 2**31 - 1], np.int32), np.array([0, 31], np.int8),
)  # fmt: skip


def scan_body() -> Graph:
    """Carries a row on, and keeps it: (carried, slice, slice of another sequence, captured) -> (carried, result)."""
    b = GraphBuilder("body")
    carried, x, _, captured = (
        b.input("carried", (3,)),
        b.input("slice", (3,)),
        b.input("five", (5,)),
        b.input("c", (3,)),
    )
    following = b.add("add", b.add("multiply", carried, captured), x)
    return b.build([following, b.add("square", following)])


EXAMPLES: Mapping[str, Example] = {
    "clip": example(M, minimum=-1.0, maximum=1.0),
    "dense": example(M, t(3, 4), t(4)),
    "matmul": example(M, t(3, 4)),
    "conv": example(IMAGE, t(2, 3, 1, 6), t(6), **MOVED),
    "conv_input_gradient": example(t(1, 2, 5, 6), t(2, 3, 1, 6), shape=IMAGE.shape, **MOVED),
    "conv_kernel_gradient": example(IMAGE, t(1, 2, 5, 6), size=(2, 3), **MOVED),
    **dict.fromkeys(("max_pool", "average_pool"), example(IMAGE, **POOLED)),
    "max_pool_gradient": example(t(1, 2, 3, 2), IMAGE, **POOLED),
    "average_pool_gradient": example(t(1, 2, 3, 2), shape=IMAGE.shape, **POOLED),
    "transpose": example(t(2, 3, 4), permutation=(1, 2, 0)),
    "pad": example(M, begin=(1, 2), shape=(4, 6), value=-1.0),
    "slice": example(M, begin=(1, 0), shape=(1, 2)),
    "broadcast": example(t(1, 3), shape=(2, 3)),
    "reshape": example(M, shape=(3, 2)),
    **dict.fromkeys(("batch_normalization",), example(M, R, R, R, R)),
    "normalize_batch": example(M, R, R, S, function="relu"),
    "normalize_batch_gradient": example(M, M, R, R, R, R, S, function="relu6"),
    "impute": example(M, R),
    "standardize": example(M, R, R),
    "gather": example(M, indices=(2, 0)),
    "calendar": example(t(2, 1), parts=(0, 3, 5), units_per_day=1440),
    "one_hot": example(t(2, 1), depth=3),
    "embedding": example(t(2, 2), t(5, 3), starts=(0, 2), sizes=(2, 3)),
    "embedding_gradient": example(t(2, 6), t(2, 2), starts=(0, 2), sizes=(2, 3), depth=5),
    "scatter": example(M, indices=(2, 0, 2), columns=4),
    "lstm_gates": example(t(2, 12), t(2, 12), M),
    "gru_gates": example(t(2, 9), t(2, 9), M),
    "lstm_gates_gradient": example(M, M, t(2, 12), M),
    "gru_gates_gradient": example(M, t(2, 9), t(2, 9), M),
    "reverse": example(M, axis=1),
    "scan": example(R, M, t(2, 5), R, body=scan_body(), length=2, carried=1, axes=(0, 0, 1)),
    "loss_gradient": example(t(2), M, M),
    "cross_entropy": example(M, M, M),
    "cross_entropy_gradient": example(t(2), M, M),
    "penalty_gradient": example(S, M),
    "dropout_mask": example(STEP, STEP, shape=(2, 3)),
    "noise": example(STEP, STEP, shape=(2, 3)),
    "random_affine": example(STEP, STEP, shape=(2, 6), size=(4, 5), low=(-0.5, 0.0), high=(0.5, 0.25)),
    **dict.fromkeys(("affine_transform", "affine_transform_gradient"), example(IMAGE, MAPS)),
    "count": example(STEP),
    "sgd_update": example(M, M, S),
    "momentum_update": example(M, M, M, S),
    "rmsprop_update": example(M, M, M, M, M, S, centered=True, momentum=0.5),
    "adagrad_update": example(M, M, M, S),
    "adam_update": example(M, M, M, M, S),
    "amsgrad_update": example(M, M, M, M, M, S),
    "adamax_update": example(M, M, M, M, S),
    "nadam_update": example(M, M, M, M, S, S, S, S),
    "lion_update": example(M, M, M, S),
    "adadelta_update": example(M, M, M, M, S),
    "ftrl_update": example(M, M, M, M, S),
    "lamb_update": example(M, M, M, M, S, S, S),
    "adafactor_update": example(M, M, t(2), t(3), M, S, S),
    "decay": example(M, S),
    "power_step": example(S),
    "adam_alpha": example(S, S, S),
    "adamax_alpha": example(S, S),
    "nadam_product": example(S, S),
    "clip_scale": example(S),
    "quantize": example(M, np.array([3, -100, 100], np.int8), np.array([0, 2**22, -(2**22)], np.int32),
                        np.array([0, 1, -128], np.int8)),
    "dequantize": example(t(2, 3, dtype=INT8), scale=0.5, zero_point=-3),
    "dense_int8": example(t(2, 3, dtype=INT8), *WHOLE_INT8, zero_point=2**22),
    "softmax_int8": example(t(2, 3, dtype=INT8), multiplier=2**30, left_shift=20, minimum_difference=-1984),
    **dict.fromkeys(
        ("add_quantized", "subtract_quantized"),
        example(STORED, STORED, multiplier=2**30, multiplier_a=2**30, multiplier_b=2**31 - 1, right_shift_b=1,
                zero_point_a=-128, zero_point_b=127, zero_point=2**22),
    ),
    "multiply_quantized": example(STORED, STORED, multiplier=2**31 - 1, zero_point_a=127, zero_point=-(2**22)),
    "requantize": example(STORED, multiplier=2**31 - 1, left_shift=7, input_zero_point=2**22),
    "scale_quantized": example(
        STORED, np.array([127, -127, 1], np.int8), np.array([2**30, -(2**30), 3], np.int32),
        np.array([2**30, 2**31 - 1, 0], np.int32), np.array([0, 31, 1], np.int8), zero_point=2**22,
    ),
    "sum_quantized": example(STORED, axes=(1,), multiplier=2**31 - 1, input_zero_point=-(2**22)),
    "dense_int16": example(t(2, 3, dtype=INT16), *WHOLE_INT8[:2], np.array([2**15 - 1, 0], np.int16),
                           np.array([2, 31], np.int8), zero_point=2**22),
    "softmax_int16": example(t(2, 3, dtype=INT16), *softmax_tables(), multiplier=2**31 - 1, left_shift=14),
    "lookup_int16": example(t(2, 3, dtype=INT16), np.arange(-256, 257, dtype=np.int16) * 127),
    "curves_int8": example(
        t(2, 3, dtype=INT8), np.arange(520, dtype=np.int16).astype(np.int8).clip(-127).reshape(2, 260),
        np.array([0, -9], np.int32), np.array([2**30, 0], np.int32), np.array([0, 31], np.int8), shifts=(0, 7, 7),
        zero_point=2**22,
    ),
    "lookup_int8": example(t(2, 3, dtype=INT8), np.arange(256, dtype=np.uint8).view(np.int8)),
}  # fmt: skip

# What an attribute may be set to by somebody who means no good.
ODD_ATTRIBUTES: tuple[Any, ...] = (
    None, True, "x", "", 0, 1, -1, 2, 7, 2**31 - 1, 2**31, -(2**31) - 1, 2**32, 2**70, 0.0, 0.5, -0.5, 1.0, 3e38, 1e39,
    float("nan"), float("inf"), (), (0,), (1,), (-1,), (2, 3), (3, 2), (6,), (-2, -3), (1, 6, 1), (0, 0), (1, 0), (5,),
    (2**31,), (2**40, 2**40), (2**70,), (1.5,), ("x",), (True,), (None,), ((1,),), [1], {},
)  # fmt: skip


def example_of(operation: str) -> Example:
    """The row of an operation, or the usual one."""
    count = OPERATIONS[operation].inputs
    return EXAMPLES.get(operation, Example((M,) * (2 if count == MANY else count)))
