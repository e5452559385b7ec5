# SPDX-License-Identifier: Apache-2.0
"""Sums that leave the range of float32: the order of their terms is part of the meaning, and C keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from edgeling.graph.sums import axes_sum, row_sum
from edgeling.graph.sums import product as matrix_product
from edgeling.graph.types import Array
from tests.codegen.harness import Case, case, check
from tests.codegen.test_kernels import probabilities

LARGE = np.array([3e38, -3e38, 1.5e38, -1.5e38, 1e38, -1e38, 1, -1, 0.5, 0], np.float32)
FACTORS = np.array([1, -1, 0.5, -0.5, 0.25], np.float32)  # no product overflows or is rounded, fused or not
DICE = np.random.default_rng(0)


def large(*shape: int) -> Array:
    return DICE.choice(LARGE, shape)


def factors(*shape: int) -> Array:
    return DICE.choice(FACTORS, shape)


def products() -> Iterator[Case]:
    for n, k, m in [(2, 3, 3), (4, 8, 5), (3, 16, 40), (5, 70, 33), (1, 100, 9), (32, 64, 48)]:
        for function in ("linear", "relu", "sigmoid"):
            yield case("dense", large(n, k), factors(k, m), large(m), function=function)
        for flip_a, flip_b in product((False, True), repeat=2):
            a, b = large(*((k, n) if flip_a else (n, k))), factors(*((m, k) if flip_b else (k, m)))
            yield case("matmul", a, b, transpose_a=flip_a, transpose_b=flip_b)


def sums() -> Iterator[Case]:
    for shape, axes in [((10, 4), (0,)), ((10, 4), (1,)), ((4, 70), (1,)), ((70,), (0,)), ((2, 33, 4), (1,)),
                        ((64, 20), (0,)), ((5, 40), (0, 1)), ((3, 1, 50), (2,)), ((3, 50, 1), (1,)), ((3, 16), (1,)),
                        ((3, 4), ())]:  # fmt: skip
        yield case("sum", large(*shape), axes=axes)


def rows() -> Iterator[Case]:
    for shape in [(4, 3), (5, 20), (3, 40)]:
        yield case("softmax", large(*shape))
        yield case("log_softmax", large(*shape))
        yield case("log_softmax_gradient", large(*shape), np.log(probabilities(*shape)))
        labels = DICE.integers(0, shape[1], (shape[0], 1)).astype(np.float32)
        truth = np.eye(shape[1], dtype=np.float32)[labels[:, 0].astype(int)]
        for name, t in (("categorical_crossentropy", truth), ("sparse_categorical_crossentropy", labels)):
            yield case("loss", t, large(*shape), function=name, from_logits=True)
            yield case("loss_gradient", np.ones(shape[0]), t, large(*shape), function=name, from_logits=True)


@pytest.mark.parametrize("family", [products, sums, rows])
def test_c_overflows_as_the_meaning_does(family):
    check(list(family()))


def one_by_one(start: np.float32, terms: Array) -> np.float32:
    total = start
    with np.errstate(all="ignore"):
        for term in terms:
            total = np.float32(total + term)
    return total


def test_terms_are_added_one_after_the_other():
    left, right, start = large(20, 30), factors(30, 7), large(7)
    expected = [[one_by_one(start[j], left[i] * right[:, j]) for j in range(7)] for i in range(20)]
    assert np.isinf(expected).any()
    np.testing.assert_array_equal(matrix_product(left, right, start), expected)
    np.testing.assert_array_equal(row_sum(left)[:, 0], [one_by_one(np.float32(0), row) for row in left])


def test_long_rows_are_added_in_sixteen_parts():
    row = large(75)
    parts = [one_by_one(np.float32(0), row[lane:64:16]) for lane in range(16)]
    with np.errstate(all="ignore"):
        while len(parts) > 1:
            parts = [np.float32(a + b) for a, b in zip(parts, parts[len(parts) // 2 :], strict=False)]
    expected = one_by_one(parts[0], row[64:])
    np.testing.assert_array_equal(axes_sum(row, (0,)), [expected])


def test_what_cannot_overflow_is_what_numpy_sums():
    x = DICE.normal(size=(9, 40)).astype(np.float32)
    np.testing.assert_array_equal(row_sum(x), x.sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(axes_sum(x, (0,)), x.sum(axis=0, keepdims=True))
    np.testing.assert_array_equal(matrix_product(x, x.T), x @ x.T)
