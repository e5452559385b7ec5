# SPDX-License-Identifier: Apache-2.0
"""Computing at build time what does not depend on any input.

Requires: a legal graph. Ensures: no node has only constants for inputs, and no body captures a constant: it holds it
itself. The result is what the interpreter computes.
Gives the same object back where nothing folded.
"""

from __future__ import annotations

import operator
from dataclasses import replace

import numpy as np

from edgeling.graph.meaning import evaluate
from edgeling.graph.scan import Scan
from edgeling.graph.types import Array, Graph, Node
from edgeling.passes.contracts import contract, nothing_left_to_compute, same_face, same_or_changed
from edgeling.passes.dead import remove_dead
from edgeling.passes.rewrite import in_bodies


@contract(same_face, same_or_changed, ensures=(nothing_left_to_compute,))
def fold(graph: Graph) -> Graph:
    """The graph with every node of constant inputs replaced by its value."""
    # What is computed may be what a body captures, and what a body captures may be all that one of its nodes reads.
    while (folded := _folded_once(graph)) is not graph:
        graph = folded
    return graph


def _folded_once(graph: Graph) -> Graph:
    graph = in_bodies(_with_own_constants(graph), fold)
    constants = dict(graph.constants)
    nodes: list[Node] = []
    for node in graph.nodes:
        if all(i in constants for i in node.inputs):
            results = evaluate(node, (constants[i] for i in node.inputs))
            constants.update((o, _own(graph, o, array)) for o, array in zip(node.outputs, results, strict=True))
        else:
            nodes.append(node)
    if len(nodes) == len(graph.nodes):
        return graph
    return remove_dead(replace(graph, nodes=tuple(nodes), constants=constants))


def _own(graph: Graph, name: str, array: Array) -> Array:
    kind = graph.types[name]
    return np.ascontiguousarray(array, kind.dtype.numpy).reshape(kind.shape)


def _with_own_constants(graph: Graph) -> Graph:
    nodes = tuple(_holding(graph, node) if node.operation == "scan" else node for node in graph.nodes)
    same = all(map(operator.is_, nodes, graph.nodes))
    return graph if same else remove_dead(replace(graph, nodes=nodes))


def _holding(graph: Graph, node: Node) -> Node:
    """A scan whose body holds the constants it would capture."""
    scan = Scan.of(node.attributes)
    body, first = scan.body, scan.carried + scan.scanned
    held = {at for at in range(first, len(node.inputs)) if node.inputs[at] in graph.constants}
    if not held:
        return node
    constants = {body.inputs[at]: graph.constants[node.inputs[at]] for at in sorted(held)}
    inputs = tuple(value for at, value in enumerate(body.inputs) if at not in held)
    changed = replace(scan, body=replace(body, inputs=inputs, constants={**body.constants, **constants}))
    given = tuple(value for at, value in enumerate(node.inputs) if at not in held)
    return replace(node, inputs=given, attributes=changed.attributes)
