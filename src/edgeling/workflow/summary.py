# SPDX-License-Identifier: Apache-2.0
"""What the report says of a training run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from edgeling import __version__, targets
from edgeling.data.decision import Decision, threshold_scores
from edgeling.data.probabilities import (
    Calibration,
    Curve,
    class_calibration,
    one_against_rest,
    precision_recall_curve,
    roc_curve,
)
from edgeling.data.scores import ClassScore, classification_scores, regression_scores
from edgeling.data.table import Column, distinct_values
from edgeling.data.words import are_truth_values
from edgeling.graph.types import Array
from edgeling.report.comparing import Compared, Comparison
from edgeling.report.content import (
    ColumnSummary,
    Content,
    DataSummary,
    Deployment,
    Evaluation,
    LayerSummary,
    NetworkSummary,
    Reproduction,
    TrainingSummary,
)
from edgeling.report.parts import plural
from edgeling.toolchain.prove import Proof
from edgeling.workflow.pipeline import Pipeline, shares
from edgeling.workflow.recipes import TAUGHT
from edgeling.workflow.selection import Candidate
from edgeling.workflow.train import Trained


def trained_content(trained: Trained, command: str) -> Content:
    """Everything on the page of a training run."""
    pipeline, target = trained.pipeline, trained.pipeline.preparation.target
    raw, truth = trained.held_out
    test, guess = trained.settings.test, _simplest_guess(trained)
    source = "" if test is None else Path(test).name if isinstance(test, (str, PurePath)) else "the test table"
    return Content(
        name=pipeline.name,
        task=target.task,
        target=target.name,
        data=_data(trained),
        training=_training(trained),
        comparison=_comparison(trained),
        evaluation=before_and_after(
            evaluation(pipeline, raw, truth, trained.scores[pipeline.precision], guess, source=source), trained
        ),
        findings=trained.findings,
        importance=trained.importance,
        columns=trained.columns,
        network=_network(trained),
        deployments=tuple(_deployments(trained)),
        reproduction=Reproduction(command, trained.settings.seed, __version__, _hashes(trained)),
        search=trained.search,
        explained=trained.kept.proofs if trained.kept else {},
    )


def _simplest_guess(trained: Trained) -> float:
    """What one would always answer who knows nothing but the targets of the rows learned from."""
    checked = trained.check
    if checked.codes is None:
        return float(np.mean(checked.table.take(trained.division.parts.train).column(checked.target).values))
    return int(np.argmax(np.bincount(checked.codes[trained.division.parts.train])))


def _data(trained: Trained) -> DataSummary:
    checked, parts = trained.check, trained.division.parts
    used = set(trained.pipeline.preparation.names)
    columns = [
        ColumnSummary(
            c.name, _kind(checked.table.column(c.name)), c.missing, c.distinct,
            _range(checked.table.column(c.name)),
            "input" if c.name in used else "left out",
        )
        for c in checked.columns
    ]  # fmt: skip
    answer = checked.table.column(checked.target)
    kind = "category" if checked.labels else "number"
    distinct = len(distinct_values(answer.values))
    shown = ", ".join(checked.labels[:4]) + (", ..." if len(checked.labels) > 4 else "") or _range(answer)
    columns.append(ColumnSummary(checked.target, kind, checked.rows_without_target, distinct, shown, "target"))
    split_rows = {"train": len(parts.train), "validation": len(parts.validation), "test": len(parts.test)}
    return DataSummary(
        source=Path(trained.source).name,
        rows=checked.table.rows + checked.rows_without_target,
        columns=tuple(columns),
        split_rows={part: rows for part, rows in split_rows.items() if rows},
        split=_how_divided(*trained.settings.division),
        class_counts=checked.class_counts,
        target_values=None if checked.labels else answer.values,
        warnings=trained.notes,
    )


def _how_divided(kind: str, column: str) -> str:
    if kind == "time":
        return f"divided by {column}: learned from the past, judged on what comes last"
    return f"divided so that each value of {column} lies in one part" if kind == "group" else ""


def _kind(column: Column) -> str:
    """What a column holds, for people."""
    if column.categories is None:
        return "date" if column.temporal else "number"
    return "yes or no" if are_truth_values(column.categories) else "category"


def _range(column: Column) -> str:
    values = column.present
    if column.categories is not None:
        shown = ", ".join(column.categories[:4])
        return shown + (", ..." if len(column.categories) > 4 else "")
    if column.temporal and len(values):
        return f"{column.text(values.min())} to {column.text(values.max())}"
    if not len(values):
        return ""
    low, high = _told(column, values.min()), _told(column, values.max())
    mean = "" if column.temporal else f", mean {_told(column, values.mean())}"
    return f"{low} to {high}{mean}" if values.min() < values.max() else f"always {low}"


def _told(column: Column, value: float) -> str:
    """A number or a moment of a column, for people."""
    if column.temporal or (value == np.floor(value) and abs(value) < 1e15):
        return column.text(value)
    return f"{value:.6g}".replace("e+", "e").replace("e0", "e").replace("e-0", "e-")


def _training(trained: Trained) -> TrainingSummary:
    settings, fitted = trained.settings, trained.fitted
    loss = fitted.network.loss
    return TrainingSummary(
        history=fitted.history,
        best_epoch=fitted.best_epoch,
        optimizer=f"Adam, learning rate {settings.learning_rate:g}"
        + (f", weight decay {settings.weight_decay:g}" if settings.weight_decay else ""),
        loss=_LOSSES.get(loss, "") if isinstance(loss, str) else "",
        batch_size=settings.batch_size,
        seconds=fitted.seconds,
        stopped_by=_STOPPED[fitted.stopped_by].format(patience=plural(settings.patience, "epoch")),
        class_weight=trained.learned.balancing.counted if trained.learned.balancing.weighs else {},
    )


def _described(candidate: Candidate) -> str:
    """How a candidate was made, in a few words."""
    recipe = candidate.recipe
    if recipe is None:
        return "ridge or logistic regression"
    if candidate.seeds > 1:
        return f"the mean of {candidate.seeds} networks of {recipe.name} that differ in their seed alone"
    return f"from a teacher's answers; {recipe.description}" if recipe.name.startswith(TAUGHT) else recipe.description


def _comparison(trained: Trained) -> Comparison | None:
    selection, learned, parts = trained.selection, trained.learned, trained.division.parts
    if selection is None:
        return None
    ways = tuple(
        Compared(
            name, _described(each), selection.score(name), selection.spread(name), each.epochs,
            each.network.count_params(),
        )
        for name, each in selection.candidates.items()
    )  # fmt: skip
    refitted = len(parts.train) + len(parts.validation) if learned.refitted else 0
    rows = len(selection.rows)
    rate = f"The learning rate of {learned.rate.recipe}: {learned.rate.sentence}." if learned.rate else ""
    kind = trained.settings.division[0]
    return Comparison(ways, learned.deployed, selection.folds, rows, refitted, bool(selection.classes), rate, kind)


_LOSSES = {
    "binary_crossentropy": "binary crossentropy",
    "sparse_categorical_crossentropy": "categorical crossentropy",
    "mse": "mean squared error in standard deviations of the target",
}
_STOPPED = {
    "patience": "stopped once the loss had not improved for {patience}",
    "epochs": "all epochs that were allowed",
    "interrupt": "stopped by Ctrl-C",
}


def evaluation(
    pipeline: Pipeline, raw: Array, truth: Array, scores: Mapping[str, Any], guess: float | None = None, **where: Any
) -> Evaluation:
    """Results on rows with known answers.

    Args:
        guess: what the simplest guess always answers: a label's position, or a number; by default the best one there
            is for these rows.
        where: ``unseen`` and ``source`` of the result.
    """
    answers = pipeline.answers(raw)
    if pipeline.labels:
        return _of_classes(pipeline, truth, answers, scores, guess, **where)
    constant = np.full(len(truth), truth.mean() if guess is None else guess)
    baseline = regression_scores(truth, constant)
    return Evaluation(len(raw), dict(scores), y_true=truth, y_predicted=answers[:, 0], baseline=baseline, **where)


def _of_classes(
    pipeline: Pipeline, truth: Array, answers: Array, scores: Mapping[str, Any], guess: float | None, **where: Any
) -> Evaluation:
    commonest = int(np.argmax(np.bincount(truth)) if guess is None else guess)
    told = shares(answers)
    return Evaluation(
        rows=len(truth),
        metrics=_headlines(scores),
        per_class=tuple(ClassScore(**score, label=label) for label, score in scores["classes"].items()),
        confusion=np.asarray(scores["confusion_matrix"]),
        baseline=_guess_scores(truth, commonest, pipeline.labels),
        roc=_curves(pipeline, truth, told, roc_curve),
        precision_recall=_curves(pipeline, truth, told, precision_recall_curve),
        calibration=_calibration(pipeline, truth, told),
        **where,
    )  # fmt: skip


def before_and_after(after: Evaluation, trained: Trained) -> Evaluation:
    """A result beside the one with uncorrected probabilities and the likelier class, and what other thresholds do."""
    told, pipeline, truth = trained.uncorrected, trained.pipeline, trained.held_out[1]
    if told is None:
        return after
    labels, decision = pipeline.labels, pipeline.preparation.target.decision
    scores = classification_scores(truth, Decision().choose(told), labels, shares(told))
    positive = shares(pipeline.answers(trained.held_out[0]))[:, 1]
    thresholds = threshold_scores(positive, truth == 1, decision.threshold) if len(labels) == 2 else ()
    behind = trained.answering
    return replace(
        after,
        before=_of_classes(pipeline, truth, told, scores, None),
        correction=behind.correction_sentence,
        decision=decision.sentence(labels),
        thresholds=thresholds if np.isfinite(positive).all() else (),
    )


_HEADLINES = ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "average_precision", "log_loss",
              "expected_calibration_error")  # fmt: skip


def _headlines(scores: Mapping[str, Any]) -> dict[str, float]:
    """The scores that are one number, those without a value left out."""
    known = {**scores, "f1_macro": scores["macro_average"]["f1"]}
    return {name: known[name] for name in _HEADLINES if name in known and np.isfinite(known[name])}


def _guess_scores(truth: Array, guess: int, labels: Sequence[str]) -> dict[str, float]:
    """What always answering one class, surely, would score."""
    found = classification_scores(truth, np.full(len(truth), guess), labels)
    return {"accuracy": found["accuracy"], "balanced_accuracy": found["balanced_accuracy"],
            "f1_macro": found["macro_average"]["f1"]}  # fmt: skip


def _curves(pipeline: Pipeline, truth: Array, told: Array, curve: Any) -> tuple[Curve, ...]:
    if not np.isfinite(told).all():
        return ()
    found = one_against_rest(truth, told, curve)
    return tuple(replace(each, label=pipeline.labels[c]) for c, each in found.items() if len(each.x))


def _calibration(pipeline: Pipeline, truth: Array, told: Array) -> Calibration | None:
    if not np.isfinite(told).all():
        return None
    meaning = f"class {pipeline.labels[1]}" if len(pipeline.labels) == 2 else "the class chosen"
    return replace(class_calibration(truth, told), meaning=meaning)


def _network(trained: Trained) -> NetworkSummary:
    preparation = trained.pipeline.preparation
    layers = [LayerSummary("Prepare", preparation.prepared_size)]
    for layer in trained.fitted.network.layers:
        weights = layer.get_weights()
        if weights:
            count = sum(w.size for w in weights)
            activation = str(layer.get_config().get("activation", ""))
            size = layer.output_row[-1] if layer.output_row else weights[0].shape[-1]
            layers.append(LayerSummary(type(layer).__name__, size, count, activation, weights[0]))
    return NetworkSummary(preparation.names, tuple(layers))


def _deployments(trained: Trained) -> Iterator[Deployment]:
    chosen_first = sorted(trained.proofs.items(), key=lambda item: item[0] != trained.pipeline.precision)
    for precision, by_target in chosen_first:
        metrics = {k: v for k, v in trained.scores[precision].items() if isinstance(v, float)}
        for target, proof in by_target.items():
            yield deployment(precision, target, proof, metrics)


def deployment(precision: str, target: str, proof: Proof, metrics: Mapping[str, float]) -> Deployment:
    """One program measured on one target."""
    proven = {field.name: getattr(proof, field.name) for field in fields(Proof)}
    return Deployment(**proven, precision=precision, metrics=metrics, note=targets.get(target).description)


def _hashes(trained: Trained) -> dict[str, str]:
    sources = trained.deployable(trained.pipeline.precision).program(trained.pipeline.precision).files
    return {path: hashlib.sha256(text.encode()).hexdigest() for path, text in sources.items() if path.endswith(".c")}
