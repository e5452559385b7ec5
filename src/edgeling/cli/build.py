# SPDX-License-Identifier: Apache-2.0
"""``edgeling build``: the C, in a folder, measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgeling.cli.output import Json, print_json, reported

Artifact = Annotated[Path, typer.Argument(help="An .edgeling folder (or a .keras file).")]
Precision = Annotated[str, typer.Option(help="float32, int8, or auto: the one train chose; of a .keras file float32.")]
For = Annotated[str, typer.Option("--for", help="The target; edgeling targets lists them.")]


def build(
    artifact: Artifact,
    target: For = "cortex-m4",
    out: Annotated[Path, typer.Option(help="The folder for the C.")] = Path("firmware"),
    precision: Precision = "auto",
    as_json: Json = False,
) -> None:
    """Write the C99 of a trained network, with an example main.c, and measure the binary on the target.

    Example: edgeling build flowers.edgeling --for cortex-m4 --out firmware/
    """
    with reported(as_json):
        from edgeling.cli.display import show_deployments
        from edgeling.workflow.build import build as build_c
        from edgeling.workflow.content import deployment
        from edgeling.workflow.store import proof_json

        built = build_c(artifact, target, out=out, precision=precision)
        show_deployments([deployment(built.precision, target, built, {})])
        if as_json:
            figures = proof_json(built)
            files = sorted(built.files)
            print_json({"artifact": out, "precision": built.precision, "files": files, "targets": {target: figures}})
