# SPDX-License-Identifier: Apache-2.0
"""``edgeling verify``: the C on an emulated chip, against the meaning of the graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeling.cli.build import (
    Artifact,
    Calibration,
    CompilerName,
    For,
    Precision,
    Steps,
    figures,
    lengths_of,
    raise_exit,
    rows_of,
    show_proof,
)
from edgeling.cli.explaining import (
    Background,
    Explain,
    ModelOutput,
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
    lessons_of,
    require_learn,
    show_learning,
)
from edgeling.cli.output import Json, print_json, reported, say
from edgeling.cli.predict import Strict
from edgeling.cli.reading import reads_tables
from edgeling.cli.sizes import Flash, Ram, size_bytes

if TYPE_CHECKING:
    from edgeling.workflow.build import Verification


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
    compiler: CompilerName = "",
    explain: Explain = "",
    background: Background = None,
    model_output: ModelOutput = "probability",
    strict: Strict = False,
    steps: Steps = "",
    learn: Learn = "",
    optimizer: OptimizerOption = "sgd",
    loss: Loss = "",
    adapt: Adapt = "",
    remember: Remember = 0,
    learning_rate: Annotated[
        float | None, typer.Option(help="With --learn: of each step; by default the optimizer's usual one.", min=0.0)
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the C on an emulated chip and compare with what the network means; exit 1 if they differ.

    Of an .edgeling folder, the C that lies there is run, and compared with what its network gives.
    Rows of --data that cannot be answered are left out and counted; --strict refuses them.
    With --explain, NAME_explain of C made now is run on the rows too.
    Exits 3 if they agree but the target has not the memory.
    With --learn the C learns there, row by row, from --data with its target (of a bare model the columns behind its
    inputs) or from rows made up; the weights are compared with those that the same rows give here.

    Example: edgeling verify flowers.edgeling --for cortex-m4
    """
    with reported(as_json):
        from edgeling.workflow.build import verify as verify_c
        from edgeling.workflow.opening import opened, with_steps

        others: dict[str, Any] = {"optimizer": optimizer, "loss": loss, "adapt": adapt, "remember": remember}
        require_learn(learn, **others, learning_rate=learning_rate)
        require_explain(explain, None, background, model_output)
        source = with_steps(opened(artifact), **lengths_of(steps))[0]
        rows, truths = lessons_of(source, data, reading) if learn and data else (None, None)
        if data and not learn:
            rows = rows_of(source, data, reading, strict)
        proof = verify_c(
            source, target, precision=precision, rows=rows, truths=truths, learn=learn, **others,
            learning_rate=learning_rate, model_output=model_output,
            calibration_data=rows_of(source, calibration, reading) if calibration else None,
            flash_bytes=size_bytes("flash", flash), ram_bytes=size_bytes("ram", ram), compiler=compiler,
            explain=explain, background=rows_of(source, background, reading) if background else None,
        )  # fmt: skip
        _show(artifact, proof, target)
        if as_json:
            print_json({"artifact": artifact, **_told(proof, target)})
        raise_exit(proof)


def _show(artifact: Path, proof: Verification, target: str) -> None:
    show_proof(target, proof.precision, proof)
    show_learning(proof.learning)
    show_explanations({target: proof.explanation})
    _tell(artifact, proof)


def _told(proof: Verification, target: str) -> dict[str, Any]:
    told = {key: getattr(proof, key) for key in ("precision", "ran", "edited")}
    more = {**learning_json(proof.learning), **explanation_json(proof.explanation)}
    return {**told, "targets": {target: figures(proof)}, **more}


def _tell(artifact: Path, proof: Verification) -> None:
    """Which C was run, and what was edited in it."""
    folder = f"c/{proof.precision} in {artifact}"
    if proof.ran == "shipped":
        say(f"Built and run: {folder}, {'as it lies there' if proof.edited else 'which is what the network gives'}.")
    if proof.edited:
        say(f"Not what the network gives: {', '.join(proof.edited[:5])}{', ...' if len(proof.edited) > 5 else ''}.")
    if proof.edited and proof.ran == "generated":
        say(f"Nothing of {folder} was run, for that would be on this machine; what was run was generated now.")
