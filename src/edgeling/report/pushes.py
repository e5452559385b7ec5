# SPDX-License-Identifier: Apache-2.0
"""Drawings of what columns add, as SVG: the steps from the usual answer to a row's own, and bars of categories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeling.explaining.findings import RowFindings
from edgeling.graph.types import Array
from edgeling.markup import Markup, element, join
from edgeling.report import units
from edgeling.report.charts import drawing, text, typeset

WIDTH, NAMES, FIGURES, ROW = 440, 176, 62, 26
MOST_STEPS = 12


def signed(value: float, *, percent: bool) -> str:
    """+12.3 points, of a share; +1.234 of a number."""
    body = f"{100 * value:+.1f}" if percent else f"{'+' if value >= 0 else '-'}{units.figure(abs(value))}"
    return typeset(body)


def amount(value: float, *, percent: bool) -> str:
    """93.3 %, or 1.234"""
    return units.percent(value) if percent else typeset(units.figure(value))


def steps(findings: RowFindings) -> list[tuple[str, float]]:
    """Each column as ``name = value`` and what it adds, the largest first; of many the least together."""
    ranked = [(f"{findings.names[i]} = {findings.given[i]}", float(findings.values[i])) for i in findings.ranking]
    if len(ranked) <= MOST_STEPS:
        return ranked
    rest = ranked[MOST_STEPS - 1 :]
    return [*ranked[: MOST_STEPS - 1], (f"{len(rest)} other columns", sum(value for _, value in rest))]


def waterfall(key: str, title: str, findings: RowFindings) -> Markup:
    """From the usual answer to this row's: each column a bar as long as what it adds, from where the last ended."""
    moves = steps(findings)
    ends = findings.base + np.cumsum([0.0, *(value for _, value in moves)])
    low, high = float(ends.min()), float(ends.max())
    room = (high - low) or max(abs(high), 1.0)

    def x(value: float) -> float:
        return NAMES + 6 + (value - low) / room * (WIDTH - NAMES - FIGURES - 12)

    first = _row(0, "usual answer", amount(findings.base, percent=findings.percent), x(findings.base))
    rows = [
        _step(i + 1, name, value, x(ends[i]), x(ends[i + 1]), findings.percent) for i, (name, value) in enumerate(moves)
    ]
    last = _row(len(moves) + 1, "this row", amount(findings.value, percent=findings.percent), x(ends[-1]))
    description = "; ".join(f"{name}: {signed(value, percent=findings.percent)}" for name, value in moves)
    return drawing(key, title, description, WIDTH, (len(moves) + 2) * ROW + 4, first, *rows, last)


def _row(at: int, name: str, figure: str, x: float) -> Markup:
    dot = element("circle", cx=x, cy=at * ROW + 13, r=4, class_="fill c")
    return join(_name(at, name), dot, text(WIDTH - 4, at * ROW + 17, figure, "end", "name"))


def _step(at: int, name: str, value: float, start: float, end: float, percent: bool) -> Markup:
    left, width = min(start, end), max(abs(end - start), 0.8)
    tip = element("title", f"{name}: {signed(value, percent=percent)}")
    bar = element("rect", tip, x=left, y=at * ROW + 5, width=width, height=16, rx=2,
                  class_=f"fill {'a' if value >= 0 else 'b'}")  # fmt: skip
    link = element("line", x1=start, y1=at * ROW - 5, x2=start, y2=at * ROW + 5, class_="axis")
    return join(_name(at, name), link, bar, text(WIDTH - 4, at * ROW + 17, signed(value, percent=percent), "end"))


def _name(at: int, name: str) -> Markup:
    shown = units.shorten(name, 27)
    return element(
        "text", element("title", name), shown, x=NAMES - 8, y=at * ROW + 17, text_anchor="end", class_="tick"
    )


def category_bars(key: str, title: str, names: Sequence[str], values: Array, *, percent: bool) -> Markup:
    """A bar for each category, from zero or, of numbers, from the least."""
    low = min(0.0, float(values.min())) if percent else float(values.min() - 0.15 * np.ptp(values))
    room = (1.0 if percent else float(values.max()) - low) or 1.0
    rows = []
    for i, (name, value) in enumerate(zip(names, values.tolist(), strict=True)):
        width = (value - low) / room * (WIDTH - NAMES - FIGURES - 12)
        bar = element("rect", x=NAMES, y=i * ROW + 5, width=max(width, 0.8), height=16, rx=2, class_="fill a")
        rows.append(join(_name(i, name), bar, text(WIDTH - 4, i * ROW + 17, amount(value, percent=percent), "end")))
    description = "; ".join(
        f"{name}: {amount(v, percent=percent)}" for name, v in zip(names, values.tolist(), strict=True)
    )
    return drawing(key, title, description, WIDTH, len(rows) * ROW + 4, *rows)
