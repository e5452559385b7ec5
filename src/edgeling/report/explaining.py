# SPDX-License-Identifier: Apache-2.0
"""The sections that explain: why one row is answered as it is, and what answers depend on."""

from __future__ import annotations

import numpy as np

from edgeling.explaining.findings import Change, ColumnCurve, ColumnFindings, RowFindings, Together
from edgeling.graph.types import Array
from edgeling.markup import Markup, element, join
from edgeling.report import charts, pushes, units
from edgeling.report.content import Content
from edgeling.report.parts import figure, listing, pair, paragraph, plural, section, table

MOST_LINES, MOST_BARS, MOST_PAIRS, MOST_THIN, MOST_THIN_OF_SEVERAL = 6, 12, 5, 30, 15
MOST_BY_CLASS = 2  # columns drawn for each class by itself


def row_section(content: Content) -> Markup | None:
    """One row: the steps to its answer, what would change it, and each class's view of it."""
    row = content.row
    if row is None:
        return None
    drawing = pushes.waterfall("waterfall", f"From the usual answer to that of row {row.row}", row)
    caption = (
        f"What each column of row {row.row} adds to the {row.explained}"
        f"{', in percentage points' if row.percent else ''}: Shapley values"
        f"{', estimated' if row.standard_errors is not None else ''}, compared with "
        f"{plural(row.background_rows, 'row')} of the table. The bars lead from the mean of those to this row."
    )
    return section(
        f"Why row {row.row} is answered {row.answer}",
        _in_a_sentence(row),
        pair(figure(drawing, caption), element("div", _changes(row), _other_views(row))),
    )


def _in_a_sentence(row: RowFindings) -> Markup:
    up = [row.names[i] for i in row.ranking if row.values[i] > 0][:2]
    down = [row.names[i] for i in row.ranking if row.values[i] < 0][:2]
    usual, here = (pushes.amount(v, percent=row.percent) for v in (row.base, row.value))
    sides = [f"{listing(names)} {'push' if len(names) > 1 else 'pushes'} it {way}"
             for names, way in ((up, "up"), (down, "down")) if names]  # fmt: skip
    why = f": {'; '.join(sides)}" if sides else ""
    return paragraph(
        "The ", element("em", row.explained), f" is {here} here, and {usual} on average over the table{why}."
    )


def _changes(row: RowFindings) -> Markup | None:
    if not row.wanted:
        return None
    if not row.changes:
        return paragraph(f"No change of one or two columns within what was seen leads to {row.wanted}.")
    lines = (element("li", _change(each, row.percent)) for each in row.changes)
    return element("div", paragraph(f"The least changes that lead to {row.wanted}:"), element("ul", *lines))


def _change(change: Change, percent: bool) -> str:
    moves = listing([f"{name} from {a} to {b}" for name, (a, b) in change.columns.items()])
    then = f"{change.answer} ({pushes.amount(change.value, percent=True)})" if percent else change.answer
    return f"{moves}: {then}"


def _other_views(row: RowFindings) -> Markup | None:
    """What columns add to every class, and by integrated gradients, as a table."""
    classes = dict(list(row.by_class.items())[:5]) if len(row.by_class) > 2 else {}
    heads, columns = [f"to {label}" for label in classes], [*classes.values()]
    if row.integrated is not None:
        heads, columns = [*heads, "integrated gradients"], [*columns, row.integrated]
    if row.standard_errors is not None:
        heads, columns = [*heads, "standard error"], [*columns, row.standard_errors]
    if not columns:
        return None
    rows = [
        (row.names[i], *(pushes.signed(float(column[i]), percent=row.percent) for column in columns))
        for i in row.ranking[: pushes.MOST_STEPS]
    ]
    return table(("Column", *heads), rows, numeric=range(1, len(heads) + 1), caption="What each column adds")


def dependence_section(content: Content) -> Markup | None:
    """Curves of the most important columns, pairs that act together, and what integers change."""
    found = content.columns
    if found is None or not found.curves:
        return None
    drawings = [_curve_figure(str(i), curve, found) for i, curve in enumerate(found.curves)]
    intro = paragraph(_exact(found) if found.exact else _how_to_read(found))
    by_class = _each_class(found)
    return section("What answers depend on", intro, pair(*drawings), by_class, _together(found), _shifts(found))


