# SPDX-License-Identifier: Apache-2.0
"""The parts of a moment are those of Python's own calendar."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgeling.graph.calendar import LARGEST_COUNT, PARTS, calendar_parts

EVERY_PART = tuple(range(len(PARTS)))
EPOCH = datetime(1970, 1, 1)


def parts_of(moment: datetime) -> list[int]:
    return [moment.year, moment.month, moment.day, moment.weekday(), moment.hour, moment.minute]


@given(st.datetimes(datetime(200, 1, 1), datetime(3700, 1, 1)), st.integers(-20000, 30000))
def test_minutes_since_any_day(moment: datetime, epoch_days: int) -> None:
    minutes = (moment - EPOCH - timedelta(epoch_days)) // timedelta(minutes=1)
    found = calendar_parts(np.array([[float(minutes)]]), EVERY_PART, 1440, epoch_days)
    assert found.tolist() == [parts_of(moment)]


def test_every_day_of_nine_centuries() -> None:
    days = np.arange(-200_000, 130_000, dtype=np.float32)[:, None]
    found = calendar_parts(days, (0, 1, 2, 3), 1, 0)
    for day, row in zip(days[::997, 0], found[::997].astype(int).tolist(), strict=True):
        assert row == parts_of(EPOCH + timedelta(float(day)))[:4]
    dates = np.datetime64("1970-01-01") + days[:, 0].astype(int)
    np.testing.assert_array_equal(found[:, 0], dates.astype("datetime64[Y]").astype(int) + 1970)
    np.testing.assert_array_equal(found[:, 1], dates.astype("datetime64[M]").astype(int) % 12 + 1)


def test_counts_are_rounded_down_and_what_is_no_moment_is_nan() -> None:
    x = np.array([[0.99], [-0.01], [np.nan], [np.inf], [-2 * LARGEST_COUNT]], np.float32)
    found = calendar_parts(x, (0, 2), 1, 0)
    assert found[:2].tolist() == [[1970, 1], [1969, 31]]
    assert np.isnan(found[2:]).all()
    assert found.dtype == np.float32
