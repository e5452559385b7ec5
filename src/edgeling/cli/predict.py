# SPDX-License-Identifier: Apache-2.0
"""``edgeling predict``: answers for a table, as CSV or JSON."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from edgeling.cli.output import Json, print_json, reported
from edgeling.cli.reading import Table, reads_tables
from edgeling.cli.spreadsheet import cell

if TYPE_CHECKING:
    from edgeling.workflow.pipeline import Predictions


@reads_tables
def predict(
    artifact: Annotated[Path, typer.Argument(help="An .edgeling folder.")],
    table: Annotated[Path, typer.Argument(help=Table + " The columns are those of training; the target may lack.")],
    reading: dict[str, Any],
    out: Annotated[Path | None, typer.Option(help="A CSV file to write instead of standard output.")] = None,
    as_json: Json = False,
) -> None:
    """Predict every row of a table: the answer, and for classes the probability of each.

    Example: edgeling predict flowers.edgeling new.csv
    """
    with reported(as_json):
        from edgeling.workflow.store import load

        pipeline = load(artifact)
        found = pipeline.predict(table, **reading)
        target = pipeline.preparation.target.name
        if out is not None:
            _write_file(out, found, target)
        if as_json:
            print_json({"artifact": artifact, "rows": len(found.values), "target": target, **_plain(found)})
        elif out is None:
            _write_csv(sys.stdout, found, target)


def _plain(found: Predictions) -> dict[str, Any]:
    if found.probabilities is None:
        return {"predictions": found.values}
    return {"predictions": list(found.values), "labels": list(found.labels), "probabilities": found.probabilities}


def _write_file(path: Path, found: Predictions, target: str) -> None:
    from edgeling.workflow.files import written_whole

    with written_whole(path) as file:
        _write_csv(file, found, target)


def _write_csv(file: TextIO, found: Predictions, target: str) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([cell(target), *(cell(f"probability_{label}") for label in found.labels)])
    writer.writerows(_rows(found))


def _rows(found: Predictions) -> Iterator[list[Any]]:
    if found.probabilities is None:
        yield from ([f"{value:.7g}"] for value in found.values)
        return
    shown = {label: cell(label) for label in found.labels}
    for value, shares in zip(found.values, found.probabilities, strict=True):
        yield [shown[value], *(f"{share:.6f}" for share in shares)]
