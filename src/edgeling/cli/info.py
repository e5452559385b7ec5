# SPDX-License-Identifier: Apache-2.0
"""``edgeling info``: what a file or a folder is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeling.cli.output import Json, print_json, reported
from edgeling.cli.reading import reads_tables


@reads_tables
def info(
    path: Annotated[Path, typer.Argument(help="An .edgeling folder, a .keras file, or a table; - is standard input.")],
    reading: dict[str, Any],
    target: Annotated[str, typer.Option(help="Of a table: the column to predict, to check it in full.")] = "",
    as_json: Json = False,
) -> None:
    """Say what an artifact, a table or a model file holds.

    Example: edgeling info flowers.edgeling
    """
    with reported(as_json):
        found = describe(path, target, reading)
        if as_json:
            print_json(found)
        else:
            from edgeling.cli.display import show_mapping

            show_mapping(found)


def describe(path: Path, target: str = "", reading: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Plain values about whatever lies at ``path``."""
    if path.suffix in (".keras", ".h5"):
        return _describe_model(path)
    if path.is_dir() or path.suffix == ".edgeling":
        return _describe_artifact(path)
    return _describe_table(path, target, reading or {})


def _describe_artifact(path: Path) -> dict[str, Any]:
    from edgeling.workflow.store import load

    pipeline = load(path)
    shown = (
        "kind",
        "program",
        "task",
        "target",
        "labels",
        "inputs",
        "outputs",
        "keeps",
        "precision",
        "seed",
        "command",
        "training",
        "balance",
        "correction",
        "decision",
        "warnings",
        "multiply_accumulates",
        "metrics",
        "targets",
    )
    return {"artifact": path, **{key: pipeline.details[key] for key in shown if key in pipeline.details}}


def _describe_model(path: Path) -> dict[str, Any]:
    from edgeling.formats.keras_file import load_keras

    model = load_keras(path, compile=False)
    layers = [{"class": type(layer).__name__, "name": layer.name} for layer in model.layers]
    return {"file": path, "parameters": model.count_params(), "layers": layers}


def _describe_table(path: Path, target: str, reading: Mapping[str, Any]) -> dict[str, Any]:
    from edgeling.data import Reading, check, read_table
    from edgeling.data.check import check_column

    table = read_table(path, reading=Reading(**reading))
    if target:
        return {"file": path, **check(table, target).to_json()}
    columns = [vars(check_column(column)).copy() for column in table.columns]
    return {"file": path, "rows": table.rows, "columns": columns, "warnings": list(table.notes)}
