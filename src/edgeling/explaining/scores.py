# SPDX-License-Identifier: Apache-2.0
"""A network's scores: what its last activation makes probabilities of."""

from __future__ import annotations

from dataclasses import replace

from edgeling.graph import Graph
from edgeling.passes.dead import part

_LAST = ("softmax", "activation", "dense")


def before_last_activation(graph: Graph) -> Graph:
    """The graph of one output, without the sigmoid or softmax that makes it; itself where none does."""
    (y,) = graph.outputs
    maker = next((node for node in graph.nodes if node.output == y), None)
    function = "softmax" if maker and maker.operation == "softmax" else maker and maker.attributes.get("function")
    if maker is None or maker.operation not in _LAST or function not in ("sigmoid", "softmax"):
        return graph
    if maker.operation != "dense":
        return part(graph, graph.inputs, maker.inputs[:1])
    linear = replace(maker, attributes={**maker.attributes, "function": "linear"})
    return replace(graph, nodes=tuple(linear if node is maker else node for node in graph.nodes))