def _each_class(found: ColumnFindings) -> Markup | None:
    """Of several classes, each by itself with single rows: the columns that matter most."""
    if found.exact or not 3 <= len(found.labels) <= MOST_LINES:
        return None
    drawings = [
        _curve_figure(f"{i}-{which}", curve, found, which)
        for i, curve in enumerate(found.curves[:MOST_BY_CLASS]) for which in range(len(found.labels))
    ]  # fmt: skip
    return element("details", element("summary", "Each class by itself, with single rows"), pair(*drawings))


def _how_to_read(found: ColumnFindings) -> str:
    return (
        f"How the {found.unit} changes with one column, the others as they are. Thick: the mean over rows (partial "
        "dependence); thin: single rows. Where thin lines are not parallel, the column acts together with others."
    )


def _exact(found: ColumnFindings) -> str:
    return (
        f"The network is a sum over columns. Each curve is all that its column does: what it adds to the {found.unit}, "
        "against the mean over rows. The curves of a row's values, added up, are its answer."
    )


def _curve_figure(place: str, curve: ColumnCurve, found: ColumnFindings, only: int | None = None) -> Markup | None:
    """``only``: the class to draw, alone."""
    key, title = f"dependence{place}", f"By {curve.name}"
    mean, curves = curve.dependence.mean, curve.dependence.curves
    which = int(np.argmax(np.ptp(mean, axis=0))) if only is None else only
    if len(found.labels) == 2:
        which = 1
    name = found.labels[which] if found.labels else found.unit
    if curve.is_category or len(curve.points) < 2:
        kept = slice(MOST_BARS)
        bars = pushes.category_bars(key, title, curve.points[kept], mean[kept, which], percent=found.percent)
        rest = len(curve.points) - MOST_BARS
        more = f" {plural(rest, 'more value')} not drawn." if rest > 0 else ""
        return figure(bars, f"{curve.name}: mean {_of(name, found)} for each value.{more}")
    lines = _lines(mean, which, found) if only is None else [(found.labels[only], mean[:, only])]
    thin = curves[: MOST_THIN if len(lines) == 1 else MOST_THIN_OF_SEVERAL, :, which]
    label = units.shorten(f"{curve.name}, {curve.axis}" if curve.axis else curve.name, 60)
    grid = np.asarray(curve.dependence.grid, np.float64)
    drawing = charts.dependence_chart(key, title, grid, label, lines, thin, percent=found.percent)
    what = "probability" if found.percent else found.unit
    several = f"{what} of each class{'' if found.exact else f'; thin: of {name}, for single rows'}"
    return figure(drawing, f"{curve.name}: {several if len(lines) > 1 else _of(name, found)}.")


def _of(name: str, found: ColumnFindings) -> str:
    return f"probability of {name}" if found.percent else name


def _lines(mean: Array, which: int, found: ColumnFindings) -> list[tuple[str, Array]]:
    """Of few classes all; of two, or of a number, one."""
    if len(found.labels) < 3 or len(found.labels) > MOST_LINES:
        return [(found.labels[which] if found.labels else found.unit, mean[:, which])]
    return [(label, mean[:, i]) for i, label in enumerate(found.labels)]


def _together(found: ColumnFindings) -> Markup | None:
    if not found.together:
        return None
    rows = [
        (" \N{MULTIPLICATION SIGN} ".join(each.names), units.percent(each.strength),
         f"{100 * each.size:.1f} points" if found.percent else units.figure(each.size), *_most_in(each, found))
        for each in found.together[:MOST_PAIRS]
    ]  # fmt: skip
    caption = (
        "Columns that act together (Friedman and Popescu's H): the part of what two of them do jointly that is no sum "
        "of what each does, as a share and in size"
    )
    heads = ("Columns", "Share", "Size", *(["Most in"] if len(found.labels) > 2 else []))
    return table(heads, rows, numeric=(1, 2), caption=caption)


def _most_in(each: Together, found: ColumnFindings) -> tuple[str, ...]:
    """Of several classes the one of which two columns do most together."""
    if len(found.labels) < 3:
        return ()
    label, (_, size) = max(each.by_class.items(), key=lambda item: item[1][1])
    return (f"{label} ({100 * size:.1f} points)",)


def _shifts(found: ColumnFindings) -> Markup | None:
    lines = [
        paragraph(
            f"Explanations in {each.precision} rank the columns as in float32 to {units.figure(each.correlation, 3)} "
            f"(Spearman's correlation, mean of {plural(each.rows, 'row')}); the column that pushes most is the same in "
            f"{units.percent(each.same_first)} of them."
        )
        for each in found.shifts
    ]
    return join(*lines) if lines else None
