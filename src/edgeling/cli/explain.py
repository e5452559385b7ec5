# SPDX-License-Identifier: Apache-2.0
"""``edgeling explain``: what a trained network answers on a table, and what it looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edgeling.cli.output import Json, Seed, print_json, reported, say
from edgeling.cli.reading import Table, reads_tables


@reads_tables
def explain(
    artifact: Annotated[Path, typer.Argument(help="An .edgeling folder.")],
    table: Annotated[Path, typer.Argument(help=Table + " With the target, best of rows not trained on.")],
    reading: dict[str, Any],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Score a trained network on a table, measure which columns matter, and write a page about it.

    Example: edgeling explain flowers.edgeling flowers.csv --out report.html
    """
    with reported(as_json):
        from edgeling.cli.curves import curves
        from edgeling.cli.display import show_content
        from edgeling.report.page import render
        from edgeling.workflow.explain import explain as explain_table
        from edgeling.workflow.files import written_whole

        content, results = explain_table(artifact, table, seed, **reading)
        with written_whole(out) as file:
            file.write(render(content))
        show_content(content, None)
        say(f"The page is {out}")
        if as_json:
            print_json({**_with_paths(results, artifact, out), "curves": curves(content.evaluation)})


def _with_paths(results: dict[str, Any], artifact: Path, out: Path) -> dict[str, Any]:
    return {**results, "artifact": artifact, "report": out}
