# SPDX-License-Identifier: Apache-2.0
"""What ``build`` and ``verify`` share about programs that learn: the options, and what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from edgeling.toolchain.prove_learning import LearningProof

Learn = Annotated[
    str,
    typer.Option(
        help="last, all, or how many layers, counted from the answer, go on learning on the device, in float; "
        "the rest stays in flash, in int8 if it is.",
        metavar="LAYERS",
    ),
]
OptimizerOption = Annotated[str, typer.Option("--optimizer", help="With --learn: sgd, momentum (0.9) or adam.")]
Loss = Annotated[
    str,
    typer.Option(
        help="With --learn, of numbers: mean_squared_error, mean_absolute_error or huber; of classes it is their "
        "cross-entropy."
    ),
]
Adapt = Annotated[
    str,
    typer.Option(
        help="With --learn: preparation: the columns' means and deviations follow the rows that come, for sensors that "
        "drift."
    ),
]
Remember = Annotated[
    int,
    typer.Option(
        help="With --learn: as many of the last rows are kept, and an update is adopted only if it does not lose on "
        "them; 0 adopts every one.",
        min=0,
        max=1024,
    ),
]


def require_learn(learn: str, **others: Any) -> None:
    """Refuse options that say nothing without ``--learn``."""
    given = [f"--{name.replace('_', '-')}" for name, value in others.items() if value not in ("", 0, None, "sgd")]
    if given and not learn:
        raise typer.BadParameter("it belongs to --learn last, all or a number of layers", param_hint=given[0])


def learning_json(proof: LearningProof | None) -> dict[str, Any]:
    """Under ``learning``, if there was any."""
    from dataclasses import asdict

    if proof is None:
        return {}
    told = {**asdict(proof), "fits": proof.fits, "estimated_latency_us": proof.estimated_latency_us}
    return {"learning": {**told, "clock_hz": proof.clock_hz or None}}


def show_learning(proof: LearningProof | None) -> None:
    """What steps of learning took, as a table on standard error."""
    from edgeling.cli.display import show_learned

    if proof is not None:
        show_learned(proof)


def lessons_of(source: Any, table: Path, reading: dict[str, Any]) -> tuple[Any, Any]:
    """A table's rows and what is to be learned of each: a pipeline's columns and target; of a bare model, its inputs
    in order, then the truth.

    Raises:
        DataError: the table cannot be read, or has too few columns.
    """
    import numpy as np

    from edgeling.data import Reading, read_table
    from edgeling.errors import DataError
    from edgeling.workflow.opening import graph_of
    from edgeling.workflow.pipeline import Pipeline

    if isinstance(source, Pipeline):
        return source.known_rows(source.read(table, Reading(**reading)))
    read = read_table(table, reading=Reading(**reading))
    graph = graph_of(source)
    size = graph.types[graph.inputs[0]].size
    columns = [read.column(name) for name in read.names]
    if len(columns) <= size or not all(column.is_numeric for column in columns):
        raise DataError(
            f"a table to learn from has the model's {size} inputs in order, then the truth, all of them numbers",
            received=f"{len(columns)} columns" if len(columns) <= size else "a column of text",
            remedy="write the columns in this order, with numbers for words",
        )
    values = np.stack([column.values for column in columns], axis=1)
    return values[:, :size], values[:, size:]
