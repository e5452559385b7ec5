# SPDX-License-Identifier: Apache-2.0
"""Our int8 arithmetic against TensorFlow Lite Micro's reference kernels, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.errors import GraphError
from edgeling.graph import fixed_point, integer
from tests.support.tflite_reference import Operator, Tensor, run_operator, schema

EVERY_INT8 = np.arange(-128, 128, dtype=np.int8)[None, :]
INT32 = st.integers(-(2**31), 2**31 - 1)
MANTISSA = st.integers(2**30, 2**31 - 1)


def gemmlowp_multiply(x: int, mantissa: int, shift: int) -> int:
    """MultiplyByQuantizedMultiplier as written in gemmlowp, in Python's unbounded integers."""
    product = (x << max(shift, 0)) * mantissa
    nudged = product + (1 << 30 if product >= 0 else 1 - (1 << 30))
    high = abs(nudged) // (1 << 31) * (1 if nudged >= 0 else -1)
    exponent = max(-shift, 0)
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (high < 0)
    return (high >> exponent) + ((high & mask) > threshold)


@given(INT32, MANTISSA, st.integers(-31, 0))
def test_requantisation_is_gemmlowps(x, mantissa, shift):
    ours = integer.multiply_by_quantized_multiplier(x, mantissa, shift)
    assert int(ours) == gemmlowp_multiply(x, mantissa, shift)


@given(st.floats(1e-9, 1e9))
def test_multiplier_holds_31_bits(real):
    mantissa, shift = integer.quantize_multiplier(real)
    assert 2**30 <= mantissa < 2**31
    assert mantissa * 2.0 ** (shift - 31) == pytest.approx(real, rel=2**-31)


def test_multiplier_of_nothing_and_of_nonsense():
    assert integer.quantize_multiplier(0.0) == (0, 0)
    assert integer.quantize_multiplier(1e-20) == (0, 0)
    assert integer.quantize_multiplier(1 - 2.0**-40) == (2**30, 1)
    for real in (-1.0, float("nan"), float("inf")):
        with pytest.raises(GraphError, match="finite and not negative"):
            integer.quantize_multiplier(real)


def test_exp_is_close_to_exp():
    q5 = np.arange(0, -(31 << 26), -123457)
    ours = fixed_point.exp_on_negative_values(q5) / 2.0**31
    # gemmlowp's: exp by its Taylor polynomial of degree 4 within 1/8 of -1/8, times at most 7 constants; each of some
    # 16 products rounds to 2**-31.
    assert np.max(np.abs(ours - np.exp(q5 / 2.0**26))) <= (1 / 8) ** 5 / 120 + 16 * 2.0**-31


ACTIVATIONS = {"linear": "NONE", "relu": "RELU", "relu6": "RELU6", "hard_tanh": "RELU_N1_TO_1"}


@pytest.mark.parametrize("channels", ["per tensor", "per channel"])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("seed", range(8))
def test_dense(channels, activation, seed):
    rng = np.random.default_rng(seed)
    batch, n_in, n_out = rng.integers(1, 5), rng.integers(1, 40), rng.integers(2, 20)
    x = rng.integers(-128, 128, (batch, n_in), dtype=np.int8)
    weights = rng.integers(-127, 128, (n_out, n_in), dtype=np.int8)
    bias = rng.integers(-5000, 5000, n_out, dtype=np.int32)
    s_in, s_out = rng.uniform(0.001, 0.1), rng.uniform(0.05, 0.5)
    scales = rng.uniform(0.001, 0.1, n_out if channels == "per channel" else 1).astype(np.float32)
    z_in, z_out = int(rng.integers(-128, 128)), int(rng.integers(-128, 128))
    fused = getattr(schema.ActivationFunctionType, ACTIVATIONS[activation])
    bias_scale = tuple(np.float32(s_in) * scales)
    expected = run_operator(
        Operator("FULLY_CONNECTED", "FullyConnectedOptions", {"fusedActivationFunction": fused}),
        [
            Tensor(x.shape, scale=[s_in], zero_point=z_in),
            Tensor(weights.shape, scale=scales, data=weights),
            Tensor(bias.shape, "int32", bias_scale, data=bias),
        ],
        Tensor((batch, n_out), scale=[s_out], zero_point=z_out),
        x,
    )
    if channels == "per channel":
        real = np.float64(np.float32(s_in)) * scales.astype(np.float64) / np.float64(np.float32(s_out))
    else:  # the reference multiplies the two scales in float32
        real = np.full(n_out, np.float64(np.float32(s_in) * scales[0]) / np.float64(np.float32(s_out)))
    multiplier, shift = integer.quantize_multipliers(real)
    minimum, maximum = integer.activation_range(activation, s_out, z_out)
    ours = integer.dense(
        x, weights, integer.fold_input_zero_point(weights, bias, z_in), multiplier, shift,
        output_zero_point=z_out, minimum=minimum, maximum=maximum,
    )  # fmt: skip
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("scale", [1e-3, 0.017, 0.1, 0.25, 1.0, 7.3, 40.0])
@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_softmax(scale, beta):
    rng = np.random.default_rng(int(scale * 1000))
    multiplier, shift, minimum_difference = integer.softmax_multiplier(scale, beta)
    operator = Operator("SOFTMAX", "SoftmaxOptions", {"beta": beta})
    for classes in (1, 2, 3, 10, 100, 511):
        x = rng.integers(-128, 128, (40, classes), dtype=np.int8)
        tensor = Tensor(x.shape, scale=[scale], zero_point=3)
        expected = run_operator(operator, [tensor], Tensor(x.shape, scale=[1 / 256], zero_point=-128), x)
        np.testing.assert_array_equal(integer.softmax(x, multiplier, shift, minimum_difference), expected)


