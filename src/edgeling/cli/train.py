# SPDX-License-Identifier: Apache-2.0
"""``edgeling train``: the main job, on a person's own table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edgeling.cli.output import Json, Seed, print_json, reported

Out = Annotated[Path | None, typer.Option(help="The folder to write; by default NAME.edgeling here.")]
Precision = Annotated[
    str, typer.Option(help="float32, int8, or auto: the smaller one, if int8 costs at most 1 % accuracy.")
]
Targets = Annotated[
    str, typer.Option("--for", help="Where to prove the C; edgeling targets lists what there is.", metavar="LIST")
]
EVERYWHERE = "native,cortex-m4,wasm32"
Epochs = Annotated[int, typer.Option(help="At the most; training stops by itself.", min=1)]


def train(
    table: Annotated[Path, typer.Argument(help="A CSV or Parquet file.")],
    target: Annotated[str, typer.Option(help="The column to predict.")],
    task: Annotated[str, typer.Option(help="binary, multiclass or regression; by default told from the column.")] = "",
    precision: Precision = "auto",
    hidden: Annotated[
        str, typer.Option(help="Units of the hidden layers, such as 16,8; by default sized for you.")
    ] = "",
    epochs: Epochs = 500,
    targets: Targets = EVERYWHERE,
    out: Out = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Train on a table; explain, compile and prove the network; leave a deployable folder.

    Example: edgeling train flowers.csv --target species
    """
    with reported(as_json):
        train_and_show(
            table, target, out, seed, as_json,
            task=task, precision=precision, hidden=hidden, epochs=epochs, targets=targets,
        )  # fmt: skip


def train_and_show(
    table: Path, target: str, out: Path | None, seed: int, as_json: bool, begin: tuple[str, ...] = (), **choices: Any
) -> None:
    """Train, save and show: what ``train`` and ``demo`` share. ``begin``: how the command begins that does it again."""
    from edgeling.artifact import require_replaceable
    from edgeling.cli.display import RichProgress, show_content
    from edgeling.workflow.content import trained_content
    from edgeling.workflow.deploy import identifier
    from edgeling.workflow.store import SUFFIX, command_of, manifest, save
    from edgeling.workflow.train import train as train_table

    folder = out or Path(identifier(table.stem) + SUFFIX)
    require_replaceable(folder)
    trained = train_table(table, target, **_settings(**choices), seed=seed, progress=RichProgress())
    command = command_of(trained, *begin)
    artifact = save(trained, folder, command)
    show_content(trained_content(trained, command), artifact)
    if as_json:
        print_json({**manifest(trained, command), "data": trained.check.to_json(), "artifact": artifact})


def _settings(
    precision: str, epochs: int, task: str = "", hidden: str = "", targets: str = EVERYWHERE
) -> dict[str, Any]:
    """The options as the keyword arguments of ``edgeling.train``."""
    from edgeling.targets import get

    _require("task", task, ("", "binary", "multiclass", "regression"))
    _require("precision", precision, ("float32", "int8", "auto"))
    chips = tuple(get(name.strip()).name for name in targets.split(","))
    sizes = _sizes(hidden) if hidden else None
    return {"task": task or None, "precision": precision, "hidden": sizes, "epochs": epochs, "targets": chips}


def _require(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise typer.BadParameter(
            f"{value!r} is not one of {', '.join(a for a in allowed if a)}", param_hint=f"--{option}"
        )


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = (0,)
    if not all(1 <= size <= 4096 for size in sizes):
        raise typer.BadParameter(f"{text!r} is not a list such as 16,8", param_hint="--hidden")
    return sizes
