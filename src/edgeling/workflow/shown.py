# SPDX-License-Identifier: Apache-2.0
"""What the verbs give, as a notebook shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgeling.markup import Markup
from edgeling.notebook.cards import bar, card, figures
from edgeling.report import units
from edgeling.toolchain.shown import proof_table

if TYPE_CHECKING:
    from edgeling.explaining.importance import PermutationImportance
    from edgeling.workflow.deployed import DeployedGraph
    from edgeling.workflow.pipeline import Explanation, Pipeline, Predictions
    from edgeling.workflow.train import Trained
    from edgeling.workflow.tune import Tuned

MOST_ROWS, MOST_COLUMNS = 10, 12


def trained_card(trained: Trained) -> str:
    """Scores, costs on each target, what matters, and what a person should know."""
    pipeline = trained.pipeline
    proofs = {f"{target} {p}": proof for p, each in trained.proofs.items() for target, proof in each.items()}
    return card(
        _title(pipeline), _scores(trained.scores), proof_table(proofs) if proofs else None,
        _importance(trained.importance, bool(pipeline.labels)), *(f"! {note}" for note in trained.notes),
        f"Deployed as {pipeline.precision}. edgeling.save(trained, {pipeline.name + '.edgeling'!r}) writes it.",
    )  # fmt: skip


def pipeline_card(pipeline: Pipeline) -> str:
    """Which columns it takes, what it answers, and how well."""
    known = pipeline.preparation
    features = [
        (name, type(each).__name__.removesuffix("Feature").lower(), ", ".join(getattr(each, "categories", ())))
        for name, each in zip(known.names, known.features, strict=True)
    ]
    shown = [(name, kind, units.shorten(words, 60)) for name, kind, words in features[:MOST_COLUMNS]]
    more = len(features) - len(shown)
    return card(
        _title(pipeline), figures(("column", "kind", "categories"), shown, texts=3),
        f"and {more:,} more columns" if more else None, pipeline.deciding, f"Deployed as {pipeline.precision}.",
    )  # fmt: skip


def deployed_card(deployed: DeployedGraph) -> str:
    """The inputs and outputs of a network by itself."""
    graph = deployed.graph
    rows = [("input", name, str(graph.types[name])) for name in graph.inputs]
    rows += [("output", name, str(graph.types[name])) for name in graph.outputs]
    table = figures(("", "name", "type"), rows, texts=3)
    return card(f"{deployed.name}: a network by itself", table, f"Deployed as {deployed.precision}.")


def tuned_card(tuned: Tuned) -> str:
    """The networks that no other beats, and the one that was chosen."""
    rows = [
        (
            "✓" if each is tuned.chosen else "", each.trial.choice.layers, each.trial.choice.precision,
            units.figure(each.trial.result.score), units.count(each.cost.flash_bytes),
            units.count(each.cost.instructions),
        )
        for each in tuned.front
    ]  # fmt: skip
    front = figures(("", "layers", "precision", "score", "flash B", "instructions"), rows, texts=3)
    trials = f"{len(tuned.trials):,} trials{', interrupted' if tuned.interrupted else ''}; limits: {tuned.budget}"
    return card("Networks that no other beats", front, trials) + trained_card(tuned.trained)


def predictions_card(found: Predictions) -> str:
    """The first answers, and what a person should know of all."""
    labels = found.labels[:MOST_COLUMNS]
    rows = []
    for i, value in enumerate(found.values[:MOST_ROWS]):
        shares = [] if found.probabilities is None else found.probabilities[i][: len(labels)]
        answer = "–" if value is None else value if isinstance(value, str) else units.figure(float(value))  # noqa: RUF001
        rows.append((f"{i + 1}", answer, *(units.percent(float(share)) for share in shares)))
    table = figures(("row", "answer", *labels), rows)
    return card(f"{len(found.values):,} answers", table, *found.sentences())


def explanation_card(explained: Explanation) -> str:
    """Scores, and what each column is worth."""
    title = f"Judged on {explained.rows:,} rows"
    return card(
        title, _scores({"": explained.metrics}), _importance(explained.importance, "accuracy" in explained.metrics)
    )


def _title(pipeline: Pipeline) -> str:
    target = pipeline.preparation.target
    answers = f", one of {', '.join(target.labels[:6])}{', ...' * (len(target.labels) > 6)}" if target.labels else ""
    return f"{pipeline.name}: {target.name}{answers}"


def _scores(by_precision: Mapping[str, Mapping[str, Any]]) -> Markup | None:
    plain = {p: {n: v for n, v in told.items() if isinstance(v, (int, float))} for p, told in by_precision.items()}
    names = list(dict.fromkeys(name for told in plain.values() for name in told))
    rows = [
        (units.metric_name(name), *(units.metric(name, told.get(name)) for told in plain.values())) for name in names
    ]
    return figures(("on rows never seen", *plain), rows) if rows else None


def _importance(found: PermutationImportance | None, of_classes: bool) -> Markup | None:
    if found is None or not len(found.mean):
        return None
    most = max(float(found.mean.max()), 1e-30)
    rows = [
        (units.shorten(found.feature_names[i], 40), bar(float(found.mean[i]) / most),
         units.spread(float(found.mean[i]), float(found.std[i])))
        for i in found.ranking[:MOST_COLUMNS]
    ]  # fmt: skip
    return figures(("what matters", "", "log loss gained" if of_classes else "R² lost"), rows, texts=2)
