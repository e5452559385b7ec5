# SPDX-License-Identifier: Apache-2.0
"""Nodes of integer arithmetic, with random and with the largest numbers that are legal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from edgeling.graph import integer16
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.integer import LARGEST_ZERO_POINT, softmax_multiplier
from edgeling.graph.integer_tables import Affine, fine_logistic_table
from edgeling.graph.types import Array, DType
from tests.codegen.harness import Case, case

STORED = (np.int8, np.int16)
LARGEST = 2**31 - 1
BROADCAST = [((3, 5), (3, 5)), ((3, 5), (5,)), ((3, 1), (1, 5)), ((1, 4), (3, 1)), ((2, 3, 4), (4,)), ((1,), (1,))]
FRACTION = {"multiplier": 1503238554, "right_shift": 3, "zero_point": -7}
OPERANDS = {"zero_point_a": -128, "zero_point_b": 9}
PARTS = {"multiplier_a": 2**30, "right_shift_a": 0, "multiplier_b": 1932735283, "right_shift_b": 2}
EXTREME = {"multiplier": LARGEST, "right_shift": 0, "zero_point": LARGEST_ZERO_POINT}


def stored(dtype: type[Any], *shape: int, seed: int = 0) -> Array:
    limits = np.iinfo(dtype)
    x = np.random.default_rng([seed, *shape]).integers(limits.min, limits.max + 1, shape, dtype=dtype)
    x.flat[:1], x.flat[-1:] = limits.max, limits.min
    return x


def clamp(dtype: type[Any]) -> dict[str, int]:
    return {"minimum": int(np.iinfo(dtype).min), "maximum": int(np.iinfo(dtype).max)}


def integer_cases() -> Iterator[Case]:
    for dtype in STORED:
        yield from _binary_cases(dtype)
        yield from _unary_cases(dtype)
        yield from _moved_cases(dtype)
        yield from (_scale_case(dtype, rows, columns) for rows, columns in [(1, 1), (3, 4), (2, 33)])
    yield from _int16_cases()


def _binary_cases(dtype: type[Any]) -> Iterator[Case]:
    for (a, b), operation in product(BROADCAST, ("add_quantized", "subtract_quantized")):
        given = stored(dtype, *a), stored(dtype, *b, seed=1)
        yield case(operation, *given, **OPERANDS, **PARTS, **FRACTION, **clamp(dtype), exact=True)
        yield case(operation, *given, **OPERANDS, **PARTS, **EXTREME, minimum=-99, maximum=100, exact=True)
    for a, b in BROADCAST:
        given = stored(dtype, *a), stored(dtype, *b, seed=1)
        finer = {**FRACTION, "right_shift": 8 * np.dtype(dtype).itemsize - 1}
        yield case("multiply_quantized", *given, **OPERANDS, **finer, **clamp(dtype), exact=True)
        yield case("multiply_quantized", *given, **OPERANDS, **EXTREME, minimum=-99, maximum=100, exact=True)


def _unary_cases(dtype: type[Any]) -> Iterator[Case]:
    x = stored(dtype, 7, 9)
    yield case("requantize", x, input_zero_point=-128, left_shift=2, **FRACTION, exact=True)
    yield case("requantize", x, input_zero_point=-LARGEST_ZERO_POINT, left_shift=7, **EXTREME, exact=True)
    for shape, axes in [((3, 5), (1,)), ((2, 3, 4), (1,)), ((2, 3, 4), (1, 2)), ((3, 4), ()), ((2, 70), (0,))]:
        yield case("sum_quantized", stored(dtype, *shape), axes=axes, input_zero_point=3, **FRACTION, exact=True)
    yield case(
        "sum_quantized", np.full((1, 500), 127, dtype), axes=(1,), input_zero_point=-LARGEST_ZERO_POINT, **EXTREME,
        exact=True,
    )  # fmt: skip


def _moved_cases(dtype: type[Any]) -> Iterator[Case]:
    x = stored(dtype, 5, 3)
    yield case("gather", x, indices=(2, 0, 0, 1), exact=True)
    yield case("concatenate", x, stored(dtype, 5, 1), stored(dtype, 5, 7), exact=True)
    yield case("broadcast", stored(dtype, 3, 1), shape=(3, 4), exact=True)
    yield case("broadcast", stored(dtype, 4), shape=(2, 3, 4), exact=True)


def constants_case(operation: str, x: Array, *constants: Array, title: str = "", **attributes: Any) -> Case:
    """A node that reads one variable value."""
    b = GraphBuilder(operation)
    names = [b.constant(array, f"c{i}") for i, array in enumerate(constants)]
    y = b.add(operation, b.input("x", x.shape, DType.of(x)), *names, **attributes)
    return Case(b.build([y]), (x,), f"{operation} {title} {attributes} on {x.shape}", exact=True)


def _int16_cases() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for rows, inputs, outputs in [(1, 1, 1), (2, 7, 5), (1, 40, 3)]:
        x, weights = stored(np.int16, rows, inputs), rng.integers(-127, 128, (outputs, inputs), np.int8)
        bias, multiplier = rng.integers(-99999, 99999, outputs, np.int32), rng.integers(2**14, 2**15, outputs, np.int16)
        weights[0], bias[0] = 127, 2**31 - 1 - LARGEST_ZERO_POINT - 2**15 * 127 * inputs
        shift = rng.integers(2, 14, outputs, np.int8)
        limits = {"minimum": -9999, "maximum": 2**15 - 1}
        yield constants_case(
            "dense_int16", x, weights, bias, multiplier, shift, zero_point=LARGEST_ZERO_POINT, **limits
        )
        yield constants_case("dense_int16", x, weights, bias, multiplier, shift, zero_point=-3, **limits)
    every = np.arange(-(2**15), 2**15, 7, dtype=np.int16)
    for x in (every[:1], every):
        yield constants_case("lookup_int16", x, stored(np.int16, 513))
    bytes_ = np.arange(-128, 128, dtype=np.int8).reshape(4, 64)
    yield constants_case("lookup_int8", bytes_, fine_logistic_table(Affine(0.05, 3)), title="told as int16")
    for scale, shape in product((0.004, 0.1, 1.0), ((1, 1), (3, 2), (2, 3, 40))):
        numbers = dict(zip(("multiplier", "left_shift", "minimum_difference"), softmax_multiplier(scale), strict=True))
        yield constants_case("softmax_int8", stored(np.int8, *shape), **numbers, fine=True)
    yield from _curves_cases(rng)
    tables = integer16.softmax_tables()
    for scale, shape in product((1e-5, 1e-3, 2.4), ((1, 1), (3, 2), (2, 3, 40))):
        x = stored(np.int16, *shape)
        yield constants_case("softmax_int16", x, *tables, **integer16.softmax_numbers(scale))
    yield constants_case("softmax_int16", np.zeros((1, 3000), np.int16), *tables, **integer16.softmax_numbers(1e-3))
    yield from _ends_cases(rng)


def _curves_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Sums of tables, of which the first output's are as large as can be."""
    for rows, shifts, outputs in [(1, (0,), 1), (3, (0, 7, 1, 6), 3), (2, (7, 7), 2)]:
        x, entries = stored(np.int8, rows, len(shifts)), sum(256 >> shift for shift in shifts)
        tables, bias = (
            rng.integers(-127, 128, (outputs, entries), np.int8),
            rng.integers(-99999, 99999, outputs, np.int32),
        )
        multiplier, right_shift = rng.integers(2**30, 2**31, outputs, np.int32), rng.integers(6, 15, outputs, np.int8)
        tables[0], bias[0] = 127, 2**31 - 1 - LARGEST_ZERO_POINT - 256 * 127 * len(shifts)
        for zero_point in (LARGEST_ZERO_POINT, -5):
            numbers = {"zero_point": zero_point, "minimum": -99, "maximum": 100}
            yield constants_case(
                "curves_int8", x, tables, bias, multiplier, right_shift, title=str(shifts), shifts=shifts, **numbers
            )


