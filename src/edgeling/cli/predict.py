# SPDX-License-Identifier: Apache-2.0
"""``edgeling predict``: answers for a table, as CSV or JSON."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from edgeling.cli.output import Json, print_json, reported, say
from edgeling.cli.reading import Table, reads_tables
from edgeling.cli.spreadsheet import cell

if TYPE_CHECKING:
    from edgeling.workflow.pipeline import Predictions


Keep = Annotated[
    str, typer.Option(help="Columns of the table to write before the answers, such as id; or all.", metavar="LIST")
]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse a table with a row that cannot be answered.")]


@reads_tables
def predict(
    artifact: Annotated[Path, typer.Argument(help="An .edgeling folder.")],
    table: Annotated[Path, typer.Argument(help=Table + " The columns are those of training; the target may lack.")],
    reading: dict[str, Any],
    out: Annotated[Path | None, typer.Option(help="A CSV file to write instead of standard output.")] = None,
    keep: Keep = "",
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Predict every row of a table: the answer, and for classes the probability of each.

    Of a graph that was saved by itself, columns are its inputs by name (x, or x_0, x_1... of a longer one), and so are
    the answers.

    A row that cannot be answered has an empty answer, and the reason in a last column "reason" (with --json, null and
    "unanswered"). What was not so in training (categories never seen, numbers far outside the range) is counted by
    column on standard error (with --json, "strange").

    Example: edgeling predict flowers.edgeling new.csv
    """
    with reported(as_json):
        from edgeling.cli.predict_graph import kept_columns, names_of, predict_graph
        from edgeling.data import Reading
        from edgeling.workflow.deployed import DeployedGraph
        from edgeling.workflow.store import load

        pipeline = load(artifact)
        if isinstance(pipeline, DeployedGraph):
            predict_graph(pipeline, artifact, table, reading, out, keep, strict, as_json)
            return
        names = names_of(keep)
        read = pipeline.read(table, Reading(**reading), kept=() if keep == "all" else names)
        found = pipeline.answered(read, strict=strict)
        kept = kept_columns(read, names)
        for sentence in filter(None, (*found.sentences(), pipeline.deciding)):
            say(f"! {sentence}")
        answer = Answers(pipeline.preparation.target.name, found, kept)
        if out is not None:
            answer.write_file(out)
        if as_json:
            print_json({"artifact": artifact, **answer.plain(), "decision": pipeline.details.get("decision")})
        elif out is None:
            answer.write_csv(sys.stdout)


@dataclass(frozen=True)
class Answers:
    """What was found of each row, beside the columns that are kept, by name."""

    target: str
    found: Predictions
    kept: Mapping[str, list[str | None]]

    def plain(self) -> dict[str, Any]:
        """Plain values for ``--json``."""
        found, values = self.found, self.found.values
        result = {
            "rows": len(values),
            "target": self.target,
            "predictions": list(values),
            "unanswered": [{"row": int(i) + 1, "reason": found.reasons[i]} for i in found.unanswered],
            "strange": {name: each.to_json() for name, each in found.strange.items()},
        }
        if found.probabilities is not None:
            result |= {"labels": list(found.labels), "probabilities": found.probabilities}
        return result | ({"kept": dict(self.kept)} if self.kept else {})

    def write_file(self, path: Path) -> None:
        from edgeling.workflow.files import written_whole

        with written_whole(path) as file:
            self.write_csv(file)

    def write_csv(self, file: TextIO) -> None:
        """A header and a line a row; the reasons are a column only where there is one."""
        writer, found = csv.writer(file, lineterminator="\n"), self.found
        target = f"predicted_{self.target}" if self.target in self.kept else self.target
        heads = [*self.kept, target, *(f"probability_{label}" for label in found.labels)]
        why = len(found.unanswered) > 0
        writer.writerow(map(cell, [*heads, "reason"] if why else heads))
        kept = zip(*self.kept.values(), strict=True) if self.kept else repeat(())
        reasons = ([reason] for reason in found.reasons) if why else repeat(())
        for before, answer, reason in zip(kept, _answers(found), reasons, strict=False):
            writer.writerow([*(cell(text or "") for text in before), *answer, *map(cell, reason)])


def _answers(found: Predictions) -> Iterator[list[str]]:
    """The answer and the probabilities of each row as they are written; nothing where there is no answer."""
    if found.probabilities is None:
        yield from (["" if isnan(value) else f"{value:.7g}"] for value in found.values)
        return
    shown = {label: cell(label) for label in found.labels}
    for value, shares in zip(found.values, found.probabilities, strict=True):
        yield [""] * (1 + len(shares)) if value is None else [shown[value], *(f"{share:.6f}" for share in shares)]