def interesting_floats(rng, scale):
    steps = np.concatenate([rng.normal(0, 90, 3000), rng.integers(-300, 300, 3000) + 0.5])
    x = (steps * scale).astype(np.float32)
    return np.concatenate([x, np.nextafter(x, np.float32(9)), [0.0, -0.0, 1e-42, -1e-42]]).astype(np.float32)


@pytest.mark.parametrize("scale", [0.0078125, 1 / 3, 0.1, 2.0, 17.3])
def test_quantize_and_dequantize(scale):
    x = interesting_floats(np.random.default_rng(1), scale)[None, :]
    stored, real = Tensor(x.shape, scale=[scale], zero_point=-5), Tensor(x.shape, "float32")
    q = run_operator(Operator("QUANTIZE"), [real], stored, x)
    np.testing.assert_array_equal(integer.quantize(x, scale, -5), q)
    back = run_operator(Operator("DEQUANTIZE"), [stored], real, q)
    np.testing.assert_array_equal(integer.dequantize(q, scale, -5), back)


@given(st.integers(-90, 70), st.integers(1, 255), st.integers(-(2**15), 2**15))
def test_a_short_scale_is_split_and_exact(exponent, significand, zero_point):
    scale = significand * 2.0**exponent
    multiplier, fraction_bits = integer.split_scale(scale, zero_point)
    assert multiplier * 2.0**-fraction_bits == scale
    x = np.arange(-128, 128)
    assert np.abs(multiplier * (x - zero_point)).max() < 2**24
    np.testing.assert_array_equal(integer.dequantize(x, scale, zero_point), scale * (x - zero_point))


@pytest.mark.parametrize("scale", [0.1, 0.0, -0.5, float("nan"), float("inf"), 2.0**101])
def test_a_scale_that_is_not_short_is_refused(scale):
    with pytest.raises(GraphError, match="products of 24 bits"):
        integer.split_scale(scale, 0)


def test_what_is_no_number_is_quantised_as_said():
    x = np.array([np.nan, np.inf, -np.inf, 3e38, -3e38], np.float32)
    np.testing.assert_array_equal(integer.quantize(x, 0.1, 9), [9, 127, -128, 127, -128])
    np.testing.assert_array_equal(integer.quantize(x[:1], 0.1, 300, missing=-3), [-3])


@settings(max_examples=50)
@given(st.integers(-128, 127), st.integers(0, 2**32))
def test_folding_the_zero_point_is_exact(zero_point, seed):
    rng = np.random.default_rng(seed)
    x, weights = rng.integers(-128, 128, (3, 7)), rng.integers(-127, 128, (5, 7))
    bias = rng.integers(-1000, 1000, 5)
    folded = integer.fold_input_zero_point(weights, bias, zero_point)
    np.testing.assert_array_equal(x @ weights.T + folded, (x - zero_point) @ weights.T + bias)


def test_a_bias_that_leaves_int32_is_refused():
    with pytest.raises(GraphError, match="must fit int32"):
        integer.fold_input_zero_point(np.full((1, 9), 127), [2**31 - 1], -128)


def test_activation_ranges():
    assert integer.activation_range("linear", 0.1, 3) == (-128, 127)
    assert integer.activation_range("relu", 0.1, 3) == (3, 127)
    assert integer.activation_range("relu6", 0.1, 3) == (3, 63)
    assert integer.activation_range("hard_tanh", 0.1, 3) == (-7, 13)
    with pytest.raises(GraphError, match="clamps"):
        integer.activation_range("tanh", 0.1, 3)
