# SPDX-License-Identifier: Apache-2.0
"""``edgeling verify``: the C on an emulated chip, against the meaning of the graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeling.cli.build import Artifact, For, Precision
from edgeling.cli.output import Json, print_json, reported
from edgeling.cli.reading import reads_tables

if TYPE_CHECKING:
    from edgeling.graph.types import Array


@reads_tables
def verify(
    artifact: Artifact,
    reading: dict[str, Any],
    target: For = "cortex-m4",
    data: Annotated[Path | None, typer.Option(help="A table whose rows to run; by default rows are made up.")] = None,
    precision: Precision = "auto",
    as_json: Json = False,
) -> None:
    """Run the C on an emulated chip and compare with what the network means; exit 1 if they differ.

    Example: edgeling verify flowers.edgeling --for cortex-m4
    """
    with reported(as_json):
        from edgeling.cli.display import show_deployments
        from edgeling.workflow.build import opened
        from edgeling.workflow.build import verify as verify_c
        from edgeling.workflow.content import deployment
        from edgeling.workflow.store import proof_json

        source = opened(artifact)
        proof = verify_c(source, target, precision=precision, rows=_rows(source, data, reading) if data else None)
        show_deployments([deployment(proof.precision, target, proof, {})])
        if as_json:
            print_json({"artifact": artifact, "precision": proof.precision, "targets": {target: proof_json(proof)}})
        if not proof.matches:
            raise typer.Exit(1)


def _rows(source: Any, table: Path, reading: dict[str, Any]) -> Array:
    from edgeling.data import Reading
    from edgeling.errors import UnsupportedError
    from edgeling.workflow.pipeline import Pipeline

    if not isinstance(source, Pipeline):
        raise UnsupportedError("a table is matched to a trained pipeline by its columns", received="a bare network")
    return source.preparation.transform(source.read(table, Reading(**reading)))
