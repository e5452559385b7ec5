# SPDX-License-Identifier: Apache-2.0
"""The section about what is done behind the logits: probabilities corrected, a class chosen, before and after."""

from __future__ import annotations

from edgeling.data.probabilities import Calibration
from edgeling.data.scores import ClassScore
from edgeling.markup import Markup, element
from edgeling.report import charts, units
from edgeling.report.content import Content, Evaluation
from edgeling.report.parts import figure, listing, pair, paragraph, section, table

_SHOWN = ("balanced_accuracy", "f1_macro", "accuracy", "roc_auc", "average_precision", "log_loss",
          "expected_calibration_error")  # fmt: skip
MAX_CLASSES = 30


def deciding_section(content: Content) -> Markup | None:
    """Scores, classes and calibration before and after, and what other thresholds would do."""
    after = content.evaluation
    if after is None or after.before is None:
        return None
    before = after.before
    return section(
        "Probabilities and decisions",
        paragraph(_what_was_done(after)),
        pair(_metrics(before, after), _classes(before, after)),
        pair(_calibration("before", before.calibration), _calibration("after", after.calibration)),
        _areas(before, after),
        _thresholds(after),
    )


def _what_was_done(evaluation: Evaluation) -> str:
    told = "Before: as the network tells them, the likelier class chosen. After: "
    parts = [part for part in (evaluation.correction, evaluation.decision) if part]
    return told + "; ".join(parts) + "."


def _metrics(before: Evaluation, after: Evaluation) -> Markup:
    known = [name for name in _SHOWN if name in before.metrics and name in after.metrics]
    rows = [
        (units.metric_name(n), *(charts.typeset(units.metric(n, e.metrics[n])) for e in (before, after))) for n in known
    ]
    return table(("Metric", "Before", "After"), rows, numeric=(1, 2))


def _classes(before: Evaluation, after: Evaluation) -> Markup:
    def cells(one: ClassScore, other: ClassScore) -> tuple[str, ...]:
        names = ("recall", "precision", "f1")
        return tuple(units.percent(getattr(each, name)) for name in names for each in (one, other))

    rows = [(b.label, *cells(b, a)) for b, a in zip(before.per_class, after.per_class, strict=True)][:MAX_CLASSES]
    heads = ("Class", "Recall before", "after", "Precision before", "after", "F1 before", "after")
    return table(heads, rows, numeric=(1, 2, 3, 4, 5, 6))


def _calibration(when: str, found: Calibration | None) -> Markup | None:
    if found is None or not len(found.rows):
        return None
    drawing = charts.calibration_chart(f"calibration-{when}", f"Calibration {when}", found.told, found.true, found.rows)
    whose = f" of {found.meaning}" if found.meaning else ""
    return figure(drawing, f"{when.capitalize()}{whose}: expected error {units.percent(found.expected_error)}.")


def _areas(before: Evaluation, after: Evaluation) -> Markup | None:
    """A correction that keeps the order of two classes' rows moves no curve."""
    if not after.roc or not after.precision_recall:
        return None
    told = [
        f"{curve.label}: {units.figure(b.area, 3)} before and {units.figure(curve.area, 3)} after"
        for b, curve in zip(before.precision_recall, after.precision_recall, strict=False)
    ][:MAX_CLASSES]
    return paragraph(f"Area under the curve of precision and recall: {listing(told)}.", style="quiet")


def _thresholds(evaluation: Evaluation) -> Markup | None:
    if not evaluation.thresholds:
        return None
    rows = [
        (
            element("strong", units.percent(t.threshold)) if t.chosen else units.percent(t.threshold),
            units.percent(t.recall), units.percent(t.precision), units.percent(t.f1),
            units.percent(t.balanced_accuracy), units.figure(t.alarms_per_1000, 3),
        )
        for t in evaluation.thresholds
    ]  # fmt: skip
    heads = ("Threshold", "Recall", "Precision", "F1", "Balanced accuracy", "Said of 1,000 rows")
    label = evaluation.per_class[1].label
    return table(
        heads, rows, numeric=(0, 1, 2, 3, 4, 5),
        caption=f"What other thresholds of the probability of {label} would do on these rows; the one in use is bold.",
    )  # fmt: skip
