# SPDX-License-Identifier: Apache-2.0
"""Explaining a pipeline: why one row is answered as it is, and what answers depend on, in the table's own words.

Figures are of probabilities (of a class) or in the target's unit, of raw columns, by the program that is deployed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeling.data import CategoricalFeature, DateFeature
from edgeling.data.dates import DAY_SECONDS, date_text
from edgeling.data.features import Feature
from edgeling.data.strange import answerable
from edgeling.errors import DataError, EdgelingError
from edgeling.explaining.counterfactual import Counterfactual, Range, counterfactual
from edgeling.explaining.dependence import grid_of, interactions, partial_dependence
from edgeling.explaining.findings import (
    Change,
    ColumnCurve,
    ColumnFindings,
    PrecisionShift,
    RowFindings,
    Together,
    rank_correlation,
)
from edgeling.explaining.graphs import explanation_graph
from edgeling.explaining.scores import before_last_activation, explained_graph, require_model_output
from edgeling.explaining.shapley import sampled_row, shapley
from edgeling.graph.types import Array
from edgeling.toolchain.predictor import Predictor, compiled
from edgeling.workflow.pipeline import Pipeline, shares

if TYPE_CHECKING:
    from edgeling.data import Table

BACKGROUND_ROWS = 100
MOST_CURVES, MOST_TOGETHER, MOST_CHANGES = 6, 5, 3
CURVE_ROWS, PAIR_ROWS, SHIFT_ROWS, SHIFT_BACKGROUND = 60, 40, 20, 8
SHIFT_ANSWERS = 1000  # rows times columns: of a wide table a few rows have as many columns to compare
STEPS = 128  # of integrated gradients
LEAST_TOGETHER = 5e-4  # what is less is told as 0.0 %; of a network that is a sum it is rounding


def told(pipeline: Pipeline, precision: str | None = None) -> Callable[[Array], Array]:
    """From raw rows to the probability of every class [rows, classes], or numbers [rows, 1], in double precision."""

    def predict(raw: Array) -> Array:
        answers = pipeline.answers(np.ascontiguousarray(raw, np.float32), precision).astype(np.float64)
        return shares(answers) if pipeline.labels else answers

    return predict


def some_rows(raw: Array, most: int) -> Array:
    """At most so many rows, evenly chosen."""
    return raw[np.unique(np.linspace(0, len(raw) - 1, min(len(raw), most)).astype(int))]


# ---------------------------------------------------------------------------------------------------------- one row


def explain_row(
    pipeline: Pipeline, table: Table, row: int, *, label: str = "", change: Sequence[str] = (), reach: str = "",
    seed: int = 0, model_output: str = "probability",
) -> RowFindings:  # fmt: skip
    """Why a row of a table is answered as it is.

    Args:
        table: read by ``Pipeline.read``; its rows are what this one is compared with.
        row: from 1.
        label: the class whose probability is explained; by default the one answered.
        change: one or two columns that may be changed for another answer; by default any.
        reach: the answer to reach: a class, or for a number what it is to be at the least (if it is lower) or most.
        model_output: what is explained: ``"probability"``, or ``"raw"``, the score it is made of.

    Raises:
        DataError: no such row, column or class, or a row that cannot be answered.
    """
    require_model_output(model_output)
    table, reasons = answerable(pipeline.preparation, table)
    _require_row(table, row, reasons)
    raw = pipeline.preparation.transform(table.take(reasons == ""))
    x = raw[int(np.count_nonzero(reasons[: row - 1] == ""))]
    background, predict = some_rows(raw, BACKGROUND_ROWS), told(pipeline)
    answer = predict(x[None])[0]
    place = _place(pipeline, label, answer)
    if not np.isfinite(answer).all():
        raise DataError(
            "what is explained is an answer", received=f"row {row}, whose answer is not a number", remedy="another row"
        )
    explained = _scored(pipeline) if model_output == "raw" else predict
    found = shapley(explained, x[None], background, seed)
    integrated, why_not = _integrated(pipeline, x, background, place, model_output)
    wanted, sentence = _wanted(pipeline, answer, reach)
    changes = counterfactual(predict, x, _ranges(pipeline, raw, change), wanted)[:MOST_CHANGES]
    return RowFindings(
        row=row,
        names=pipeline.preparation.names,
        given=_texts(pipeline, x),
        answer=_answer_text(pipeline, answer),
        explained=_explained(pipeline, place, model_output),
        base=float(found.base[place]),
        value=float(found.answers[0, place]),
        values=found.values[0, :, place],
        by_class={name: found.values[0, :, i] for i, name in enumerate(pipeline.labels)},
        standard_errors=None if found.standard_errors is None else found.standard_errors[0, :, place],
        integrated=integrated,
        why_not_integrated=why_not,
        background_rows=len(background),
        changes=tuple(_told_change(pipeline, x, each) for each in changes),
        wanted=sentence,
        percent=bool(pipeline.labels) and model_output != "raw",
        model_output=model_output,
    )


def _scored(pipeline: Pipeline) -> Callable[[Array], Array]:
    """From raw rows to the score of every class [rows, classes] (of two the log-odds of each), or numbers [rows, 1], in
    double precision, of the program that is deployed."""
    graph = before_last_activation(pipeline.deployable.graphs[pipeline.precision])
    scores = Predictor(graph, partial(compiled, graph, pipeline.name))

    def predict(raw: Array) -> Array:
        found = scores(np.ascontiguousarray(raw, np.float32)).astype(np.float64)
        return np.concatenate([-found, found], axis=1) if len(pipeline.labels) == 2 else found

    return predict


def _explained(pipeline: Pipeline, place: int, model_output: str) -> str:
    """What figures are of, in words."""
    if not pipeline.labels:
        return pipeline.preparation.target.name
    score = "log-odds" if len(pipeline.labels) == 2 else "score"
    return f"{score if model_output == 'raw' else 'probability'} of {pipeline.labels[place]}"


def _require_row(table: Table, row: int, reasons: Array) -> None:
    if not 1 <= row <= table.rows:
        raise DataError(
            f"a row of the table is 1 to {table.rows:,}", received=str(row),
            remedy="the first row below the header is 1",
        )  # fmt: skip
    if reasons[row - 1]:
        raise DataError(
            "a row is explained that can be answered", received=f"row {row}: {reasons[row - 1]}", remedy="another row"
        )


def _place(pipeline: Pipeline, label: str, answer: Array) -> int:
    if not pipeline.labels:
        if label:
            raise DataError(
                "a class is explained where classes are told", received=f"{label!r} for a number",
                remedy="leave the class out",
            )  # fmt: skip
        return 0
    if not label:
        return _chosen(pipeline, answer)
    return _class_named(pipeline, label)


def _class_named(pipeline: Pipeline, label: str) -> int:
    if label not in pipeline.labels:
        shown = ", ".join(pipeline.labels[:20]) + (", ..." if len(pipeline.labels) > 20 else "")
        raise DataError("a class is one of those learned", received=repr(label), remedy=shown)
    return pipeline.labels.index(label)


def _chosen(pipeline: Pipeline, answer: Array) -> int:
    outputs = answer[None, 1:] if len(pipeline.labels) == 2 else answer[None]
    return int(pipeline.decide(outputs)[0])


def _answer_text(pipeline: Pipeline, answer: Array) -> str:
    return pipeline.labels[_chosen(pipeline, answer)] if pipeline.labels else f"{answer[0]:.6g}"


def _integrated(
    pipeline: Pipeline, x: Array, background: Array, place: int, model_output: str
) -> tuple[Array | None, str]:
    """Integrated gradients of the float32 network."""
    graph = pipeline.deployable.graphs.get("float32")
    if graph is None:
        return None, f"the artifact holds the network as {pipeline.precision} only, which has no derivative"
    outputs = max(1, len(pipeline.labels) if len(pipeline.labels) > 2 else 1)
    sign = -1.0 if len(pipeline.labels) == 2 and place == 0 else 1.0
    of = np.eye(outputs, dtype=np.float32)[[place if outputs > 1 else 0]]
    try:
        made = explanation_graph(explained_graph(graph, model_output), "integrated", background, STEPS)
    except EdgelingError as error:
        return None, error.message
    (found,) = Predictor(made.graph, partial(compiled, made.graph, pipeline.name)).answers(
        *((x[None], of) if outputs > 1 else (x[None],))
    )
    return sign * found[0].astype(np.float64), ""


# ---------------------------------------------------------------------------------------------------------- changes


def _wanted(pipeline: Pipeline, answer: Array, reach: str) -> tuple[Callable[[Array], Array], str]:
    """What a change is to lead to, and that in words."""
    if pipeline.labels:
        now = _chosen(pipeline, answer)
        goal = _class_named(pipeline, reach) if reach else None

        def is_wanted(answers: Array) -> Array:
            chosen = pipeline.decide(answers[:, 1:] if len(pipeline.labels) == 2 else answers)
            return chosen == goal if goal is not None else chosen != now

        return is_wanted, reach or "another class"
    if not reach:
        return lambda answers: np.zeros(len(answers), bool), ""
    try:
        limit = float(reach)
    except ValueError:
        raise DataError(
            "the number to reach is a number", received=repr(reach), remedy="a number, such as 10"
        ) from None
    if answer[0] < limit:
        return lambda answers: answers[:, 0] >= limit, f"at least {limit:g}"
    return lambda answers: answers[:, 0] <= limit, f"at most {limit:g}"


def _ranges(pipeline: Pipeline, raw: Array, change: Sequence[str]) -> dict[int, Callable[[int], Range]]:
    names = pipeline.preparation.names
    for name in change:
        if name not in names:
            shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
            raise DataError("a column that may change is one learned from", received=repr(name), remedy=shown)
    if len(change) > 2:
        raise DataError("one or two columns are changed", received=", ".join(change), remedy="two of them")
    features = pipeline.preparation.features
    return {i: partial(_range, f, raw[:, i]) for i, f in enumerate(features) if not change or names[i] in change}


def _range(feature: Feature, values: Array, points: int) -> Range:
    """What was seen of a column, in training where that is known, else in the table."""
    if isinstance(feature, CategoricalFeature):
        return Range(np.arange(len(feature.categories), dtype=np.float32), is_category=True)
    known = values[np.isfinite(values)]
    low, high = (feature.low, feature.high) if feature.low is not None and feature.high is not None else (
        float(known.min(initial=np.inf)), float(known.max(initial=-np.inf)))  # fmt: skip
    scale = feature.scale[0] if isinstance(feature, DateFeature) else feature.scale
    return Range.between(low, high, scale, points) if low <= high else Range(np.empty(0, np.float32))


def _told_change(pipeline: Pipeline, x: Array, found: Counterfactual) -> Change:
    features, names = pipeline.preparation.features, pipeline.preparation.names
    columns = {
        names[c]: (value_text(features[c], float(x[c])), value_text(features[c], value))
        for c, value in zip(found.columns, found.values, strict=True)
    }
    value = found.answer[_chosen(pipeline, found.answer)] if pipeline.labels else found.answer[0]
    return Change(columns, _answer_text(pipeline, found.answer), float(value), found.distance)


def value_text(feature: Feature, value: float) -> str:
    """A raw number as the table would write it."""
    if isinstance(feature, CategoricalFeature):
        known = np.isfinite(value) and 0 <= value < len(feature.categories)
        return feature.categories[int(value)] if known else "unknown"
    if not np.isfinite(value):
        return "missing"
    if isinstance(feature, DateFeature):
        seconds = feature.epoch_days * DAY_SECONDS + value * (DAY_SECONDS // feature.units_per_day)
        return date_text(seconds, "date" if feature.unit == "day" else "timestamp")
    return f"{value:.6g}"


def _texts(pipeline: Pipeline, x: Array) -> tuple[str, ...]:
    return tuple(value_text(f, float(v)) for f, v in zip(pipeline.preparation.features, x, strict=True))


# ---------------------------------------------------------------------------------------------------------- columns


def column_findings(pipeline: Pipeline, raw: Array, ranking: Sequence[int], seed: int = 0) -> ColumnFindings:
    """What answers depend on: curves of the most important columns, pairs that act together, and what int8 changes.

    Args:
        raw: float32 [rows, columns], such as the network is asked about.
        ranking: columns, the most important first.
    """
    if _is_additive(pipeline) and "float32" in pipeline.deployable.graphs:
        return _additive_findings(pipeline, raw, ranking, seed)
    predict, features, labels = told(pipeline), pipeline.preparation.features, pipeline.labels
    names, rows = pipeline.preparation.names, some_rows(raw, CURVE_ROWS)
    first = [c for c in ranking if np.isfinite(raw[:, c]).any()]
    drawn = (_curve(predict, rows, c, features[c]) for c in first[:MOST_CURVES])
    curves = [curve for curve in drawn if np.isfinite(curve.dependence.curves).all()]
    pairs = interactions(predict, some_rows(raw, PAIR_ROWS), first[:MOST_TOGETHER]) if curves else ()
    pairs = tuple(pair for pair in pairs if pair.strength >= LEAST_TOGETHER)
    return ColumnFindings(
        curves=tuple(curves),
        labels=labels,
        unit="probability" if labels else pipeline.preparation.target.name,
        together=tuple(
            Together((names[a], names[b]), p.strength, p.size, dict(zip(labels, p.by_output, strict=False)))
            for p in pairs
            for a, b in [p.columns]
        ),
        shifts=tuple(_shifts(pipeline, raw, seed)),
        percent=bool(labels),
    )


def _is_additive(pipeline: Pipeline) -> bool:
    """Whether its network is a sum over columns."""
    layers = pipeline.model_config.get("layers", []) if pipeline.model_config else []
    return any(isinstance(layer, dict) and layer.get("class_name") == "EachColumn" for layer in layers)


def _additive_findings(pipeline: Pipeline, raw: Array, ranking: Sequence[int], seed: int) -> ColumnFindings:
    """Of a sum over columns each column's own curve, in what is summed: all there is to know of it."""
    graph = before_last_activation(pipeline.deployable.graphs["float32"])
    scores = Predictor(graph, partial(compiled, graph, pipeline.name))
    rows, labels, features = some_rows(raw, CURVE_ROWS), pipeline.labels, pipeline.preparation.features
    usual = scores(rows).astype(np.float64).mean(axis=0)
    curves = [_curve(scores, rows, c, features[c]) for c in ranking if np.isfinite(raw[:, c]).any()]
    own = [replace(c, dependence=replace(c.dependence, curves=c.dependence.mean[None] - usual)) for c in curves]
    of_classes = f"log-odds of {labels[1]}" if len(labels) == 2 else "score"
    return ColumnFindings(
        curves=tuple(each for each in own if np.isfinite(each.dependence.curves).all()),
        labels=labels if len(labels) > 2 else (),
        unit=of_classes if labels else pipeline.preparation.target.name,
        shifts=tuple(_shifts(pipeline, raw, seed)),
        exact=True,
    )


