# SPDX-License-Identifier: Apache-2.0
"""``edgeling select``: how few columns suffice."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeling.cli.build import For
from edgeling.cli.output import Json, Seed, print_json, reported, say
from edgeling.cli.reading import Table, reads_tables
from edgeling.cli.train import Categorical, Columns, Drop, Hidden, HowSplit, Numeric, column_choices

if TYPE_CHECKING:
    from edgeling.explaining.selection import ColumnSelection


@reads_tables
def select(
    table: Annotated[Path, typer.Argument(help=Table)],
    target: Annotated[str, typer.Option(help="The column to predict.")],
    reading: dict[str, Any],
    device: For = "cortex-m4",
    precision: Annotated[str, typer.Option(help="float32 or int8, of the programs measured.")] = "float32",
    splits: Annotated[int, typer.Option(help="Divisions of the rows, over which the spread is told.", min=1)] = 5,
    task: Annotated[str, typer.Option(help="binary, multiclass or regression; by default told from the column.")] = "",
    columns: Columns = "",
    drop: Drop = "",
    categorical: Categorical = "",
    numeric: Numeric = "",
    split: HowSplit = "random",
    hidden: Hidden = "",
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("selection.html"),
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Find how few columns of a table suffice: each one left out is a sensor saved.

    Networks are trained with fewer and fewer columns, the least important left out first, on several divisions of the
    rows. Recommended is the smallest set whose score is within one standard error of the best.

    Example: edgeling select flowers.csv --target species --for cortex-m0plus
    """
    with reported(as_json):
        from edgeling import __version__
        from edgeling.cli.live import RichProgress
        from edgeling.report.content import Content, Reproduction
        from edgeling.report.page import render
        from edgeling.workflow.files import written_whole
        from edgeling.workflow.select import select as select_columns

        found = select_columns(
            table, target, splits=splits, device=device, precision=precision, split=split, seed=seed,
            progress=RichProgress(), **column_choices(columns, drop, categorical, numeric, task, hidden), **reading,
        )  # fmt: skip
        said = {
            "for": device, "precision": precision, "splits": splits, "task": task, "columns": columns, "drop": drop,
            "categorical": categorical, "numeric": numeric, "split": split, "hidden": hidden, "seed": seed,
        }  # fmt: skip
        words = [word for name, value in said.items() if value != "" for word in (f"--{name}", str(value))]
        command = shlex.join(["edgeling", "select", str(table), "--target", target, *words])
        again = Reproduction(command, seed, __version__)
        with written_whole(out) as file:
            file.write(render(Content(found.name, found.task, found.answer, selection=found, reproduction=again)))
        show_selection(found)
        say(f"The page is {out}")
        if as_json:
            print_json({**found.to_json(), "command": command, "report": out})


def show_selection(found: ColumnSelection) -> None:
    """A line a number of columns, with the one that was left out last."""
    from rich.text import Text

    from edgeling.cli.explanation import figures_table
    from edgeling.cli.terminal import bar, console, one_line
    from edgeling.report import units

    percent = found.metric == "accuracy"
    low = min(step.mean for step in found.steps)
    room = max(step.mean for step in found.steps) - low or 1.0
    table = figures_table(
        "columns", "the one more", "", f"{units.metric_name(found.metric)} ± spread", "flash B", "instr."
    )
    for i, step in enumerate(found.steps):
        new = ", ".join(name for name in step.columns if i == 0 or name not in found.steps[i - 1].columns)
        style = "bold" if i == found.chosen else ""
        mark = "✓ " if i == found.chosen else "  "
        cells = (
            f"{mark}{len(step.columns)}", units.shorten(one_line(new), 30), bar((step.mean - low) / room, 10),
            units.spread(step.mean, step.std, percent=percent), units.count(step.flash_bytes),
            units.count(step.instructions),
        )  # fmt: skip
        table.add_row(*(Text(cell, style) for cell in cells))
    screen = console()
    screen.print()
    screen.print(table)
    screen.print()
    chosen = ", ".join(map(one_line, found.recommended))
    screen.print(f"Enough: {chosen}", soft_wrap=True)
