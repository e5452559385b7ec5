# SPDX-License-Identifier: Apache-2.0
"""Explanations in a terminal: what each column of a row adds, what would change the answer, what acts together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgeling.cli.terminal import bar, console, one_line
from edgeling.report import pushes, units
from edgeling.report.parts import listing

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from edgeling.explaining.findings import Change, ColumnFindings, RowFindings

HALF, NAMES, MOST = 12, 34, 5


def show_row(row: RowFindings | None) -> None:
    """A row's steps from the usual answer to its own; nothing where no row was asked about."""
    if row is None:
        return
    screen = console()
    for part in _row(row):
        screen.print()
        screen.print(part)


def show_columns(found: ColumnFindings | None) -> None:
    """Pairs of columns that act together, and what integers change."""
    if found is None:
        return
    screen = console()
    if found.together:
        screen.print()
        screen.print(_together(found))
    for each in found.shifts:
        screen.print(
            f"Explanations in {each.precision} rank the columns as in float32 to {units.figure(each.correlation, 3)}; "
            f"the first is the same in {units.percent(each.same_first)} of {each.rows} rows.", soft_wrap=True,
        )  # fmt: skip


def _row(row: RowFindings) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text.assemble((f"Row {row.row}: {one_line(row.answer)}", "bold"))
    yield _steps(row)
    if row.changes:
        lines = [f"  {one_line(_change(each, row))}" for each in row.changes]
        yield Text("\n".join([f"The least changes that lead to {one_line(row.wanted)}:", *lines]))
    elif row.wanted:
        yield Text(f"No change of one or two columns within what was seen leads to {one_line(row.wanted)}.")
    if row.why_not_integrated:
        yield Text(f"No integrated gradients: {one_line(row.why_not_integrated)}", "dim")


def _steps(row: RowFindings) -> Table:
    from rich.text import Text

    unit = "points" if row.percent else ""
    table = figures_table(f"{one_line(row.explained)}", "", f"adds, {unit}".rstrip(", "))
    moves = pushes.steps(row)
    most = max((abs(value) for _, value in moves), default=0.0) or 1.0
    table.add_row(Text("usual answer", "dim"), "", Text(pushes.amount(row.base, percent=row.percent), "dim"))
    for name, value in moves:
        figure = pushes.signed(value, percent=row.percent)
        table.add_row(Text(units.shorten(one_line(name), NAMES)), _both_ways(value / most), figure)
    table.add_row(Text("this row", "bold"), "", Text(pushes.amount(row.value, percent=row.percent), "bold"))
    return table


def _both_ways(share: float) -> Text:
    """A bar to the right of the middle, or to the left."""
    from rich.text import Text

    if share >= 0:
        return Text.assemble(" " * HALF, (bar(share, HALF), "cyan"))
    cells = max(1, round(-share * HALF))
    return Text.assemble(" " * (HALF - cells), ("█" * cells, "yellow"))


def _change(change: Change, row: RowFindings) -> str:
    moves = listing([f"{name} from {a} to {b}" for name, (a, b) in change.columns.items()])
    return f"{moves}: {change.answer}" + (f" ({units.percent(change.value)})" if row.percent else "")


def _together(found: ColumnFindings) -> Table:
    table = figures_table("act together", "", "share", "points" if found.percent else "size")
    most = max(each.size for each in found.together) or 1.0
    for each in found.together[:MOST]:
        size = f"{100 * each.size:.1f}" if found.percent else units.figure(each.size)
        name = units.shorten(one_line(" \N{MULTIPLICATION SIGN} ".join(each.names)), 44)
        table.add_row(name, bar(each.size / most, HALF), units.percent(each.strength), size)
    return table


def figures_table(*heads: str) -> Table:
    """A table under one rule, names and bars in the first two columns, figures behind."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, header_style="dim", padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i > 1 else "left", no_wrap=True)
    return table