def _curve(predict: Callable[[Array], Array], rows: Array, column: int, feature: Feature) -> ColumnCurve:
    is_category = isinstance(feature, CategoricalFeature)
    grid = grid_of(rows[:, column])
    points = tuple(value_text(feature, float(v)) for v in grid)
    axis = feature.description if isinstance(feature, DateFeature) else ""
    found = partial_dependence(predict, rows, column, grid)
    return ColumnCurve(feature.name, points, is_category, found, axis)


def _shifts(pipeline: Pipeline, raw: Array, seed: int) -> list[PrecisionShift]:
    """How what columns add in integers follows what they add in float32, over the same orders."""
    graphs = pipeline.deployable.graphs
    if "float32" not in graphs or raw.shape[1] < 2:
        return []
    count = min(SHIFT_ROWS, max(3, SHIFT_ANSWERS // raw.shape[1]))
    rows, background = some_rows(raw, count), some_rows(raw, SHIFT_BACKGROUND)
    exact = _pushes(pipeline, "float32", rows, background, seed)
    found = []
    for precision in (p for p in graphs if p != "float32"):
        pushes = _pushes(pipeline, precision, rows, background, seed)
        correlations = [rank_correlation(a, b) for a, b in zip(exact, pushes, strict=True)]
        same = [np.argmax(np.abs(a)) == np.argmax(np.abs(b)) for a, b in zip(exact, pushes, strict=True)]
        found.append(PrecisionShift(precision, float(np.mean(correlations)), float(np.mean(same)), len(rows)))
    return found


def _pushes(pipeline: Pipeline, precision: str, rows: Array, background: Array, seed: int) -> list[Array]:
    """What columns add to each row's answer (the class float32 answers), float64 [columns] a row."""
    predict, exact = told(pipeline, precision), told(pipeline, "float32")(rows)
    explain = partial(sampled_row, predict, background=background, pairs=2, seed=seed)
    if rows.shape[1] <= 6:
        found: list[Any] = list(shapley(predict, rows, background).values)
    else:
        found = [explain(row)[0] for row in rows]
    return [values[:, _chosen(pipeline, answer) if pipeline.labels else 0]
            for values, answer in zip(found, exact, strict=True)]  # fmt: skip
