# SPDX-License-Identifier: Apache-2.0
"""``edgeling.save``: whatever can be deployed, as an ``.edgeling`` folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeling.errors import UnsupportedError
from edgeling.workflow.build import as_deployable
from edgeling.workflow.opening import opened, prepared, with_steps
from edgeling.workflow.pipeline import Pipeline
from edgeling.workflow.store import save_graph, save_trained
from edgeling.workflow.train import Trained
from edgeling.workflow.tune import Tuned


def save(
    source: Any,
    folder: str | Path = "",
    command: str = "",
    *,
    precision: str = "auto",
    calibration_data: Any = None,
    name: str = "",
    preprocessing: Any = None,
    steps: int | Sequence[int] | None = None,
    shorter: bool = False,
) -> Path:
    """Write a deployable folder. Replaced whole, or not at all.

    Args:
        source: what :func:`edgeling.train` or :func:`edgeling.tune` gave; or, by itself, a ``Sequential``, a live Keras
            model, a model file, a fitted estimator or a graph of any named inputs and outputs.
        folder: by default ``NAME.edgeling`` here.
        command: of what was trained: what a person types to get the same again.
        precision: of the others: ``"float32"``, ``"int8"``, ``"int16x8"``, or ``"auto"``: int8 where there is
            ``calibration_data``.
        calibration_data: as :func:`edgeling.build` takes it.
        name: of the program; by default the model's own.
        preprocessing: of the others: a fitted transformer that the model was trained behind, as :func:`edgeling.build`
            takes it.
        steps, shorter: as :func:`edgeling.build` takes them.

    Returns:
        The folder.

    Raises:
        ArtifactError: it cannot be written, or something else stands there.
        UnsupportedError: integers without rows to calibrate on, what cannot be deployed, or a pipeline that was loaded.
    """
    if isinstance(source, Trained | Tuned):
        return save_trained(source.trained if isinstance(source, Tuned) else source, folder, command)
    source, name = with_steps(prepared(source, preprocessing), steps, name, shorter)
    found = opened(source)
    if isinstance(found, Pipeline):
        raise UnsupportedError("a pipeline is saved when it is trained", received=found.name, remedy="copy its folder")
    deployed, chosen = as_deployable(found, precision, name, calibration_data, also_float32=True)
    return save_graph(deployed, chosen, folder)
