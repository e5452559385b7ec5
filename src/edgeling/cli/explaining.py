# SPDX-License-Identifier: Apache-2.0
"""What ``build`` and ``verify`` share about C that explains itself: options, a table, plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from edgeling.explaining.proof import ExplanationProof

_METHODS, _OUTPUTS = ("gradient", "integrated", "shapley"), ("probability", "raw")
Explain = Annotated[
    str,
    typer.Option(
        help="Write NAME_explain: the derivative, integrated gradients, or exact Shapley values (up to 12 columns).",
        metavar="|".join(_METHODS),
    ),
]
Reasons = Annotated[
    int | None, typer.Option(help="How many columns NAME_reasons names; 0 writes none.", min=0, show_default="2")
]
Background = Annotated[
    Path | None,
    typer.Option(help="A table whose rows explanations compare with; by default averages that the artifact holds."),
]


ModelOutput = Annotated[
    str,
    typer.Option(
        help="What is explained: the probability, or the score that a sigmoid or softmax makes it of (log-odds).",
        metavar="|".join(_OUTPUTS),
    ),
]


def require_model_output(model_output: str) -> None:
    """Wrong usage where it is none."""
    if model_output not in _OUTPUTS:
        raise typer.BadParameter(f"{model_output!r} is not one of {', '.join(_OUTPUTS)}", param_hint="--model-output")


def require_explain(explain: str, reasons: int | None, background: Path | None, model_output: str) -> None:
    """Wrong usage where a method is none, or options about it stand without it."""
    if explain and explain not in _METHODS:
        raise typer.BadParameter(f"{explain!r} is not one of {', '.join(_METHODS)}", param_hint="--explain")
    require_model_output(model_output)
    if not explain and (reasons is not None or background or model_output != "probability"):
        raise typer.BadParameter(
            "--reasons, --background and --model-output are about explanations", param_hint="--explain"
        )


def show_explanations(found: Mapping[str, ExplanationProof | None]) -> None:
    """What explaining takes on each target and how right it is; nothing where nothing is explained."""
    proofs = {target: proof for target, proof in found.items() if proof}
    if not proofs:
        return
    from edgeling.cli.explanation import figures_table
    from edgeling.cli.terminal import console
    from edgeling.report import units

    table = figures_table("explaining", "on", "flash B", "more", "RAM B", "instr.", "error", "adds up to")
    for target, each in proofs.items():
        table.add_row(
            each.method, target, units.count(each.flash_bytes), units.count(each.added_flash_bytes),
            units.count(each.ram_bytes), units.count(each.instructions), units.figure(each.max_error),
            units.figure(each.completeness),
        )  # fmt: skip
    screen = console()
    screen.print()
    screen.print(table)
    matches = all(each.matches for each in proofs.values())
    sentence = "explains what the graph means" if matches else "does not explain what the graph means"
    first = next(iter(proofs.values()))
    compared = f"{first.background_rows} row{'s' * (first.background_rows != 1)}"
    compared += f" x {first.steps} steps" if first.steps else ""
    rows = min(each.rows for each in proofs.values())
    screen.print(f"{'✓' if matches else '✗'} NAME_explain {sentence}, on {rows} rows; it compares with {compared}.")


def explanation_json(found: ExplanationProof | None) -> dict[str, Any]:
    """The same in plain values, under ``explain``."""
    return {} if found is None else {"explain": asdict(found)}
