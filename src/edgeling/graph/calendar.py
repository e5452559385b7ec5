# SPDX-License-Identifier: Apache-2.0
"""The parts of a moment: year, month and so on of a count of days or minutes, in the proleptic Gregorian calendar.

H. Hinnant, "chrono-Compatible Low-Level Date Algorithms": integers only, and the same before the count's beginning.
"""

from __future__ import annotations

import numpy as np

from edgeling.graph.types import Array

PARTS = ("year", "month", "day", "weekday", "hour", "minute")
"""By number, as the attribute ``parts`` of ``calendar`` has them; a weekday is 0 on Mondays."""

DAY_MINUTES = 1440
LARGEST_COUNT = 1_000_000_000
"""Of days or minutes either way: beyond is NaN, which keeps int32 from overflowing and years exact in float32."""
LARGEST_EPOCH_DAYS = 10_000_000


def calendar_parts(x: Array, parts: tuple[int, ...], units_per_day: int, epoch_days: int) -> Array:
    """The parts of moments.

    Args:
        x: [n, 1] counts, rounded down; NaN and what is beyond ``LARGEST_COUNT`` give NaN.
        parts: positions in ``PARTS``.
        units_per_day: 1 if days are counted, 1440 if minutes are.
        epoch_days: from 1970-01-01 to where the count begins.

    Returns:
        [n, len(parts)] in the type of ``x``.
    """
    known = np.abs(x) <= LARGEST_COUNT  # false for NaN
    units = np.floor(np.where(known, x, 0)).astype(np.int64)
    days = np.floor_divide(units, units_per_day)
    minutes = (units - days * units_per_day) * (DAY_MINUTES // units_per_day)
    year, month, day = _civil(days + epoch_days)
    fields = (year, month, day, np.mod(days + epoch_days + 3, 7), minutes // 60, minutes % 60)
    columns = [np.where(known, fields[part].astype(x.dtype), np.asarray(np.nan, x.dtype)) for part in parts]
    return np.concatenate(columns, axis=1)


def _civil(days: Array) -> tuple[Array, Array, Array]:
    """Year, month and day of days since 1970-01-01. Years begin in March, so that the leap day is their last."""
    days = days + 719468
    era = np.floor_divide(days, 146097)
    of_era = days - era * 146097
    year_of_era = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted + 2) // 5 + 1
    month = np.where(shifted < 10, shifted + 3, shifted - 9)
    return year_of_era + 400 * era + (month <= 2), month, day
