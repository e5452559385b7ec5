# SPDX-License-Identifier: Apache-2.0
"""The precisions of integer networks: how activations are stored, and what layers need for it.

``int8`` is TensorFlow Lite's int8 scheme, with a zero point a tensor; ``int16x8`` its 16x8 scheme: symmetric int16
activations, int8 weights, int32 biases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgeling.graph import integer, integer16
from edgeling.graph.activations import ACTIVATIONS
from edgeling.graph.integer_tables import Affine, activation_table, lookup_table
from edgeling.graph.types import Array, DType

Function = Callable[[Array], Array]


@dataclass(frozen=True)
class Scheme:
    """One precision.

    Attributes:
        name: of the precision.
        dtype: what activations are stored as; it ends the names of layers' operations.
        fixed: how outputs of sigmoid, tanh and softmax are stored.
        saturation: beyond these inputs the stored output hardly changes.
        softmax_reach: below a row's maximum by so much, a softmax's input hardly counts.
        steps: a step of a layer's output is at least so many of its sum, for its multiplier is a fraction.
        most_classes: of a softmax.
        multipliers: of real numbers, as a layer takes them: mantissas and right shifts.
        table: of any function, from values stored in one way to values stored in another.
        activation: of an activation by name, its slope, and the same two.
        softmax: attributes and tables of a softmax whose input has a scale.
    """

    name: str
    dtype: DType
    fixed: Mapping[str, Affine]
    saturation: Mapping[str, float]
    softmax_reach: float
    steps: int
    most_classes: int
    multipliers: Callable[[Array], tuple[Array, Array]]
    table: Callable[[Function, Affine, Affine], Array]
    activation: Callable[[str, float, Affine, Affine], Array]
    softmax: Callable[[float], tuple[dict[str, int], tuple[Array, ...]]]

    def operation(self, layer: str) -> str:
        """The integer operation of a layer."""
        return f"{layer}_{self.dtype.value}"


def _multipliers(real: Array) -> tuple[Array, Array]:
    multiplier, shift = integer.quantize_multipliers(real)
    return multiplier, (-shift).astype(np.int8)


def _softmax(scale: float) -> tuple[dict[str, int], tuple[Array, ...]]:
    multiplier, left_shift, least = integer.softmax_multiplier(scale)
    return {"multiplier": multiplier, "left_shift": left_shift, "minimum_difference": least}, ()


def _short_table(function: Function, given: Affine, made: Affine) -> Array:
    low, high = (given.scale * (end - given.zero_point) for end in (-(2**15), 2**15))
    return integer16.table_of(lambda x: function(x) + made.zero_point * made.scale, low, high, 1 / made.scale)


def _short_activation(function: str, alpha: float, given: Affine, made: Affine) -> Array:
    return _short_table(lambda x: ACTIVATIONS[function].value(x, alpha), given, made)


_LOGISTIC = Affine(integer.LOGISTIC_SCALE, integer.LOGISTIC_ZERO_POINT)
_UNIT = Affine(integer16.UNIT_SCALE, 0)

SCHEMES: Mapping[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme(
            name="int8",
            dtype=DType.INT8,
            fixed={
                "sigmoid": _LOGISTIC,
                "tanh": Affine(integer.TANH_SCALE, integer.TANH_ZERO_POINT),
                "softmax": _LOGISTIC,
            },
            saturation={"sigmoid": 6.5, "hard_sigmoid": 3.0, "tanh": 3.5},  # by less than a step
            softmax_reach=8.0,
            steps=2,
            most_classes=integer.MAXIMUM_CLASSES,
            multipliers=_multipliers,
            table=lookup_table,
            activation=activation_table,
            softmax=_softmax,
        ),
        Scheme(
            name="int16x8",
            dtype=DType.INT16,
            fixed=dict.fromkeys(("sigmoid", "tanh", "softmax"), _UNIT),
            saturation={"sigmoid": 11.0, "hard_sigmoid": 3.0, "tanh": 5.6},
            softmax_reach=integer16.EXPONENT_REACH,
            steps=5,
            most_classes=integer16.MAXIMUM_CLASSES,
            multipliers=integer16.short_multipliers,
            table=_short_table,
            activation=_short_activation,
            softmax=lambda scale: (integer16.softmax_numbers(scale), integer16.softmax_tables()),
        ),
    )
}
