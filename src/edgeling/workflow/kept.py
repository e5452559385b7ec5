# SPDX-License-Identifier: Apache-2.0
"""``NAME_explain`` in the C that an artifact keeps: made and proven by ``train``, proven again by ``verify``.

The graph that explains is stored as the network's own is, so that the same C comes of it on any machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from edgeling.data import Preparation
from edgeling.errors import ArtifactError, EdgelingError, UnsupportedError
from edgeling.explaining.proof import ExplanationProof
from edgeling.explaining.shapley import MOST_EXACT
from edgeling.graph import Graph
from edgeling.graph.types import Array
from edgeling.targets import Target, get
from edgeling.toolchain.prove import Proof
from edgeling.workflow.deploy import Deployable
from edgeling.workflow.explained import background_of, prove_explanation, with_explanation
from edgeling.workflow.pipeline import Pipeline
from edgeling.workflow.progress import Progress
from edgeling.workflow.settings import Settings


@dataclass(frozen=True, eq=False)
class KeptExplanation:
    """How the stored C explains itself.

    Attributes:
        method: "gradient", "integrated" or "shapley".
        deployables: by precision, what is stored.
        proofs: of the precision deployed, by target.
    """

    method: str
    deployables: Mapping[str, Deployable]
    proofs: Mapping[str, ExplanationProof]

    def to_json(self) -> dict[str, Any]:
        """What ``verify`` needs to make it again, and the figures."""
        interfaces = [each.interface for each in self.deployables.values()]
        steps = {p: each.explanation.steps if each.explanation else 0 for p, each in self.deployables.items()}
        return {
            "method": self.method,
            "reasons": interfaces[0].reasons if interfaces[0] else 0,
            "steps": steps,
            "targets": {target: asdict(proof) for target, proof in self.proofs.items()},
        }


def require_explainable(settings: Settings, preparation: Preparation) -> None:
    """What cannot be explained so is said before training.

    Raises:
        UnsupportedError: too many columns for exact Shapley values, more reasons than columns, or no float32 network.
    """
    columns = preparation.raw_size
    if settings.explain == "shapley" and columns > MOST_EXACT:
        raise UnsupportedError(
            f"exact Shapley values are of up to {MOST_EXACT} columns", received=f"{columns}",
            remedy="explain='gradient' or 'integrated' (--explain), or fewer columns (edgeling select)",
        )  # fmt: skip
    if settings.explain and (settings.reasons or 0) > columns:
        raise UnsupportedError(
            f"reasons is a whole number from 0 to the {columns} columns", received=f"{settings.reasons}",
            remedy=f"reasons={columns} (--reasons {columns})",
        )  # fmt: skip
    if settings.explain in ("gradient", "integrated") and settings.precision not in ("float32", "auto"):
        raise UnsupportedError(
            "gradients are of the network in float32", received=f"precision={settings.precision!r}",
            remedy="precision='auto' (--precision auto), or explain='shapley' (--explain shapley)",
        )  # fmt: skip


def keep(
    pipeline: Pipeline, background: Array, settings: Settings, proofs: Mapping[str, Mapping[str, Proof]],
    progress: Progress,
) -> KeptExplanation:  # fmt: skip
    """The stored C of every precision with an explanation, and that of the precision deployed proven on the targets.

    Args:
        background: float32 [rows, columns], averages to compare with.
        proofs: of the same programs without it.
    """
    method = settings.explain or ""
    with progress.stage("Explaining itself there") as stage:
        deployables = {
            p: with_explanation(pipeline.deployable, p, method, background, settings.reasons)
            for p in pipeline.deployable.graphs
        }
        precision = pipeline.precision
        found = {
            target: prove_explanation(deployables[precision], precision, _chip(target, settings.compiler), proof)
            for target, proof in proofs[precision].items()
        }
        _require_matches(found)
        stage.done(f"{method}, {precision}")
    return KeptExplanation(method, deployables, found)


def _chip(target: str, compiler: str) -> Target:
    chip = get(target)
    return chip.with_compiler(compiler if chip.arm_flags else "")


def _require_matches(proofs: Mapping[str, ExplanationProof]) -> None:
    for target, proof in proofs.items():
        if not proof.matches:
            raise EdgelingError(
                f"the explanation on {target} is what its graph means, and adds up",
                received=f"a difference of {proof.max_error:g}",
                remedy="report this as a bug, with the table if you can share it; without --explain it trains",
            )


def with_kept(found: Pipeline, deployed: Deployable, precision: str) -> Deployable:
    """What an artifact deploys, with the explanation that its C was stored with, if any.

    Raises:
        ArtifactError: what is told of it is not what its graph is.
    """
    graph, told = found.explanations.get(precision), found.details.get("explain")
    if graph is None and told is None:
        return deployed
    try:
        method, reasons, steps = told["method"], told["reasons"], told["steps"][precision]  # type: ignore[index]
        rows = background_of(found, None, found.preparation.raw_size)
        if graph is None or type(steps) is not int or not 0 <= steps <= _MOST_STEPS:
            raise TypeError
        made = with_explanation(deployed, precision, method, rows, reasons, steps=steps)
        if made.explanation is None or _ends(made.explanation.graph) != _ends(graph):
            raise TypeError
    except (TypeError, KeyError, UnsupportedError):
        raise ArtifactError(
            "an explanation is stored with its graph and how it was made", received=f"{told!r}"[:200],
            remedy="copy the whole folder again, or train again",
        ) from None  # fmt: skip
    return replace(made, explanation=replace(made.explanation, graph=graph))


_MOST_STEPS = 4096


def _ends(graph: Graph) -> list[tuple[str, Any]]:
    return [(end, graph.types[end]) for end in (*graph.inputs, *graph.outputs)]


def prove_kept(deployed: Deployable, precision: str, chip: Target) -> ExplanationProof:
    """Run the explanation that lies in an artifact; what it adds is told against the C without it."""
    interface = replace(deployed.interface, reasons=0) if deployed.interface else None
    plain = replace(deployed, explanation=None, interface=interface, rows=(deployed.rows[0][:1],), programs={})
    return prove_explanation(deployed, precision, chip, plain.prove(precision, chip))
