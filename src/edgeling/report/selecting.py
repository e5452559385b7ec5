# SPDX-License-Identifier: Apache-2.0
"""The section of ``edgeling select``: the score over the number of columns, and what each number takes."""

from __future__ import annotations

from edgeling.explaining.selection import ColumnSelection
from edgeling.markup import Markup, element, join
from edgeling.report import charts, units
from edgeling.report.content import Content
from edgeling.report.parts import figure, listing, paragraph, plural, section, strong, table


def selection_section(content: Content) -> Markup | None:
    """Which columns suffice."""
    found = content.selection
    if found is None:
        return None
    chosen, best = found.steps[found.chosen], found.steps[found.best]
    of = f" of {len(found.steps[-1].columns)}" if found.chosen < len(found.steps) - 1 else ""
    s = "s" if len(chosen.columns) == 1 else ""
    answer = join(
        strong(plural(len(chosen.columns), "column")), f"{of} suffice{s} to predict ", element("em", found.answer),
        f": {listing(list(chosen.columns))}. {units.metric_name(found.metric)} {_score(found, chosen.mean)}; the best "
        f"is {_score(found, best.mean)}, of {plural(len(best.columns), 'column')}.",
    )  # fmt: skip
    return section("How few columns suffice", paragraph(answer), figure(_curve(found), _caption(found)), _costs(found))


def _caption(found: ColumnSelection) -> str:
    divisions = plural(len(found.steps[0].scores), "division")
    return (
        f"{units.metric_name(found.metric)} over the number of columns: mean of {divisions} of the rows, whiskers one "
        "standard error. Marked: the smallest set within one standard error of the best."
    )


def _curve(found: ColumnSelection) -> Markup:
    counts = [len(step.columns) for step in found.steps]
    means, errors = [step.mean for step in found.steps], [step.standard_error for step in found.steps]
    mark = f"{plural(counts[found.chosen], 'column')} suffice{'s' if counts[found.chosen] == 1 else ''}"
    return charts.score_by_count(
        "selection", "Score by number of columns", "columns", counts, means, errors, (counts[found.chosen], mark),
        percent=units.is_rate(found.metric),
    )  # fmt: skip


def _costs(found: ColumnSelection) -> Markup:
    rows = [
        (
            units.count(len(step.columns)), listing(list(step.columns)),
            units.spread(step.mean, step.std, percent=units.is_rate(found.metric)),
            units.size(step.flash_bytes), units.size(step.ram_bytes), units.count(step.instructions),
        )
        for step in found.steps
    ]  # fmt: skip
    heads = ("Columns", "Which", f"{units.metric_name(found.metric)} ± spread", "Flash", "RAM", "Instructions")
    caption = f"Measured on {found.target}, {found.precision}; the spread is the standard deviation over divisions"
    return table(heads, rows, numeric=(2, 3, 4, 5), caption=caption)


def _score(found: ColumnSelection, value: float) -> str:
    return charts.typeset(units.metric(found.metric, value))
