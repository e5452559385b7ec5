# SPDX-License-Identifier: Apache-2.0
"""A usual value of a column, as a person types it."""

from __future__ import annotations

from datetime import date, timedelta
from math import isfinite

from edgeling.packages.columns import InputColumn

_EPOCH = date(1970, 1, 1)


def typed(column: InputColumn) -> str:
    """The value that was usual in training: a number, a category in quotes if need be, a date."""
    if column.held == "category":
        return _quoted(column.categories[0])
    if column.held == "time":
        seconds = int(column.typical) % 86400
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if column.held in ("days", "minutes"):
        return moment(column)
    return f"{column.typical:.6g}" if isfinite(column.typical) else "0"


def moment(column: InputColumn, mark: str = " ") -> str:
    """Its date, with the time of day where minutes are counted."""
    minutes = int(column.typical) if column.held == "minutes" else 0
    days = column.epoch_days + (minutes // 1440 if column.held == "minutes" else int(column.typical))
    try:
        told = (_EPOCH + timedelta(days)).isoformat()
    except OverflowError:
        told = _EPOCH.isoformat()
    return f"{told}{mark}{minutes % 1440 // 60:02}:{minutes % 60:02}" if column.held == "minutes" else told


def _quoted(text: str) -> str:
    shown = "".join(c if c.isprintable() else " " for c in text)
    return '"' + shown.replace('"', '""') + '"' if set(shown) & set(',;\t"=') else shown
