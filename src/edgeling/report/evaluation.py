# SPDX-License-Identifier: Apache-2.0
"""The section about how good the answers are: metrics, and per task confusion, curves and calibration, or residuals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeling.data.probabilities import Calibration, Curve
from edgeling.data.scores import ClassScore
from edgeling.markup import Markup, element
from edgeling.report import charts, diagrams, units
from edgeling.report.content import Content, Evaluation
from edgeling.report.parts import figure, listing, pair, paragraph, plural, section, table

MAX_MATRIX_CLASSES = 60
MAX_CURVES = 6


def evaluation_section(content: Content) -> Markup | None:
    """Metrics, and what else tells how good a classifier or an estimate is."""
    evaluation = content.evaluation
    if evaluation is None:
        return None
    intro = paragraph(_measured_on(evaluation))
    if content.task == "regression":
        metrics = element("div", _metrics(evaluation), class_="narrow")
        return section("Evaluation", intro, metrics, pair(*_residuals(evaluation)))
    return section(
        "Evaluation", intro, pair(_confusion(evaluation), _class_tables(evaluation)), pair(*_curves(evaluation)),
    )  # fmt: skip


def _measured_on(evaluation: Evaluation) -> str:
    rows = plural(evaluation.rows, "row") + (f" of {evaluation.source}" if evaluation.source else "")
    if evaluation.unseen:
        return f"Measured on {rows} that took no part in training."
    return f"Measured on {rows}. Where rows were trained on too, the figures flatter the model."


def _class_tables(evaluation: Evaluation) -> Markup:
    return element("div", _metrics(evaluation), _class_scores(evaluation.per_class))


def _metrics(evaluation: Evaluation) -> Markup | None:
    if not evaluation.metrics:
        return None
    against = bool(evaluation.baseline)
    rows = [
        (
            units.metric_name(name),
            charts.typeset(units.metric(name, value)),
            *([charts.typeset(units.metric(name, evaluation.baseline.get(name)))] if against else []),
        )
        for name, value in evaluation.metrics.items()
    ]
    return table(("Metric", "Model", *(["Simplest guess"] if against else [])), rows, numeric=(1, 2))


def _confusion(evaluation: Evaluation) -> Markup | None:
    if evaluation.confusion is None or not 1 < len(evaluation.confusion) <= MAX_MATRIX_CLASSES:
        return None
    labels = [score.label for score in evaluation.per_class]
    if len(labels) != len(evaluation.confusion):
        labels = [str(i) for i in range(len(evaluation.confusion))]
    drawing = diagrams.confusion("confusion", "Confusion matrix", labels, evaluation.confusion)
    return figure(
        drawing, "Confusion matrix: what each row is, and what it was taken for. Right answers lie on the diagonal."
    )


def _class_scores(scores: Sequence[ClassScore]) -> Markup | None:
    if not scores:
        return None
    rows = [
        (s.label, units.percent(s.precision), units.percent(s.recall), units.percent(s.f1), units.count(s.support))
        for s in scores
    ]
    return table(("Class", "Precision", "Recall", "F1", "Rows"), rows, numeric=(1, 2, 3, 4))


def _curves(evaluation: Evaluation) -> list[Markup | None]:
    roc = _curve_figure(
        "roc", "ROC curve", evaluation.roc, "false positive rate", "true positive rate",
        "the share of its rows found, over the share of other rows taken for it. The diagonal is guessing", chance=True,
    )  # fmt: skip
    precision = _curve_figure(
        "precision-recall", "Precision and recall", evaluation.precision_recall, "recall", "precision",
        "how many of the rows taken for it are, over the share of its rows found",
    )  # fmt: skip
    return [roc, precision, _calibration(evaluation.calibration)]


def _curve_figure(
    key: str, title: str, curves: Sequence[Curve], across: str, up: str, reading: str, *, chance: bool = False
) -> Markup | None:
    """Each class's curve; of many classes those with the least area, for they are where the model errs."""
    known = [curve for curve in curves if len(curve.x) > 1]
    if not known:
        return None
    drawn = known if len(known) <= MAX_CURVES else sorted(known, key=lambda curve: curve.area)[:MAX_CURVES]
    several = len(known) > 1
    areas = listing([f"{curve.label if several else ''} {units.figure(curve.area, 3)}".strip() for curve in drawn])
    of = ", each class against the rest" if several else f" of class {drawn[0].label}"
    whose = "" if len(known) == len(drawn) else f" The {len(drawn)} classes of {len(known)} with the least area."
    drawing = charts.unit_curves(key, title, drawn, across, up, chance=chance)
    return figure(drawing, f"{title}{of}: {reading}.{whose} Area: {areas}.")


def _calibration(calibration: Calibration | None) -> Markup | None:
    if calibration is None or not len(calibration.rows):
        return None
    told, true, rows = calibration.told, calibration.true, calibration.rows
    drawing = charts.calibration_chart("calibration", "Calibration", told, true, rows)
    whose = f" of {calibration.meaning}" if calibration.meaning else ""
    return figure(
        drawing,
        f"Calibration{whose}: above the diagonal it came true more often than told, below it less often; "
        "the larger a dot, the more rows.",
    )


def _residuals(evaluation: Evaluation) -> list[Markup]:
    if evaluation.y_true is None or evaluation.y_predicted is None:
        return []
    true, predicted = (np.asarray(v, np.float64).ravel() for v in (evaluation.y_true, evaluation.y_predicted))
    usable = np.isfinite(true) & np.isfinite(predicted)
    true, predicted = true[usable], predicted[usable]
    if not len(true):
        return []
    residuals = predicted - true
    drawings = (
        charts.scatter("scatter", "Predicted against true values", true, predicted),
        charts.residual_scatter("residual-scatter", "Residuals by prediction", predicted, residuals),
        charts.histogram_chart("residuals", "Residuals", residuals, "predicted \N{MINUS SIGN} true", zero=True),
    )
    captions = (
        "Predicted against true; on the dashed line both are equal.",
        "Residuals over predictions; a pattern around the dashed line is something the model has not learned.",
        "Residuals: how far predictions lie above or below the truth.",
    )
    return [figure(drawing, caption) for drawing, caption in zip(drawings, captions, strict=True)]
