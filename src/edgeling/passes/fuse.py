# SPDX-License-Identifier: Apache-2.0
"""Fusing what surrounds a dense layer into it: fewer passes over memory, fewer constants, fewer instructions.

Requires: a legal float graph; weights that are to be changed are constants. Ensures: the same function of the inputs
to within ``float32`` rounding; the metadata's ``fusion_error`` bounds what a rounding of the fused columns can cost.
Gives the same object back where nothing fused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from edgeling.graph.naming import unused
from edgeling.graph.types import Array, Graph, Node
from edgeling.passes.contracts import contract, same_face, same_or_changed
from edgeling.passes.rewrite import Uses, bypass, in_bodies, substitute

# A column standardised by (mean, scale) loses about |mean| / scale of its precision when folded into the weights, for
# x * w then no longer has the mean removed first. Where the bound on that error would pass this, the subtraction stays
# where it is: years, whose mean is hundreds of deviations, would otherwise cost the fourth digit of an answer.
LARGEST_FUSION_ERROR = 5e-6
FLOAT32_EPSILON = float(np.finfo(np.float32).eps)

Fusion = Callable[[Graph, Uses, Node], Graph | None]
Columns = tuple[Array, Array]  # y = x * slope + offset, one each a column, in float64


@contract(same_face, same_or_changed)
def fuse(graph: Graph) -> Graph:
    """The graph with activations, batch normalisations and standardisations fused into dense nodes, and columns taken
    from where they are before they were put side by side."""
    rules = (
        _all_columns, _columns_of_a_part, _columns_into_dense_before, _activation_into_dense, _columns_into_dense_after,
    )  # fmt: skip
    graph = in_bodies(graph, fuse)
    while (fused := _apply_first(graph, rules)) is not None:
        graph = fused
    return graph


def _apply_first(graph: Graph, rules: Sequence[Fusion]) -> Graph | None:
    """The graph after the first rule that fits anywhere; None if none does."""
    uses = Uses(graph)
    fits = (rule(graph, uses, node) for node in graph.nodes for rule in rules)
    return next((result for result in fits if result is not None), None)


def _all_columns(graph: Graph, _: Uses, node: Node) -> Graph | None:
    """A gather of every column in order: its input, under another name."""
    if node.operation != "gather" or graph.types[node.inputs[0]] != graph.types[node.output]:
        return None
    if tuple(node.attributes["indices"]) != tuple(range(graph.types[node.output].shape[1])):
        return None
    return bypass(graph, node)


def _columns_of_a_part(graph: Graph, uses: Uses, node: Node) -> Graph | None:
    """concatenate then gather of columns of one part: gather of that part."""
    whole = uses.maker.get(node.inputs[0]) if node.operation == "gather" else None
    if whole is None or whole.operation != "concatenate":
        return None
    indices, first = node.attributes["indices"], 0
    for part in whole.inputs:
        last = first + graph.types[part].shape[-1]
        if first <= min(indices) and max(indices) < last:
            own = tuple(i - first for i in indices)
            return substitute(graph, [(node, replace(node, inputs=(part,), attributes={"indices": own}))], {})
        first = last
    return None


def _linear_dense(uses: Uses, value: str) -> Node | None:
    """The dense node that makes ``value``, if it has no activation yet and nobody else reads its result."""
    node = uses.maker.get(value)
    if node and node.operation == "dense" and node.attributes["function"] == "linear" and uses.read_once(value):
        return node
    return None


def _activation_into_dense(graph: Graph, uses: Uses, node: Node) -> Graph | None:
    dense = _linear_dense(uses, node.inputs[0]) if node.operation == "activation" else None
    if dense is None:
        return None
    return substitute(graph, [(dense, None), (node, replace(node, operation="dense", inputs=dense.inputs))], {})


def _columns_into_dense_before(graph: Graph, uses: Uses, node: Node) -> Graph | None:
    """dense then affine columns: scale the outputs' weights."""
    columns = affine_columns(graph, node)
    dense = _linear_dense(uses, node.inputs[0]) if columns else None
    if columns is None or dense is None or not _is_constant(graph, *dense.inputs[1:]):
        return None
    kernel, bias = (graph.constants[i].astype(np.float64) for i in dense.inputs[1:])
    slope, offset = columns
    fused, constants = _dense_with(graph, dense, kernel * slope, bias * slope + offset, node.output)
    return substitute(graph, [(dense, None), (node, fused)], constants)


def _columns_into_dense_after(graph: Graph, uses: Uses, node: Node) -> Graph | None:
    """Affine columns then dense: scale the inputs' weights."""
    before = uses.maker.get(node.inputs[0]) if node.operation == "dense" else None
    columns = affine_columns(graph, before) if before else None
    if before is None or columns is None or not _is_constant(graph, *node.inputs[1:]):
        return None
    slope, offset = columns
    kernel, bias = (graph.constants[i].astype(np.float64) for i in node.inputs[1:])
    error = FLOAT32_EPSILON * float(np.max(np.abs(offset) @ np.abs(kernel), initial=0))
    total = graph.metadata.get("fusion_error", 0.0) + error
    if not uses.read_once(before.output) or total > LARGEST_FUSION_ERROR:
        return None
    fused, constants = _dense_with(graph, node, kernel * slope[:, None], bias + offset @ kernel, node.output)
    fused = replace(fused, inputs=(before.inputs[0], *fused.inputs[1:]))
    metadata = {**graph.metadata, "fusion_error": total}
    return substitute(replace(graph, metadata=metadata), [(before, None), (node, fused)], constants)


def affine_columns(graph: Graph, node: Node) -> Columns | None:
    """Slope and offset of a node that is affine in each column of its first input, the rest being constants."""
    if node.operation not in AFFINE or not _is_constant(graph, *node.inputs[1:]):
        return None
    columns = graph.types[node.output].shape[1:]
    parameters = [graph.constants[i].astype(np.float64) for i in node.inputs[1:]]
    if graph.types[node.inputs[0]].shape[1:] != columns or any(p.shape not in (columns, ()) for p in parameters):
        return None
    slope, offset = AFFINE[node.operation](node, *parameters)
    return np.broadcast_to(slope, columns), np.broadcast_to(offset, columns)


def _normalisation(node: Node, gamma: Array, beta: Array, mean: Array, variance: Array) -> Columns:
    slope = gamma / np.sqrt(variance + float(node.attributes["epsilon"]))
    return slope, beta - mean * slope


AFFINE: dict[str, Callable[..., Columns]] = {
    "standardize": lambda _, mean, scale: (1 / scale, -mean / scale),
    "batch_normalization": _normalisation,
    "multiply": lambda _, slope: (slope, np.zeros(())),
    "add": lambda _, offset: (np.ones(()), offset),
}


def _is_constant(graph: Graph, *values: str) -> bool:
    return all(value in graph.constants for value in values)


def _dense_with(graph: Graph, dense: Node, kernel: Array, bias: Array, output: str) -> tuple[Node, dict[str, Array]]:
    """The dense node with other weights, under names of their own."""
    names = [unused(f"{output}_{part}", graph.types) for part in ("kernel", "bias")]
    constants = dict(zip(names, (kernel.astype(np.float32), bias.astype(np.float32)), strict=True))
    return replace(dense, inputs=(dense.inputs[0], *names), outputs=(output,)), constants
