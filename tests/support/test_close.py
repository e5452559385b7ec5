# SPDX-License-Identifier: Apache-2.0
"""Bounds by counted roundings: float32 in any order is within, two ulps more than they allow is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.close import DOUBLE, SINGLE, allowed, half_unit, product_magnitude, require_close

TERMS = 40


@given(st.integers(0, 10**6))
def test_a_product_summed_in_any_order_is_within(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, w = (rng.normal(size=TERMS).astype(np.float32) for _ in range(2))
    order = rng.permutation(TERMS)
    exact, magnitude = np.dot(x.astype(np.float64), w), product_magnitude(x, w)
    found = np.add.accumulate((x * w)[order], dtype=np.float32)[-1]
    require_close(found, exact, TERMS, magnitude)  # one product, TERMS - 1 sums
    assert TERMS * SINGLE * magnitude <= allowed(exact, TERMS, magnitude) < 1.001 * TERMS * SINGLE * magnitude + 1e-30


@pytest.mark.parametrize("roundings", [1, 3, 50])
@pytest.mark.parametrize(("unit", "dtype"), [(SINGLE, np.float32), (DOUBLE, np.float64)])
def test_a_few_ulps_beyond_are_caught(roundings: int, unit: float, dtype: type) -> None:
    exact = np.array([1.0, -3.0, 1e6])
    within, beyond = (exact.astype(dtype) * dtype(1 + 2 * unit * n) for n in ((roundings - 1) // 2, roundings // 2 + 2))
    require_close(within, exact, roundings, unit=unit)
    with pytest.raises(AssertionError, match="times what"):
        require_close(beyond, exact, roundings, unit=unit)


@pytest.mark.parametrize("wrong", [[np.nan, 1, np.inf], [np.nan, np.inf, -np.inf], [0, np.inf, 1]])
def test_nan_and_infinity_are_where_they_belong(wrong: list[float]) -> None:
    require_close([np.nan, np.inf, 1], [np.nan, np.inf, 1], 1)
    with pytest.raises(AssertionError):
        require_close(wrong, [np.nan, np.inf, 1], 1)
    with pytest.raises(AssertionError, match="shape"):
        require_close([1, 1], [1], 1)


def test_zero_is_exact_but_for_denormals() -> None:
    require_close(2.0**-127, 0.0, 1)
    for unit in (SINGLE, DOUBLE):
        with pytest.raises(AssertionError):
            require_close(1e-30, 0.0, 100, unit=unit)


def test_a_printed_number_is_the_nearest_of_its_digits() -> None:
    exact = np.array([np.pi, -1e5 / 3, 1e-9 / 7, 1.0])
    for digits in (2, 7):
        printed = np.array([float(f"{x:.{digits}g}") for x in exact])
        half = half_unit(exact, digits)
        assert np.all(np.abs(printed - exact) <= half)
        assert np.all(np.abs(printed + 2 * half - exact) > half)
