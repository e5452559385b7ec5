# SPDX-License-Identifier: Apache-2.0
"""C for a target, written to a folder and measured: ``edgeling.build``; and run there: ``edgeling.verify``."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edgeling import targets
from edgeling.errors import EdgelingError, UnsupportedError
from edgeling.formats.keras_file import load_keras
from edgeling.formats.live_keras import from_keras, is_keras_model
from edgeling.graph import Graph
from edgeling.graph.types import Array
from edgeling.models import Sequential
from edgeling.toolchain.prove import Proof
from edgeling.training.arrays import features
from edgeling.training.graphs import inference_graph
from edgeling.workflow.deploy import PRECISIONS, PROOF_ROWS, Deployable, deployable, identifier
from edgeling.workflow.pipeline import Pipeline
from edgeling.workflow.store import load

Source = Any  # Sequential, a Keras model, Pipeline, Graph or a path: Keras is not imported to name its class
MODEL_FILES = (".keras", ".h5")


@dataclass(frozen=True, kw_only=True)
class Verification(Proof):
    """What a program did on a target.

    Attributes:
        precision: what ``"auto"`` came to.
    """

    precision: str


@dataclass(frozen=True, kw_only=True)
class Build(Verification):
    """C that was written, and what it measures on its target.

    Attributes:
        folder: where the C is; None if it was not written.
        files: path to text.
    """

    folder: Path | None
    files: Mapping[str, str]


def build(
    source: Source,
    target: str = "cortex-m4",
    *,
    out: str | Path | None = None,
    precision: str = "auto",
    name: str = "",
    calibration_data: ArrayLike | None = None,
) -> Build:
    """Compile a model to C99 for a target, measure the binary, and write the sources.

    Args:
        source: a ``Sequential``, a live Keras model, a loaded pipeline, a graph, or the path of an ``.edgeling`` folder
            or a ``.keras`` file.
        target: one of ``edgeling targets``.
        out: folder for the C (created; files of the same names are replaced); None writes nothing.
        precision: ``"float32"``, ``"int8"``, or ``"auto"``: what the artifact was trained for, else float32.
        calibration_data: [rows, n] inputs whose ranges decide the scales of int8; by default the rows last fitted.

    Raises:
        TargetError: no such target, or the program does not fit it.
        UnsupportedError: int8 without rows to calibrate on, or a layer that cannot be deployed.
        ToolchainError: it does not compile.

    Example:
        >>> build(model, target="cortex-m4", out="firmware").flash_bytes  # doctest: +SKIP
    """
    targets.get(target)
    deployed, precision = as_deployable(source, precision, name, calibration_data)
    program = deployed.program(precision)
    proof = deployed.prove(precision, target)
    files = program.files_and_examples
    folder = _write(files, Path(out).expanduser()) if out is not None else None
    return Build(**vars(proof), folder=folder, files=files, precision=precision)


def verify(
    source: Source,
    target: str = "cortex-m4",
    *,
    precision: str = "auto",
    rows: ArrayLike | None = None,
    calibration_data: ArrayLike | None = None,
) -> Verification:
    """Run a model's C on an emulated target against the meaning of its graph.

    Args:
        rows: float32 [rows, n] inputs; by default rows drawn from the preparation's statistics, or for a bare model
            from the standard normal distribution.

    Returns:
        ``matches`` says whether they agree: to the last bit for int8, to 1e-5 of the largest answer for float32.

    Raises:
        DataError: rows of another width, or none.
        TargetError, UnsupportedError, ToolchainError: as :func:`build`.
    """
    targets.get(target)
    deployed, precision = as_deployable(source, precision, "", calibration_data)
    if rows is not None:
        deployed = replace(deployed, rows=_rows_for(deployed.graphs[precision], rows))
    return Verification(**vars(deployed.prove(precision, target)), precision=precision)


def opened(source: Source) -> Pipeline | Sequential | Graph:
    """What stands behind a path (an ``.edgeling`` folder or a ``.keras`` file) or a live Keras model.

    Raises:
        ArtifactError: it is corrupt.
        UnsupportedError: it holds a layer that Edgeling does not know.
    """
    if isinstance(source, str | Path):
        return load_keras(source) if Path(source).suffix in MODEL_FILES else load(source)
    found = from_keras(source) if is_keras_model(source) else source
    if not isinstance(found, Pipeline | Sequential | Graph):
        raise UnsupportedError(
            "a model is a Sequential, a Keras model, a loaded pipeline, a graph, or the path of one",
            received=type(found).__name__,
            remedy="edgeling.load(folder), or edgeling.models.load_model(file)",
        )
    return found


def as_deployable(
    source: Source, precision: str, name: str = "", calibration_data: ArrayLike | None = None
) -> tuple[Deployable, str]:
    """What ``source`` deploys, and the precision ``"auto"`` stands for."""
    source = opened(source)
    if isinstance(source, Pipeline):
        chosen = source.precision if precision == "auto" else precision
        source.deployable.program(chosen)
        return source.deployable, chosen
    chosen = "float32" if precision == "auto" else precision
    if chosen not in PRECISIONS:
        raise UnsupportedError(f"a precision is auto, {' or '.join(PRECISIONS)}", received=repr(precision))
    graph = source if isinstance(source, Graph) else inference_graph(source)
    calibration = _rows_for(graph, _calibration(source, calibration_data)) if chosen == "int8" else None
    label = identifier(name or graph.name)
    return deployable(label, graph, _normal_rows(graph, calibration), calibration, [chosen]), chosen


def _calibration(source: Sequential | Graph, given: ArrayLike | None) -> ArrayLike:
    rows = given if given is not None else getattr(source, "calibration_rows", None)
    if rows is None:
        raise UnsupportedError(
            "int8 needs rows to calibrate its scales on",
            received="a model that was not fitted in this process",
            remedy="calibration_data=X_train",
        )
    return rows


def _rows_for(graph: Graph, rows: ArrayLike) -> Array:
    """Rows of a graph's one input, float32 [rows, n].

    Raises:
        DataError: of another width, not numbers, or none.
    """
    return features(rows, graph.types[graph.inputs[0]].shape[1:], finite=False)


def _normal_rows(graph: Graph, calibration: Array | None) -> Array:
    if calibration is not None:
        return calibration[:PROOF_ROWS]
    size = graph.types[graph.inputs[0]].size
    return np.random.Generator(np.random.Philox(0)).normal(size=(PROOF_ROWS, size)).astype(np.float32)


def _write(files: Mapping[str, str], folder: Path) -> Path:
    """Write all files next to their places first, then rename each: no file is ever half-written."""
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".edgeling-", dir=folder))
        try:
            for path, text in files.items():
                _write_one(staging / path, text)
            for path in files:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                os.replace(staging / path, folder / path)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        if made:
            shutil.rmtree(folder, ignore_errors=True)
        raise EdgelingError(
            "the folder for the C can be written",
            received=f"{folder}: {error.strerror or error}",
            remedy="another --out",
        ) from error
    return folder


def _write_one(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
