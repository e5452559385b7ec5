# SPDX-License-Identifier: Apache-2.0
"""``edgeling verify``: the C on an emulated chip, against the meaning of the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edgeling.cli.build import Artifact, Calibration, For, Precision, figures, raise_exit, rows_of, show_proof
from edgeling.cli.output import Json, print_json, reported
from edgeling.cli.reading import reads_tables
from edgeling.cli.sizes import Flash, Ram, size_bytes


@reads_tables
def verify(
    artifact: Artifact,
    reading: dict[str, Any],
    target: For = "cortex-m4",
    data: Annotated[Path | None, typer.Option(help="A table whose rows to run; by default rows are made up.")] = None,
    precision: Precision = "auto",
    calibration: Calibration = None,
    flash: Flash = "",
    ram: Ram = "",
    as_json: Json = False,
) -> None:
    """Run the C on an emulated chip and compare with what the network means; exit 1 if they differ.

    Exits 3 if they agree but the target has not the memory.

    Example: edgeling verify flowers.edgeling --for cortex-m4
    """
    with reported(as_json):
        from edgeling.workflow.build import opened
        from edgeling.workflow.build import verify as verify_c

        source = opened(artifact)
        proof = verify_c(
            source, target, precision=precision,
            rows=rows_of(source, data, reading) if data else None,
            calibration_data=rows_of(source, calibration, reading) if calibration else None,
            flash_bytes=size_bytes("flash", flash), ram_bytes=size_bytes("ram", ram),
        )  # fmt: skip
        show_proof(target, proof.precision, proof)
        if as_json:
            print_json({"artifact": artifact, "precision": proof.precision, "targets": {target: figures(proof)}})
        raise_exit(proof)
