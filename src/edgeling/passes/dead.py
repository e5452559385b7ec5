# SPDX-License-Identifier: Apache-2.0
"""Removing what nobody reads.

Requires: a legal graph. Ensures: every node, constant and type left is needed by an output or an update, in bodies
too; inputs and variables stay, for they are the graph's face. Gives the same object back where there was nothing to
remove.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import compress
from typing import TypeVar

from edgeling.graph.scan import Scan
from edgeling.graph.types import Graph, Node
from edgeling.passes.contracts import contract, only_what_is_needed, same_face, same_or_changed

T = TypeVar("T")


@contract(same_face, same_or_changed, ensures=(only_what_is_needed,))
def remove_dead(graph: Graph) -> Graph:
    """The graph without nodes and constants that no output and no update depends on."""
    return _living(graph)


def part(graph: Graph, inputs: Sequence[str], outputs: Sequence[str]) -> Graph:
    """What of a graph makes some of its values from others, which become its inputs."""
    return _living(replace(graph, inputs=tuple(inputs), outputs=tuple(outputs)))


def _living(graph: Graph) -> Graph:
    needed = {*graph.outputs, *(value for _, value in graph.updates)}
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            kept.append(_trimmed(node, needed) if node.operation == "scan" else node)
            needed.update(kept[-1].inputs)
    constants = {name: array for name, array in graph.constants.items() if name in needed}
    same = [id(node) for node in graph.nodes] == [id(node) for node in reversed(kept)]
    left = prune_types(replace(graph, nodes=tuple(reversed(kept)), constants=constants))
    return graph if same and len(left.types) == len(graph.types) else left


def prune_types(graph: Graph) -> Graph:
    """The graph with types only for the values it still has."""
    made = {*graph.inputs, *graph.constants, *graph.variables, *(o for node in graph.nodes for o in node.outputs)}
    return replace(graph, types={name: kind for name, kind in graph.types.items() if name in made})


def _trimmed(node: Node, needed: Collection[str]) -> Node:
    """A scan without the results nobody needs, what is carried for nobody, and what its body does not read."""
    scan = Scan.of(node.attributes)
    final, stacks = scan.split_outputs(node.outputs)
    carried, results = scan.split_outputs(scan.body.outputs)
    wanted = [stack in needed for stack in stacks]
    alive = [value in needed for value in final]
    while True:
        outputs = (*compress(carried, alive), *compress(results, wanted))
        body = _living(scan.body if outputs == scan.body.outputs else replace(scan.body, outputs=outputs))
        read = {*outputs, *(i for n in body.nodes for i in n.inputs)}
        reached = [a or name in read for a, name in zip(alive, body.inputs, strict=False)]
        if reached == alive:
            break
        alive = reached
    keep_inputs = [*alive, *(name in read for name in body.inputs[scan.carried :])]
    if all((*keep_inputs, *wanted)) and body is scan.body:
        return node
    body = prune_types(replace(body, inputs=_kept(body.inputs, keep_inputs)))
    axes = _kept(scan.axes, [*keep_inputs[scan.carried :][: scan.scanned], *wanted])
    trimmed = replace(scan, body=body, carried=sum(alive), axes=axes)
    return replace(
        node,
        inputs=_kept(node.inputs, keep_inputs),
        outputs=_kept(node.outputs, [*alive, *wanted]),
        attributes=trimmed.attributes,
    )


def _kept(values: Sequence[T], keep: Sequence[bool]) -> tuple[T, ...]:
    return tuple(compress(values, keep))
