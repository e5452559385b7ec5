# SPDX-License-Identifier: Apache-2.0
"""Scales, ticks and bins, in numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeling.report.scales import SLACK, covering, histogram, linear, logarithmic, nice_step, tick_text
from tests.support.close import DOUBLE, require_close

FINITE = st.floats(-1e9, 1e9)


def test_a_linear_scale_maps_ends_to_ends_and_the_middle_to_the_middle():
    scale = linear(0, 10, 100, 300)
    assert [scale(0), scale(5), scale(10)] == [100, 200, 300]


def test_a_scale_may_run_downwards_as_screens_do():
    scale = linear(0, 1, 200, 0)
    assert (scale(0), scale(0.25), scale(1)) == (200, 150, 0)


def test_a_logarithmic_scale_gives_every_power_of_ten_the_same_room():
    scale = logarithmic(0.011, 97, 0, 400)
    require_close((scale.low, scale.high), (0.01, 100), 4, unit=DOUBLE)
    places = [scale(v) for v in (0.01, 0.1, 1, 10, 100)]
    require_close(places, [0, 100, 200, 300, 400], 8, of=[400] * 5, unit=DOUBLE)
    require_close(scale.ticks, (0.01, 0.1, 1, 10, 100), 4, unit=DOUBLE)


def test_a_logarithmic_scale_is_no_wider_than_round_numbers_need():
    scale = logarithmic(0.027, 13, 0, 1)
    require_close((scale.low, scale.high), (0.02, 20), 4, unit=DOUBLE)
    require_close(scale.ticks, (0.1, 1, 10), 4, unit=DOUBLE)


@given(st.floats(1e-300, 1e290), st.floats(101, 1e9))
def test_a_logarithmic_scale_holds_its_data(low, ratio):
    scale = logarithmic(low, low * ratio, 0, 100)
    room = 100 * SLACK  # of the numbers, whose logarithms lie more than 2 apart
    assert -room <= scale(low) < scale(low * ratio) <= 100 + room
    assert 2 <= len(scale.ticks) <= 9


def test_ticks_are_round_and_cover_the_data():
    assert linear(0.13, 0.87, 0, 1).ticks == (0, 0.2, 0.4, 0.6, 0.8, 1.0)
    assert linear(-7, 23, 0, 1).ticks == (-10, 0, 10, 20, 30)
    assert linear(3, 3, 0, 1).low < 3 < linear(3, 3, 0, 1).high


@given(FINITE, FINITE)
def test_any_two_numbers_make_a_scale_that_holds_both(one, other):
    low, high = sorted((one, other))
    scale = linear(low, high, 0, 100)
    room = SLACK * (scale.ticks[1] - scale.ticks[0]) + 4 * DOUBLE * max(abs(low), abs(high))
    assert scale.low <= low + room
    assert high - room <= scale.high
    assert 2 <= len(scale.ticks) <= 12
    assert np.isfinite([scale(low), scale(high)]).all()


@pytest.mark.parametrize(
    ("span", "count", "step"), [(10, 5, 2), (1, 5, 0.2), (7, 5, 2), (100, 10, 10), (0.003, 3, 0.001)]
)
def test_steps_are_one_two_or_five_times_a_power_of_ten(span, count, step):
    require_close(nice_step(span, count), step, 4, unit=DOUBLE)


def test_a_curve_over_many_powers_of_ten_gets_a_logarithmic_scale():
    assert covering([1e-4, 1.0], 0, 1).logarithmic
    assert not covering([0.5, 1.0], 0, 1).logarithmic
    assert not covering([-1.0, 1000.0], 0, 1).logarithmic


def test_ticks_of_one_scale_have_the_same_decimals():
    scale = linear(0, 1.5, 0, 1)
    assert [tick_text(scale, t) for t in scale.ticks] == ["0.0", "0.5", "1.0", "1.5"]
    scale = linear(0, 1, 0, 1)
    assert [tick_text(scale, t, 100) for t in scale.ticks] == ["0", "20", "40", "60", "80", "100"]
    assert tick_text(logarithmic(1e-7, 1, 0, 1), 1e-7) == "1e-7"


@given(st.lists(FINITE, min_size=1, max_size=200))
def test_a_histogram_counts_every_value_once(values):
    array = np.array(values)
    counts, edges = histogram(array)
    assert counts.sum() == len(array)
    assert len(edges) == len(counts) + 1 <= 110
    assert np.all(np.diff(edges) > 0)


def test_a_histogram_puts_values_where_they_belong():
    counts, edges = histogram(np.repeat([0.5, 1.5, 2.5, 3.5], [1, 2, 3, 4]))
    for value, number in ((0.5, 1), (1.5, 2), (2.5, 3), (3.5, 4)):
        inside = np.searchsorted(edges, value, side="right") - 1
        assert counts[min(inside, len(counts) - 1)] == number