def _ends_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Floats stored as int16, and back."""
    bits, points = np.array([-100, -3, 0, 7, 24, 100], np.int8), np.array([2**22, -(2**22), 0, 9, -40000, 1], np.int32)
    near = ((rng.integers(-40000, 40000, (20, 6)) + 0.5 - points) * np.ldexp(1.0, -bits.astype(int))).astype(np.float32)
    odd = np.array([np.nan, np.inf, -np.inf, 0.0, 1e-45, -3.4e38], np.float32)
    x = np.concatenate([near, np.repeat(odd[:, None], 6, axis=1)])
    yield constants_case("quantize", x, bits, points, rng.integers(-(2**15), 2**15, 6, np.int16), title="int16")
    for scale, point in [(2.0**-15, 0), (3 * 2.0**90, -7), (5 * 2.0**-60, 2**18)]:
        yield case("dequantize", stored(np.int16, 9, 9), scale=scale, zero_point=point, exact=True)


def _scale_case(dtype: type[Any], rows: int, columns: int) -> Case:
    """Of each column another weight; of the first the largest there are."""
    rng = np.random.default_rng(columns)
    x = stored(dtype, rows, columns)
    weights, bias = rng.integers(-127, 128, columns, np.int8), rng.integers(-9999, 9999, columns, np.int32)
    multiplier, shift = rng.integers(2**30, 2**31, columns, np.int32), rng.integers(6, 15, columns, np.int8)
    weights[0], bias[0], multiplier[0], shift[0] = 127, 2**30, LARGEST, 0
    title = f"{dtype.__name__} {columns}"
    return constants_case("scale_quantized", x, weights, bias, multiplier, shift, title=title, zero_point=-5)
