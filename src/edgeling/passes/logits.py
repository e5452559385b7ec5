# SPDX-License-Identifier: Apache-2.0
"""Cross-entropies computed from logits where a sigmoid or softmax makes their probabilities.

Of a probability alone, what has been rounded to 0 or 1 has neither a loss nor a gradient: Keras clips it 1e-7 away, and
a network that begins there stays there for ever. Requires: a legal float graph, before its activations are fused.
Ensures: the same loss to within rounding where no probability is clipped; beyond, the one that logits have.
Gives the same object back where there is no such loss.
"""

from __future__ import annotations

from dataclasses import replace

from edgeling.graph.types import Graph, Node
from edgeling.passes.contracts import contract, same_face, same_or_changed
from edgeling.passes.rewrite import Uses, substitute

_MAKERS = {
    "binary_crossentropy": ("activation", "sigmoid"),
    "categorical_crossentropy": ("softmax", None),
    "sparse_categorical_crossentropy": ("softmax", None),
}


@contract(same_face, same_or_changed)
def through_logits(graph: Graph) -> Graph:
    """The graph with every loss of the three cross-entropies that reads a sigmoid or softmax reading its logits too."""
    uses = Uses(graph)
    changed = [(node, through) for node in graph.nodes if (through := _through(uses, node)) is not None]
    return substitute(graph, list(changed), {}) if changed else graph


def _through(uses: Uses, node: Node) -> Node | None:
    """A loss as the operation that reads logits; None where it is no such loss."""
    function = node.attributes.get("function")
    if node.operation != "loss" or node.attributes["from_logits"] or function not in _MAKERS:
        return None
    truth, probabilities = node.inputs
    maker = uses.maker.get(probabilities)
    if maker is None or (maker.operation, maker.attributes.get("function")) != _MAKERS[str(function)]:
        return None
    how = {"function": function, "label_smoothing": node.attributes["label_smoothing"]}
    return replace(node, operation="cross_entropy", inputs=(truth, *maker.inputs, probabilities), attributes=how)
