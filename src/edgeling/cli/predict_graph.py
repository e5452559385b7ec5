# SPDX-License-Identifier: Apache-2.0
"""Answers of a graph by itself for a table: columns by the names of inputs and outputs."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from edgeling.cli.output import print_json, say
from edgeling.cli.spreadsheet import cell
from edgeling.errors import DataError

if TYPE_CHECKING:
    from edgeling.data import Table
    from edgeling.workflow.deployed import DeployedGraph

REASON = "an input is missing or infinite"


def predict_graph(
    deployed: DeployedGraph, artifact: Path, table: Path, reading: dict[str, Any], out: Path | None, keep: str,
    strict: bool, as_json: bool,
) -> None:  # fmt: skip
    """See ``edgeling predict``.

    Raises:
        DataError: the table cannot be read, lacks an input, or (if ``strict``) has a row that cannot be answered.
    """
    from edgeling.data import Reading, read_table
    from edgeling.workflow.files import written_whole
    from edgeling.workflow.opening import graph_of
    from edgeling.workflow.ports import columns_of, table_rows

    read, graph = read_table(table, reading=Reading(**reading)), graph_of(deployed)
    rows = table_rows(read, graph)
    answered = deployed.deployable.answerable(rows)
    if strict and not answered.all():
        first = int(np.argmin(answered)) + 1
        raise DataError("every row can be answered", received=f"row {first}: {REASON}", remedy="correct the row")
    if not answered.all():
        say(f"! {np.count_nonzero(~answered):,} of {len(answered):,} rows without an answer: {REASON}")
    answers = dict(zip(graph.outputs, deployed.answers(rows), strict=True))
    kept = kept_columns(read, names_of(keep))
    columns = {
        name: column
        for output, array in answers.items()
        for name, column in zip(columns_of(graph, output), array.reshape(len(answered), -1).T, strict=True)
    }
    if out is not None:
        with written_whole(out) as file:
            _write(file, kept, columns, answered)
    if as_json:
        unanswered = [{"row": int(i) + 1, "reason": REASON} for i in np.flatnonzero(~answered)]
        told = {"artifact": artifact, "rows": len(answered), "outputs": answers, "unanswered": unanswered}
        print_json(told | ({"kept": kept} if kept else {}))
    elif out is None:
        _write(sys.stdout, kept, columns, answered)


def names_of(keep: str) -> list[str]:
    """What ``--keep`` lists."""
    return [name.strip() for name in keep.split(",") if name.strip()]


def kept_columns(table: Table, names: list[str]) -> dict[str, list[str | None]]:
    """The columns that stand before the answers, as texts; ``all`` is every one, unless one is called so."""
    chosen = table.names if names == ["all"] and "all" not in table.names else names
    return {name: table.column(name).texts() for name in chosen}


def _write(file: TextIO, kept: dict[str, list[str | None]], columns: dict[str, Any], answered: Any) -> None:
    """A header and a line a row; the reasons are a column only where there is one."""
    writer, why = csv.writer(file, lineterminator="\n"), not answered.all()
    names = [f"predicted_{name}" if name in kept else name for name in columns]
    writer.writerow(map(cell, [*kept, *names, *(["reason"] if why else [])]))
    for row, there in enumerate(answered):
        before = [cell(texts[row] or "") for texts in kept.values()]
        after = [f"{column[row]:.7g}" if there else "" for column in columns.values()]
        writer.writerow([*before, *after, *(["" if there else REASON] if why else [])])
