# SPDX-License-Identifier: Apache-2.0
"""Removing what nobody reads.

Requires: a legal graph. Ensures: every node, constant and type left is needed by an output or an update; inputs and
variables stay, for they are the graph's face. Gives the same object back where there was nothing to remove.
"""

from __future__ import annotations

from dataclasses import replace

from edgeling.graph.types import Graph, Node


def remove_dead(graph: Graph) -> Graph:
    """The graph without nodes and constants that no output and no update depends on."""
    needed = {*graph.outputs, *(value for _, value in graph.updates)}
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            kept.append(node)
            needed.update(node.inputs)
    constants = {name: array for name, array in graph.constants.items() if name in needed}
    if len(kept) == len(graph.nodes) and len(constants) == len(graph.constants):
        return graph
    return prune_types(replace(graph, nodes=tuple(reversed(kept)), constants=constants))


def prune_types(graph: Graph) -> Graph:
    """The graph with types only for the values it still has."""
    made = {*graph.inputs, *graph.constants, *graph.variables, *(o for node in graph.nodes for o in node.outputs)}
    return replace(graph, types={name: kind for name, kind in graph.types.items() if name in made})
