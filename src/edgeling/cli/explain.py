# SPDX-License-Identifier: Apache-2.0
"""``edgeling explain``: what a trained network answers on a table, what it looks at, and why a row is answered so."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edgeling.cli.explaining import ModelOutput, require_model_output
from edgeling.cli.output import Json, Seed, print_json, reported, say
from edgeling.cli.reading import Table, reads_tables

Row = Annotated[int | None, typer.Option(help="Explain this row too; the first below the header is 1.", min=1)]
ClassName = Annotated[
    str, typer.Option("--class", help="The class whose probability is explained; by default the one answered.")
]
Change = Annotated[
    str, typer.Option(help="The one or two columns to change for another answer; by default any.", metavar="LIST")
]
Reach = Annotated[
    str, typer.Option(help="The answer that a change is to lead to: a class, or a number.", metavar="ANSWER")
]
Individual = Annotated[
    bool, typer.Option("--individual", help="In --json also each row's own curve (ICE), beside the mean ones.")
]


@reads_tables
def explain(
    artifact: Annotated[Path, typer.Argument(help="An .edgeling folder.")],
    table: Annotated[
        Path, typer.Argument(help=Table + " With the target, best of rows not trained on; for --row it may lack.")
    ],
    reading: dict[str, Any],
    row: Row = None,
    label: ClassName = "",
    change: Change = "",
    reach: Reach = "",
    model_output: ModelOutput = "probability",
    individual: Individual = False,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Score a trained network on a table, measure which columns matter and how; explain a row; write a page about it.

    What a column adds to a row's answer is its Shapley value, in probability of the class answered or in the target's
    unit, compared with up to 100 rows of the table: exact up to 12 columns, beyond that sampled, with standard errors.

    Example: edgeling explain flowers.edgeling flowers.csv --row 17 --out report.html
    """
    with reported(as_json):
        from edgeling.cli.curves import curves
        from edgeling.cli.display import show_content
        from edgeling.cli.explanation import show_columns, show_row
        from edgeling.report.page import render
        from edgeling.workflow.explain import explain as explain_table
        from edgeling.workflow.files import written_whole

        require_model_output(model_output)
        if (label or change or reach or model_output != "probability") and row is None:
            raise typer.BadParameter(
                "--class, --change, --reach and --model-output are about a row", param_hint="--row"
            )
        names = tuple(name.strip() for name in change.split(",") if name.strip())
        content, results = explain_table(
            artifact, table, seed, row=row, label=label, change=names, reach=reach, model_output=model_output,
            individual=individual, **reading,
        )  # fmt: skip
        with written_whole(out) as file:
            file.write(render(content))
        show_content(content, None)
        show_columns(content.columns)
        show_row(content.row)
        say(f"The page is {out}")
        if as_json:
            drawn = {"curves": curves(content.evaluation)} if content.evaluation else {}
            print_json({**results, "artifact": artifact, "report": out, **drawn})
