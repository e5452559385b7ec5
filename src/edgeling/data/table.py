# SPDX-License-Identifier: Apache-2.0
"""A table in NumPy's terms: named columns of numbers or of categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from edgeling.data.dates import date_text
from edgeling.errors import DataError
from edgeling.graph.types import LARGEST_FLOAT32, Array

ABSENT = -1
"""The code of a missing category."""

Temporal = Literal["", "date", "timestamp"]


@dataclass(frozen=True, eq=False)
class Column:
    """One named column.

    Attributes:
        name: as the header wrote it.
        values: float64 [rows] with NaN where missing; or, of a column of text, int32 [rows] positions in
            ``categories``, ``ABSENT`` where missing.
        categories: the distinct texts, sorted; ``None`` for a column of numbers.
        temporal: whether the numbers are moments, in seconds since 1970-01-01 00:00, with a time of day or without.
        form: how the cells were written, where new ones could be read otherwise: ``decimal comma``, ``day first``...
    """

    name: str
    values: Array
    categories: tuple[str, ...] | None = None
    temporal: Temporal = ""
    form: str = ""

    @property
    def is_numeric(self) -> bool:
        """Whether it holds numbers (moments among them), not categories."""
        return self.categories is None

    @property
    def missing(self) -> Array:
        """bool [rows]: where the cell is empty."""
        return np.isnan(self.values) if self.is_numeric else self.values == ABSENT

    @property
    def present(self) -> Array:
        """The values that are not missing; not to be written to, for they may be ``values`` themselves."""
        missing = self.missing
        return self.values[~missing] if missing.any() else self.values

    def texts(self) -> list[str | None]:
        """Every cell as text, ``None`` where missing; numbers as short as they can be written."""
        return [None if gone else self.text(value) for value, gone in zip(self.values, self.missing, strict=True)]

    def text(self, value: Any) -> str:
        """One of ``values`` (not a missing one) as text."""
        if self.categories is not None:
            return self.categories[int(value)]
        return date_text(float(value), self.temporal) if self.temporal else number_text(float(value))

    def take(self, rows: Array) -> Column:
        """The same column with only these rows (positions, or bool [rows])."""
        return replace(self, values=self.values[rows])


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length with distinct names.

    Attributes:
        notes: how cells were read where a person should know; sentences.
    """

    columns: tuple[Column, ...]
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        require_distinct_names([column.name for column in self.columns])
        lengths = {len(column.values) for column in self.columns}
        if len(lengths) > 1:
            raise DataError(
                "every column of a table has as many rows", received=f"lengths {sorted(lengths)}",
                remedy="values for every row; the missing ones marked",
            )  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.columns[0].values) if self.columns else 0

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            DataError: there is none; the message offers the nearest name.
        """
        found = self._by_name.get(name)
        if found is None:
            raise _no_such_column(name, self.names)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    def select(self, names: Iterable[str]) -> Table:
        """Only these columns, in this order."""
        return replace(self, columns=tuple(self.column(name) for name in names))

    def take(self, rows: Array) -> Table:
        """Only these rows (positions, or bool [rows]); where all are wanted, the same table."""
        if rows.dtype == np.bool_ and rows.all():
            return self
        return replace(self, columns=tuple(column.take(rows) for column in self.columns))


def numeric_column(name: str, values: Array, form: str = "", *, lenient: bool = False) -> Column:
    """A column of float64 [rows], NaN where missing.

    Raises:
        DataError: unless lenient, an infinity, or a number beyond float32, in which the network computes.
    """
    if lenient or (values.size and np.max(np.abs((values.min(), values.max()))) <= LARGEST_FLOAT32):  # NaN is no number
        return Column(name, values, form=form)
    beyond = np.flatnonzero(np.abs(values) > LARGEST_FLOAT32)
    if beyond.size:
        raise DataError(
            "numbers must be finite and fit float32",
            received=f"{number_text(values[beyond[0]])} in column {name!r}, row {beyond[0] + 1}",
            remedy="correct the cell, or leave it empty if the value is unknown",
        )
    return Column(name, values, form=form)


def distinct_values(values: Array) -> Array:
    """The distinct values, sorted; none may be NaN.

    What ``np.unique`` does, which on its way imports ``numpy.ma`` and so takes longer than all else on a small table.
    """
    ordered = np.sort(values)
    return np.concatenate([ordered[:1], ordered[1:][ordered[1:] != ordered[:-1]]])


def number_text(value: float) -> str:
    """A number as a person writes it: ``3`` rather than ``3.0``, otherwise the shortest text that reads back."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def require_distinct_names(names: Sequence[str]) -> None:
    """Raise a DataError for two columns of one name."""
    if len(set(names)) < len(names):
        repeated = Counter(names).most_common(1)[0][0]
        raise DataError(
            "column names must differ", received=f"{repeated!r} more than once", remedy="rename one of them"
        )


def _no_such_column(name: str, names: Sequence[str]) -> DataError:
    import difflib

    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    remedy = f"{nearest[0]!r}" if nearest else "one of the columns named above"
    return DataError(f"no column is named {name!r}", received=f"the columns {shown}", remedy=remedy)
