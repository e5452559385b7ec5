# SPDX-License-Identifier: Apache-2.0
"""Integer arithmetic element by element against TensorFlow Lite Micro's reference kernels, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeling.graph import integer, integer_elementwise
from edgeling.graph.integer_elementwise import fraction, least_sum_scale, sum_numbers
from tests.support.tflite_reference import Operator, Tensor, run_operator, schema

DTYPES = [np.int8, np.int16]
SEEDS = range(10)
LAYOUTS = [((16, 9), (16, 9)), ((16, 9), (1, 9)), ((1, 9), (16, 9)), ((16, 9), (16, 1))]


def drawn(rng: np.random.Generator, shape: tuple[int, ...], dtype: type[Any]) -> np.ndarray:
    limits = np.iinfo(dtype)
    x = rng.integers(limits.min, limits.max + 1, shape, dtype=dtype)
    x.flat[:2] = limits.min, limits.max
    x.flat[2::2] //= 32
    return x


def zero_points(rng: np.random.Generator, dtype: type[Any], count: int) -> list[int]:
    return [int(z) for z in rng.integers(-128, 128, count)] if dtype is np.int8 else [0] * count


def scales(rng: np.random.Generator, count: int, dtype: type[Any] = np.int8) -> list[float]:
    finer = 1 if dtype is np.int8 else 256
    return [float(np.float32(s / finer)) for s in np.exp(rng.uniform(-4, 0, count))]


def tensor(x: np.ndarray, scale: float, zero_point: int, data: np.ndarray | None = None) -> Tensor:
    return Tensor(x.shape, x.dtype.name, [scale], zero_point, data)


def limits(dtype: type[Any]) -> dict[str, int]:
    return {"minimum": int(np.iinfo(dtype).min), "maximum": int(np.iinfo(dtype).max)}


def clamp(fused: str, scale: float, zero_point: int, dtype: type[Any]) -> dict[str, int]:
    function = {"NONE": "linear", "RELU": "relu", "RELU6": "relu6"}[fused]
    minimum, maximum = integer.activation_range(function, scale, zero_point, dtype)
    return {"minimum": minimum, "maximum": maximum}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", ["add", "subtract"])
@pytest.mark.parametrize("seed", SEEDS)
def test_sums_and_differences(operation, seed, dtype):
    rng = np.random.default_rng(seed)
    shapes = LAYOUTS[seed % len(LAYOUTS)]
    a, b = (drawn(rng, shape, dtype) for shape in shapes)
    (s_a, s_b), (z_a, z_b, z) = scales(rng, 2, dtype), zero_points(rng, dtype, 3)
    if seed == 0:
        s_b = s_a
    made = float(np.float32(max(least_sum_scale(s_a, s_b, dtype), (s_a + s_b) * rng.uniform(0.3, 1.5))))
    fused = ("NONE", "RELU", "RELU6")[seed % 3]
    numbers = {**sum_numbers(s_a, s_b, made, dtype), **clamp(fused, made, z, dtype)}
    numbers |= {"zero_point_a": z_a, "zero_point_b": z_b, "zero_point": z}
    ours = getattr(integer_elementwise, operation)(numbers, a, b)
    fields = {"potScaleInt16": False, "fusedActivationFunction": getattr(schema.ActivationFunctionType, fused)}
    operator = Operator(operation.upper()[:3], f"{operation.capitalize()[:3]}Options", fields)
    output = Tensor(ours.shape, ours.dtype.name, [made], z)
    np.testing.assert_array_equal(
        ours, run_operator(operator, [tensor(a, s_a, z_a), tensor(b, s_b, z_b, b)], output, a)
    )
    assert len(np.unique(ours)) > 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", SEEDS)
def test_products(seed, dtype):
    rng = np.random.default_rng(seed)
    a, b = (drawn(rng, shape, dtype) for shape in LAYOUTS[seed % len(LAYOUTS)])
    (s_a, s_b), (z_a, z_b, z) = scales(rng, 2, dtype), zero_points(rng, dtype, 3)
    reach = float(np.iinfo(dtype).max)
    made = float(np.float32(s_a * s_b * reach * rng.uniform(0.3, 2)))
    numbers = {**fraction(s_a * s_b / made), "zero_point_a": z_a, "zero_point_b": z_b, "zero_point": z, **limits(dtype)}
    ours = integer_elementwise.multiply(numbers, a, b)
    output = Tensor(ours.shape, ours.dtype.name, [made], z)
    expected = run_operator(
        Operator("MUL", "MulOptions"), [tensor(a, s_a, z_a), tensor(b, s_b, z_b, b)], output, a
    )  # fmt: skip
    np.testing.assert_array_equal(ours, expected)
    assert len(np.unique(ours)) > 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ratio", [0.01, 0.3, 0.5, 1.0, 1.7, 40.0])
def test_another_scale(ratio, dtype):
    rng = np.random.default_rng(int(ratio * 100))
    x = np.arange(-128, 128, dtype=dtype)[None] if dtype is np.int8 else drawn(rng, (1, 500), dtype)
    (given,), (z_in, z) = scales(rng, 1, dtype), zero_points(rng, dtype, 2)
    made = float(np.float32(given / ratio))
    multiplier, shift = integer.quantize_multiplier(given / made)
    numbers = {"input_zero_point": z_in, "multiplier": multiplier, "zero_point": z}
    numbers |= {"left_shift": max(shift, 0), "right_shift": max(-shift, 0)}
    ours = integer_elementwise.requantize(numbers, x)
    expected = run_operator(Operator("QUANTIZE"), [tensor(x, given, z_in)], tensor(x, made, z), x)
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axes", [(1,), (2,), (1, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_sums_over_axes(axes, seed, dtype):
    rng = np.random.default_rng(seed)
    x = drawn(rng, (2, 5, 7), dtype)
    (given,), (z_in, z) = scales(rng, 1, dtype), zero_points(rng, dtype, 2)
    made = float(np.float32(given * rng.uniform(2, 9)))
    numbers = {"axes": axes, "input_zero_point": z_in, "zero_point": z, **fraction(given / made)}
    ours = integer_elementwise.total(numbers, x)
    axis = Tensor((len(axes),), "int32", data=np.array(axes, np.int32))
    operator = Operator("SUM", "ReducerOptions", {"keepDims": True})
    expected = run_operator(operator, [tensor(x, given, z_in), axis], Tensor(ours.shape, x.dtype.name, [made], z), x)
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_weight_a_column_is_a_depthwise_convolution_of_one_by_one(seed):
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(1, 6)), int(rng.integers(1, 12))
    x = drawn(rng, (1, rows, 1, columns), np.int8) if rows * columns > 1 else np.full((1, 1, 1, 1), 99, np.int8)
    weights = rng.integers(-127, 128, columns, dtype=np.int8)
    bias = rng.integers(-(2**14), 2**14, columns, dtype=np.int32)
    weight_scales = np.array(scales(rng, columns), np.float32)
    (given,), (z_in, z) = scales(rng, 1), zero_points(rng, np.int8, 2)
    made = float(np.float32(given * weight_scales.max() * 99))
    multiplier, shift = integer.quantize_multipliers(given * weight_scales.astype(np.float64) / made)
    folded = bias - z_in * weights.astype(np.int32)
    ours = integer_elementwise.scale({"zero_point": z}, x, weights, folded, multiplier, -shift)
    filters = Tensor((1, 1, 1, columns), scale=weight_scales, data=weights, axis=3)
    biases = Tensor((columns,), "int32", np.float32(given) * weight_scales, data=bias)
    fields = {"strideW": 1, "strideH": 1, "depthMultiplier": 1}
    operator = Operator("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", fields)
    expected = run_operator(operator, [tensor(x, given, z_in), filters, biases], tensor(x, made, z), x)
    np.testing.assert_array_equal(ours, expected)
