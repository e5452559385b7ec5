# SPDX-License-Identifier: Apache-2.0
"""A classifier's logits: what its last activation is given, and the same network with them scaled and shifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgeling.errors import GraphError
from edgeling.graph.naming import unused
from edgeling.graph.types import Array, Graph, Node, TensorType
from edgeling.passes.contracts import contract, only_what_is_needed, same_face
from edgeling.passes.dead import remove_dead
from edgeling.passes.rewrite import Uses


@contract(ensures=(only_what_is_needed,))
def logits(graph: Graph) -> Graph:
    """The graph up to its logits.

    Raises:
        GraphError: the one output is no sigmoid and no softmax.
    """
    return remove_dead(replace(graph, outputs=(_last(graph).inputs[0],)))


@contract(same_face)
def scale_logits(graph: Graph, slope: float, shift: Sequence[float] = ()) -> Graph:
    """The graph with its logits multiplied by ``slope``, and ``shift`` added to them.

    Where a dense layer makes them for nobody else, its weights and bias take that up, and it costs nothing; else it is
    a multiplication and an addition.

    Args:
        shift: one a logit; empty shifts nothing.

    Raises:
        GraphError: the one output is no sigmoid and no softmax, or there are not as many logits.
    """
    if slope == 1 and not any(shift):
        return graph
    last = _last(graph)
    value = last.inputs[0]
    wide = graph.types[value].shape[-1]
    if len(shift) not in (0, wide):
        raise GraphError(
            "there is a shift for each logit", received=f"{len(shift)} for {wide}", remedy=f"{wide} numbers"
        )
    added = np.array(shift or (0.0,) * wide)
    maker = Uses(graph).maker.get(value)
    if maker is not None and _can_take_up(graph, maker):
        return _taken_up(graph, maker, slope, added)
    return _beside(graph, last, slope, added)


def _last(graph: Graph) -> Node:
    maker = Uses(graph).maker.get(graph.outputs[0]) if len(graph.outputs) == 1 else None
    kinds = ("softmax", None), ("activation", "sigmoid")
    if maker is not None and (maker.operation, maker.attributes.get("function")) in kinds:
        return maker
    raise GraphError(
        "logits are those of a network that ends in a sigmoid or a softmax", received=graph.name,
        remedy="a network whose last layer has activation='sigmoid' or 'softmax'",
    )  # fmt: skip


def _can_take_up(graph: Graph, maker: Node) -> bool:
    uses = Uses(graph)
    constants = maker.operation == "dense" and all(i in graph.constants for i in maker.inputs[1:])
    alone = uses.read_once(maker.output) and all(map(uses.read_once, maker.inputs[1:]))
    return constants and alone and maker.attributes["function"] == "linear" and len(maker.inputs) == 3


def _taken_up(graph: Graph, dense: Node, slope: float, shift: Array) -> Graph:
    _, kernel, bias = dense.inputs
    held = graph.constants
    changed = {kernel: held[kernel].astype(np.float64) * slope, bias: held[bias].astype(np.float64) * slope + shift}
    return replace(graph, constants={**held, **{name: array.astype(np.float32) for name, array in changed.items()}})


def _beside(graph: Graph, last: Node, slope: float, shift: Array) -> Graph:
    value, taken = last.inputs[0], dict(graph.types)
    constants: dict[str, Array] = {}
    for name, array in (("logit_slope", np.array([slope], np.float32)), ("logit_shift", shift.astype(np.float32))):
        constants[unused(name, taken)] = array
        taken[unused(name, taken)] = TensorType(array.shape)
    names = []
    for name in ("scaled_logits", "shifted_logits"):
        names.append(unused(name, taken))
        taken[names[-1]] = graph.types[value]
    slope_name, shift_name = constants
    more = (
        Node("multiply", (value, slope_name), (names[0],)),
        Node("add", (names[0], shift_name), (names[1],)),
        replace(last, inputs=(names[1],)),
    )
    nodes = tuple(new for node in graph.nodes for new in (more if node is last else (node,)))
    return replace(graph, nodes=nodes, types=taken, constants={**graph.constants, **constants})
