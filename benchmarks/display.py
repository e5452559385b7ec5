# SPDX-License-Identifier: Apache-2.0
"""Results for people: a table for each quantity, or one for many of a kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.comparison import Comparison, Line, quantity

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Result = tuple[Comparison, list[Line]]


def show(console: Console, results: Sequence[Result]) -> None:
    """Quantities whose work is known share a table, with their share of the peak."""
    together = [result for result in results if result[0].work]
    for comparison, lines in results:
        if not comparison.work:
            _show_one(console, comparison, lines)
    if together:
        _show_together(console, together)
    for name, why in {line.name: line.skipped for _, lines in results for line in lines if line.skipped}.items():
        console.print(f"  {name} skipped: {why}", markup=False)


def _show_one(console: Console, comparison: Comparison, lines: list[Line]) -> None:
    table = _table(comparison.title, "figure", "ratio to Edgeling")
    table.add_column("goal", no_wrap=True)
    for line in lines:
        table.add_row(*_cells(line, comparison.unit))
    console.print(table)


def _show_together(console: Console, results: Sequence[Result]) -> None:
    """A row a quantity: ours, its share of the peak, and how many times as long each peer took."""
    from benchmarks.widths import peak

    peers = [line.name for line in results[0][1][1:]]
    ours = results[0][1][0].name
    table = _table(f"times as long as {ours}; peak {peak() / 1e9:,.0f} Gflop/s", ours, "of peak", *peers, "best")
    ratios = []
    for comparison, (line, *others) in results:
        best = min((other.ratio for other in others if other.ratio), default=float("nan"))
        ratios.append(best)
        share = f"{comparison.work / line.value / peak():.0%}" if line.value else ""
        cells = [_ratio(other.ratio, other.met) for other in others]
        table.add_row(comparison.title, quantity(line.value or 0.0, comparison.unit), share, *cells, _ratio(best, None))
    table.add_row("geometric mean", "", "", *[""] * len(peers), _ratio(float(np.exp(np.mean(np.log(ratios)))), None))
    console.print(table)


def _table(title: str, *headings: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _cells(line: Line, unit: str) -> tuple[str, ...]:
    if line.value is None:
        return line.name, "skipped", "", line.goal
    verdict = {None: "", True: ": [green]met[/]", False: ": [red]missed[/]"}[line.met]
    return line.name, quantity(line.value, unit), _ratio(line.ratio, None), line.goal + verdict


def _ratio(ratio: float | None, met: bool | None) -> str:
    if ratio is None:
        return ""
    text = f"{ratio:,.0f}x" if ratio >= 100 else f"{ratio:.3g}x"
    return f"[red]{text}[/]" if met is False else text
