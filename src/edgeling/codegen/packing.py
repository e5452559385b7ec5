# SPDX-License-Identifier: Apache-2.0
"""Constants rearranged at build time, as kernels for one kind of core read them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeling.codegen.site import Setting
from edgeling.graph import fixed_point
from edgeling.graph.integer import multiply_by_quantized_multiplier
from edgeling.graph.types import Array, DType

BLOCK = 4  # outputs, as in dense_s8_pairs.h
PANEL = 32  # as in conv_direct.h and dense_gemm.h
# Zero points up to this leave room for rounding in int32, whatever is added to them.
LARGEST_ZERO_POINT = 1 << 16
# Twice a value, held in int16, still leaves int8 at both ends if the zero point is at most this.
LARGEST_COLUMN_ZERO_POINT = 16000


def panels(kernel: Array, bias: Array) -> list[Array]:
    """Of a product's kernel ``[terms, outputs]``: panels of 32 outputs (the last has what is left, in fours), each its
    bias, then the weights of each term."""
    wide = np.pad(np.concatenate([bias[None], kernel]), ((0, 0), (0, -len(bias) % 4)))
    return [wide[:, first : first + PANEL].ravel() for first in range(0, wide.shape[1], PANEL)]


def dense_panels(setting: Setting) -> Mapping[str, Array]:
    """The table of dense_gemm.h."""
    return {"packed": np.concatenate(panels(setting.constants[1], setting.constants[2])).astype(np.float32)}


def takes_pairs(setting: Setting) -> bool:
    """Whether dense_s8_pairs.h is right: a core that multiplies twice, and scales it can apply."""
    if setting.target is None or not setting.target.has_dual_multiply or len(setting.constants) != 4:
        return False
    multiplier, shift = setting.constants[3], setting.constants[4]
    fits = np.all(multiplier >= 1 << 30) and np.all(shift >= 1)
    return bool(fits) and abs(int(setting.node.attributes["zero_point"])) <= LARGEST_ZERO_POINT


def pairs(setting: Setting) -> Mapping[str, Array]:
    """The table of dense_s8_pairs.h, ``uint32[words]``."""
    weights, *scales = (setting.constants[i].astype(np.int64) for i in range(1, 5))
    outputs, inputs = weights.shape
    wide = np.zeros((-(-outputs // 2) * 2, -(-inputs // 4) * 4), np.int64)
    wide[:outputs, :inputs] = weights
    bias, multiplier, shift = (np.pad(part, (0, outputs % 2), constant_values=1) for part in scales)
    bias[0::2] += bias[1::2] << 8
    parts: list[Array] = []
    for first in _starts(outputs):
        block = slice(first, first + (BLOCK if first + BLOCK <= outputs else 2))
        parts += [bias[block], _pair_words(wide[block]), multiplier[block] << 1, shift[block] - 1]
    return {"packed": np.concatenate(parts).astype(np.uint32)}


def _starts(outputs: int) -> list[int]:
    """The first output of each block: whole ones, then pairs."""
    whole = outputs - outputs % BLOCK
    return [*range(0, whole, BLOCK), *range(whole, outputs, 2)]


def _pair_words(weights: Array) -> Array:
    """Of a block's weights ``[outputs, inputs]``, both even: for each four inputs, each pair's even and odd word."""
    half = ((weights[0::2] + 128 + (weights[1::2] << 8)) & 0xFFFF).reshape(len(weights) // 2, -1, 4)
    words = np.stack([half[..., 0] | half[..., 2] << 16, half[..., 1] | half[..., 3] << 16], axis=-1)
    return words.transpose(1, 0, 2).ravel()


def takes_float_steps(setting: Setting) -> bool:
    """Whether quantize_float.h is right: int8, a float unit, and columns that lie near enough to zero."""
    target = setting.target if setting.output_types[0].dtype is DType.INT8 else None
    if target is None or target.float_unit == "none" or not target.has_dual_multiply or len(setting.constants) != 3:
        return False
    return bool(np.all(np.abs(setting.constants[2]) <= LARGEST_COLUMN_ZERO_POINT))


def float_steps(setting: Setting) -> Mapping[str, Array]:
    """The tables of quantize_float.h."""
    bits, zero_point, missing = (setting.constants[i] for i in (1, 2, 3))
    offset = np.pad(2 * zero_point.astype(np.int64) + 257, (0, -len(bits) % 4)).reshape(-1, 2, 2) & 0xFFFF
    tables = {
        "steps": np.ldexp(np.float32(1), bits.astype(np.int32)).astype(np.float32),
        "offset": (offset[:, 0] | offset[:, 1] << 16).astype(np.uint32).ravel(),
    }
    return tables if setting.finite else {**tables, "missing": missing}


def takes_exponentials(setting: Setting) -> bool:
    """Whether a kilobyte of exponentials is worth its flash: on a chip."""
    return setting.target is not None and setting.target.flash_bytes > 0


def exponentials(setting: Setting) -> Mapping[str, Array]:
    """The table of softmax_s8_table.h: ``int32[length]``, without the zeros at its end."""
    told = {name: int(setting.node.attributes[name]) for name in ("multiplier", "left_shift", "minimum_difference")}
    below = np.arange(0, -256, -1)
    below = below[below >= told["minimum_difference"]]
    rescaled = multiply_by_quantized_multiplier(below, told["multiplier"], told["left_shift"])
    table = fixed_point.exp_on_negative_values(rescaled).astype(np.int32)
    return {"exponentials": np.trim_zeros(table, "b")}
