# SPDX-License-Identifier: Apache-2.0
"""What a trained pipeline answers on a table, and what it looks at."""

from __future__ import annotations

import shlex
from pathlib import Path, PurePath
from typing import Any, Unpack

from edgeling import __version__
from edgeling.data import Reading, ReadingOptions
from edgeling.report.content import Content, DataSummary, Reproduction
from edgeling.workflow.pipeline import Pipeline
from edgeling.workflow.store import load_pipeline
from edgeling.workflow.summary import evaluation


def explain(
    artifact: str | Path | Pipeline, table: Any, seed: int = 0, **reading: Unpack[ReadingOptions]
) -> tuple[Content, dict[str, Any]]:
    """Score a pipeline on a table with known answers, and measure the importance of its columns.

    Args:
        artifact: an ``.edgeling`` folder, or a pipeline.
        table: with the target, best of rows not trained on: a file by its path, a DataFrame, or a dict of columns.
        seed: of the orders in which columns are shuffled.
        reading: how a file is written, as :func:`edgeling.train` takes it.

    Returns:
        What a report shows, and the same figures in plain values (``rows``, ``metrics``, ``importance``).

    Raises:
        ArtifactError: the folder cannot be read.
        DataError: the table cannot, or lacks the target or a column.
    """
    pipeline = artifact if isinstance(artifact, Pipeline) else load_pipeline(artifact)
    raw, truth = pipeline.known_rows(pipeline.read(table, Reading(**reading)))  # type: ignore[arg-type]
    scores = pipeline.scores(raw, truth)
    importance = pipeline.importance(raw, truth, seed)
    target = pipeline.preparation.target
    folder = pipeline.name if isinstance(artifact, Pipeline) else str(artifact)
    source = str(table) if isinstance(table, str | PurePath) else "a table"
    command = shlex.join(["edgeling", "explain", folder, source, "--seed", str(seed)])
    content = Content(
        name=pipeline.name,
        task=target.task,
        target=target.name,
        data=DataSummary(source, len(raw), warnings=(pipeline.weighting,) if pipeline.weighting else ()),
        evaluation=evaluation(pipeline, raw, truth, scores, unseen=False, source=PurePath(source).name),
        importance=importance,
        reproduction=Reproduction(command, seed, __version__),
    )
    plain = dict(zip(importance.feature_names, map(float, importance.mean), strict=True))
    return content, {"rows": len(raw), "metrics": scores, "importance": plain}
