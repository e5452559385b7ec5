# SPDX-License-Identifier: Apache-2.0
"""The pieces every section is made of: section, figure, table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgeling.markup import Markup, element

Cell = str | Markup | None


def section(title: str, *children: Markup | None) -> Markup:
    return element("section", element("h2", title), *children)


def paragraph(*children: str | None, style: str | None = None) -> Markup:
    return element("p", *children, class_=style)


def figure(drawing: Markup, *caption: str | None) -> Markup:
    return element("figure", drawing, element("figcaption", *caption))


def pair(*children: Markup | None) -> Markup | None:
    """Side by side where there is room, one above the other where there is not; nothing if there is nothing."""
    present = [child for child in children if child is not None]
    return element("div", *present, class_="pair") if present else None


def table(
    head: Sequence[str], rows: Iterable[Sequence[Cell]], *, numeric: Sequence[int] = (), caption: str | None = None
) -> Markup:
    """A table whose first column heads its rows; ``numeric`` columns are aligned to the right."""
    styles = ["num" if i in numeric else None for i in range(len(head))]
    heading = element("tr", *(element("th", h, scope="col", class_=s) for h, s in zip(head, styles, strict=True)))
    body = (
        element("tr", *(_cell(i, cell, style) for i, (cell, style) in enumerate(zip(row, styles, strict=True))))
        for row in rows
    )
    inside = element(
        "table", element("caption", caption) if caption else None, element("thead", heading), element("tbody", *body)
    )
    return element("div", inside, class_="scroll", tabindex="0")


def _cell(column: int, content: Cell, style: str | None) -> Markup:
    if column == 0:
        return element("th", content, scope="row", class_=style)
    return element("td", content, class_=style)


def listing(names: Sequence[str]) -> str:
    """a, b and c"""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def plural(number: int, noun: str, many: str | None = None) -> str:
    """1 row, 1,234 rows"""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def strong(content: str) -> Markup:
    return element("strong", content)
