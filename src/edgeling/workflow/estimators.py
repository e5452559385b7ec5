# SPDX-License-Identifier: Apache-2.0
"""Estimators and pipelines of scikit-learn's, and networks behind its transformers, as what can be deployed."""

from __future__ import annotations

from typing import Any

from edgeling.codegen.interface import Interface
from edgeling.formats.scikit_learn import Converted, converted, is_estimator, preparing
from edgeling.graph import Graph
from edgeling.workflow.deploy import PROOF_ROWS, deployable, identifier
from edgeling.workflow.deployed import DeployedGraph

__all__ = ["behind", "is_estimator", "of_estimator"]


def of_estimator(estimator: Any) -> DeployedGraph:
    """A fitted estimator, or a pipeline that ends with one, in float32.

    Raises:
        UnsupportedError: it is not fitted, or a part of it has no graph.
    """
    return _deployed(converted(estimator, PROOF_ROWS), type(estimator).__name__.lower())


def behind(transformer: Any, network: Graph) -> DeployedGraph:
    """A network that is given what a fitted transformer gives, in float32."""
    return _deployed(preparing(transformer, network, PROOF_ROWS), network.name)


def _deployed(found: Converted, name: str) -> DeployedGraph:
    told = Interface(
        decision=found.decision, labels=found.labels, input_names=found.names, categories=found.categories,
        may_be_missing=tuple(i in found.filled or i in found.categories for i in range(len(found.names))),
    )  # fmt: skip
    return DeployedGraph(deployable(identifier(name), found.graph, (found.rows,), None, ["float32"], told), "float32")
