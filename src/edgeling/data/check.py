# SPDX-License-Identifier: Apache-2.0
"""Looking at a table before learning from it: what each column is, what is dropped, what to be warned of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from edgeling.data.features import MAX_CATEGORIES
from edgeling.data.table import Column, Table, distinct_values, number_text
from edgeling.data.words import are_truth_values
from edgeling.errors import DataError
from edgeling.graph.types import Array

Task = Literal["binary", "multiclass", "regression"]
Kind = Literal["numeric", "categorical", "boolean", "date", "constant", "identifier"]

MAX_INFERRED_CLASSES = 20
"""A target of more distinct whole numbers than this is taken for a quantity (scikit-learn's digits have 10)."""
ROWS_PER_INFERRED_CLASS = 5
MIN_CLASS_ROWS = 2
MIN_REGRESSION_ROWS = 5
FEW_ROWS = 50
IMBALANCE = 10


@dataclass(frozen=True)
class ColumnCheck:
    """What one column is.

    Attributes:
        kind: ``constant`` and ``identifier`` columns are not learned from; ``date`` is one with a time of day too.
        missing: number of rows without a value.
        distinct: number of different values.
        dropped: why it is not learned from; empty if it is.
    """

    name: str
    kind: Kind
    missing: int
    distinct: int
    dropped: str = ""


@dataclass(frozen=True, eq=False)
class TableCheck:
    """A table found fit to learn from.

    Attributes:
        table: the rows whose target is known.
        target: the column to predict.
        task: what kind of prediction.
        columns: every column but the target, in the file's order.
        labels: the classes in the order the network numbers them; empty for regression.
        class_counts: rows of each label; empty for regression.
        rows_without_target: rows left out because their target is missing.
        warnings: sentences for the person.
    """

    table: Table
    target: str
    task: Task
    columns: tuple[ColumnCheck, ...]
    labels: tuple[str, ...] = ()
    class_counts: Mapping[str, int] = field(default_factory=dict)
    rows_without_target: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns to learn from."""
        return tuple(column.name for column in self.columns if not column.dropped)

    @property
    def codes(self) -> Array | None:
        """int32 [rows] positions in ``labels``, to divide by; ``None`` for regression."""
        if not self.labels:
            return None
        labels, codes = class_codes(self.table.column(self.target))
        return np.array([self.labels.index(label) for label in labels], np.int32)[codes]

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``--json`` and the report."""
        return {
            "rows": self.table.rows,
            "rows_without_target": self.rows_without_target,
            "target": self.target,
            "task": self.task,
            "class_counts": dict(self.class_counts),
            "columns": [vars(column).copy() for column in self.columns],
            "warnings": list(self.warnings),
        }


def check(table: Table, target: str, *, task: Task | None = None, wanted: Collection[str] = ()) -> TableCheck:
    """Check that ``target`` can be learned from the other columns.

    Args:
        table: as read.
        target: name of the column to predict.
        task: instead of the one ``infer_task`` finds.
        wanted: columns asked for by name, which are learned from even where they look like identifiers.

    Raises:
        DataError: no such column, nothing to learn from, too few rows or classes.
    """
    _require_two_columns(table)
    known = _known_rows(table.column(target))
    counting = {column.name for column in table.columns if _counts_rows(column)}
    table, lost = table.take(known), int(np.count_nonzero(~known))
    answer = table.column(target)
    _require_no_dates(answer)
    task = task or infer_task(answer)
    counts = _count_classes(answer) if task != "regression" else {}
    _require_target(answer, task, counts)
    if task == "multiclass" and len(counts) == 2:
        task = "binary"  # which is what two classes are, whatever they were called
    columns = tuple(
        check_column(c, wanted=c.name in wanted, counting=c.name in counting) for c in table.columns if c.name != target
    )
    _require_features(columns)
    warnings = (*table.notes, *_warnings(table.rows, lost, columns, counts))
    return TableCheck(table, target, task, columns, tuple(counts), counts, lost, warnings)


def infer_task(column: Column) -> Task:
    """What a target column asks for; missing rows do not count.

    Text is classes. Of numbers, two distinct ones are classes; so are whole numbers if there are at most
    ``MAX_INFERRED_CLASSES`` of them with ``ROWS_PER_INFERRED_CLASS`` rows each on average. Other numbers are
    quantities (regression).
    """
    values = column.present
    distinct = distinct_values(values)
    few = len(distinct) <= min(MAX_INFERRED_CLASSES, len(values) // ROWS_PER_INFERRED_CLASS)
    if len(distinct) <= 2:
        return "binary"
    whole = column.is_numeric and bool(np.all(distinct == np.floor(distinct)))
    return "multiclass" if not column.is_numeric or (whole and few) else "regression"


def class_codes(column: Column) -> tuple[tuple[str, ...], Array]:
    """The sorted labels of a target without missing rows, and int32 [rows] positions in them."""
    distinct, codes = np.unique(column.values, return_inverse=True)
    return tuple(column.text(value) for value in distinct), codes.astype(np.int32)


def check_column(column: Column, *, wanted: bool = False, counting: bool = False) -> ColumnCheck:
    """What a column is, and whether to learn from it.

    Args:
        wanted: whether it may look like an identifier.
        counting: whether it counts the rows of the table that these rows are from.
    """
    missing = int(np.count_nonzero(column.missing))
    distinct = len(distinct_values(column.present))
    if is_constant(column):
        return ColumnCheck(column.name, "constant", missing, distinct, _why_constant(column, distinct))
    if reason := _identifier(column, distinct, wanted, counting):
        return ColumnCheck(column.name, "identifier", missing, distinct, reason)
    return ColumnCheck(column.name, _kind(column), missing, distinct)


def _kind(column: Column) -> Kind:
    if column.categories is not None:
        return "boolean" if are_truth_values(column.categories) else "categorical"
    return "date" if column.temporal else "numeric"


def is_constant(column: Column) -> bool:
    """Nothing to learn from: one value, or numbers that differ by no more than float32's rounding.

    A column that is missing in some rows and otherwise constant is constant too: its absence is not a feature.
    """
    values = column.present
    if not column.is_numeric or column.temporal or not len(values):
        return len(distinct_values(values)) <= 1
    held, limits = values.astype(np.float32).astype(np.float64), np.finfo(np.float32)
    noise = max(10 * float(limits.eps) * float(np.abs(held).max()), float(limits.tiny))
    return bool(np.ptp(held) <= noise)


def _why_constant(column: Column, distinct: int) -> str:
    if distinct < 2:
        known = "row" if not column.missing.any() else "row that has a value"
        return f"every {known} has the same value" if distinct else "it has no value in any row"
    values = f"its {distinct:,} values differ too little for float32, in which networks compute"
    if np.abs(column.present).max() < np.finfo(np.float32).tiny:
        return f"{values}: write them in a smaller unit"
    return f"{values}: subtract {number_text(float(column.present.min()))} from them"


def _identifier(column: Column, distinct: int, wanted: bool, counting: bool) -> str:
    """Why a column names its row rather than describes it, or nothing."""
    values = column.present
    if column.temporal or wanted:
        return ""
    if column.is_numeric:
        return "it only counts the rows" if counting or _counts_rows(column) else ""
    return (
        f"it has {distinct:,} different texts in {len(values):,} rows" if distinct > max(10, len(values) // 2) else ""
    )


def _counts_rows(column: Column) -> bool:
    """Whether a column goes 0, 1, 2, ... or 1, 2, 3, ..."""
    values = column.present
    is_plain = column.is_numeric and not column.temporal and len(values) > 2 and values[0] in (0, 1)
    return bool(is_plain and np.all(np.diff(values) == 1))


def _require_two_columns(table: Table) -> None:
    if len(table.columns) < 2:
        raise DataError(
            "a table needs a target and at least one other column",
            received=f"only the column {', '.join(table.names)!r}",
            remedy="separate the columns with commas, semicolons or tabs",
        )


def _require_no_dates(target: Column) -> None:
    if target.temporal:
        raise DataError(
            "a target is a number or a class",
            received=f"dates in {target.name!r}, such as {target.text(target.values[0])}",
            remedy="a column of the days until then, or reading the column as categories",
        )


def _known_rows(target: Column) -> Array:
    known: Array = ~target.missing
    if not known.any():
        raise DataError(
            "the target must be known in some rows",
            received=f"{target.name!r} without any value",
            remedy="choose another target",
        )
    return known


def _count_classes(target: Column) -> dict[str, int]:
    labels, codes = class_codes(target)
    return dict(zip(labels, np.bincount(codes).tolist(), strict=True))


def _require_target(target: Column, task: Task, counts: Mapping[str, int]) -> None:
    if task == "regression":
        _require_quantity(target)
    else:
        _require_classes(target, task, counts)


def _require_quantity(target: Column) -> None:
    if not target.is_numeric:
        raise DataError(
            "regression predicts numbers",
            received=f"text in {target.name!r}, such as {target.text(target.values[0])!r}",
            remedy="leave the task to be found, or choose a target of numbers",
        )
    if len(target.values) < MIN_REGRESSION_ROWS or is_constant(target):
        raise DataError(
            f"regression needs at least {MIN_REGRESSION_ROWS} rows whose target differs",
            received=f"{len(target.values)} rows with {len(distinct_values(target.values))} values of {target.name!r}",
            remedy="add rows, or choose another target",
        )


def _require_classes(target: Column, task: Task, counts: Mapping[str, int]) -> None:
    rows, name = len(target.values), repr(target.name)
    if len(counts) < 2:
        raise DataError(
            "a target needs at least two classes",
            received=f"{name} with only {next(iter(counts))!r}",
            remedy="choose another target, or add rows of another class",
        )
    if task == "binary" and len(counts) > 2:
        raise DataError(
            "binary classification has two classes", received=f"{len(counts)} in {name}", remedy="the task multiclass"
        )
    if rows < MIN_CLASS_ROWS * len(counts):
        raise DataError(
            f"a table needs at least {MIN_CLASS_ROWS} rows for every class, to learn from one and test on another",
            received=f"{rows} rows and {len(counts)} classes in {name}",
            remedy="add rows, choose another target, or the task regression if it is a quantity",
        )
    rare, count = min(counts.items(), key=lambda item: item[1])
    if count < MIN_CLASS_ROWS:
        raise DataError(
            f"every class needs at least {MIN_CLASS_ROWS} rows, to learn from one and test on another",
            received=f"{count} of class {rare!r} in {name}",
            remedy="add rows of that class, or remove it",
        )


def _require_features(columns: tuple[ColumnCheck, ...]) -> None:
    if all(column.dropped for column in columns):
        reasons = "; ".join(f"{column.name!r}: {column.dropped}" for column in columns[:5])
        raise DataError(
            "a table needs a column to learn from", received=reasons, remedy="add a column that varies and repeats"
        )


def _cut(column: ColumnCheck) -> str:
    return (
        f"column {column.name!r} has {column.distinct:,} different texts: the {MAX_CATEGORIES} most frequent of the "
        "training rows are learned, the others as one"
    )


def _warnings(rows: int, lost: int, columns: tuple[ColumnCheck, ...], counts: Mapping[str, int]) -> tuple[str, ...]:
    found = [f"{lost:,} row{'s' * (lost != 1)} without a target left out"] if lost else []
    found += [f"column {c.name!r} is left out: {c.dropped}" for c in columns if c.dropped]
    found += [_cut(c) for c in columns if c.kind == "categorical" and c.distinct > MAX_CATEGORIES and not c.dropped]
    half_empty = [c for c in columns if not c.dropped and 2 * c.missing > rows]
    found += [f"column {c.name!r} is missing in {c.missing:,} of {rows:,} rows" for c in half_empty]
    if rows < FEW_ROWS:
        found.append(f"{rows} rows are few: the figures on held-out rows are rough")
    if counts and max(counts.values()) >= IMBALANCE * min(counts.values()):
        rare, common = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
        found.append(
            f"the classes are unbalanced, {counts[common]:,} rows of {common!r} to {counts[rare]:,} of {rare!r}: "
            "look at each class's recall, and see --balance auto"
        )
    return tuple(found)
