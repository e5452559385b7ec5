# SPDX-License-Identifier: Apache-2.0
"""Our int16 arithmetic against TensorFlow Lite Micro's reference kernels, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeling.errors import GraphError
from edgeling.graph import integer, integer16
from tests.support.tflite_reference import Operator, Tensor, run_operator, schema

ACTIVATIONS = {"linear": "NONE", "relu": "RELU", "relu6": "RELU6"}


def every_int16() -> np.ndarray:
    return np.arange(-(2**15), 2**15, dtype=np.int16)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("seed", range(8))
def test_dense(activation, seed):
    rng = np.random.default_rng(seed)
    batch, n_in, n_out = (int(n) for n in (rng.integers(1, 5), rng.integers(1, 40), rng.integers(2, 20)))
    x = rng.integers(-(2**15), 2**15, (batch, n_in), dtype=np.int16)
    weights = rng.integers(-127, 128, (n_out, n_in), dtype=np.int8)
    bias = rng.integers(-(2**22), 2**22, n_out, dtype=np.int64)
    scales = rng.uniform(0.001, 0.1, n_out).astype(np.float32)
    s_in, s_out = float(np.float32(2e-4)), float(np.float32(2e-4 * rng.uniform(0.8, 4)))
    fused = getattr(schema.ActivationFunctionType, ACTIVATIONS[activation])
    expected = run_operator(
        Operator("FULLY_CONNECTED", "FullyConnectedOptions", {"fusedActivationFunction": fused}),
        [
            Tensor(x.shape, "int16", scale=[s_in]),
            Tensor(weights.shape, scale=scales, data=weights),
            Tensor(bias.shape, "int64", np.float32(s_in) * scales, data=bias),
        ],
        Tensor((batch, n_out), "int16", scale=[s_out]),
        x,
    )
    multiplier, shift = integer16.short_multipliers(np.float64(s_in) * scales.astype(np.float64) / s_out)
    minimum, maximum = integer.activation_range(activation, s_out, 0, np.int16)
    ours = integer16.dense(
        x, weights, bias.astype(np.int32), multiplier, shift, zero_point=0, minimum=minimum, maximum=maximum
    )
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("scale", [1e-5, 1 / 4096, 0.001, 0.0203, 0.3, 2.0])
def test_softmax(scale):
    rng = np.random.default_rng(int(scale * 1e5))
    tables, numbers = integer16.softmax_tables(), integer16.softmax_numbers(float(np.float32(scale)))
    for classes in (1, 2, 3, 10, 100, 1000):
        x = rng.integers(-(2**15), 2**15, (8, classes), dtype=np.int16)
        x[:5] = rng.integers(-9, 9, (5, classes)) * min(3000, int(1 / scale) + 1)
        stored = Tensor(x.shape, "int16", scale=[scale])
        operator = Operator("SOFTMAX", "SoftmaxOptions", {"beta": 1.0})
        expected = run_operator(operator, [stored], Tensor(x.shape, "int16", scale=[1 / 32768]), x)
        np.testing.assert_array_equal(integer16.softmax(x, *tables, **numbers), expected)


def test_quantize_and_dequantize():
    rng = np.random.default_rng(0)
    for scale in (2.0**-12, 2.0**-3, 1.7e-3):
        x = (np.concatenate([rng.normal(0, 9000, 3000), rng.integers(-40000, 40000, 3000) + 0.5]) * scale)[None]
        x = x.astype(np.float32)
        stored, real = Tensor(x.shape, "int16", scale=[scale]), Tensor(x.shape, "float32")
        q = run_operator(Operator("QUANTIZE"), [real], stored, x)
        np.testing.assert_array_equal(integer.quantize(x, scale, 0, dtype=np.int16), q)
        back = run_operator(Operator("DEQUANTIZE"), [stored], real, q)
        np.testing.assert_array_equal(integer.dequantize(q, scale, 0), back)


@given(st.integers(-(2**31), 2**31 - 1), st.floats(1e-9, 0.2499))
def test_requantisation_in_two_halves_is_exact(x, real):
    """What the C does in 32 bits, against a product of 48 bits."""
    (multiplier,), (shift,) = (array.astype(int) for array in integer16.short_multipliers([real]))
    low = (x & 0xFFFF) * multiplier
    product = (x >> 16) * multiplier + (low >> 16)
    assert abs(product) < 2**31
    assert low < 2**32
    assert (product + (1 << (shift - 2))) >> (shift - 1) == integer16.rescale(x, multiplier, shift)
    assert abs(integer16.rescale(x, multiplier, shift) - x * real) <= 0.5 + abs(x * real) * 2.0**-14


def test_a_multiplier_that_is_not_below_one_fourth_is_refused():
    with pytest.raises(GraphError, match="below one fourth"):
        integer16.short_multipliers([0.1, 0.25])


@pytest.mark.parametrize("scale", [2.6, 100.0, 1e-20])
def test_a_softmax_whose_scale_leaves_int32_is_refused(scale):
    with pytest.raises(GraphError, match="softmax's input scale"):
        integer16.softmax_numbers(scale)


@pytest.mark.parametrize(("function", "reach"), [(np.tanh, 5.0), (np.exp, 1.0), (np.abs, 3.0), (np.sin, 8.0)])
def test_a_table_is_near_its_function(function, reach):
    """A straight line over h misses by at most h^2 / 8 of the second derivative (here at most e)."""
    table = integer16.table_of(function, -reach, reach, 2.0**15 / 3)
    x = every_int16()
    wanted = np.clip(function(x * (reach / 2**15)) * 2.0**15 / 3, -(2**15), 2**15 - 1)
    room = 1.5 + (2 * reach / 512) ** 2 / 8 * np.e * 2.0**15 / 3
    assert np.abs(integer16.lookup(x, table) - wanted).max() < room


def test_a_table_is_its_straight_lines():
    rng = np.random.default_rng(0)
    table = rng.integers(-(2**15), 2**15, 513, dtype=np.int16)
    x = every_int16()
    exact = np.interp(x, np.arange(-(2**15), 2**15 + 1, 128), table)
    assert np.abs(integer16.lookup(x, table) - exact).max() <= 0.5
