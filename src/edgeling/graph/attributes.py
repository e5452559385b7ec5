# SPDX-License-Identifier: Apache-2.0
"""The attributes of a node: filled in, of the kinds their defaults have, and within what kernels rely on. Generated C
carries them, so that a string is one of the table's names and never somebody's text."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from edgeling.errors import GraphError
from edgeling.graph.activations import ACTIVATIONS
from edgeling.graph.affine import AFFINES, FILLS
from edgeling.graph.calendar import DAY_MINUTES, LARGEST_EPOCH_DAYS, PARTS
from edgeling.graph.integer import INT8_MAX, INT8_MIN, LARGEST_ZERO_POINT
from edgeling.graph.limits import MAX_ELEMENTS, MAX_RANK
from edgeling.graph.losses import CROSS_ENTROPIES, LOSSES, METRICS
from edgeling.graph.operations import COMPARISONS, GATES, MANY, OPERATIONS, TRIGONOMETRIC, WHOLE
from edgeling.graph.types import LARGEST_FLOAT32, Attribute, Graph

FUNCTIONS: Mapping[str, Collection[str]] = {
    **dict.fromkeys(("activation", "activation_gradient", "dense", "conv"), ACTIVATIONS),
    **dict.fromkeys(("loss", "loss_gradient"), LOSSES),
    **dict.fromkeys(("cross_entropy", "cross_entropy_gradient"), CROSS_ENTROPIES),
    "metric": METRICS,
    **dict.fromkeys(("normalize_batch", "normalize_batch_gradient"), ("linear", "relu", "relu6")),
    "compare": COMPARISONS,
    "trigonometric": TRIGONOMETRIC,
    "whole": WHOLE,
    "random_affine": AFFINES,
    **dict.fromkeys(("affine_transform", "affine_transform_gradient"), FILLS),
    **dict.fromkeys(GATES, ACTIVATIONS),
}
_FUNCTION_NAMES = {"function", "recurrent_function"}

LARGEST_RATE = 1 - 2.0**-24  # of dropout: the largest float32 below 1, whose complement can be divided by
_FRACTION = {
    "multiplier": (0, 2**31 - 1),
    "right_shift": (0, 31),
    "zero_point": (-LARGEST_ZERO_POINT, LARGEST_ZERO_POINT),
}
_INT16 = (-(2**15), 2**15 - 1)
_OPERANDS = {"zero_point_a": (INT8_MIN, INT8_MAX), "zero_point_b": (INT8_MIN, INT8_MAX)}
_SUM = {
    **_FRACTION,
    **_OPERANDS,
    **dict.fromkeys(("multiplier_a", "multiplier_b"), (0, 2**31 - 1)),
    **dict.fromkeys(("right_shift_a", "right_shift_b"), (0, 31)),
}
_INPUT = {"input_zero_point": (-LARGEST_ZERO_POINT, LARGEST_ZERO_POINT)}
_TURNS = 1024.0  # of a rotation; also shares of an image, and factors
_SIDE = 1 << 15  # of a window: no sensor's image is larger
_WINDOW = {"strides": (1, _SIDE), "padding": (0, _SIDE), "size": (1, _SIDE), "shape": (1, MAX_ELEMENTS)}
_KERNEL = {**_WINDOW, "dilations": (1, _SIDE), "groups": (1, MAX_ELEMENTS)}
_WINDOWS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    **dict.fromkeys(("conv", "conv_input_gradient", "conv_kernel_gradient"), _KERNEL),
    **dict.fromkeys(("max_pool", "max_pool_gradient", "average_pool", "average_pool_gradient"), _WINDOW),
    "transpose": {"permutation": (0, MAX_RANK - 1)},
    **{key: {"begin": (0, MAX_ELEMENTS), "shape": (1, MAX_ELEMENTS)} for key in ("pad", "slice")},
}
_QUANTIZED: Mapping[str, Mapping[str, tuple[float, float]]] = {
    **dict.fromkeys(("add_quantized", "subtract_quantized"), _SUM),
    "multiply_quantized": {**_FRACTION, **_OPERANDS},
    "requantize": {**_FRACTION, **_INPUT, "left_shift": (0, 7)},
    "scale_quantized": {"zero_point": _FRACTION["zero_point"]},
    "sum_quantized": {**_FRACTION, **_INPUT},
    "dense_int16": {"zero_point": _FRACTION["zero_point"], "minimum": _INT16, "maximum": _INT16},
    "softmax_int16": {"left_shift": (0, 14), "multiplier": (2**30, 2**31 - 1), "right_shift": (0, 31)},
}
# Least and largest value by operation and attribute, of each element where it is a tuple.
RANGES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    **{key: {"label_smoothing": (0, 1), "delta": (0, LARGEST_FLOAT32)} for key in ("loss", "loss_gradient")},
    **{key: {"label_smoothing": (0, 1)} for key in ("cross_entropy", "cross_entropy_gradient")},
    **{key: {"shape": (1, MAX_ELEMENTS)} for key in ("broadcast", "reshape")},
    "dropout_mask": {"shape": (1, MAX_ELEMENTS), "rate": (0, LARGEST_RATE), "stream": (0, 2**32 - 1)},
    "noise": {"shape": (1, MAX_ELEMENTS), "stream": (0, 2**32 - 1)},
    **{f"normalize{of}{way}": {"epsilon": (0, LARGEST_FLOAT32)} for of in ("", "_batch") for way in ("", "_gradient")},
    "random_affine": {
        "shape": (1, MAX_ELEMENTS),
        "size": (1, _SIDE),
        "low": (-_TURNS, _TURNS),
        "high": (-_TURNS, _TURNS),
        "stream": (0, 2**32 - 1),
    },
    "one_hot": {"depth": (1, MAX_ELEMENTS)},
    "calendar": {
        "parts": (0, len(PARTS) - 1),
        "units_per_day": (1, DAY_MINUTES),
        "epoch_days": (-LARGEST_EPOCH_DAYS, LARGEST_EPOCH_DAYS),
    },
    "scatter": {"columns": (1, MAX_ELEMENTS)},
    "dense_int8": {
        "zero_point": (-LARGEST_ZERO_POINT, LARGEST_ZERO_POINT),
        "minimum": (INT8_MIN, INT8_MAX),
        "maximum": (INT8_MIN, INT8_MAX),
    },
    "curves_int8": {
        "shifts": (0, 7),
        "zero_point": (-LARGEST_ZERO_POINT, LARGEST_ZERO_POINT),
        "minimum": (INT8_MIN, INT8_MAX),
        "maximum": (INT8_MIN, INT8_MAX),
    },
    "softmax_int8": {
        "multiplier": (2**30, 2**31 - 1),
        "left_shift": (0, 31),
        "minimum_difference": (-(31 << 26), 0),
    },
    **_QUANTIZED,
    **_WINDOWS,
}
_INT32 = (-(2**31), 2**31 - 1)  # what any other integer may be


def complete_attributes(operation: str, inputs: int, attributes: Mapping[str, Any]) -> dict[str, Attribute]:
    """The attributes with defaults filled in.

    Raises:
        GraphError: an unknown operation or attribute, a value of another kind than the default or out of its range,
            a function that is not in its table, or a wrong number of inputs.
    """
    if operation not in OPERATIONS:
        raise GraphError(
            "a node's operation is one of the table's", received=repr(operation),
            remedy="an operation of edgeling.graph.operations",
        )  # fmt: skip
    spec = OPERATIONS[operation]
    if unknown := set(attributes) - set(spec.attributes):
        raise GraphError(
            f"{operation} has attributes {sorted(spec.attributes)}", received=str(sorted(unknown)),
            remedy="leave the others out",
        )  # fmt: skip
    if spec.inputs not in (MANY, inputs) or inputs == 0:
        raise GraphError(
            f"{operation} takes {spec.inputs} inputs", received=str(inputs), remedy=f"hand {spec.inputs} inputs over"
        )
    for name, value in attributes.items():
        if not _fits(value, spec.attributes[name]):
            kind = type(spec.attributes[name]).__name__
            raise GraphError(f"{name!r} of {operation} is a {kind}", received=repr(value)[:200], remedy=f"a {kind}")
        _require_range(operation, name, value)
    complete = {**spec.attributes, **attributes}
    for name in complete.keys() & _FUNCTION_NAMES if operation in FUNCTIONS else ():
        if complete[name] not in FUNCTIONS[operation]:
            raise GraphError(
                f"the {name} of {operation} is one of {', '.join(FUNCTIONS[operation])}",
                received=repr(complete[name]), remedy="one of these",
            )  # fmt: skip
    return complete


def _fits(value: Any, default: Attribute) -> bool:
    """Whether a value is of the default's kind; for a float any number that float32 holds."""
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_FLOAT32
    if isinstance(default, tuple):
        return isinstance(value, tuple) and all(_fits(element, default[0]) for element in value)
    return isinstance(value, type(default)) and not isinstance(value, bool)


def _require_range(operation: str, name: str, value: Any) -> None:
    default = OPERATIONS[operation].attributes[name]
    first = default[0] if isinstance(default, tuple) else default
    usual = _INT32 if isinstance(first, int) else (-LARGEST_FLOAT32, LARGEST_FLOAT32)
    if isinstance(first, str | Graph):
        return
    least, largest = RANGES.get(operation, {}).get(name, usual)
    if not all(least <= element <= largest for element in (value if isinstance(value, tuple) else (value,))):
        raise GraphError(
            f"{name!r} of {operation} lies between {least} and {largest}", received=repr(value)[:200],
            remedy="a value in between",
        )  # fmt: skip
