# SPDX-License-Identifier: Apache-2.0
"""Dates and times as people and programs write them, to seconds since 1970.

ISO 8601 with its variants; day.month.year and month/day/year; names of months in English; a time of day behind them,
with AM or PM and a zone. A moment with a zone is counted in UTC, one without as it stands. A time of day alone is
seconds since midnight.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgeling.graph.types import Array

DAY_SECONDS = 86400
DAY_FIRST, MONTH_FIRST = "day first", "month first"
_LONGEST = 48  # characters
_LATEST_SHORT_YEAR = 68  # 69 is 1969, as POSIX has it
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH_NUMBERS = {name: i for names in (_MONTHS, _LONG_MONTHS) for i, name in enumerate(names, 1)} | {"sept": 9}

_TIME = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?(?: ?(?P<zone>Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?"
)
_NAME = r"(?P<month_name>[A-Za-z]{3,9})\.?"
_WEEKDAY = r"(?:(?:[Mm]on|[Tt]ue|[Ww]ed|[Tt]hu|[Ff]ri|[Ss]at|[Ss]un)[a-z]{0,6},? )?"
_DATES = (
    r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
    r"(?P<first>\d{1,2})(?P<mark>[-/.])(?P<other>\d{1,2})(?P=mark)(?P<year>\d{4})",
    r"(?P<first>\d{1,2})(?P<mark>/)(?P<other>\d{1,2})/(?P<year>\d{2})",
    r"(?P<first>\d{2})(?P<mark>[-.])(?P<other>\d{2})(?P=mark)(?P<year>\d{2})",
    rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[ -]{_NAME}(?:,? |-)(?P<year>\d{{4}}|\d{{2}})",
    rf"{_WEEKDAY}{_NAME} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>\d{{4}})",
    r"(?P<year>\d{4})-(?P<month>\d{2})",
    rf"{_NAME}[ -](?P<year>\d{{4}})",
)
_PATTERNS = tuple(re.compile(rf"{date}(?:(?:[Tt ]|, ?){_TIME})?") for date in _DATES)
_TIME_ONLY = re.compile(_TIME)
_NEVER = frozenset({"0000-00-00", "0000-00-00 00:00:00"})  # what MySQL writes for a missing date


@dataclass(frozen=True, eq=False)
class Dates:
    """Cells understood as dates.

    Attributes:
        seconds: float64 [words] since 1970-01-01 00:00, or since midnight; NaN where the word is no date.
        temporal: ``date`` where no cell has a time of day.
        form: the order of day and month, where the words leave it open or prove it; else empty.
        open: whether the words left it open.
        zoned: whether a cell says its zone.
    """

    seconds: Array
    temporal: Literal["date", "timestamp", "time"]
    form: str = ""
    open: bool = False
    zoned: bool = False


def parse_dates(words: Sequence[str], day_first: bool | None = None) -> Dates | None:
    """Read a column's distinct words as dates.

    Args:
        words: none missing.
        day_first: the order of day and month, where the words leave it open.

    Returns:
        Dates, NaN for words that are none; ``None`` where most are none.
    """
    if quick := _iso(words):
        return quick
    tried = words[:50]
    if sum(_match(word, _PATTERNS) is not None or _time(word) is not None for word in tried) * 2 <= len(tried):
        return None
    found = [_match(word, _PATTERNS) for word in words]
    if not any(found):
        return _times(words)
    form, doubtful = _order(found, day_first)
    if form is None:
        return None
    seconds = np.array([np.nan if m is None else _seconds(m, form) for m in found])
    seconds[[word in _NEVER for word in words]] = np.nan
    whole = bool(np.all((seconds % DAY_SECONDS == 0) | np.isnan(seconds)))
    zoned = any(m is not None and m["zone"] for m in found)
    return Dates(seconds, "date" if whole and not zoned else "timestamp", form, doubtful, zoned)


def is_never(word: str) -> bool:
    """Whether a word stands for a missing date."""
    return word in _NEVER


def date_text(seconds: float, temporal: str) -> str:
    """As ISO 8601 writes it."""
    unit = np.timedelta64(round(seconds * 1000), "ms")
    text = str(np.datetime64("1970-01-01", "ms") + unit)
    return text[:10] if temporal == "date" else text.removesuffix(".000").replace("T", " ")


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 of a date in the proleptic Gregorian calendar (H. Hinnant, "chrono-Compatible Low-Level
    Date Algorithms")."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month + (9 if month <= 2 else -3)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def _iso(words: Sequence[str]) -> Dates | None:
    """The quick answer for many cells of the one form that NumPy reads, one width throughout."""
    lengths = {len(word) for word in words}
    marks = {word[4:5] + word[7:8] for word in words}
    if len(words) < 500 or not lengths <= {10, 16, 19, 23} or marks != {"--"} or not all(map(str.isascii, words)):
        return None
    if len(lengths) > 1 or not _PATTERNS[0].fullmatch(words[0]):
        return None
    try:
        read = np.array(words, dtype="datetime64[ms]")
    except ValueError:
        return None
    seconds = read.astype(np.int64) / 1000
    whole = bool(np.all(seconds % DAY_SECONDS == 0))
    return None if np.isnat(read).any() else Dates(seconds, "date" if whole else "timestamp")


def _match(word: str, patterns: Sequence[re.Pattern[str]]) -> dict[str, str | None] | None:
    if len(word) > _LONGEST or (not word[-1:].isalnum() and word[-1:] != "."):
        return None
    for pattern in patterns:
        if (found := pattern.fullmatch(word)) and _known_month(found):
            return found.groupdict()
    return None


def _known_month(found: re.Match[str]) -> bool:
    name = found.groupdict().get("month_name")
    return name is None or name.lower() in _MONTH_NUMBERS


def _order(found: Sequence[dict[str, str | None] | None], day_first: bool | None) -> tuple[str | None, bool]:
    """Which of two numbers is the day: proven by one above 12, or as told, or as the marks usually mean.

    Returns:
        The form, ``None`` where the words contradict one another, and whether it was left open.
    """
    both = [(int(m["first"] or 0), int(m["other"] or 0)) for m in found if m and m.get("first")]
    if not both:
        return "", False
    day, month = any(first > 12 for first, _ in both), any(other > 12 for _, other in both)
    if day and month:
        return None, False
    if day or month:
        return DAY_FIRST if day else MONTH_FIRST, False
    usual = next(m["mark"] for m in found if m and m.get("first")) == "."
    return DAY_FIRST if (usual if day_first is None else day_first) else MONTH_FIRST, day_first is None and not usual


def _seconds(m: dict[str, str | None], form: str) -> float:
    """NaN for a date that does not exist."""
    first, other = m.get("first"), m.get("other")
    month_text, day_text = (other, first) if form == DAY_FIRST else (first, other)
    month = _MONTH_NUMBERS[name.lower()] if (name := m.get("month_name")) else int(m.get("month") or month_text or 1)
    day, year = int(m.get("day") or day_text or 1), _year(m["year"] or "")
    time = _time_seconds(m)
    if not 1 <= month <= 12 or not 1 <= day <= _month_length(year, month) or time is None:
        return float("nan")
    return days_from_civil(year, month, day) * DAY_SECONDS + time - _zone_seconds(m["zone"])


def _year(text: str) -> int:
    year = int(text)
    return year if len(text) == 4 else year + (2000 if year <= _LATEST_SHORT_YEAR else 1900)


def _month_length(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 28 + leap if month == 2 else 30 + (month + month // 8) % 2


def _time_seconds(m: dict[str, str | None]) -> float | None:
    """Seconds since midnight; ``None`` for a time that does not exist."""
    hour, minute, second = (int(m[part] or 0) for part in ("hour", "minute", "second"))
    if half := m["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "Pp" else 0)
    if hour > 23 or minute > 59 or second > 60:  # 60: a leap second
        return None
    fraction = float(f"0.{m['fraction']}") if m["fraction"] else 0.0
    return hour * 3600 + minute * 60 + second + fraction


def _zone_seconds(zone: str | None) -> int:
    if not zone or zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return (int(digits[:2]) * 3600 + int(digits[2:]) * 60) * (-1 if zone[0] == "-" else 1)


def _time(word: str) -> float | None:
    found = _TIME_ONLY.fullmatch(word) if len(word) <= _LONGEST else None
    return _time_seconds(found.groupdict()) if found else None


def _times(words: Sequence[str]) -> Dates | None:
    seconds = [_time(word) for word in words]
    if all(value is None for value in seconds):
        return None
    return Dates(np.array([np.nan if value is None else value for value in seconds]), "time")
