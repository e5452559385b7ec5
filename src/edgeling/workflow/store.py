# SPDX-License-Identifier: Apache-2.0
"""Pipelines and graphs as ``.edgeling`` folders, and back. Reading one loads nothing that only training needs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeling import targets
from edgeling.artifact import Artifact, read_artifact, write_artifact
from edgeling.data import Preparation, Reading
from edgeling.errors import ArtifactError, GraphError
from edgeling.files.arrays import arrays_to_npz
from edgeling.files.strict_json import finite
from edgeling.graph import Graph
from edgeling.graph.cost import cost
from edgeling.graph.serialize import from_json, to_json
from edgeling.graph.types import TensorType
from edgeling.toolchain.prove import TIME_BASIS, Proof
from edgeling.workflow import deployed
from edgeling.workflow.deploy import PRECISIONS, Deployable
from edgeling.workflow.deployed import DeployedGraph
from edgeling.workflow.pipeline import Pipeline, interface_for, synthetic_rows
from edgeling.workflow.shipped import shipped_sources, sources_path

if TYPE_CHECKING:
    from edgeling.workflow.train import Trained

SUFFIX = ".edgeling"


def save_trained(trained: Trained, folder: str | Path = "", command: str = "") -> Path:
    """Write the deployable folder: manifest, graphs, weights, C, report. Replaced whole, or not at all.

    Args:
        folder: by default ``NAME.edgeling`` here.
        command: what a person types to get the same again; by default ``edgeling train`` with its arguments.

    Returns:
        The folder.

    Raises:
        ArtifactError: it cannot be written, or something else stands there.
    """
    from edgeling.report.page import render
    from edgeling.workflow.summary import trained_content

    path = Path(folder) if folder else Path(trained.pipeline.name + SUFFIX)
    pipeline = trained.pipeline
    files = {"preparation.json": _json(pipeline.preparation.to_json()), "model.json": _json(pipeline.model_config)}
    for precision in pipeline.deployable.graphs:
        files |= _graph_files(trained.deployable(precision), precision)
    command = command or command_of(trained)
    files["report.html"] = render(trained_content(trained, command)).encode()
    write_artifact(path, manifest(trained, command), files)
    return path


def command_of(trained: Trained, *begin: str) -> str:
    """What a person types to get the same again, as far as the command line can say it.

    Args:
        begin: how it begins; by default ``edgeling train`` with the table and its target.
    """
    from edgeling.workflow.recipes import settled
    from edgeling.workflow.settings import Settings

    settings, usual = trained.settings, settled(Settings(), trained.learned.recipe)
    # What was interrupted had not come to asking for another rate.
    said = {"seed", "learning_rate"} if trained.learned.fitted.stopped_by == "interrupt" else {"seed"}
    words = [*begin] or ["edgeling", "train", trained.source, "--target", trained.check.target]
    for option, name in _OPTIONS.items():
        value = getattr(settings, name)
        if name in said or _differs(value, getattr(usual, name)):
            words += [f"--{option}", _option_text(value)]
    words += [] if settings.refit else ["--no-refit"]
    words += _reading_options(trained.reading)
    return shlex.join(words + ([] if settings.importance else ["--no-importance"]))


def _differs(value: Any, usual: Any) -> bool:
    """Whether an option says something; a table in memory does, and has no truth value of being another."""
    plain = isinstance(value, str | int | float | tuple | Mapping | Path | None)
    return value != usual if plain else value is not usual


def _reading_options(reading: Reading) -> list[str]:
    said = {**asdict(reading), "missing": None, "day_first": None}
    words = [word for name, value in said.items() if value for word in (f"--{name}", str(value))]
    words += [word for missing in reading.missing for word in ("--missing", missing)]
    first = {True: ["--day-first"], False: ["--month-first"], None: []}
    return words + first[reading.day_first]


# Options of the command line whose name is not the setting's.
_OPTIONS = {
    **{name: name for name in ("task", "precision", "hidden", "activation", "epochs")},
    "batch-size": "batch_size",
    "learning-rate": "learning_rate",
    "weight-decay": "weight_decay",
    "patience": "patience",
    "recipe": "recipe",
    "seeds": "seeds",
    "teacher": "teacher",
    "balance": "balance",
    "class-weight": "class_weight",
    "threshold": "threshold",
    **{name: name for name in ("positive", "drop", "columns", "categorical", "numeric", "split", "test")},
    "for": "targets",
    "compiler": "compiler",
    "kernels": "kernels",
    "explain": "explain",
    "reasons": "reasons",
    "seed": "seed",
}


def _option_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{label}={weight:g}" for label, weight in value.items())
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return str(value) if isinstance(value, (str, int, float, Path)) else "TABLE"


def manifest(trained: Trained, command: str) -> dict[str, Any]:
    """What the artifact says of itself, the same names as ``--json``."""
    pipeline, target = trained.pipeline, trained.pipeline.preparation.target
    return {
        "program": pipeline.name,
        "task": target.task,
        "target": target.name,
        "labels": list(target.labels),
        "positive": target.labels[1] if target.task == "binary" else None,
        "inputs": list(pipeline.preparation.names),
        "precision": pipeline.precision,
        "kernels": trained.settings.kernels or None,
        "seed": trained.settings.seed,
        "command": command,
        "settings": trained.settings.to_json(),
        "training": _training(trained),
        **trained.answering.to_json(trained.learned.balancing),
        "typical_rows": trained.typical_rows.tolist(),
        "warnings": list(trained.notes),
        "findings": [finding.to_json() for finding in trained.findings],
        **results(trained),
        **({"explain": trained.kept.to_json()} if trained.kept else {}),
        **({"search": trained.search.to_json()} if trained.search else {}),
    }


def _training(trained: Trained) -> dict[str, Any]:
    fitted, parts = trained.fitted, trained.division.parts
    rows = {"train": len(parts.train), "validation": len(parts.validation), "test": trained.division.test.rows}
    return {
        "epochs": fitted.epochs,
        "best_epoch": fitted.best_epoch,
        "stopped_by": fitted.stopped_by,
        "rows": rows,
        "recipe": trained.learned.deployed,
        "refitted": trained.learned.refitted,
        "learning_rate": trained.learned.rate and trained.learned.rate.to_json(),
        "teacher": trained.learned.lesson and trained.learned.lesson.to_json(),
        "compared": _compared(trained),
    }


def _compared(trained: Trained) -> dict[str, Any] | None:
    """What was compared on rows left out, by name: the score a person asks for first, and the loss."""
    selection = trained.selection
    if selection is None:
        return None
    metric = "accuracy" if selection.classes else "r2"
    candidates = {
        name: {
            metric: selection.score(name),
            "standard_error": selection.spread(name),
            "loss": each.loss,
            "epochs": each.epochs,
            "parameters": each.network.count_params(),
        }
        for name, each in selection.candidates.items()
    }
    return {"folds": selection.folds, "rows": len(selection.rows), "candidates": finite(candidates)}


def results(trained: Trained) -> dict[str, Any]:
    """Metrics, importance and measurements in plain values: ``targets`` are those of the precision deployed."""
    importance, precision = trained.importance, trained.pipeline.precision
    return {
        "metrics": finite(trained.scores[precision]),
        "multiply_accumulates": cost(trained.pipeline.deployable.graphs[precision]).multiply_accumulates,
        "fusion_error": float(trained.pipeline.deployable.graphs[precision].metadata.get("fusion_error", 0.0)),
        "importance": (
            None if importance is None else dict(zip(importance.feature_names, importance.mean.tolist(), strict=True))
        ),
        **({"importance_by_class": importance.class_json()} if importance is not None and importance.by_class else {}),
        **({} if trained.columns is None else {"explanations": trained.columns.to_json()}),
        "targets": {name: proof_json(proof) for name, proof in trained.proofs[precision].items()},
        "precisions": {
            p: {
                "metrics": finite(trained.scores[p]),
                "targets": {name: proof_json(proof) for name, proof in trained.proofs[p].items()},
            }
            for p in trained.proofs
        },
    }


def proof_json(proof: Proof) -> dict[str, Any]:
    """A proof in plain values."""
    figures = {field.name: getattr(proof, field.name) for field in fields(Proof) if field.name != "target"}
    figures["clock_hz"] = figures["clock_hz"] or None  # of this machine, which nobody asked
    latency = proof.estimated_latency_us
    basis = TIME_BASIS if latency is not None else None
    estimates = {"estimated_latency_us": latency, "estimated_latency_basis": basis}
    return {**figures, "fits": proof.fits, **estimates, "estimated_energy_uj": proof.estimated_energy_uj}


def save_graph(deployable: Deployable, precision: str, folder: str | Path = "") -> Path:
    """Write a graph's deployable folder: manifest, graphs, weights, C. Replaced whole, or not at all.

    Args:
        deployable: with its float32 graph.
        precision: the one that is to be deployed.
        folder: by default ``NAME.edgeling`` here.

    Raises:
        ArtifactError: it cannot be written, or something else stands there.
    """
    path = Path(folder) if folder else Path(deployable.name + SUFFIX)
    files = {name: text for p in deployable.graphs for name, text in _graph_files(deployable, p).items()}
    write_artifact(path, deployed.manifest(deployable, precision), files)
    return path


def load_pipeline(folder: str | Path) -> Pipeline:
    """As :func:`load`, what was trained on a table.

    Raises:
        ArtifactError: as :func:`load`; or the folder holds a graph alone.
    """
    found = load(folder)
    if isinstance(found, Pipeline):
        return found
    raise ArtifactError(
        "this takes an artifact that was trained on a table", received=f"the graph {found.name!r} alone",
        remedy="edgeling predict, build, verify or info",
    )  # fmt: skip


def load(folder: str | Path) -> Pipeline | DeployedGraph:
    """Read a deployable folder. Everything in it is checked before it is believed.

    Returns:
        A pipeline, of what :func:`edgeling.train` made; of a graph that was saved by itself a ``DeployedGraph``. Both
        have ``predict``.

    Raises:
        ArtifactError: missing, corrupt, forged, or written by a newer version.
    """
    artifact = read_artifact(Path(folder))
    try:
        graphs: dict[str, Graph] = {
            p: _read_graph(artifact, p) for p in PRECISIONS if f"graph_{p}.json" in artifact.files
        }
        if artifact.manifest.get("kind") == deployed.KIND:
            return deployed.assemble(artifact, graphs)
        return _assemble(artifact, Preparation.from_json(artifact.read_json("preparation.json")), graphs)
    except GraphError as error:
        raise ArtifactError("an artifact holds legal graphs", received=error.message, remedy="train again") from None


def _assemble(artifact: Artifact, preparation: Preparation, graphs: Mapping[str, Graph]) -> Pipeline:
    details = artifact.manifest
    name, precision = deployed.program_of(details, graphs)
    for graph in graphs.values():
        _require_shape(graph, preparation)
    kernels = details.get("kernels")
    if kernels is not None and kernels not in targets.names():
        raise ArtifactError("kernels are those of a target", received=repr(kernels), remedy="a newer Edgeling")
    chip = None if kernels is None else targets.get(kernels)
    deployable = Deployable(name, graphs, (synthetic_rows(preparation),), interface_for(preparation), chip)
    shipped = {p: shipped_sources(artifact, p) for p in graphs}
    explanations = {p: _read_graph(artifact, p, _EXPLAINS) for p in graphs if f"{_EXPLAINS}{p}.json" in artifact.files}
    model = artifact.read_json("model.json")
    return Pipeline(preparation, deployable, precision, model, details, shipped, explanations)


def _require_shape(graph: Graph, preparation: Preparation) -> None:
    inputs, outputs = graph.inputs, graph.outputs
    classes = len(preparation.target.labels)
    expected = (1, classes if classes > 2 else 1)
    ends = [graph.types[end] for end in (*inputs, *outputs)]
    wanted = [TensorType((1, preparation.raw_size)), TensorType(expected)]
    if len(inputs) != 1 or ends != wanted or graph.variables:
        raise ArtifactError(
            f"the graph takes {wanted[0]} and gives {wanted[1]}, and keeps nothing",
            received=f"{', '.join(map(str, ends))} of {graph.name!r}",
            remedy="copy the whole folder again, or train again",
        )


def _graph_files(deployable: Deployable, precision: str) -> dict[str, bytes]:
    files = _files_of(deployable.graphs[precision], precision)
    if deployable.explanation:
        files |= _files_of(deployable.explanation.graph, precision, _EXPLAINS)
    sources = deployable.program(precision).files_and_examples
    return files | {f"{sources_path(precision)}{path}": text.encode() for path, text in sources.items()}


_ANSWERS, _EXPLAINS = "graph_", "explanation_"  # what the names of a graph's files begin with
_WEIGHTS = {_ANSWERS: "weights_", _EXPLAINS: "explanation_weights_"}


def _files_of(graph: Graph, precision: str, begin: str = _ANSWERS) -> dict[str, bytes]:
    description, arrays = to_json(graph)
    return {f"{begin}{precision}.json": _json(description), f"{_WEIGHTS[begin]}{precision}.npz": arrays_to_npz(arrays)}


def _read_graph(artifact: Artifact, precision: str, begin: str = _ANSWERS) -> Graph:
    weights = artifact.read_arrays(f"{_WEIGHTS[begin]}{precision}.npz")
    if bad := [name for name, array in weights.items() if not np.isfinite(array).all()]:
        raise ArtifactError(
            "weights are finite numbers", received=f"NaN or infinity in {bad[0]!r}", remedy="train again"
        )
    return from_json(artifact.read_json(f"{begin}{precision}.json"), weights)


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
