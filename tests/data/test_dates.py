# SPDX-License-Identifier: Apache-2.0
"""Dates and times as text, against Python's own reading of the same formats."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.data.dates import DAY_FIRST, MONTH_FIRST, date_text, days_from_civil, parse_dates
from tests.support.close import DOUBLE, require_close

FORMATS = [
    "%Y-%m-%d", "%Y/%m/%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.%f",
    "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d %b %Y", "%d-%b-%y", "%b %d, %Y", "%B %d %Y", "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %B %d, %Y", "%d/%m/%Y %I:%M %p",
]  # fmt: skip
MOMENTS = st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2068, 1, 1)), min_size=1, max_size=20)


def seconds(moment: datetime) -> float:
    return (moment - datetime(1970, 1, 1)).total_seconds()


@pytest.mark.parametrize("format_", FORMATS)
@settings(max_examples=25)
@given(moments=MOMENTS)
def test_formats(format_: str, moments: list[datetime]) -> None:
    words = [moment.strftime(format_) for moment in moments]
    found = parse_dates(words, day_first=True)
    assert found is not None
    if found.form != MONTH_FIRST:  # where every day is at most 12, and a month above 12 is not there to tell
        expected = [seconds(datetime.strptime(word, format_)) for word in words]
        require_close(found.seconds, expected, 3, unit=DOUBLE)  # days and parts of a second are added to seconds


def test_the_order_of_day_and_month_is_proven_told_or_usual() -> None:
    for words, told, form, first in [
        (["03/04/2020", "25/04/2020"], None, DAY_FIRST, date(2020, 4, 3)),
        (["03/04/2020", "04/25/2020"], True, MONTH_FIRST, date(2020, 3, 4)),
        (["03/04/2020"], None, MONTH_FIRST, date(2020, 3, 4)),
        (["03/04/2020"], True, DAY_FIRST, date(2020, 4, 3)),
        (["03.04.2020"], None, DAY_FIRST, date(2020, 4, 3)),
        (["3/4/20"], None, MONTH_FIRST, date(2020, 3, 4)),
    ]:
        found = parse_dates(words, told)
        assert found is not None
        assert (found.form, found.temporal) == (form, "date")
        assert found.seconds[0] == (first - date(1970, 1, 1)).days * 86400
        assert found.open == (words[0][2] == "/" or words == ["3/4/20"]) & (told is None) & (len(words) == 1)
    assert parse_dates(["13/05/2020", "05/13/2020"]) is None


def test_a_zone_is_counted_in_utc() -> None:
    words = ["2024-06-01T12:00:00+02:00", "2024-06-01 12:00:00 -0530", "2024-06-01T12:00Z", "2024-06-01T12:00"]
    found = parse_dates(words)
    assert found is not None
    assert found.zoned
    expected = [datetime.fromisoformat(w.replace(" -0530", "-05:30").replace("Z", "+00:00")) for w in words]
    assert found.seconds.tolist() == [(m if m.tzinfo else m.replace(tzinfo=UTC)).timestamp() for m in expected]


def test_times_of_day_are_seconds_since_midnight() -> None:
    found = parse_dates(["13:45", "1:45:30.5 PM", "12:00 am"])
    assert found is not None
    assert found.temporal == "time"
    assert found.seconds.tolist() == [49500, 49530.5, 0]


def test_months_alone_begin_them_and_dates_that_do_not_exist_are_none() -> None:
    found = parse_dates(["2024-02", "2024-03"])
    assert found is not None
    assert [date_text(s, found.temporal) for s in found.seconds] == ["2024-02-01", "2024-03-01"]
    found = parse_dates(["2023-02-28", "2024-02-29", "2023-02-29", "0000-00-00"])
    assert found is not None
    assert np.isnan(found.seconds).tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    "words",
    [["a", "b"], ["1.2.10"], ["10.0.0.1"], ["2024"], ["tuesday"], ["maybe 5, 2020"], ["2020-01-01x"], ["24:01"],
     ["1" * 10_000], ["1/" * 5_000], ["January " * 2_000]],
)  # fmt: skip
def test_what_is_no_date(words: list[str]) -> None:
    found = parse_dates(words)
    assert found is None or np.isnan(found.seconds).all()


def test_many_cells_of_one_form_are_read_as_few_are() -> None:
    drawn = np.random.default_rng(0).integers(-8_000_000_000, 8_000_000_000, 700)
    words = [str(moment).replace("T", " ") for moment in np.unique(drawn).astype("datetime64[s]")]
    many = parse_dates(words)
    assert many is not None
    few = np.concatenate([parse_dates(words[i : i + 100]).seconds for i in range(0, len(words), 100)])  # type: ignore[union-attr]
    np.testing.assert_array_equal(many.seconds, few)


@given(st.dates())
def test_days_are_pythons(day: date) -> None:
    assert days_from_civil(day.year, day.month, day.day) == (day - date(1970, 1, 1)).days
