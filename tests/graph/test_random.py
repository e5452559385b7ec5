# SPDX-License-Identifier: Apache-2.0
"""The counter-based generator: known answers, and the statistics a shuffle and a mask rest on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeling.graph.random import permutation, philox, random_bits, random_uniform

# Known answers of Philox4x32-10 from Random123's distribution (kat_vectors).
KNOWN = [
    ((0, 0), (0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 4, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0xA4093822, 0x299F31D0),
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("key", "counter", "expected"), KNOWN)
def test_philox_gives_the_published_answers(key, counter, expected) -> None:
    assert tuple(philox(key, np.array([counter], np.uint32))[0]) == expected


@given(st.integers(0, 2**32 - 1), st.integers(1, 50))
def test_a_prefix_does_not_depend_on_how_much_is_drawn(seed: int, size: int) -> None:
    assert np.array_equal(random_bits(size, seed=seed), random_bits(size + 13, seed=seed)[:size])


@given(st.integers(0, 2**32 - 1), st.integers(0, 300))
def test_a_permutation_has_every_index_once(seed: int, size: int) -> None:
    assert sorted(permutation(size, seed=seed)) == list(range(size))


def test_a_permutation_puts_every_index_everywhere_equally_often() -> None:
    counts = np.zeros((5, 5))
    for step in range(4000):
        counts[np.arange(5), permutation(5, seed=7, step=step)] += 1
    chi_squared = np.sum((counts - 800) ** 2 / 800)
    assert chi_squared < 45  # 16 degrees of freedom: 0.0001 quantile is 43.8


def test_uniform_lies_in_the_unit_interval_and_is_uniform() -> None:
    drawn = random_uniform(100_000, seed=3)
    assert drawn.dtype == np.float32
    assert 0 <= drawn.min() < 10 / 100_000  # or not, with probability exp(-10)
    assert 1 - 10 / 100_000 < drawn.max() < 1
    counts = np.histogram(drawn, 20, (0, 1))[0]
    assert np.sum((counts - 5000) ** 2 / 5000) < 60  # 19 degrees of freedom


def test_streams_share_no_numbers() -> None:
    one, two = random_bits(1000, seed=1, stream=1), random_bits(1000, seed=1, stream=2)
    assert len(set(one) & set(two)) <= 1
