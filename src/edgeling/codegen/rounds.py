# SPDX-License-Identifier: Apache-2.0
"""Which calls of a straight line threads may do side by side, without waiting for one another between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgeling.codegen.calls_products import EXACT
from edgeling.codegen.schedule import Schedule
from edgeling.graph.types import Node

# Written as several calls that wait for one another: a round of their own.
_ALONE = {"scan", "dense", "normalize_batch", "normalize_batch_gradient"}


def followed(work: Schedule, parallel: Sequence[bool]) -> tuple[Schedule, Mapping[int, int]]:
    """The schedule with each gradient of an activation directly behind the product that it alone reads, and the places
    of such products and their followers: whoever makes a part of the product does the same part of the other at once.

    Args:
        parallel: whether a node is a product that takes a follower.
    """
    nodes, behind = list(work.nodes), dict[str, Node]()
    readers: dict[str, list[Node]] = {}
    for node in nodes:
        for value in node.inputs:
            readers.setdefault(work.roots[value], []).append(node)
    kept = {*work.outputs, *work.updates.values()}
    seen = set(work.graph.types) - {output for node in nodes for output in node.outputs}
    for node, is_parallel in zip(nodes, parallel, strict=True):
        last = readers.get(node.output, []) if is_parallel and node.output not in kept else []
        if len(last) == 1 and _follows(work, last[0], node.output, seen):
            behind[node.output] = last[0]
        seen.update(node.outputs)
    moved = set(map(id, behind.values()))
    order = [n for node in nodes if id(node) not in moved for n in (node, *filter(None, [behind.get(node.outputs[0])]))]
    places = {at: at + 1 for at, node in enumerate(order) if node.outputs[0] in behind}
    return replace(work, nodes=tuple(order)), places


def _follows(work: Schedule, node: Node, product: str, seen: set[str]) -> bool:
    return (
        node.operation == "activation_gradient"
        and node.attributes["function"] in EXACT
        and work.roots[node.inputs[0]] == product
        and work.roots[node.inputs[1]] in seen
    )


def rounds(work: Schedule, shared: Sequence[bool], followers: Sequence[int] = ()) -> tuple[int, ...]:
    """The round of each node, by its place: a round follows another when that is done, within one there is no order.

    A round of several nodes begins with one that threads share, and goes on while nothing reads or overwrites what the
    nodes before it in the round make or read: gradients of weights and of rows, sums of biases, updates.

    Args:
        shared: whether threads share a node's work.
        followers: places of nodes that are done with the one before.
    """
    found: list[int] = []
    made, read, is_open = set[str](), set[str](), False
    makers = {value: variable for variable, value in work.updates.items()}
    for at, (node, is_shared) in enumerate(zip(work.nodes, shared, strict=True)):
        # Roots, not values: a reshape is another name for the same memory, and reading it reads that.
        inputs = {work.roots[value] for value in node.inputs}
        overwritten = {makers[value] for value in node.outputs if value in makers}
        alone = node.operation in _ALONE
        # What is read after it was made here must wait, and so must what overwrites something still being read.
        if at not in followers and (not is_open or alone or inputs & made or overwritten & read):
            found.append(found[-1] + 1 if found else 0)
            made, read, is_open = set(), set(), is_shared and not alone
        else:
            found.append(found[-1])
        made |= overwritten | set(node.outputs)
        read |= inputs
    return tuple(found)
