# SPDX-License-Identifier: Apache-2.0
"""Tables of activations: the bits of TensorFlow Lite Micro's operators, and near the functions they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeling.graph import integer
from edgeling.graph.activations import ACTIVATIONS
from edgeling.graph.integer_tables import TFLITE, Affine, activation_table
from tests.support.rounding import ELEMENTARY, UNIT
from tests.support.tflite_reference import Operator, Tensor, run_operator

EVERY_INT8 = np.arange(-128, 128, dtype=np.int8).reshape(1, -1)
FIXED = {"sigmoid": Affine(1 / 256, -128), "tanh": Affine(1 / 128, 0)}
OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {"hard_silu": ("HardSwishOptions", {})}
SCALES = [1e-4, 0.003, 0.0157, 1 / 16, 0.31, 2.0, 55.0]
ZERO_POINTS = [-128, -7, 0, 100, 127]


def operator_of(function: str, alpha: float) -> Operator:
    if function == "leaky_relu":
        return Operator("LEAKY_RELU", "LeakyReluOptions", {"alpha": alpha})
    return Operator(TFLITE[function], *OPTIONS.get(function, ()))


def compare(function: str, alpha: float, given: Affine, made: Affine) -> None:
    made = FIXED.get(function, given if function == "relu6" else made)
    tensors = (Tensor(EVERY_INT8.shape, scale=[a.scale], zero_point=a.zero_point) for a in (given, made))
    expected = run_operator(operator_of(function, alpha), [next(tensors)], next(tensors), EVERY_INT8)
    ours = integer.lookup(EVERY_INT8, activation_table(function, alpha, given, made))
    np.testing.assert_array_equal(ours, expected, f"{function}, alpha {alpha}: {given} to {made}")


@pytest.mark.parametrize("function", TFLITE)
def test_every_value_has_the_operators_bits(function):
    rng = np.random.default_rng(0)
    for scale in SCALES:
        for zero_point in ZERO_POINTS:
            compare(
                function,
                1.0,
                Affine(scale, zero_point),
                Affine(scale * rng.uniform(0.3, 3), int(rng.integers(-128, 128))),
            )
    for _ in range(40):
        given, made = (Affine(float(rng.uniform(0.001, 0.2)), int(rng.integers(-128, 128))) for _ in range(2))
        compare(function, 1.0, given, made)


@pytest.mark.parametrize("alpha", [0.0, 0.01, 0.2, 0.3, 1.7])
def test_leaky_relu_of_every_slope(alpha):
    for scale, output_scale in [(0.02, 0.02), (0.05, 0.031), (0.013, 0.04)]:
        compare("leaky_relu", alpha, Affine(scale, -11), Affine(output_scale, -90))


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_every_table_is_within_a_step_of_the_function(function):
    """Ours are the nearest step but for float32's rounding; the operators' fixed point may miss by one more."""
    alpha, given = ACTIVATIONS[function].default_alpha, Affine(0.04, -9)
    real = given.scale * (np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float64) - given.zero_point)
    wanted = ACTIVATIONS[function].value(real, alpha)
    span = max(wanted.max(), 0) - min(wanted.min(), 0)
    made = Affine(span / 254, round(-128 - min(wanted.min(), 0) / (span / 254)))
    made = FIXED.get(function, given if function == "relu6" else made)
    steps = np.clip(wanted / made.scale + made.zero_point, -128, 127)
    missed = np.abs(activation_table(function, alpha, given, made).astype(np.float64) - steps).max()
    rounding = 256 * ELEMENTARY**2 * UNIT  # of at most 256 steps
    assert missed <= (2.0 if function in TFLITE else 0.5 + rounding), missed
