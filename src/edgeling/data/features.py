# SPDX-License-Identifier: Apache-2.0
"""What a network takes: one number a column, and how each becomes what the first layer sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeling.data.dates import DAY_SECONDS, date_text, days_from_civil
from edgeling.data.table import Column
from edgeling.graph.calendar import DAY_MINUTES, LARGEST_COUNT, LARGEST_EPOCH_DAYS, PARTS, calendar_parts
from edgeling.graph.types import LARGEST_FLOAT32, Array

MAX_CATEGORIES = 4096
"""Of a column; where there are more, the most frequent ones are told apart."""
MAX_INDICATORS = 64
"""Up to so many categories each has a number of its own; of more, the network learns a few numbers for each."""
_DAY_PARTS = ("year", "month", "day", "weekday")


@dataclass(frozen=True)
class NumericFeature:
    """A column of numbers: ``(x - mean) / scale``, after ``fill`` in place of a missing one.

    ``fill`` is the median, ``scale`` the standard deviation (of the population, as scikit-learn's
    ``StandardScaler``), ``low`` to ``high`` the range, all of the training rows. ``form`` is ``Column.form``.
    """

    name: str
    fill: float
    mean: float
    scale: float
    form: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class CategoricalFeature:
    """A column of texts: one number for each category of the training rows, 1 where it is that one.

    ``others`` counts the less frequent texts of the training rows, which are not told apart: of these, as of a missing
    one, every number is 0.
    """

    name: str
    categories: tuple[str, ...]
    others: int = 0


@dataclass(frozen=True)
class DateFeature:
    """A column of moments: a count of days or minutes, from which the network computes the parts of the calendar.

    A float32 holds every whole number up to 2 ** 24: all days of 45,000 years, and the minutes of 32 years either way
    of ``epoch_days``, which is why that lies in the middle of what was learned from.

    Attributes:
        unit: ``day`` or ``minute``.
        epoch_days: where the count begins, in days since 1970-01-01.
        parts: those of the calendar that differed among the training rows, of ``year month day weekday hour minute``.
        fill, mean, scale: as a column of numbers has them, of the count and then of each part.
        form: ``Column.form``.
        low, high: the range of the count.
    """

    name: str
    unit: str
    epoch_days: int
    parts: tuple[str, ...]
    fill: tuple[float, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    form: str = ""
    low: float | None = None
    high: float | None = None

    @property
    def units_per_day(self) -> int:
        """1 or 1440."""
        return DAY_MINUTES if self.unit == "minute" else 1

    @property
    def part_codes(self) -> tuple[int, ...]:
        """The parts as the graph numbers them."""
        return tuple(map(PARTS.index, self.parts))

    @property
    def description(self) -> str:
        """What number to pass, for whoever calls the C."""
        begin = date_text(self.epoch_days * DAY_SECONDS, "date")
        if self.unit == "day":
            return f"days since {begin}, rounded down"
        return f"minutes since {begin} 00:00, rounded down: (Unix time in s - {self.epoch_days * DAY_SECONDS}) / 60"

    def encode(self, seconds: Array) -> Array:
        """float64 [rows] seconds since 1970 as float32 [rows] counts; NaN where missing."""
        unit = DAY_SECONDS // self.units_per_day
        return np.floor((seconds - self.epoch_days * DAY_SECONDS) / unit).astype(np.float32)

    def expand(self, counts: Array) -> Array:
        """The parts of float32 [rows, 1] counts: [rows, parts], as the graph computes them."""
        return calendar_parts(counts, self.part_codes, self.units_per_day, self.epoch_days)


Feature = NumericFeature | CategoricalFeature | DateFeature


def fit_feature(column: Column) -> Feature:
    """The feature of a column of training rows."""
    if column.categories is not None:
        counts = np.bincount(column.present, minlength=len(column.categories))
        ranked = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]  # of equals the first in the alphabet
        kept = np.sort(ranked[:MAX_CATEGORIES])
        return CategoricalFeature(column.name, tuple(column.categories[i] for i in kept), len(ranked) - len(kept))
    if column.temporal:
        return _fit_date(column)
    fill, mean, scale = map(float32, statistics(column.present))
    low, high = float32(column.present.min()), float32(column.present.max())
    return NumericFeature(column.name, fill, mean, scale, column.form, low, high)


def _fit_date(column: Column) -> DateFeature:
    seconds = column.present
    timed = column.temporal == "timestamp"
    year = int(date_text(float(np.sort(seconds)[len(seconds) // 2]), "date").split("-")[0]) if timed else 1970
    epoch = days_from_civil(year, 1, 1)
    unit, parts = ("minute", PARTS) if timed else ("day", _DAY_PARTS)
    blank = DateFeature(column.name, unit, epoch, parts, (), (), (), column.form)
    counts = blank.encode(seconds)
    columns = dict(zip(parts, blank.expand(counts[:, None]).T, strict=True))
    varying = tuple(part for part, values in columns.items() if np.ptp(values) > 0)
    found = [statistics(values.astype(np.float64)) for values in (counts, *(columns[part] for part in varying))]
    fill, mean, scale = (tuple(map(float32, values)) for values in zip(*found, strict=True))
    scale = tuple(value or 1.0 for value in scale)  # of moments within one minute
    low, high = float(counts.min()), float(counts.max())
    return DateFeature(column.name, unit, epoch, varying, fill, mean, scale, column.form, low, high)


def statistics(values: Array) -> tuple[float, float, float]:
    """Median, mean and standard deviation."""
    middle = np.sort(values)[(len(values) - 1) // 2 : len(values) // 2 + 1]  # np.median would load numpy.ma
    return float(middle.mean()), float(values.mean()), float(values.std())


def float32(value: float) -> float:
    """Rounded as the device holds it, so that what is written down is what is used."""
    return float(np.float32(value))


# ------------------------------------------------------------------------------------------------------------ JSON


def feature_from_json(value: Mapping[str, Any]) -> Feature:
    """Read what ``asdict`` made of a feature, trusting nothing.

    Raises:
        KeyError, TypeError, ValueError, OverflowError: anything else.
    """
    if "categories" in value:
        categories = texts(value["categories"])
        others = value.get("others", 0)  # older artifacts have none
        require(len(categories) > 0 and type(others) is int and others >= 0)
        return CategoricalFeature(text(value["name"]), categories, others)
    name, form = text(value["name"]), text(value["form"])
    if "unit" in value:
        return _date_from_json(value, name, form)
    scale = finite(value["scale"])
    require(scale > 0)
    return NumericFeature(name, finite(value["fill"]), finite(value["mean"]), scale, form, *_range(value))


def _range(value: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """What was seen in training; older artifacts do not tell."""
    low, high = (None if value.get(key) is None else finite(value[key]) for key in ("low", "high"))
    require((low is None) == (high is None) and (low is None or high is None or low <= high))
    return low, high


def _date_from_json(value: Mapping[str, Any], name: str, form: str) -> DateFeature:
    unit, epoch, parts = value["unit"], value["epoch_days"], texts(value["parts"])
    fill, mean, scale = (tuple(map(finite, value[key])) for key in ("fill", "mean", "scale"))
    require(unit in ("day", "minute") and set(parts) <= set(PARTS))
    require(isinstance(epoch, int) and not isinstance(epoch, bool) and abs(epoch) <= LARGEST_EPOCH_DAYS)
    require(len(fill) == len(mean) == len(scale) == 1 + len(parts) and all(s > 0 for s in scale))
    require(all(abs(count) <= LARGEST_COUNT for count in (fill[0], mean[0], scale[0])))
    return DateFeature(name, unit, epoch, parts, fill, mean, scale, form, *_range(value))


def text(value: Any) -> str:
    """A text, or a ValueError."""
    require(isinstance(value, str))
    value.encode()  # half a surrogate pair is no text
    return str(value)


def texts(values: Any) -> tuple[str, ...]:
    """Different texts, or a ValueError."""
    require(isinstance(values, list | tuple) and len(set(values)) == len(values))
    return tuple(map(text, values))


def finite(value: Any) -> float:
    """A number that float32 holds, or a ValueError."""
    require(isinstance(value, int | float) and abs(value) <= LARGEST_FLOAT32)
    return float(value)


def require(holds: bool) -> None:
    """A ValueError if it does not hold."""
    if not holds:
        raise ValueError("a value of the wrong kind")


def numbers_of(features: Sequence[Feature], key: str) -> Array:
    """float32 parameters of the numbers that are standardised: of columns and counts in order, then of dates' parts."""
    plain = [f for f in features if not isinstance(f, CategoricalFeature)]
    values = [getattr(f, key)[0] if isinstance(f, DateFeature) else getattr(f, key) for f in plain]
    values += [value for f in plain if isinstance(f, DateFeature) for value in getattr(f, key)[1:]]
    return np.array(values, np.float32)
