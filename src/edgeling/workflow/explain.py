# SPDX-License-Identifier: Apache-2.0
"""What a trained pipeline answers on a table, and what it looks at."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from edgeling import __version__
from edgeling.errors import DataError
from edgeling.report.content import Content, DataSummary, Reproduction
from edgeling.workflow.content import evaluation
from edgeling.workflow.store import load
from edgeling.workflow.train import importance_of


def explain(artifact: str | Path, table: str | Path, seed: int = 0) -> tuple[Content, dict[str, Any]]:
    """Score a pipeline on a table with known answers, and measure the importance of its columns.

    Args:
        artifact: an ``.edgeling`` folder.
        table: a CSV or Parquet file with the target, best of rows not trained on.
        seed: of the orders in which columns are shuffled.

    Returns:
        What a report shows, and the same figures in plain values (``rows``, ``metrics``, ``importance``).

    Raises:
        ArtifactError: the folder cannot be read.
        DataError: the table cannot, or lacks the target or a column.
    """
    pipeline = load(artifact)
    read = pipeline.read(table)
    read = read.take(~read.column(pipeline.preparation.target.name).missing)  # as training does
    if not read.rows:
        raise DataError("the target must be known in some rows", received="none", remedy="another table")
    raw, truth = pipeline.preparation.transform(read), pipeline.truth(read)
    scores = pipeline.scores(raw, truth)
    importance = importance_of(pipeline, raw, truth, seed)
    target = pipeline.preparation.target
    command = shlex.join(["edgeling", "explain", str(artifact), str(table), "--seed", str(seed)])
    content = Content(
        name=pipeline.name,
        task=target.task,
        target=target.name,
        data=DataSummary(source=str(table), rows=len(raw)),
        evaluation=evaluation(pipeline, raw, truth, scores, unseen=False, source=Path(table).name),
        importance=importance,
        reproduction=Reproduction(command, seed, __version__),
    )
    plain = dict(zip(importance.feature_names, map(float, importance.mean), strict=True))
    return content, {"rows": len(raw), "metrics": scores, "importance": plain}
