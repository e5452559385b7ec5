# SPDX-License-Identifier: Apache-2.0
"""The verbs, gathered. Each is imported with its options only; what it works with loads when it runs."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from edgeling.cli import mcp, train, tune
from edgeling.cli.output import print_error
from edgeling.cli.verbs import VERBS


class Verbs(TyperGroup):
    """Wrong usage is one JSON object too, where JSON was asked for."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.TyperException as error:
            if "--json" in sys.argv:
                print_error("UsageError", error.format_message())
            raise


app = typer.Typer(
    name="edgeling",
    cls=Verbs,
    help="From a data file to a neural network: trained, explained, compiled to C, proven on an emulated chip.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for verb in (*VERBS, mcp.mcp):
    app.command(cls=train.TrainCommand if verb in (train.train, tune.tune) else None)(verb)


def _version(wanted: bool) -> None:
    if wanted:
        from edgeling import __version__

        typer.echo(f"edgeling {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version.")
    ] = False,
) -> None:
    """Options of the command itself."""
