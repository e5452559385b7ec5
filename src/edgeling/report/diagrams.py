# SPDX-License-Identifier: Apache-2.0
"""Drawings without axes, as SVG: bars with names, the confusion matrix, the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgeling.explaining import PermutationImportance
from edgeling.graph.types import Array
from edgeling.markup import Markup, element, join
from edgeling.report import units
from edgeling.report.charts import drawing, text, typeset

WIDTH = 440
NAME_WIDTH, NAME_LENGTH = 128, 19
COUNT_WIDTH = 128  # of 1,234,567 (100.0 %)
ROW = 26
NODE_NAMES, NODE_GAP, MAX_NODES = 122, 20, 12


def class_bars(key: str, title: str, counts: Mapping[str, int]) -> Markup:
    """One bar a class, as long as it has rows."""
    total, most = max(sum(counts.values()), 1), max(*counts.values(), 1)
    room = WIDTH - NAME_WIDTH - COUNT_WIDTH
    rows = [
        join(
            row_name(i, name),
            element(
                "rect", x=NAME_WIDTH, y=i * ROW + 5, width=max(room * n / most, 1), height=16, rx=2, class_="fill a"
            ),
            text(
                NAME_WIDTH + room * n / most + 8,
                i * ROW + 17,
                f"{units.count(n)} ({units.percent(n / total)})",
                "start",
            ),
        )
        for i, (name, n) in enumerate(counts.items())
    ]
    description = "; ".join(f"{name}: {n}" for name, n in counts.items())
    return drawing(key, title, description, WIDTH, len(rows) * ROW + 4, *rows)


def importance_bars(key: str, title: str, importance: PermutationImportance, *, most: int) -> Markup:
    """Mean fall of the score for each column, most important first, whiskers one standard deviation each way.

    At most ``most`` columns.
    """
    chosen = importance.ranking[:most]
    means, stds = importance.mean[list(chosen)], importance.std[list(chosen)]
    low, high = min(0.0, float((means - stds).min())), max(float((means + stds).max()), 1e-12)
    left, right = NAME_WIDTH + 4.0, WIDTH - 112.0

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    rows = [
        join(row_name(i, importance.feature_names[j]), whisker_bar(i, x, float(mean), float(std)))
        for i, (j, mean, std) in enumerate(zip(chosen, means, stds, strict=True))
    ]
    zero = element("line", x1=x(0), y1=0, x2=x(0), y2=len(rows) * ROW + 2, class_="axis")
    description = "; ".join(f"{importance.feature_names[j]}: {units.figure(float(importance.mean[j]))}" for j in chosen)
    return drawing(key, title, description, WIDTH, len(rows) * ROW + 4, *rows, zero)


def confusion(key: str, title: str, labels: Sequence[str], counts: Array) -> Markup:
    """Rows true, columns predicted; the stronger, the larger its share of the true class. Errors stand out."""
    n = len(labels)
    left, top = 122, 76
    cell = min((WIDTH - left - 30) / n, 54)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cells = [
        _cell(
            left + j * cell,
            top + i * cell,
            cell,
            (labels[i], labels[j]),
            int(counts[i, j]),
            float(shares[i, j]),
            n <= 15,
        )
        for i, j in np.ndindex(n, n)
    ]
    middle = top + n * cell / 2
    turned = f"rotate(-90 10 {middle:g})"
    side = element("text", "true", x=10, y=middle, transform=turned, text_anchor="middle", class_="label")
    heading = text(left + n * cell / 2, 12, "predicted", "middle", "label")
    description = (
        f"{int(np.trace(counts))} of {int(counts.sum())} rows are on the diagonal, where prediction and truth agree"
    )
    names = _class_names(labels, left, top, cell) if cell >= 11 else None
    return drawing(key, title, description, WIDTH, top + n * cell + 6, heading, side, names, *cells)


def network(key: str, title: str, weights: Sequence[Array], inputs: Sequence[str], outputs: Sequence[str]) -> Markup:
    """Nodes in columns, a line for every weight: colour for its sign, width and strength for its size.

    Args:
        weights: [inputs, outputs] of each dense layer in order.
        inputs, outputs: names beside the first and last column, where they are as many as its nodes.
    """
    sizes = [len(weights[0]), *(w.shape[1] for w in weights)]
    bottom = NODE_GAP * min(max(sizes), MAX_NODES)
    columns = [_NodeColumn.at(i, len(sizes), size, bottom) for i, size in enumerate(sizes)]
    lines = [_connections(w, a, b) for w, a, b in zip(weights, columns, columns[1:], strict=False)]
    dots = [element("circle", cx=c.x, cy=y, r=6) for c in columns for y in c.heights]
    counts = [text(c.x, bottom + 22, c.label, "middle", "label") for c in columns]
    names = join(_node_names(inputs, columns[0], -12), _node_names(outputs, columns[-1], 12))
    description = "A network of " + " to ".join(units.count(size) for size in sizes) + " values"
    nodes = element("g", *dots, class_="nodes")
    return drawing(key, title, description, WIDTH, bottom + 30, *lines, nodes, names, *counts)


@dataclass(frozen=True)
class _NodeColumn:
    """Where one layer's nodes stand; a large layer shows its first ``MAX_NODES``."""

    x: float
    size: int
    heights: tuple[float, ...]

    @property
    def label(self) -> str:
        drawn = len(self.heights)
        return units.count(self.size) if drawn == self.size else f"{drawn} of {units.count(self.size)}"

    @classmethod
    def at(cls, index: int, columns: int, size: int, bottom: float) -> _NodeColumn:
        shown = min(size, MAX_NODES)
        first = 4 + (bottom - (shown - 1) * NODE_GAP) / 2
        x = NODE_NAMES + index * (WIDTH - 2 * NODE_NAMES) / max(columns - 1, 1)
        return cls(x, size, tuple(first + i * NODE_GAP for i in range(shown)))


