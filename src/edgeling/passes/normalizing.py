# SPDX-License-Identifier: Apache-2.0
"""Rectifiers go into the normalisation by a batch's moments that they follow: one pass over memory less on the way
there, and one on the way back, for the gradient knows from its own input where they cut off.

Requires: a legal graph that is not yet differentiated. Ensures: the same function. Gives the same object back where
nothing fused.
"""

from __future__ import annotations

from dataclasses import replace

from edgeling.graph.types import Graph, Node
from edgeling.passes.contracts import contract, same_face, same_or_changed
from edgeling.passes.rewrite import Uses, substitute

_RECTIFIERS = {"relu", "relu6"}


@contract(same_face, same_or_changed)
def rectify_normalized(graph: Graph) -> Graph:
    """The graph with each rectifier in the ``normalize_batch`` whose result it alone reads."""
    uses = Uses(graph)
    pairs = [(maker, node) for node in graph.nodes if (maker := _normalized(uses, node)) is not None]
    swaps: list[tuple[Node, Node | None]] = [(node, None) for _, node in pairs]
    swaps += [(maker, _rectified(maker, node)) for maker, node in pairs]
    return substitute(graph, swaps, {}) if swaps else graph


def _normalized(uses: Uses, node: Node) -> Node | None:
    """What makes the input of a rectifier that may go into it."""
    if node.operation != "activation" or node.attributes["function"] not in _RECTIFIERS:
        return None
    maker = uses.maker.get(node.inputs[0])
    if maker is None or maker.operation != "normalize_batch" or maker.attributes["function"] != "linear":
        return None
    return maker if maker.outputs[0] == node.inputs[0] and uses.read_once(node.inputs[0]) else None


def _rectified(maker: Node, node: Node) -> Node:
    attributes = {**maker.attributes, "function": node.attributes["function"]}
    return replace(maker, outputs=(node.output, *maker.outputs[1:]), attributes=attributes)
