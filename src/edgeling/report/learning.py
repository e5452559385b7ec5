# SPDX-License-Identifier: Apache-2.0
"""The sections about learning: data, training, importance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgeling.explaining import PermutationImportance
from edgeling.graph.types import Array
from edgeling.markup import Markup, element, join
from edgeling.report import charts, diagrams, units
from edgeling.report.content import ColumnSummary, Content, DataSummary, TrainingSummary
from edgeling.report.parts import figure, listing, pair, paragraph, plural, section, table

MAX_CLASS_BARS = 30
MAX_IMPORTANCE_BARS, MAX_CLASSES = 20, 8
_PURPOSES = {"train": "training", "test": "testing"}
OPEN_COLUMNS, MAX_COLUMNS = 25, 500


def data_section(content: Content) -> Markup | None:
    """Where the rows came from, how they were split, every column, and what was odd."""
    data = content.data
    if data is None:
        return None
    return section(
        "The data", _rows(data), _warnings(data.warnings), pair(_target(content, data)), _columns(data.columns)
    )


def _rows(data: DataSummary) -> Markup:
    parts = listing([f"{units.count(n)} for {_PURPOSES.get(name, name)}" for name, n in data.split_rows.items()])
    missing = sum(column.missing for column in data.columns)
    gaps = f" {plural(missing, 'value')} missing." if missing else " No value is missing." if data.columns else ""
    unknown = data.rows - sum(data.split_rows.values()) if data.split_rows else 0
    lost = f", {units.count(unknown)} of them without a target and left out" if unknown else ""
    split = f"{lost}: {parts}{', ' if data.split else ''}{data.split}" if parts else ""
    return paragraph(element("em", data.source), f" holds {plural(data.rows, 'row')}{split}.", gaps)


def _warnings(warnings: Sequence[str]) -> Markup | None:
    if not warnings:
        return None
    lines = (element("li", warning) for warning in warnings)
    return element("div", element("strong", "Worth knowing"), element("ul", *lines), class_="warnings")


def _target(content: Content, data: DataSummary) -> Markup | None:
    if data.class_counts:
        shown = dict(list(data.class_counts.items())[:MAX_CLASS_BARS])
        rest = len(data.class_counts) - len(shown)
        bars = diagrams.class_bars("classes", "Rows of each class", shown)
        more = f" {plural(rest, 'more class', 'more classes')} not drawn." if rest else ""
        return figure(bars, f"Rows of each class of {content.target}.{more}")
    values = _finite(data.target_values)
    if values is None:
        return None
    drawing = charts.histogram_chart(
        "target", f"Distribution of {content.target}", values, units.shorten(content.target, 50)
    )
    return figure(drawing, f"How {content.target}, the column to estimate, is distributed.")


def _columns(columns: Sequence[ColumnSummary]) -> Markup | None:
    if not columns:
        return None
    rows = [
        (c.name, c.type, units.count(c.missing), units.count(c.distinct), c.summary, c.role)
        for c in columns[:MAX_COLUMNS]
    ]
    body = table(("Column", "Type", "Missing", "Distinct", "Values", "Role"), rows, numeric=(2, 3))
    if len(columns) <= OPEN_COLUMNS:
        return body
    rest = len(columns) - len(rows)
    more = paragraph(f"And {plural(rest, 'more column')}.", style="quiet") if rest else None
    return element("details", element("summary", f"All {plural(len(columns), 'column')}"), body, more)


def training_section(content: Content) -> Markup | None:
    """The curves, and where the best epoch was."""
    training = content.training
    if training is None or not any(len(values) for values in training.history.values()):
        return None
    weighted = _how_weighted(training.class_weight)
    return section("Training", _how_trained(training), weighted, pair(*_training_figures(training)))


def _how_trained(training: TrainingSummary) -> Markup:
    epochs = max(len(values) for values in training.history.values())
    took = f" in {units.duration(training.seconds)}" if training.seconds is not None else ""
    settings = [training.optimizer, training.loss and f"loss {training.loss.replace('_', ' ')}"]
    if training.batch_size:
        settings.append(f"batches of {units.count(training.batch_size)}")
    how = "; ".join(filter(None, settings))
    best = f" The weights of epoch {units.count(training.best_epoch)} were kept." if training.best_epoch else ""
    stopped = f"; {training.stopped_by}" if training.stopped_by else ""
    return paragraph(f"{plural(epochs, 'epoch')}{took}{f' ({how})' if how else ''}{stopped}.{best}")


def _how_weighted(weights: Mapping[str, float]) -> Markup | None:
    if not weights:
        return None
    each = [f"{units.figure(weight, 3)} for {label}" for label, weight in weights.items()]
    return paragraph(
        f"What a row counts depends on its class: {listing(each)}. The validation loss, which decides when to stop, is "
        "weighted likewise. Classes that weigh more are told with higher probabilities than their share of rows like "
        "these: take the figures for a ranking, and see the calibration below.",
    )


def _training_figures(training: TrainingSummary) -> list[Markup]:
    names = [name for name in training.history if not name.startswith("val_") and name not in ("lr", "learning_rate")]
    ordered = sorted(names, key=lambda name: name != "loss")[:2]
    figures = (_training_figure(training, name, f"curve{i}") for i, name in enumerate(ordered))
    return [figure for figure in figures if figure is not None]


def _training_figure(training: TrainingSummary, name: str, key: str) -> Markup | None:
    pairs = (("train", name, "a"), ("validation", f"val_{name}", "b"))
    series = [
        charts.Series(label, tuple(float(v) for v in training.history[key]), style)
        for label, key, style in pairs
        if len(training.history.get(key, ()))
    ]
    if not np.isfinite([v for s in series for v in s.values]).any():
        return None
    title = f"{units.metric_name(name)} by epoch"
    drawing = charts.curves(key, title, series, best_epoch=training.best_epoch, percent=units.is_rate(name))
    return figure(drawing, f"{title}.")


def importance_section(content: Content) -> Markup | None:
    """Which columns the model leans on."""
    importance = content.importance
    if importance is None or not importance.feature_names or not np.isfinite(importance.mean).all():
        return None
    rest = len(importance.feature_names) - MAX_IMPORTANCE_BARS
    more = f" {plural(rest, 'less important column')} not drawn." if rest > 0 else ""
    bars = diagrams.importance_bars(
        "importance", "Importance of each column", importance, most=MAX_IMPORTANCE_BARS
    )  # fmt: skip
    unit = "R² lost" if content.task == "regression" else "log loss gained"
    shuffles = plural(importance.repeats, "shuffle")
    caption = f"Permutation importance in {unit}: mean of {shuffles}, whiskers one standard deviation.{more}"
    return section("What matters", pair(figure(bars, caption), _reading(content, importance)), _by_class(importance))


def _by_class(importance: PermutationImportance) -> Markup | None:
    """What a column is worth to the rows of each class, of the columns drawn."""
    labels = list(importance.by_class)[:MAX_CLASSES]
    if not labels:
        return None
    told = importance.class_json()
    columns = [importance.feature_names[i] for i in importance.ranking[:MAX_IMPORTANCE_BARS]]
    rows = [(name, *(charts.typeset(units.figure(told[label][name], 3)) for label in labels)) for name in columns]
    more = f"; {plural(len(importance.by_class) - len(labels), 'more class', 'more classes')} not shown"
    caption = "Log loss gained by the rows of each class" + more * (len(importance.by_class) > len(labels))
    return table(("Column", *labels), rows, numeric=range(1, len(labels) + 1), caption=caption)


def _reading(content: Content, importance: PermutationImportance) -> Markup:
    """How to read the bars, and what they say."""
    name, moves, sign = ("R²", "falls", 1) if content.task == "regression" else ("log loss", "rises", -1)
    best = importance.ranking[0]
    after = charts.typeset(units.figure(sign * (importance.baseline - float(importance.mean[best]))))
    before = charts.typeset(units.figure(sign * importance.baseline))
    if importance.mean[best] <= 0:
        finding = "Shuffling any one column costs nothing on these rows: no column makes a difference on its own."
    else:
        finding = join(
            "The model leans most on ", element("em", importance.feature_names[best]),
            f": without what it tells, {name} {moves} from {before} to {after} on average.",
        )  # fmt: skip
    how = f"Each bar shows how far {name} {moves} when one column is shuffled, so that it says nothing any more."
    if len(importance.feature_names) > 1:
        how += " Columns that tell the same story share their importance; one near zero may not be needed."
    return element("div", paragraph(finding), paragraph(how, style="quiet"))


def _finite(values: Array | None) -> Array | None:
    if values is None:
        return None
    flat = np.asarray(values, np.float64).ravel()
    flat = flat[np.isfinite(flat)]
    return flat if len(flat) else None
