# SPDX-License-Identifier: Apache-2.0
"""What a trained pipeline answers on a table, what it looks at, and why a row is answered as it is."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any, Unpack

from edgeling import __version__
from edgeling.data import Reading, ReadingOptions, Table
from edgeling.report.content import Content, DataSummary, Reproduction
from edgeling.report.page import ReportPage
from edgeling.workflow.findings import column_findings, explain_row
from edgeling.workflow.pipeline import Pipeline
from edgeling.workflow.store import load_pipeline
from edgeling.workflow.summary import evaluation


def explain(
    artifact: str | Path | Pipeline, table: Any, seed: int = 0, *, row: int | None = None, label: str = "",
    change: Sequence[str] | str = (), reach: str = "", model_output: str = "probability",
    individual: bool = False, **reading: Unpack[ReadingOptions],
) -> tuple[Content, dict[str, Any]]:  # fmt: skip
    """Score a pipeline on a table with known answers, measure which columns matter and how, and explain a row.

    What columns add is in probability of a class, or in the target's unit; a category is one column. A row is compared
    with up to 100 rows of the table: Shapley values, exact up to 12 columns, sampled beyond with their standard errors.

    Args:
        artifact: an ``.edgeling`` folder, or a pipeline.
        table: with the target, best of rows not trained on: a file by its path, a DataFrame, or a dict of columns. To
            explain a row the target may lack.
        seed: of the orders in which columns are shuffled.
        row: its number in the table, from 1.
        label: the class whose probability is explained; by default the one answered.
        change: one or two columns that may be changed for another answer; by default any.
        reach: the answer to reach by a change: a class, or a number.
        model_output: what of the row is explained: ``"probability"``, or ``"raw"``: the score that the last sigmoid or
            softmax makes it of (of two classes the log-odds), which does not saturate. Numbers have no such score.
        individual: whether the plain values hold the curve of each row too (ICE), beside the mean ones.
        reading: how a file is written, as :func:`edgeling.train` takes it.

    Returns:
        What a report shows, and the same figures in plain values (``rows``, ``metrics``, ``importance``,
        ``importance_by_class``, ``dependence``, ``interactions``, ``precisions``; ``row``).

    Raises:
        UnsupportedError: another ``model_output``.
        ArtifactError: the folder cannot be read.
        DataError: the table cannot, or lacks the target or a column; there is no such row, class or column.
    """
    pipeline = artifact if isinstance(artifact, Pipeline) else load_pipeline(artifact)
    read = pipeline.read(table, Reading(**reading))  # type: ignore[arg-type]
    folder = pipeline.name if isinstance(artifact, Pipeline) else str(artifact)
    source = str(table) if isinstance(table, str | PurePath) else "a table"
    changed = (change,) if isinstance(change, str) else tuple(change)
    options = {"row": row, "class": label, "change": ",".join(changed), "reach": reach,
               "model-output": model_output if model_output != "probability" else ""}  # fmt: skip
    words = [word for name, value in options.items() if value for word in (f"--{name}", str(value))]
    command = shlex.join(["edgeling", "explain", folder, source, *words, "--seed", str(seed)])
    found = None if row is None else explain_row(
        pipeline, read, row, label=label, change=changed, reach=reach, seed=seed, model_output=model_output
    )  # fmt: skip
    target = pipeline.preparation.target
    parts = {} if found and target.name not in read else _judged(pipeline, read, source, seed, individual)
    content = ReportPage(
        pipeline.name, target.task, target.name, reproduction=Reproduction(command, seed, __version__), row=found,
        **{name: part for name, part in parts.items() if name != "plain"},
    )  # fmt: skip
    return content, {**parts.get("plain", {"rows": read.rows}), **({"row": found.to_json()} if found else {})}


def _judged(pipeline: Pipeline, read: Table, source: str, seed: int, individual: bool) -> dict[str, Any]:
    """What rows whose answers are known tell: parts of the page, and the same in plain values."""
    raw, truth = pipeline.known_rows(read)
    scores = pipeline.scores(raw, truth)
    importance = pipeline.importance(raw, truth, seed)
    columns = column_findings(pipeline, raw, importance.ranking, seed)
    by_column = dict(zip(importance.feature_names, map(float, importance.mean), strict=True))
    return {
        "data": DataSummary(source, len(raw), warnings=(pipeline.deciding,) if pipeline.deciding else ()),
        "evaluation": evaluation(pipeline, raw, truth, scores, unseen=False, source=PurePath(source).name),
        "importance": importance,
        "columns": columns,
        "plain": {
            "rows": len(raw),
            "metrics": scores,
            "importance": by_column,
            **({"importance_by_class": importance.class_json()} if importance.by_class else {}),
            **columns.to_json(individual=individual),
        },
    }
