# SPDX-License-Identifier: Apache-2.0
"""``edgeling build``: the C, in a folder, measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeling.cli.explaining import (
    Background,
    Explain,
    ModelOutput,
    Reasons,
    explanation_json,
    require_explain,
    show_explanations,
)
from edgeling.cli.learning import (
    Adapt,
    Learn,
    Loss,
    OptimizerOption,
    Remember,
    learning_json,
    require_learn,
    show_learning,
)
from edgeling.cli.output import Json, print_json, reported, say
from edgeling.cli.reading import reads_tables
from edgeling.cli.sizes import Flash, Ram, size_bytes

if TYPE_CHECKING:
    from edgeling.toolchain.prove import Proof
    from edgeling.workflow.build import Build

PACKAGES = ("c", "arduino", "platformio", "esp-idf", "zephyr", "cmake", "web", "linux")
_USUAL_TARGETS = "cortex-m4; wasm32 for the web, native for linux"
TOO_LARGE = 3  # the exit code of what was done for a chip that has not the memory

Artifact = Annotated[Path, typer.Argument(help="An .edgeling folder, or a .keras or .h5 file.")]
Precision = Annotated[
    str,
    typer.Option(
        help="float32, int8, int16x8, or auto: int8 if --calibration or --io ask for it, else what train chose."
    ),
]
For = Annotated[str, typer.Option("--for", help="The target; edgeling targets lists them.")]
BuildFor = Annotated[
    str, typer.Option("--for", help="The target; edgeling targets lists them.", show_default=_USUAL_TARGETS)
]
PackageName = Annotated[str, typer.Option("--as", help="Sources, or a package for a tool.", metavar="|".join(PACKAGES))]
Folder = Annotated[Path | None, typer.Option(help="The folder.", show_default="firmware; of a package NAME-PACKAGE")]
Io = Annotated[str, typer.Option(help="float32, or int8: what the caller's buffers hold.")]
SelfTest = Annotated[bool, typer.Option(help="Write NAME_selftest too, with inputs and answers in flash.")]
Calibration = Annotated[
    Path | None,
    typer.Option(help="A table whose rows decide the scales of integers: the model's columns, no others."),
]
CompilerName = Annotated[
    str,
    typer.Option(
        "--compiler",
        help="The C compiler for Arm targets, with flags of its own: 'arm-none-eabi-gcc -Os'; by default that of "
        "EDGELING_CC_ARM, else the one that comes with the package.",
        metavar="COMMAND",
    ),
]
Steps = Annotated[
    str,
    typer.Option(
        help="Of a network made for rows of any length (Input((None, 6))): how long they are in the C, such as 24; "
        "32,32 where several lengths are not known; 1-24 for C that takes shorter sequences too, and is told how many "
        "steps are there.",
        metavar="N|1-N|N,N",
    ),
]


@reads_tables
def build(
    artifact: Artifact,
    reading: dict[str, Any],
    target: BuildFor = "",
    package: PackageName = "c",
    out: Folder = None,
    precision: Precision = "auto",
    name: Annotated[str, typer.Option(help="What files and functions are called; by default as the artifact.")] = "",
    calibration: Calibration = None,
    io: Io = "float32",
    selftest: SelfTest = False,
    flash: Flash = "",
    ram: Ram = "",
    compiler: CompilerName = "",
    steps: Steps = "",
    learn: Learn = "",
    optimizer: OptimizerOption = "sgd",
    loss: Loss = "",
    adapt: Adapt = "",
    remember: Remember = 0,
    explain: Explain = "",
    reasons: Reasons = None,
    background: Background = None,
    model_output: ModelOutput = "probability",
    force: Annotated[bool, typer.Option(help="Replace files in the folder that are edited or somebody's own.")] = False,
    as_json: Json = False,
) -> None:
    """Write the C99 of a trained network, with an example, and measure the binary on the target.

    With --as it becomes a package: a library of Arduino, PlatformIO, ESP-IDF, Zephyr or CMake, a page of the web that
    answers while one types, or a command for Linux that answers lines of JSON.
    Exits 3 if the target has not the memory; the C is written all the same. With --learn it can learn on the device,
    and does so on the target: its weights are compared with those that the same rows give here. With --explain it
    tells on the device what each column adds to an answer, which is compared and measured likewise.

    Example: edgeling build flowers.edgeling --for cortex-m4 --out firmware/
    Example: edgeling build flowers.edgeling --as arduino
    """
    with reported(as_json):
        from edgeling.workflow.build import build as build_c
        from edgeling.workflow.opening import opened, with_steps

        _require_one_of("--as", package, PACKAGES)
        _require_one_of("--io", io, ("float32", "int8"))
        require_learn(learn, optimizer=optimizer, loss=loss, adapt=adapt, remember=remember)
        require_explain(explain, reasons, background, model_output)
        known = with_steps(opened(artifact), **lengths_of(steps))[0]
        rows, compared = (rows_of(known, x, reading) if x else None for x in (calibration, background))
        out = out or _folder(artifact, name, package)
        built = build_c(
            artifact, target, package=package, out=out, precision=precision, name=name, calibration_data=rows, io=io,
            selftest=selftest, force=force, compiler=compiler, flash_bytes=size_bytes("flash", flash),
            ram_bytes=size_bytes("ram", ram), learn=learn, optimizer=optimizer, loss=loss, adapt=adapt,
            remember=remember, explain=explain, reasons=reasons, background=compared, model_output=model_output,
            **lengths_of(steps),
        )  # fmt: skip
        _show(built, out)
        if as_json:
            print_json({**_told(built), "artifact": out})
        raise_exit(built)


def lengths_of(steps: str) -> dict[str, Any]:
    """What ``--steps`` says: ``steps``, and whether there are ``shorter`` sequences."""
    if not steps:
        return {"steps": None}
    least, dash, most = steps.rpartition("-")
    numbers = [part.strip() for part in most.split(",")]
    if not all(part.isdecimal() and int(part) for part in numbers) or (dash and least.strip() != "1"):
        raise typer.BadParameter(f"{steps!r} is not whole numbers, such as 24, 1-24 or 32,32", param_hint="--steps")
    return {"steps": [int(part) for part in numbers], "shorter": bool(dash)}


def _require_one_of(option: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(allowed)}", param_hint=option)


def _show(built: Build, out: Path) -> None:
    for path in built.kept:
        say(f"Left: {out / path}, of an earlier build, for it was edited since")
    show_proof(built.target, built.precision, built)
    show_learning(built.learning)
    show_explanations({built.target: built.explanation})
    if built.package != "c":
        say(f"Written to {out}; README.md says how to use it")


def _told(built: Any) -> dict[str, Any]:
    said = ("name", "package", "precision", "io", "model_hash", "kept")
    more = {**learning_json(built.learning), **explanation_json(built.explanation)}
    told = {**{key: getattr(built, key) for key in said}, "files": sorted(built.files)}
    return {**told, "targets": {built.target: figures(built)}, **more}


def _folder(artifact: Path, name: str, package: str) -> Path:
    from edgeling.packages.names import legal_name
    from edgeling.workflow.deploy import identifier

    title = name or artifact.expanduser().resolve().stem
    return Path("firmware" if package == "c" else f"{legal_name(identifier(title))}-{package}")


def show_proof(target: str, precision: str, proof: Proof) -> None:
    """One program on one target, as a table."""
    from edgeling.cli.display import show_deployments
    from edgeling.workflow.summary import deployment

    show_deployments([deployment(precision, target, proof, {})])


def figures(proof: Proof) -> dict[str, Any]:
    """A proof in plain values."""
    from edgeling.workflow.store import proof_json

    return proof_json(proof)


def raise_exit(proof: Proof) -> None:
    """1 where the C differs from what the network means, 3 where the chip has not the memory."""
    if not proof.matches:
        raise typer.Exit(1)
    if not proof.fits:
        raise typer.Exit(TOO_LARGE)


def rows_of(source: Any, table: Path, reading: dict[str, Any], strict: bool = False) -> Any:
    """A table's rows as a model takes them: by the names of its columns or inputs, or all columns in order. Those that
    cannot be answered are left out and counted.

    Args:
        strict: refuse a table with such a row.

    Raises:
        DataError: the table cannot be read, lacks a column, has others than a bare model takes, or no row of use.
    """
    from edgeling.data import Reading, read_table
    from edgeling.workflow.opening import graph_of
    from edgeling.workflow.pipeline import Pipeline
    from edgeling.workflow.ports import table_rows

    if isinstance(source, Pipeline):
        rows, reasons = source.answerable_rows(source.read(table, Reading(**reading)), strict=strict)
        if len(rows) < len(reasons):
            first = next(i for i, reason in enumerate(reasons) if reason)
            count = f"{len(reasons) - len(rows):,} of {len(reasons):,} rows of {table.name}"
            say(f"Left out: {count}, which cannot be answered; the first is row {first + 1}: {reasons[first]}")
        return rows
    return table_rows(read_table(table, reading=Reading(**reading)), graph_of(source))
