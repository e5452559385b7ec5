# SPDX-License-Identifier: Apache-2.0
"""A table in NumPy's terms: named columns of numbers or of categories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edgeling.errors import DataError
from edgeling.graph.types import Array

ABSENT = -1
"""The code of a missing category."""


@dataclass(frozen=True, eq=False)
class Column:
    """One named column.

    Attributes:
        name: as the header wrote it.
        values: float64 [rows] with NaN where missing; or, of a column of text, int32 [rows] positions in
            ``categories``, ``ABSENT`` where missing.
        categories: the distinct texts, sorted; ``None`` for a column of numbers.
    """

    name: str
    values: Array
    categories: tuple[str, ...] | None = None

    @property
    def is_numeric(self) -> bool:
        """Whether it holds numbers, not categories."""
        return self.categories is None

    @property
    def missing(self) -> Array:
        """bool [rows]: where the cell is empty."""
        return np.isnan(self.values) if self.is_numeric else self.values == ABSENT

    @property
    def present(self) -> Array:
        """The values that are not missing."""
        return self.values[~self.missing]

    def texts(self) -> list[str | None]:
        """Every cell as text, ``None`` where missing; numbers as short as they can be written."""
        return [None if gone else self.text(value) for value, gone in zip(self.values, self.missing, strict=True)]

    def text(self, value: Any) -> str:
        """One of ``values`` (not a missing one) as text."""
        return number_text(float(value)) if self.categories is None else self.categories[int(value)]

    def take(self, rows: Array) -> Column:
        """The same column with only these rows (positions, or bool [rows])."""
        return replace(self, values=self.values[rows])


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length with distinct names."""

    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        _require_distinct_names([column.name for column in self.columns])
        lengths = {len(column.values) for column in self.columns}
        if len(lengths) > 1:
            raise DataError("every column of a table has as many rows", received=f"lengths {sorted(lengths)}")

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
        for column in self.columns:
            if column.name == name:
                return column
        raise _no_such_column(name, self.names)

    def select(self, names: Iterable[str]) -> Table:
        """Only these columns, in this order."""
        return Table(tuple(self.column(name) for name in names))

    def take(self, rows: Array) -> Table:
        """Only these rows (positions, or bool [rows])."""
        return Table(tuple(column.take(rows) for column in self.columns))


def from_arrays(
    X: ArrayLike,  # noqa: N803  (the field's name for a feature matrix)
    y: ArrayLike,
    feature_names: Sequence[str] | None = None,
    *,
    target: str = "target",
) -> Table:
    """A table of arrays: the columns of ``X`` [rows, features], then ``y`` [rows] as the column ``target``.

    Columns that are numbers (or bools) become float64, anything else categories of its text.

    Raises:
        DataError: shapes or names that do not go together, or an infinity.
    """
    features, labels = np.asarray(X), np.asarray(y)
    _require_shapes(features, labels)
    names = list(feature_names) if feature_names is not None else _default_names(features.shape[1])
    if len(names) != features.shape[1]:
        raise DataError(
            "feature_names names every column of X", received=f"{len(names)} names, {features.shape[1]} columns"
        )
    columns = [column_of(name, features[:, i]) for i, name in enumerate(names)]
    return Table((*columns, column_of(target, labels.reshape(-1))))


def column_of(name: str, values: Array) -> Column:
    """A column from an array [rows] of numbers, of bools, or of anything else by its text (``None``: missing).

    Raises:
        DataError: a value float32 cannot hold.
    """
    if values.dtype.kind in "biuf" or all(isinstance(value, Number) for value in values):
        return numeric_column(name, values.astype(np.float64))
    texts = np.array(["" if value is None else str(value) for value in values], dtype=np.dtypes.StringDType())
    return categorical_column(name, texts, texts == "")


def numeric_column(name: str, values: Array) -> Column:
    """A column of float64 [rows], NaN where missing.

    Raises:
        DataError: an infinity, or a number beyond float32, in which the network computes.
    """
    beyond = np.flatnonzero(np.abs(values) > np.finfo(np.float32).max)
    if beyond.size:
        raise DataError(
            "numbers must be finite and fit float32",
            received=f"{number_text(values[beyond[0]])} in column {name!r}, row {beyond[0] + 1}",
            remedy="correct the cell, or leave it empty if the value is unknown",
        )
    return Column(name, values)


def categorical_column(name: str, texts: Array, missing: Array) -> Column:
    """A column of categories from texts (StringDType [rows]) and where they are missing (bool [rows])."""
    categories, codes = np.unique(texts[~missing], return_inverse=True)
    values = np.full(len(texts), ABSENT, np.int32)
    values[~missing] = codes
    return Column(name, values, tuple(categories.tolist()))


def distinct_values(values: Array) -> Array:
    """The distinct values, sorted; none may be NaN.

    What ``np.unique`` does, which on its way imports ``numpy.ma`` and so takes longer than all else on a small table.
    """
    ordered = np.sort(values)
    return np.concatenate([ordered[:1], ordered[1:][ordered[1:] != ordered[:-1]]])


def number_text(value: float) -> str:
    """A number as a person writes it: ``3`` rather than ``3.0``, otherwise the shortest text that reads back."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def _default_names(count: int) -> list[str]:
    return [f"feature_{i}" for i in range(count)]


def _require_shapes(features: Array, labels: Array) -> None:
    rows_agree = labels.ndim in (1, 2) and labels.size == len(labels) == len(features) if features.ndim else False
    if features.ndim != 2 or not rows_agree:
        raise DataError(
            "X is [rows, features] and y is [rows]",
            received=f"X of shape {features.shape}, y of shape {labels.shape}",
            remedy="reshape them; one feature is X.reshape(-1, 1)",
        )


def _require_distinct_names(names: Sequence[str]) -> None:
    repeated = [name for i, name in enumerate(names) if name in names[:i]]
    if repeated:
        raise DataError(
            "column names must differ", received=f"{repeated[0]!r} more than once", remedy="rename one of them"
        )


def _no_such_column(name: str, names: Sequence[str]) -> DataError:
    import difflib

    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    remedy = f"{nearest[0]!r}" if nearest else "one of the columns named above"
    return DataError(f"no column is named {name!r}", received=f"the columns {shown}", remedy=remedy)
