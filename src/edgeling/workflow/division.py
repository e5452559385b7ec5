# SPDX-License-Identifier: Apache-2.0
"""Which columns of a table are learned from, and which rows learn, validate and judge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from edgeling.data import (
    Column,
    Preparation,
    Reading,
    Role,
    Split,
    Table,
    TableCheck,
    check,
    split,
    split_whole,
    table_of,
)
from edgeling.data.balance import require_label
from edgeling.data.strange import answerable
from edgeling.data.table import distinct_values
from edgeling.errors import DataError
from edgeling.graph.types import Array
from edgeling.report.parts import plural
from edgeling.workflow.folds import Units
from edgeling.workflow.settings import Settings

VALIDATION_SHARE = 0.15
MOST_VALIDATION_ROWS = 5000
"""They say when to stop, to one part in a hundred; more are worth more among those learned from."""


@dataclass(frozen=True, eq=False)
class Division:
    """A table checked and divided.

    Attributes:
        check: of the columns to learn from.
        parts: positions of its rows; none to test on where there is a test table.
        test: the rows to judge on.
        notes: sentences for the person, besides the check's warnings.
        units: what is divided as a whole; None: any rows.
    """

    check: TableCheck
    parts: Split
    test: Table
    notes: tuple[str, ...] = ()
    units: Units | None = None


def asked_roles(settings: Settings) -> dict[str, Role]:
    """How columns are read that were asked for by name: what is dropped may hold anything."""

    def parts(names: Iterable[str]) -> set[str]:
        return {part.strip() for name in names for part in (name, *name.split(","))}

    text = (parts(settings.drop) - {settings.division[1]}) | parts(settings.categorical)
    return dict.fromkeys(text, Role("category")) | dict.fromkeys(parts(settings.numeric), Role("number"))


def divided(table: Table, target: str, settings: Settings, reading: Reading | None = None) -> Division:
    """Choose the columns, check them, and divide the rows.

    Raises:
        DataError: a column that is not there, or a division that leaves a class nothing to learn from.
    """
    kind, by = settings.division
    wanted = [*_named(table, settings.columns), *_named(table, settings.categorical), *_named(table, settings.numeric)]
    checked = check(_chosen(table, target, by, settings), target, task=settings.task, wanted=wanted)
    checked = _with_positive(checked, settings.positive)
    known = table.take(~table.column(target).missing)
    share = {"validation": min(VALIDATION_SHARE, MOST_VALIDATION_ROWS / known.rows)}
    if settings.test is not None:
        share["test"] = 0.0
    units = None if kind == "random" else _units(known.column(by), kind)
    if units is None:
        parts = split(known.rows, checked.codes, seed=settings.seed, **share)
    else:
        parts = split_whole(units.of_rows, shuffled=kind == "group", seed=settings.seed, **share)
        _require_classes(checked, parts.train, kind)
    left_out = by and by not in wanted and by != target
    notes = [f"column {by!r} divides the rows and is not learned from"] if left_out else []
    if settings.test is None:
        return Division(checked, parts, checked.table.take(parts.test), tuple(notes), units)
    test, more = _test_table(checked, settings.test, reading)
    return Division(checked, parts, test, (*notes, *more), units)


def _named(table: Table, names: Iterable[str]) -> list[str]:
    """Columns by name; a name that is none may be several, separated by commas.

    Raises:
        DataError: no such column; the message offers the nearest.
    """
    known = set(table.names)
    parts = [part for name in names for part in ([name] if name in known else map(str.strip, name.split(",")))]
    return [table.column(part).name for part in parts if part]


def _chosen(table: Table, target: str, by: str, settings: Settings) -> Table:
    """The columns to learn from and the target; what divides the rows only where it is asked for by name."""
    answer = table.column(target).name
    kept = _named(table, settings.columns)
    forced = [*_named(table, settings.categorical), *_named(table, settings.numeric)]
    dropped = set(_named(table, settings.drop))
    if by:
        dropped |= {table.column(by).name} - {*kept, *forced}
    if answer in settings.drop:
        raise DataError("the target is not dropped", received=repr(answer), remedy="drop other columns")
    names = [n for n in table.names if n == answer or ((not kept or n in {*kept, *forced}) and n not in dropped)]
    return table.select(names)


def _with_positive(checked: TableCheck, positive: str | None) -> TableCheck:
    """Two classes in the order that makes ``positive`` the one whose probability the network tells."""
    if positive is None:
        return checked
    if checked.task != "binary":
        raise DataError(
            "one of two classes can be the positive one",
            received=f"a target for {checked.task}",
            remedy="leave it out",
        )
    require_label(positive, checked.labels)
    labels = tuple(sorted(checked.labels, key=lambda label: label == positive))
    return replace(checked, labels=labels, class_counts={label: checked.class_counts[label] for label in labels})


def _units(column: Column, kind: str) -> Units:
    """Each row's value in the column that divides."""
    if kind == "time" and column.categories:
        raise DataError(
            "time is told by dates or numbers",
            received=f"text in column {column.name!r}, such as {column.categories[0]!r}",
            remedy=f"'group:{column.name}', or write dates as 2024-12-31",
        )
    if column.missing.any():
        raise DataError(
            "the column that divides the rows is known in all of them",
            received=f"no value of {column.name!r} in row {int(np.argmax(column.missing)) + 1} of those with a target",
            remedy="fill it in, leave the rows out, or divide by another column",
        )
    of_rows = np.searchsorted(distinct_values(column.values), column.values)
    return Units("time" if kind == "time" else "group", of_rows)


def _require_classes(checked: TableCheck, train: Array, kind: str) -> None:
    if checked.codes is None:
        return
    counts = np.bincount(checked.codes[train], minlength=len(checked.labels))
    if not counts.all():
        raise DataError(
            "every class is there in the rows learned from",
            received=f"{checked.labels[int(np.argmin(counts))]!r} only in the others, as rows are divided by {kind}",
            remedy="divide at random, or by another column",
        )


def _test_table(checked: TableCheck, test: Any, reading: Reading | None) -> tuple[Table, list[str]]:
    """The rows to judge on, those without a target left out; each column is read as what it is in the other table."""
    table = table_of(test, reading=reading, roles={c.name: _role(c) for c in checked.table.columns})
    known = ~table.column(checked.target).missing
    lost = int(np.count_nonzero(~known))
    if not known.any():
        raise DataError("the target is known in some rows to judge on", received="none", remedy="another test table")
    return table.take(known), [f"{plural(lost, 'row')} of the test table without a target left out"] if lost else []


def _role(column: Column) -> Role:
    kind: Literal["number", "category", "date"] = "date" if column.temporal else "number"
    return Role("category" if column.categories is not None else kind, column.form, lenient=True)


def judged(division: Division, preparation: Preparation) -> Division:
    """Without those rows of a test table that cannot be answered.

    Raises:
        DataError: none can.
    """
    test, reasons = answerable(preparation, division.test)
    bad = reasons[reasons != ""]
    if not len(bad):
        return replace(division, test=test)
    if len(bad) == test.rows:
        raise DataError("some row of the test table can be answered", received=f"none; {bad[0]}", remedy="another one")
    note = f"{plural(len(bad), 'row')} of the test table left out, for they cannot be answered: {bad[0]}"
    return replace(division, test=test.take(reasons == ""), notes=(*division.notes, note))
