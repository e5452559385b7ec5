# SPDX-License-Identifier: Apache-2.0
"""Losses of probabilities computed from logits where a sigmoid or softmax makes the probabilities.

Of a probability alone, what has been rounded to 0 or 1 has neither a loss nor a gradient: Keras clips it 1e-7 away, and
a network that begins there stays there for ever. So do its focal losses that are told logits, for they make
probabilities of them first. Requires: a legal float graph, before its activations are fused.
Ensures: the same loss to within rounding where no probability is clipped; beyond, the one that logits have.
Gives the same object back where there is no such loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edgeling.graph.naming import unused
from edgeling.graph.operations import ACTIVATION_ATTRIBUTES, CROSS_ENTROPY_ATTRIBUTES
from edgeling.graph.types import Graph, Node, TensorType
from edgeling.passes.contracts import contract, same_face, same_or_changed
from edgeling.passes.rewrite import Uses

_SIGMOID, _SOFTMAX = ("activation", "sigmoid"), ("softmax", None)
_FORMS: Mapping[str, Mapping[tuple[str, Any], str]] = {
    "binary_crossentropy": {_SIGMOID: "binary_crossentropy"},
    "categorical_crossentropy": {_SOFTMAX: "categorical_crossentropy"},
    "sparse_categorical_crossentropy": {_SOFTMAX: "sparse_categorical_crossentropy"},
    "binary_focal_crossentropy": {_SIGMOID: "binary_focal_crossentropy"},
    "categorical_focal_crossentropy": {_SOFTMAX: "categorical_focal_crossentropy"},
    "categorical_generalized_cross_entropy": {_SOFTMAX: "categorical_generalized_cross_entropy"},
    "kl_divergence": {_SOFTMAX: "kl_divergence", _SIGMOID: "binary_kl_divergence"},
}
"""Of each loss: what may make its probabilities, and the function of ``cross_entropy`` that it is then."""
_MADE_FIRST = ("binary_focal_crossentropy", "categorical_focal_crossentropy")  # even of logits, probabilities are made


@contract(same_face, same_or_changed)
def through_logits(graph: Graph) -> Graph:
    """The graph with every loss that reads a sigmoid or softmax reading its logits too."""
    uses, types = Uses(graph), dict(graph.types)
    nodes = {id(node): _through(uses, node, types) for node in graph.nodes}
    if all(nodes[id(node)][-1] is node for node in graph.nodes):
        return graph
    return replace(graph, nodes=tuple(new for node in graph.nodes for new in nodes[id(node)]), types=types)


def _through(uses: Uses, node: Node, types: dict[str, TensorType]) -> list[Node]:
    """A loss as the operation that reads logits, and before it what that reads and nobody makes; else the node."""
    function = str(node.attributes.get("function"))
    if node.operation != "loss" or function not in _FORMS:
        return [node]
    before: list[Node] = []
    told_logits = bool(node.attributes["from_logits"])
    maker = _of_logits(before, node, types) if told_logits else _maker(uses, node.inputs[1], types)
    if maker is None or _kind(maker) not in _FORMS[function]:
        return [node]
    truth, probabilities = node.inputs[0], maker.output if told_logits else node.inputs[1]
    (logits,), matrix = maker.inputs, types[probabilities]
    if types[logits] != matrix:
        logits = _added(before, types, logits, "reshape", {"shape": matrix.shape}, matrix).output
    how = {key: node.attributes[key] for key in CROSS_ENTROPY_ATTRIBUTES} | {"function": _FORMS[function][_kind(maker)]}
    return [*before, replace(node, operation="cross_entropy", inputs=(truth, logits, probabilities), attributes=how)]


def _of_logits(before: list[Node], loss: Node, types: dict[str, TensorType]) -> Node | None:
    """What makes probabilities of the logits that a focal loss is told; None of another loss, which reads them."""
    if loss.attributes["function"] not in _MADE_FIRST:
        return None
    ((operation, function),) = _FORMS[str(loss.attributes["function"])]
    attributes = {**ACTIVATION_ATTRIBUTES, "function": function} if function else {}
    return _added(before, types, loss.inputs[1], operation, attributes)


def _kind(maker: Node) -> tuple[str, Any]:
    return maker.operation, maker.attributes.get("function")


def _maker(uses: Uses, value: str, types: Mapping[str, TensorType]) -> Node | None:
    """What makes a value, looked for behind reshapes that leave its rows as they are: those of places side by side."""
    maker = uses.maker.get(value)
    while maker is not None and maker.operation == "reshape":
        (given,) = maker.inputs
        if types[given].shape[-1:] != types[value].shape[-1:]:
            return None
        maker = uses.maker.get(given)
    return maker


def _added(
    nodes: list[Node], types: dict[str, TensorType], value: str, operation: str, attributes: dict[str, Any],
    kind: TensorType | None = None,
) -> Node:  # fmt: skip
    """One more node, of the input's type if not told otherwise."""
    name = unused("of_logits", types)
    types[name] = kind or types[value]
    nodes.append(Node(operation, (value,), (name,), attributes))
    return nodes[-1]
