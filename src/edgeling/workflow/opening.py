# SPDX-License-Identifier: Apache-2.0
"""What stands behind what people hand over to be deployed: paths, live models, estimators, models of any length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeling.errors import UnsupportedError
from edgeling.formats.keras_file import load_keras
from edgeling.formats.live_keras import from_keras, is_keras_model
from edgeling.graph import Graph
from edgeling.models import Model
from edgeling.models.views import for_lengths
from edgeling.network.network import inference_graph
from edgeling.workflow.deploy import identifier
from edgeling.workflow.deployed import DeployedGraph
from edgeling.workflow.estimators import behind, is_estimator, of_estimator
from edgeling.workflow.pipeline import Pipeline
from edgeling.workflow.shorter import shorter_graph
from edgeling.workflow.store import load

Source = Any  # Model, a Keras model, Pipeline, Graph or a path: Keras is not imported to name its class
Found = Pipeline | DeployedGraph | Model | Graph
MODEL_FILES = (".keras", ".h5")


def opened(source: Source) -> Found:
    """What stands behind a path (an ``.edgeling`` folder or a ``.keras`` file) or a live Keras model.

    Raises:
        ArtifactError: it is corrupt.
        UnsupportedError: it holds a layer that Edgeling does not know.
    """
    if isinstance(source, str | Path):
        return load_keras(source, compile=False) if Path(source).suffix in MODEL_FILES else load(source)
    if is_estimator(source):
        return of_estimator(source)
    found = from_keras(source, compile=False) if is_keras_model(source) else source
    if not isinstance(found, Found):
        raise UnsupportedError(
            "a model is one of edgeling.models, a Keras model, a fitted estimator, a loaded artifact, a graph, or a "
            "path of one",
            received=type(found).__name__,
            remedy="edgeling.load(folder), or edgeling.models.load_model(file)",
        )
    return found


def prepared(source: Source, preprocessing: Any = None) -> Source:
    """The model behind a fitted transformer of scikit-learn's, if there is one.

    Raises:
        UnsupportedError: a part of the transformer has no graph, or the model prepares its rows itself.
    """
    if preprocessing is None:
        return source
    found = opened(source)
    if isinstance(found, Pipeline) or is_estimator(source):
        raise UnsupportedError(
            "preprocessing stands before a network alone", received=f"{type(source).__name__}, which prepares its rows",
            remedy="leave preprocessing out",
        )  # fmt: skip
    deployed = behind(preprocessing, graph_of(found))
    title = stem_of(source) if isinstance(source, str | Path) else deployed.name
    return replace(deployed, deployable=deployed.deployable.named(identifier(title)))


def stem_of(source: str | Path) -> str:
    return Path(source).expanduser().resolve().stem


def graph_of(found: DeployedGraph | Model | Graph) -> Graph:
    """The float graph that is deployed."""
    if isinstance(found, DeployedGraph):
        return found.deployable.graphs["float32"]
    return found if isinstance(found, Graph) else inference_graph(found)


def with_steps(
    source: Source, steps: int | Sequence[int] | None, name: str = "", shorter: bool = False
) -> tuple[Source, str]:
    """The source as made for stated lengths, and the program's name.

    Args:
        steps: of a model whose rows have lengths that are not known (``Input((None, 6))``): what they are, one number
            for all or one for each.
        shorter: the program takes sequences of fewer steps too, with a further input that tells how many are there
            (``NAME_WRONG_STEPS`` where it cannot be): :func:`edgeling.workflow.shorter.shorter_graph`.

    Raises:
        UnsupportedError: lengths of what knows its own, or another number of them.
    """
    if steps is None and shorter:
        raise UnsupportedError("shorter sequences are shorter than stated", received="no steps", remedy="steps=24")
    if steps is None:
        return source, name
    found = opened(source)
    if not isinstance(found, Model):
        raise UnsupportedError(
            "steps are of a network that was made for any number of them", received=f"steps={steps}",
            remedy="leave steps (--steps) out: what was stored knows its own",
        )  # fmt: skip
    made = shorter_graph(found, steps) if shorter else for_lengths(found, steps)
    return made, name or (stem_of(source) if isinstance(source, str | Path) else "")
