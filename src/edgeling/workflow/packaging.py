# SPDX-License-Identifier: Apache-2.0
"""A built program as a package: its columns as training knew them, and what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from edgeling.codegen.interface import Interface
from edgeling.codegen.program import Program
from edgeling.data.cells import DECIMAL_COMMA, TIME_OF_DAY
from edgeling.data.dates import DAY_FIRST
from edgeling.data.features import CategoricalFeature, DateFeature, Feature
from edgeling.data.words import FOLDED, MISSING
from edgeling.graph import Graph
from edgeling.packages.columns import InputColumn
from edgeling.packages.kinds import PackageKind
from edgeling.packages.shipment import Shipment
from edgeling.targets import Target
from edgeling.toolchain.prove import TIME_BASIS, Proof
from edgeling.workflow.deployed import DeployedGraph
from edgeling.workflow.pipeline import Pipeline
from edgeling.workflow.ports import columns_of


def packed(
    kind: PackageKind, program: Program, graph: Graph, interface: Interface, found: object, precision: str,
    chip: Target, proof: Proof,
) -> dict[str, str]:  # fmt: skip
    """The package's files, relative path to text.

    Args:
        graph: what the program runs.
        found: what it came from; a pipeline knows more of its columns than the graph does.

    Raises:
        CompilerNotFoundError: of a page of the web, where the package ziglang is not installed.
    """
    extra = tuple(found.preparation.reading.missing) if isinstance(found, Pipeline) else ()
    shipment = Shipment(
        program, interface, tuple(_columns(graph, interface, found)), _answer(graph, found), precision, chip,
        tuple(sorted({*MISSING, *FOLDED, *extra} - {""})), _figures(proof),
    )  # fmt: skip
    return dict(kind.files(shipment))


def _answer(graph: Graph, found: object) -> str:
    if isinstance(found, Pipeline):
        return found.preparation.target.name
    name = found.name if isinstance(found, DeployedGraph) else graph.name
    return ", ".join(map(str, graph.metadata.get("output_names") or ())) or name


def _columns(graph: Graph, interface: Interface, found: object) -> Iterator[InputColumn]:
    features = found.preparation.features if isinstance(found, Pipeline) else ()
    names = interface.input_names or tuple(name for port in graph.inputs for name in columns_of(graph, port))
    for i, name in enumerate(names):
        may_be_missing = i < len(interface.may_be_missing) and interface.may_be_missing[i]
        if features:
            yield _of_feature(features[i], may_be_missing)
        elif i in interface.categories:
            yield InputColumn(name, "category", interface.categories[i], may_be_missing=may_be_missing)
        else:
            yield InputColumn(name, may_be_missing=may_be_missing)


def _of_feature(feature: Feature, may_be_missing: bool) -> InputColumn:
    if isinstance(feature, CategoricalFeature):
        return InputColumn(feature.name, "category", feature.categories, feature.others > 0, may_be_missing)
    if isinstance(feature, DateFeature):
        return InputColumn(
            feature.name, "minutes" if feature.unit == "minute" else "days", may_be_missing=may_be_missing,
            day_first=feature.form == DAY_FIRST, epoch_days=feature.epoch_days, typical=feature.fill[0],
        )  # fmt: skip
    return InputColumn(
        feature.name, "time" if feature.form == TIME_OF_DAY else "number", may_be_missing=may_be_missing,
        decimal_comma=feature.form == DECIMAL_COMMA, typical=feature.fill if isfinite(feature.fill) else 0.0,
    )  # fmt: skip


def _figures(proof: Proof) -> dict[str, str]:
    """What was seen, for people."""
    bytes_of = {"flash": proof.flash_bytes, "RAM": proof.ram_bytes, "stack": proof.stack_bytes}
    told = {f"{name}, measured": f"{size:,} bytes" for name, size in bytes_of.items() if size is not None}
    if proof.instructions is not None:
        told["instructions an answer, at the most"] = f"{proof.instructions:,}"
    if proof.estimated_latency_us is not None:
        clock = f"{proof.clock_hz // 10**6} MHz, {TIME_BASIS}"
        told["time an answer, estimated"] = f"{proof.estimated_latency_us:.3g} µs ({clock})"
    if proof.compiler:
        told["measured with"] = f"{proof.compiler} {proof.compiler_flags}"
    off = f"at most {proof.max_error:.2g} from" if proof.max_error else "every bit as"
    told["proven on"] = f"{proof.target}, {proof.rows} rows: {off} what the network means"
    return told
