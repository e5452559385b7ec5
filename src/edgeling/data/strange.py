# SPDX-License-Identifier: Apache-2.0
"""New rows against those that were learned from: which cannot be answered, and what in the others is strange."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgeling.data.cells import DECIMAL_COMMA
from edgeling.data.dates import DAY_FIRST, DAY_SECONDS, date_text, parse_dates
from edgeling.data.features import CategoricalFeature, DateFeature, Feature, NumericFeature
from edgeling.data.number_forms import find_form
from edgeling.data.preparation import Preparation, positions, require_columns
from edgeling.data.table import ABSENT, Column, Table, Temporal, distinct_values
from edgeling.data.words import truth
from edgeling.graph.types import LARGEST_FLOAT32, Array

FAR = 0.5  # of the range seen in training: a number further outside than that is far outside
_EXAMPLES = 5


@dataclass(frozen=True)
class Strange:
    """What of a column was not so in training, by the number of rows that were answered all the same.

    Attributes:
        unseen: with a category that was not there, of which ``examples`` are some; it is taken for an unknown one.
        far_outside: with a number that lies further outside the range seen, ``low`` to ``high``, than half of it.
        filled: without a value, and answered as if it had the median, or an unknown category.
    """

    unseen: int = 0
    examples: tuple[str, ...] = ()
    far_outside: int = 0
    low: str = ""
    high: str = ""
    filled: int = 0

    def to_json(self) -> dict[str, Any]:
        """What there is of it, in plain values."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in vars(self).items() if v}

    def sentences(self, name: str) -> Iterator[str]:
        """What there is to say of the column of that name."""
        if self.unseen:
            shown = ", ".join(map(repr, self.examples))
            yield f"column {name!r}: {_rows(self.unseen)} with a category never seen in training ({shown})"
        if self.far_outside:
            seen = f"{self.low} to {self.high}"
            yield f"column {name!r}: {_rows(self.far_outside)} far outside what was seen in training, {seen}"
        if self.filled:
            yield f"column {name!r}: {_rows(self.filled)} without a value"


def answerable(preparation: Preparation, table: Table) -> tuple[Table, Array]:
    """Find the rows that have what an answer needs.

    Returns:
        The table, numbers and dates read even where other texts stand among them; and object [rows], why a row cannot
        be answered, empty where it can.

    Raises:
        DataError: a column is not there, or holds nothing of what it held in training.
    """
    require_columns(table, preparation.names)
    reasons, columns = np.full(table.rows, "", object), {column.name: column for column in table.columns}
    for feature in preparation.features:
        if not isinstance(feature, CategoricalFeature):
            columns[feature.name] = _checked(columns[feature.name], feature, preparation.imputes, reasons)
    return replace(table, columns=tuple(columns.values())), reasons


def strange(preparation: Preparation, table: Table) -> dict[str, Strange]:
    """What is strange in rows that can be answered, by column; nothing of columns that are as they were."""
    found = {f.name: _strange(f, table.column(f.name)) for f in preparation.features}
    return {name: each for name, each in found.items() if each != Strange()}


def _checked(column: Column, feature: NumericFeature | DateFeature, imputes: bool, reasons: Array) -> Column:
    """The column as numbers; a row's reason is added where it has none yet."""
    if column.categories is not None:
        column, texts = _parsed(column, feature)
        kind = "date" if isinstance(feature, DateFeature) else "number"
        for row, text in texts.items():
            reasons[row] = reasons[row] or f"{feature.name!r} is no {kind}: {text[:60]!r}"
    reasons[(np.abs(column.values) > LARGEST_FLOAT32) & (reasons == "")] = f"{feature.name!r} is infinite or too large"
    if not imputes:
        reasons[column.missing & (reasons == "")] = f"{feature.name!r} has no value, as it always had in training"
    return column


def _parsed(column: Column, feature: NumericFeature | DateFeature) -> tuple[Column, dict[int, str]]:
    """Texts as numbers or seconds, each looked at by itself, and those that are none by their rows."""
    words = column.categories or ()
    values = np.array([_value(word, feature) for word in words])
    if not words or np.isnan(values).all():
        return column, {}  # nothing of what it held in training: that is said of the column as a whole
    numbers = np.where(column.missing, np.nan, values[column.values])
    bad = np.flatnonzero(np.isnan(numbers) & ~column.missing)
    temporal: Temporal = "timestamp" if isinstance(feature, DateFeature) else ""
    return Column(column.name, numbers, temporal=temporal), {int(row): words[column.values[row]] for row in bad}


def _value(word: str, feature: NumericFeature | DateFeature) -> float:
    if isinstance(feature, DateFeature):
        dates = parse_dates([word], feature.form == DAY_FIRST)
        return float("nan") if dates is None or dates.temporal == "time" else float(dates.seconds[0])
    said, form = truth(word), find_form([word], "," if feature.form == DECIMAL_COMMA else ".")
    return form.value(word) if form else float("nan") if said is None else float(said)


def _strange(feature: Feature, column: Column) -> Strange:
    filled = int(np.count_nonzero(column.missing))
    if isinstance(feature, CategoricalFeature):
        unknown = column.values[(positions(column, feature.categories) == ABSENT) & ~column.missing]
        if feature.others:  # one that is not told apart may have been there
            return Strange(filled=filled)
        kinds = [column.text(value) for value in distinct_values(unknown)[:_EXAMPLES]]
        return Strange(unseen=len(unknown), examples=tuple(kinds), filled=filled)
    if feature.low is None or feature.high is None:
        return Strange(filled=filled)
    values = feature.encode(column.values) if isinstance(feature, DateFeature) else column.values
    room = FAR * (feature.high - feature.low)
    far = int(np.count_nonzero((values < feature.low - room) | (values > feature.high + room)))
    if not far:
        return Strange(filled=filled)
    low, high = map(_shown(feature), (feature.low, feature.high))
    return Strange(far_outside=far, low=low, high=high, filled=filled)


def _shown(feature: NumericFeature | DateFeature) -> Callable[[float], str]:
    if isinstance(feature, NumericFeature):
        return lambda value: f"{value:.6g}"
    begin, unit = feature.epoch_days * DAY_SECONDS, DAY_SECONDS // feature.units_per_day
    return lambda value: date_text(begin + value * unit, "date")


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"
