# SPDX-License-Identifier: Apache-2.0
"""A graph as an ``.edgeling`` folder, and back: any named inputs and outputs, no table and no preparation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from edgeling.artifact import Artifact
from edgeling.errors import ArtifactError
from edgeling.graph import Graph
from edgeling.graph.cost import cost
from edgeling.graph.types import Array
from edgeling.toolchain.predictor import Predictor, compiled
from edgeling.workflow.deploy import PROOF_ROWS, Deployable, identifier, interface_of
from edgeling.workflow.ports import MAX_ROW_ELEMENTS, Rows, normal_rows, row_elements, rows_of_ports
from edgeling.workflow.shipped import shipped_sources

KIND = "graph"  # of a manifest; a trained pipeline's has none


@dataclass(frozen=True, eq=False)
class DeployedGraph:
    """A network by itself.

    Attributes:
        deployable: its graphs; the float32 one is always there.
        precision: the precision deployed.
        details: what else the artifact tells.
        shipped: the C in the artifact it was read from: by precision, path to content.
    """

    deployable: Deployable
    precision: str
    details: Mapping[str, Any] = field(default_factory=dict)
    shipped: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        from edgeling.workflow.shown import deployed_card

        return deployed_card(self)

    @property
    def name(self) -> str:
        """The program's name, a C identifier."""
        return self.deployable.name

    @property
    def graph(self) -> Graph:
        """What is deployed."""
        return self.deployable.graphs[self.precision]

    @cached_property
    def _predictor(self) -> Predictor:
        return Predictor(self.graph, partial(compiled, self.graph, self.name))

    def predict(self, rows: Any) -> Array | dict[str, Array]:
        """Answers: of one output ``[rows, ...]``, of several such an array by each one's name.

        What the network keeps (its variables) lives on from row to row, and begins anew with each call. A row with an
        infinite value, or NaN where nothing may be missing, has no answer: NaN (0 of integers); it leaves what is kept
        as it was.

        Args:
            rows: arrays ``[rows, ...]`` by the inputs' names, or a tuple of them in order; or one, of one input.

        Raises:
            DataError: an input is missing or unknown, rows are of another shape, or not as many for each input.
        """
        answers = self.answers(rows_of_ports(self.graph, rows))
        return answers[0] if len(answers) == 1 else dict(zip(self.graph.outputs, answers, strict=True))

    def answers(self, rows: Rows) -> Rows:
        """As :meth:`predict`, arrays in the order of inputs and outputs."""
        return self.deployable.where_answerable(self.precision, rows, self._predictor.answers)


def manifest(deployable: Deployable, precision: str) -> dict[str, Any]:
    """What an artifact of a graph says of itself."""
    graph = deployable.graphs[precision]
    return {
        "kind": KIND,
        "program": deployable.name,
        "precision": precision,
        "inputs": ports_of(graph, graph.inputs),
        "outputs": ports_of(graph, graph.outputs),
        "keeps": [name for name, _ in graph.updates],
        "multiply_accumulates": cost(graph).multiply_accumulates,
    }


def ports_of(graph: Graph, names: tuple[str, ...]) -> dict[str, str]:
    """Element type and shape of each, as text: ``float32[1,3]``."""
    return {name: str(graph.types[name]) for name in names}


def program_of(details: Mapping[str, Any], graphs: Mapping[str, Graph], *needed: str) -> tuple[str, str]:
    """The program's name and the precision deployed, as a manifest tells them.

    Args:
        needed: precisions that are to be there besides.

    Raises:
        ArtifactError: the name is none that a program has, or a precision has no graph.
    """
    name, precision = details.get("program"), details.get("precision")
    if (
        not isinstance(name, str)
        or name != identifier(name)
        or not isinstance(precision, str)
        or not {precision, *needed} <= graphs.keys()
    ):
        raise ArtifactError(
            "a manifest names the program and one of its precisions", received=repr((name, precision))[:200],
            remedy="copy the whole folder again, or train again",
        )  # fmt: skip
    return name, precision


def assemble(artifact: Artifact, graphs: Mapping[str, Graph]) -> DeployedGraph:
    """From an artifact's parts, checked against each other.

    Raises:
        ArtifactError: they do not fit.
    """
    details = artifact.manifest
    name, precision = program_of(details, graphs, "float32")
    exact, graph = graphs["float32"], graphs[precision]
    told = [ports_of(graph, names) for names in (graph.inputs, graph.outputs)]
    floats = [ports_of(exact, names) for names in (exact.inputs, exact.outputs)]
    if [details.get("inputs"), details.get("outputs")] != told or floats != told:
        said = repr(details.get("inputs"))[:200]
        raise ArtifactError(
            "a manifest tells the inputs and outputs of its graphs", received=said,
            remedy="copy the whole folder again, or train again",
        )  # fmt: skip
    if row_elements(exact) > MAX_ROW_ELEMENTS:
        raise ArtifactError(
            f"inputs hold at most {MAX_ROW_ELEMENTS:,} numbers", received=f"{row_elements(exact):,}",
            remedy="copy the whole folder again, or train again",
        )  # fmt: skip
    deployable = Deployable(name, graphs, normal_rows(exact, PROOF_ROWS), interface_of(exact))
    return DeployedGraph(deployable, precision, details, {p: shipped_sources(artifact, p) for p in graphs})