def _connections(weights: Array, source: _NodeColumn, sink: _NodeColumn) -> Markup:
    strongest = float(np.abs(weights).max()) or 1.0
    lines = [
        _connection(float(weights[i, j]) / strongest, (source.x, y1), (sink.x, y2))
        for i, y1 in enumerate(source.heights)
        for j, y2 in enumerate(sink.heights)
    ]
    return element("g", *lines, class_="weights")


def _connection(strength: float, start: tuple[float, float], end: tuple[float, float]) -> Markup:
    return element(
        "line",
        x1=start[0], y1=start[1], x2=end[0], y2=end[1],
        class_="a" if strength >= 0 else "b",
        stroke_width=0.4 + 2.6 * abs(strength), stroke_opacity=0.1 + 0.8 * abs(strength),
    )  # fmt: skip


def _node_names(names: Sequence[str], column: _NodeColumn, offset: float) -> Markup | None:
    if len(names) != column.size:
        return None
    anchor = "end" if offset < 0 else "start"
    shown = zip(names, column.heights, strict=False)
    return join(*(_named(name, column.x + offset, y + 4, 14, anchor) for name, y in shown))


def _named(name: str, x: float, y: float, length: int, anchor: str) -> Markup:
    """A name cut to a length, whole in its tooltip."""
    return element(
        "text", element("title", name), units.shorten(name, length), x=x, y=y, text_anchor=anchor, class_="tick"
    )


def row_name(row: int, name: str) -> Markup:
    """The name before a row's bar."""
    return _named(name, NAME_WIDTH - 8, row * ROW + 17, NAME_LENGTH, "end")


def whisker_bar(row: int, x: Callable[[float], float], mean: float, std: float) -> Markup:
    """A bar from zero to a mean, a whisker to either side, and the figure."""
    middle, start, end = row * ROW + 13, min(x(0), x(mean)), max(x(0), x(mean))
    low, high = x(mean - std), x(mean + std)
    whisker = f"M{low:.1f} {middle}H{high:.1f}M{low:.1f} {middle - 4}v8M{high:.1f} {middle - 4}v8"
    return join(
        element("rect", x=start, y=middle - 8, width=max(end - start, 0.5), height=16, rx=2, class_="fill a"),
        element("path", d=whisker, class_="whisker"),
        text(WIDTH - 4, row * ROW + 17, typeset(units.spread(mean, std)), "end"),
    )


def _cell(x: float, y: float, side: float, labels: tuple[str, str], count: int, share: float, numbered: bool) -> Markup:
    """One square of the confusion matrix; a tooltip says what it counts."""
    true, predicted = labels
    tip = element("title", f"true {true}, predicted {predicted}: {units.count(count)} ({units.percent(share)})")
    style = "a" if true == predicted else "b"
    opacity = 0.12 + 0.88 * share if count else 0.05
    box = element(
        "rect",
        tip,
        x=x + 0.75,
        y=y + 0.75,
        width=side - 1.5,
        height=side - 1.5,
        rx=2,
        class_=f"fill {style}",
        fill_opacity=opacity,
    )
    if not numbered:
        return box
    number = text(x + side / 2, y + side / 2 + 4, units.count(count), "middle", _number_style(count, opacity))
    return join(box, number)


def _number_style(count: int, opacity: float) -> str:
    return "cell none" if not count else "cell over" if opacity > 0.55 else "cell"


def _class_names(labels: Sequence[str], left: float, top: float, cell: float) -> Markup:
    """The classes down the side, and along the top: slanted where they would run into each other."""
    side = (_named(s, left - 8, top + (i + 0.5) * cell + 4, 14, "end") for i, s in enumerate(labels))
    slanted = max(map(len, labels)) * 6.5 > cell
    along = (_top_name(s, left + (i + 0.5) * cell, top - 8, slanted) for i, s in enumerate(labels))
    return join(*side, *along)


def _top_name(name: str, x: float, y: float, slanted: bool) -> Markup:
    if not slanted:
        return _named(name, x, y, 14, "middle")
    return element("g", _named(name, 0, 0, 11, "start"), transform=f"translate({x:.1f} {y:.1f}) rotate(-40)")
