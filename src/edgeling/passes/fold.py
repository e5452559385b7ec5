# SPDX-License-Identifier: Apache-2.0
"""Computing at build time what does not depend on any input.

Requires: a legal graph. Ensures: no node has only constants for inputs. The result is what the interpreter computes.
Gives the same object back where nothing folded.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeling.graph.meaning import evaluate
from edgeling.graph.types import Array, Graph, Node
from edgeling.passes.dead import remove_dead
from edgeling.passes.rewrite import in_bodies


def fold(graph: Graph) -> Graph:
    """The graph with every node of constant inputs replaced by its value."""
    graph = in_bodies(graph, fold)
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
