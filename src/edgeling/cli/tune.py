# SPDX-License-Identifier: Apache-2.0
"""``edgeling tune``: search under a device's limits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeling.cli import train as training
from edgeling.cli.balancing import Balance, ClassWeight, Threshold
from edgeling.cli.build import CompilerName
from edgeling.cli.output import Json, Seed, print_json, reported
from edgeling.cli.reading import Table, reads_tables
from edgeling.cli.sizes import size_bytes

_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(s|sec|m|min|h|)\s*", re.IGNORECASE)
_SECONDS = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}

Chip = Annotated[str, typer.Option("--for", help="The chip; edgeling targets lists what there is.", metavar="TARGET")]
FlashLimit = Annotated[str, typer.Option(help="At the most, such as 4k; by default what the chip has.")]
RamLimit = Annotated[str, typer.Option(help="At the most, such as 512, without the stack; by default the chip's.")]
Instructions = Annotated[int | None, typer.Option(help="Of one inference, at the most.", min=1)]
Trials = Annotated[int | None, typer.Option(help="When to stop.", min=1, show_default="100, or as time allows")]
Time = Annotated[str, typer.Option(help="When to stop searching, such as 30s or 5m.")]
Sampler = Annotated[str, typer.Option(help="Of Optuna's: tpe or random.", metavar="tpe|random")]
Workers = Annotated[int | None, typer.Option(help="Processes that train trials.", min=1, show_default="this one")]
Ray = Annotated[str, typer.Option(help="A Ray cluster to train trials on: its address, or local.", metavar="ADDRESS")]
Precision = Annotated[str, typer.Option(help="float32, int8, int16x8, or auto, which searches float32 and int8.")]
Metric = Annotated[
    str,
    typer.Option(
        help="What networks are compared by: accuracy, average_precision, log_loss, r2, or auto: accuracy or r2, for "
        "rare classes average_precision.",
        metavar="auto|accuracy|average_precision|log_loss|r2",
    ),
]
Restart = Annotated[bool, typer.Option("--restart", help="Begin anew, whatever an earlier search left.")]


@reads_tables
def tune(
    table: Annotated[Path, typer.Argument(help=Table)],
    target: Annotated[str, typer.Option(help="The column to predict.")],
    reading: dict[str, Any],
    chip: Chip = "cortex-m4",
    flash: FlashLimit = "",
    ram: RamLimit = "",
    instructions: Instructions = None,
    trials: Trials = None,
    time: Time = "",
    sampler: Sampler = "tpe",
    workers: Workers = None,
    ray: Ray = "",
    restart: Restart = False,
    metric: Metric = "auto",
    task: Annotated[str, typer.Option(help="binary, multiclass or regression; by default told from the column.")] = "",
    precision: Precision = "auto",
    columns: training.Columns = "",
    drop: training.Drop = "",
    categorical: training.Categorical = "",
    numeric: training.Numeric = "",
    positive: training.Positive = "",
    balance: Balance = "none",
    class_weight: ClassWeight = "",
    threshold: Threshold = "",
    split: training.HowSplit = "random",
    test: training.Test = None,
    no_importance: training.NoImportance = False,
    compiler: CompilerName = "",
    out: training.Out = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Search for the networks worth having on a chip: widths, depth, activation, training, precision.

    Shows which no other beats in score, flash and instructions at once, and what each choice was worth; trains the
    best within the limits, and leaves it as train does. Trials are kept in OUT.tune.json: the same command goes on from
    there, with more --trials too. Ctrl-C while searching goes on with the best so far; a second one gives up.

    Example: edgeling tune flowers.csv --target species --for cortex-m0plus --flash 4k --ram 512 --time 30s
    """
    with reported(as_json):
        from edgeling.artifact import require_replaceable
        from edgeling.data import table_stem
        from edgeling.workflow.deploy import identifier
        from edgeling.workflow.store import SUFFIX

        folder = out or Path(identifier(table_stem(table)) + SUFFIX)
        require_replaceable(folder)
        options = training.settings_of(
            task=task, precision=precision, columns=columns, drop=drop, categorical=categorical, numeric=numeric,
            positive=positive, balance=balance, class_weight=class_weight, threshold=threshold,
            split=split, test=test, targets=chip, compiler=compiler, importance=not no_importance, seed=seed,
        )  # fmt: skip
        search = {
            "targets": chip, "flash_bytes": size_bytes("flash", flash), "ram_bytes": size_bytes("ram", ram),
            "instructions": instructions, "trials": trials, "seconds": _seconds(time), "sampler": sampler,
            "workers": workers, "ray": ray, "restart": restart, "metric": metric,
        }  # fmt: skip
        _tune_and_show(table, target, folder, as_json, {**options, **search, **reading})


def _tune_and_show(table: Path, target: str, folder: Path, as_json: bool, how: dict[str, Any]) -> None:
    from edgeling.cli.tune_display import SearchProgress, show_tuned
    from edgeling.workflow.store import command_of, manifest, save_trained
    from edgeling.workflow.tune import tune as tune_table
    from edgeling.workflow.tuning.journal import SUFFIX

    how.pop("hidden")
    journal = folder.with_name(folder.name.removesuffix(".edgeling") + SUFFIX)
    found = tune_table(table, target, **how, journal=journal, progress=SearchProgress(), keep_interrupted=True)
    command = command_of(found.trained)
    artifact = save_trained(found.trained, folder, command)
    show_tuned(found, artifact, command)
    if as_json:
        print_json({**manifest(found.trained, command), "search": found.to_json(), "artifact": artifact})


def _seconds(text: str) -> float | None:
    """``30s``, ``5m``, ``1h`` or ``90`` in seconds; None for nothing."""
    if not text:
        return None
    match = _DURATION.fullmatch(text)
    seconds = float(match[1]) * _SECONDS[match[2].lower()] if match else 0.0
    if not 0 < seconds < 1e9:
        raise typer.BadParameter(f"{text!r} is not a time such as 30s, 5m or 1h", param_hint="--time")
    return seconds
