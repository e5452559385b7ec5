# SPDX-License-Identifier: Apache-2.0
"""Plots with two axes, as SVG: curves over epochs, predicted against true, histograms.

Colours are CSS classes (``a`` and ``b`` for the two series), so that one drawing serves light, dark and print.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeling.data.probabilities import Curve
from edgeling.graph.types import Array
from edgeling.markup import Markup, element, join
from edgeling.report import units
from edgeling.report.scales import Scale, covering, histogram, linear, logarithmic, tick_text

WIDTH, HEIGHT = 440, 260
LEFT, RIGHT, TOP, BOTTOM = 54, 16, 24, 42
LABEL_ROOM = 76  # right of curves, for their names
NAMES = 104  # right of curves in the unit square
MAX_POINTS = 1500


@dataclass(frozen=True)
class Series:
    """One curve: its name, a finite value or NaN for each epoch, and its colour class."""

    name: str
    values: tuple[float, ...]
    style: str


@dataclass(frozen=True)
class Axis:
    """A scale, what it measures, and whether its ticks are shares written as per cent."""

    scale: Scale
    label: str
    percent: bool = False

    def text(self, value: float) -> str:
        return f"{tick_text(self.scale, value, 100)} %" if self.percent else tick_text(self.scale, value)


def drawing(key: str, title: str, description: str, width: float, height: float, *children: Markup | None) -> Markup:
    """An SVG that a screen reader announces by its title and description; ``key`` is unique on the page."""
    return element(
        "svg",
        element("title", title, id=f"{key}-title"),
        element("desc", description, id=f"{key}-desc"),
        *children,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
    )


def curves(key: str, title: str, series: Sequence[Series], *, best_epoch: int | None, percent: bool = False) -> Markup:
    """One value an epoch for each series, names at the ends of the lines, the best epoch marked."""
    value = units.percent if percent else units.figure
    finite = [v for s in series for v in s.values if np.isfinite(v)]
    epochs = max(len(s.values) for s in series)
    x = Axis(Scale(1, max(epochs, 2), LEFT, WIDTH - LABEL_ROOM, _epoch_ticks(epochs)), "epoch")
    y = Axis(covering(finite, HEIGHT - BOTTOM, TOP), "", percent)
    description = "; ".join(f"{s.name} ends at {value(s.values[-1])} after {len(s.values)} epochs" for s in series)
    return drawing(
        key, title, description, WIDTH, HEIGHT,
        _axes(x, y), _best(x.scale, best_epoch), *(_curve(s, x.scale, y.scale) for s in series),
        _end_labels(series, x.scale, y.scale),
    )  # fmt: skip


def scatter(key: str, title: str, true: Array, predicted: Array) -> Markup:
    """Predicted against true, with the line on which both are equal; at most 1,500 rows, evenly chosen."""
    low, high = float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max()))
    x = Axis(linear(low, high, LEFT, WIDTH - RIGHT), "true")
    y = Axis(linear(low, high, HEIGHT - BOTTOM, TOP), "predicted")
    ideal = _line(x.scale.start, y.scale.start, x.scale.end, y.scale.end, "ideal")
    description = f"{len(true)} rows; points on the diagonal are predicted exactly"
    return drawing(key, title, description, WIDTH, HEIGHT, _axes(x, y), ideal, _points(x, y, true, predicted))


def residual_scatter(key: str, title: str, predicted: Array, residuals: Array) -> Markup:
    """Residuals over predictions, with the line of no error; at most 1,500 rows, evenly chosen."""
    x = Axis(linear(float(predicted.min()), float(predicted.max()), LEFT, WIDTH - RIGHT), "predicted")
    low, high = min(0.0, float(residuals.min())), max(0.0, float(residuals.max()))
    y = Axis(linear(low, high, HEIGHT - BOTTOM, TOP), "predicted \N{MINUS SIGN} true")
    ideal = _line(x.scale.start, y.scale(0), x.scale.end, y.scale(0), "ideal")
    description = f"{len(predicted)} rows; points on the line are predicted exactly"
    return drawing(key, title, description, WIDTH, HEIGHT, _axes(x, y), ideal, _points(x, y, predicted, residuals))


def _points(x: Axis, y: Axis, across: Array, up: Array) -> Markup:
    chosen = np.linspace(0, len(across) - 1, min(len(across), MAX_POINTS)).astype(int)
    pairs = zip(across[chosen], up[chosen], strict=True)
    return element(
        "g", *(element("circle", cx=x.scale(float(a)), cy=y.scale(float(b)), r=3) for a, b in pairs), class_="points a"
    )


def unit_curves(key: str, title: str, lines: Sequence[Curve], across: str, up: str, *, chance: bool = False) -> Markup:
    """Curves within the unit square, a colour each, named at the right if they are several; ``chance`` draws the
    diagonal."""
    names = [text(WIDTH - NAMES, TOP + 8 + 16 * i, units.shorten(line.label, 15), "start", f"name s{i}")
             for i, line in enumerate(lines)] if len(lines) > 1 else []  # fmt: skip
    x, y = _unit_axes(across, up, WIDTH - (NAMES + 12 if names else RIGHT))
    paths = (_path(line.x, line.y, x.scale, y.scale, f"curve s{i}") for i, line in enumerate(lines))
    diagonal = _line(x.scale(0), y.scale(0), x.scale(1), y.scale(1), "ideal") if chance else None
    description = "; ".join(f"{line.label}: area {units.figure(line.area, 3)}" for line in lines)
    return drawing(key, title, description, WIDTH, HEIGHT, _axes(x, y), diagonal, *paths, *names)


def calibration_chart(key: str, title: str, told: Array, true: Array, rows: Array) -> Markup:
    """The share that came true over the probability told, a dot a bin, the larger the more rows it has."""
    x, y = _unit_axes("probability told", "share that came true", WIDTH - RIGHT)
    dots = [
        element(
            "circle", element("title", f"told {units.percent(t)}, true in {units.percent(s)} of {units.count(n)} rows"),
            cx=x.scale(t), cy=y.scale(s), r=3 + 5 * (n / rows.max()) ** 0.5,
        )
        for t, s, n in zip(told.tolist(), true.tolist(), rows.tolist(), strict=True)
    ]  # fmt: skip
    diagonal = _line(x.scale(0), y.scale(0), x.scale(1), y.scale(1), "ideal")
    line = _path(told, true, x.scale, y.scale, "curve thin")
    description = "; ".join(
        f"told {units.percent(t)}, came true in {units.percent(s)}" for t, s in zip(told, true, strict=True)
    )
    points = element("g", *dots, class_="points a")
    return drawing(key, title, description, WIDTH, HEIGHT, _axes(x, y), diagonal, line, points)


Dot = tuple[float, float, bool]  # across, up, whether it is ringed


def front_chart(
    key: str, title: str, others: Sequence[Dot], front: Sequence[Dot], across: str, up: str, percent: bool = False
) -> Markup:
    """Dots over a cost that is best small, those of a front in the second colour and joined by steps."""
    every = [*others, *front]
    costs, scores = [dot[0] for dot in every], [dot[1] for dot in every]
    best = max(scores)
    low = min(*(dot[1] for dot in front), float(np.quantile(scores, 0.25)))  # the worst would press the others together
    x = Axis(covering(costs, LEFT, WIDTH - RIGHT), across)
    y = Axis(linear(low - 0.1 * (best - low), best, HEIGHT - BOTTOM, TOP), up, percent)
    shown = [dot for dot in others if dot[1] >= y.scale.low]
    dots = [_dots(x, y, shown, 2.5, "a"), _dots(x, y, front, 4, "b")]
    rings = [element("circle", cx=x.scale(a), cy=y.scale(b), r=8, class_="ring") for a, b, ringed in front if ringed]
    corners, best_so_far = [], -np.inf
    for cost, score, _ in sorted(front):
        if score > best_so_far:
            corners.append((cost, score))
            best_so_far = score
    steps = "".join(f"H{x.scale(a):.1f}V{y.scale(b):.1f}" for a, b in corners[1:])
    line = element(
        "path", d=f"M{x.scale(corners[0][0]):.1f} {y.scale(corners[0][1]):.1f}{steps}H{WIDTH - RIGHT}", class_="curve b"
    )
    value = units.percent if percent else units.figure
    description = "; ".join(f"{value(score)} at {units.figure(cost)} {across}" for cost, score in corners)
    return drawing(key, title, description, WIDTH, HEIGHT, _axes(x, y), line, *dots, *rings)


def range_chart(key: str, title: str, rates: Array, losses: Array, suggestion: float) -> Markup:
    """Smoothed losses over learning rates, the suggested rate marked."""
    x = Axis(logarithmic(float(rates.min()), float(rates.max()), LEFT, WIDTH - RIGHT), "learning rate")
    y = Axis(covering(losses.tolist(), HEIGHT - BOTTOM, TOP), "loss, smoothed")
    at = x.scale(min(max(suggestion, x.scale.low), x.scale.high))
    anchor, offset = ("end", 4) if at > (x.scale.start + x.scale.end) / 2 else ("start", -4)
    label = text(at + offset, TOP - 8, f"suggested: {units.figure(suggestion, 2)}", anchor, "note")
    description = (
        f"the loss is least at {units.figure(float(rates[np.argmin(losses)]), 2)}; suggested is {suggestion:.2g}"
    )
    mark = join(_line(at, TOP, at, HEIGHT - BOTTOM, "mark"), label)
    line = _path(rates, losses, x.scale, y.scale, "curve a")
    return drawing(key, title, description, WIDTH, HEIGHT, _axes(x, y), mark, line)


def _dots(x: Axis, y: Axis, dots: Sequence[Dot], radius: float, colour: str) -> Markup:
    circles = (element("circle", cx=x.scale(a), cy=y.scale(b), r=radius) for a, b, _ in dots)
    return element("g", *circles, class_=f"points {colour}")


def _unit_axes(across: str, up: str, right: float) -> tuple[Axis, Axis]:
    return Axis(linear(0, 1, LEFT, right), across), Axis(linear(0, 1, HEIGHT - BOTTOM, TOP), up)


def _path(across: Array, up: Array, x: Scale, y: Scale, style: str) -> Markup:
    """A line through points; of very many only some, the ends among them."""
    chosen = np.unique(np.linspace(0, len(across) - 1, min(len(across), MAX_POINTS)).astype(int))
    points = [f"{x(float(a)):.1f} {y(float(b)):.1f}" for a, b in zip(across[chosen], up[chosen], strict=True)]
    return element("path", d="M" + "L".join(points) + ("h0" if len(points) == 1 else ""), class_=style)


def histogram_chart(key: str, title: str, values: Array, label: str, *, zero: bool = False) -> Markup:
    """How often values fall in bins of equal width; ``zero`` draws a line at 0."""
    counts, edges = histogram(values)
    x = Axis(linear(float(edges[0]), float(edges[-1]), LEFT, WIDTH - RIGHT), label)
    y = Axis(linear(0, float(counts.max()), HEIGHT - BOTTOM, TOP, ticks=4), "rows")
    bars = [
        _bar(x.scale, y.scale, float(left), float(right), int(n))
        for left, right, n in zip(edges[:-1], edges[1:], counts, strict=True)
        if n
    ]
    mark = _line(x.scale(0), TOP, x.scale(0), HEIGHT - BOTTOM, "ideal") if zero and edges[0] < 0 < edges[-1] else None
    description = (
        f"{len(values)} values from {units.figure(float(values.min()))} to {units.figure(float(values.max()))}"
    )
    return drawing(key, title, description, WIDTH, HEIGHT, _axes(x, y), element("g", *bars, class_="bars a"), mark)


def _bar(x: Scale, y: Scale, left: float, right: float, count: int) -> Markup:
    name = element("title", f"{units.figure(left)} to {units.figure(right)}: {units.count(count)}")
    start, width, top = x(left) + 0.5, x(right) - x(left) - 1, y(count)
    return element("rect", name, x=start, y=top, width=max(width, 0.5), height=y.start - top)


def _axes(x: Axis, y: Axis) -> Markup:
    """Grid lines and ticks across, ticks along the bottom, labels."""
    left, right, bottom = x.scale.start, x.scale.end, y.scale.start
    rows = [
        join(
            _line(left, y.scale(v), right, y.scale(v), "grid"),
            text(left - 8, y.scale(v) + 4, typeset(y.text(v)), "end"),
        )
        for v in y.scale.ticks
    ]
    columns = [
        join(
            _line(x.scale(v), bottom, x.scale(v), bottom + 4, "axis"),
            text(x.scale(v), bottom + 18, typeset(x.text(v)), "middle"),
        )
        for v in x.scale.ticks
    ]
    base = _line(left, bottom, right, bottom, "axis")
    return join(*rows, *columns, base, text((left + right) / 2, HEIGHT - 6, x.label, "middle", "label"), _upright(y))


def _upright(y: Axis) -> Markup | None:
    if not y.label:
        return None
    middle = (y.scale.start + y.scale.end) / 2
    turned = f"rotate(-90 12 {middle:g})"
    return element("text", y.label, x=12, y=middle, transform=turned, text_anchor="middle", class_="label")


def _curve(series: Series, x: Scale, y: Scale) -> Markup:
    """The line, broken where a value is not finite; a lone value is a dot."""
    stride = -(-len(series.values) // MAX_POINTS)
    kept = sorted({*range(0, len(series.values), stride), len(series.values) - 1})
    path, pen = [], "M"
    for i in kept:
        value = series.values[i]
        usable = np.isfinite(value) and (value > 0 or not y.logarithmic)
        if usable:
            path.append(f"{pen}{x(i + 1):.1f} {y(value):.1f}")
        pen = "L" if usable else "M"
    if len(path) == 1:
        path.append("h0")
    return element("path", d="".join(path), class_=f"curve {series.style}")


def _end_labels(series: Sequence[Series], x: Scale, y: Scale) -> Markup:
    """The name of every curve at its last value, pushed apart where they would overlap."""
    ends = [
        (y(s.values[-1]), s) for s in series if np.isfinite(s.values[-1]) and (s.values[-1] > 0 or not y.logarithmic)
    ]
    placed: list[tuple[float, Series]] = []
    for height, each in sorted(ends, key=lambda end: end[0]):
        lowest = placed[-1][0] + 15 if placed else TOP
        placed.append((max(height, lowest), each))
    shift = max(0.0, placed[-1][0] - y.start) if placed else 0.0
    return join(*(text(x.end + 6, at - shift + 4, s.name, "start", f"name {s.style}") for at, s in placed))


def _best(x: Scale, epoch: int | None) -> Markup | None:
    if epoch is None:
        return None
    at = x(epoch)
    anchor, offset = ("end", 4) if at > (x.start + x.end) / 2 else ("start", -4)
    label = text(at + offset, TOP - 8, f"best: epoch {epoch:,}", anchor, "note")
    return join(_line(at, TOP, at, HEIGHT - BOTTOM, "mark"), label)


def _epoch_ticks(epochs: int) -> tuple[float, ...]:
    """The first epoch, and round ones after it that leave it room."""
    round_ones = linear(0, max(epochs, 2), 0, 1).ticks
    step = round_ones[1] - round_ones[0]
    return (1, *(v for v in round_ones if 1 + step / 2 < v <= epochs and v == int(v)))


def typeset(figure: str) -> str:
    """A real minus sign, and a power of ten as a power: 1.2e-7 with the -7 raised."""
    mantissa, e, exponent = figure.partition("e")
    if e and exponent.lstrip("-").isdigit():
        raised = exponent.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        figure = (
            f"10{raised}"
            if mantissa == "1.0"
            else f"{mantissa}\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}10{raised}"
        )
    return figure.replace("-", "\N{MINUS SIGN}") if figure.startswith("-") else figure


def text(x: float, y: float, content: str, anchor: str, style: str = "tick") -> Markup:
    """Text whose start, middle or end is at x."""
    return element("text", content, x=x, y=y, text_anchor=anchor, class_=style)


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=style)


def dependence_chart(
    key: str, title: str, at: Array, label: str, lines: Sequence[tuple[str, Array]], thin: Array, *, percent: bool
) -> Markup:
    """Answers over the values of one column.

    Args:
        at: [points], the column's values, at least two.
        lines: name and answers [points] of each curve, named at the right if they are several.
        thin: [curves, points], of single rows; may be none.
    """
    several = len(lines) > 1
    names = [text(WIDTH - NAMES, TOP + 8 + 16 * i, units.shorten(name, 15), "start", f"name s{i}")
             for i, (name, _) in enumerate(lines)] if several else []  # fmt: skip
    every = np.concatenate([*(values for _, values in lines), thin.ravel()])
    low, high = (0.0, 1.0) if percent else (float(every.min()), float(every.max()))
    x = Axis(linear(float(at[0]), float(at[-1]), LEFT, WIDTH - (NAMES + 12 if names else RIGHT)), label)
    y = Axis(linear(low, high, HEIGHT - BOTTOM, TOP), "", percent)
    single = [_path(at, curve, x.scale, y.scale, "curve ghost") for curve in thin]
    drawn = [_path(at, values, x.scale, y.scale, f"curve s{i}") for i, (_, values) in enumerate(lines)]
    told = units.percent if percent else units.figure
    description = "; ".join(f"{name} from {told(float(v[0]))} to {told(float(v[-1]))}" for name, v in lines)
    return drawing(key, title, description, WIDTH, HEIGHT, _axes(x, y), *single, *drawn, *names)


def score_by_count(
    key: str, title: str, label: str, counts: Sequence[int], means: Sequence[float], errors: Sequence[float],
    mark: tuple[int, str], *, percent: bool,
) -> Markup:  # fmt: skip
    """A score over whole numbers, whiskers one error each way, one number marked by a line and a note."""
    each = [(m - e, m + e) for m, e in zip(means, errors, strict=True)]
    shown = [n for n in counts if len(counts) <= 12 or n in (counts[0], counts[-1]) or n % 5 == 0]
    x = Axis(Scale(counts[0] - 0.5, counts[-1] + 0.5, LEFT, WIDTH - RIGHT, tuple(map(float, shown))), label)
    y = Axis(linear(min(low for low, _ in each), max(high for _, high in each), HEIGHT - BOTTOM, TOP), "", percent)
    whiskers = [
        element("path", d=f"M{x.scale(n):.1f} {y.scale(low):.1f}V{y.scale(high):.1f}", class_="whisker")
        for n, (low, high) in zip(counts, each, strict=True)
    ]
    dots = element(
        "g", *(element("circle", cx=x.scale(n), cy=y.scale(m), r=4) for n, m in zip(counts, means, strict=True)),
        class_="fill a",
    )  # fmt: skip
    at = x.scale(mark[0])
    anchor, offset = ("end", 4) if at > WIDTH / 2 else ("start", -4)
    note = join(_line(at, TOP, at, HEIGHT - BOTTOM, "mark"), text(at + offset, TOP - 8, mark[1], anchor, "note"))
    told = units.percent if percent else units.figure
    description = "; ".join(f"{n} {label}: {told(m)}" for n, m in zip(counts, means, strict=True))
    line = _path(np.asarray(counts), np.asarray(means), x.scale, y.scale, "curve a")
    return drawing(key, title, description, WIDTH, HEIGHT, _axes(x, y), note, line, *whiskers, dots)
