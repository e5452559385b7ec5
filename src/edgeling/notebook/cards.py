# SPDX-License-Identifier: Apache-2.0
"""Small pieces of HTML for a notebook's outputs, which may be dark or light.

Nothing is fetched, no script, no style sheet (some notebooks take them out): text has the page's own colour, lines are
of a grey and of colours that stand out on black and on white.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite

from edgeling.markup import Markup, element, join

COLOURS = ("#3b82f6", "#e0762f", "#17a34a", "#a855f7", "#d64570", "#0d9aa8")
LINE = "1px solid rgba(128,128,128,0.4)"
WIDTH, HEIGHT = 420, 120
_CELL = f"padding:2px 10px;border-bottom:{LINE};white-space:nowrap;text-align:"


def card(title: str, *parts: Markup | str | None) -> str:
    """A titled box with parts below one another; texts are paragraphs."""
    children = (part if isinstance(part, Markup) else paragraph(part) for part in parts if part)
    head = element("div", title, style="font-weight:600;margin-bottom:4px")
    style = f"border:{LINE};border-radius:6px;padding:8px 12px;margin:4px 0;display:inline-block;max-width:100%"
    return element("div", head, *children, style=style, class_="edgeling")


def paragraph(text: str) -> Markup:
    """A sentence below the rest."""
    return element("div", text, style="margin-top:4px;opacity:0.8")


def figures(head: Sequence[str], rows: Iterable[Sequence[str | Markup]], texts: int = 1) -> Markup:
    """A table.

    Args:
        texts: so many columns are texts, to the left; the others are figures, to the right.
    """
    sides = ["left" if i < texts else "right" for i in range(len(head))]
    top = element("tr", *(element("th", name, style=_CELL + side) for name, side in zip(head, sides, strict=True)))
    body = [
        element("tr", *(element("td", cell, style=_CELL + side) for cell, side in zip(row, sides, strict=True)))
        for row in rows
    ]
    table = element("table", element("thead", top), element("tbody", *body), style="border-collapse:collapse;margin:0")
    return element("div", table, style="overflow-x:auto")


def bar(share: float) -> Markup:
    """A bar as long as a share of 0 to 1."""
    width = max(0.0, min(1.0, share)) * 120 if isfinite(share) else 0.0
    return element("div", style=f"width:{width:.0f}px;height:10px;border-radius:2px;background:{COLOURS[0]}")


def progress_card(text: str, share: float) -> str:
    """How far something is: a bar, and a line of figures."""
    full = element("div", bar(share), style=f"width:120px;border:{LINE};border-radius:3px;display:inline-block")
    return element("div", full, element("span", text, style="margin-left:10px;font-family:monospace"))


def curves(series: Mapping[str, Sequence[float]]) -> Markup | None:
    """Curves over epochs, each between its least and its largest value; nothing of one epoch alone."""
    drawn = {name: values for name, values in series.items() if sum(map(isfinite, values)) > 1}
    if not drawn:
        return None
    lines = [_line(values, COLOURS[i % len(COLOURS)]) for i, values in enumerate(drawn.values())]
    names = [
        element("span", name, style=f"border-bottom:3px solid {COLOURS[i % len(COLOURS)]};margin-right:12px")
        for i, name in enumerate(drawn)
    ]
    picture = element(
        "svg", element("title", ", ".join(drawn)), *lines, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img",
        style=f"width:100%;max-width:{WIDTH}px;border:{LINE};margin-top:6px",
    )  # fmt: skip
    return join(picture, element("div", *names))


def _line(values: Sequence[float], colour: str) -> Markup:
    most = max(abs(value) for value in values if isfinite(value)) or 1.0
    values = [value / most for value in values]  # so that no difference overflows
    known = [value for value in values if isfinite(value)]
    low, room = min(known), (max(known) - min(known)) or 1.0
    points = " ".join(
        f"{4 + i * (WIDTH - 8) / (len(values) - 1):.1f},{HEIGHT - 4 - (value - low) / room * (HEIGHT - 8):.1f}"
        for i, value in enumerate(values)
        if isfinite(value)
    )
    return element("polyline", points=points, fill="none", stroke=colour, stroke_width=1.5)


def history_card(history: Mapping[str, Sequence[float]]) -> str:
    """What a training logged: of each name first, best and last, and losses as curves."""
    scalars = {name: list(map(float, values)) for name, values in history.items() if values and _plain(values[0])}
    epochs = max(map(len, scalars.values()), default=0)
    rows = [(name, *(f"{value:.5g}" for value in (v[0], min(v), max(v), v[-1]))) for name, v in scalars.items()]
    losses = {name: values for name, values in scalars.items() if name.endswith("loss")}
    title = f"History of {epochs:,} epoch{'s' * (epochs != 1)}"
    return card(title, figures(("", "first", "least", "largest", "last"), rows) if rows else None, curves(losses))


def _plain(value: object) -> bool:
    return not getattr(value, "ndim", 0)
