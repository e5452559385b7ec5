# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions and the convolutions of one pixel behind them, as one call: what is between them is never
whole, and the result takes the place of the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edgeling.codegen.schedule import SEPARABLE, Schedule
from edgeling.graph.types import Node


def with_separable(work: Schedule, has_call: Callable[[Node], bool]) -> Schedule:
    """The schedule in which such a pair is one node, which ``has_call`` says there is a kernel for.

    Its inputs are the image, and kernel and bias of both; its attributes those of the second, ``first`` those of the
    other, and ``is_last``: whether nobody reads the image afterwards.
    """
    made = {output for node in work.nodes for output in node.outputs}
    makers = {node.output: node for node in work.nodes if node.operation == "conv"}
    for last in work.nodes:
        first = makers.get(work.roots[last.inputs[0]]) if last.operation == "conv" else None
        if first is not None and _is_read_once(work, first.output):
            is_last = work.roots[first.inputs[0]] in made and _is_read_once(work, work.roots[first.inputs[0]])
            attributes = {**last.attributes, "first": first.attributes, "is_last": is_last}
            node = Node(SEPARABLE, (*first.inputs, *last.inputs[1:]), last.outputs, attributes)
            if work.types[last.inputs[0]] == work.types[first.output] and has_call(node):
                kept = (node if other is last else other for other in work.nodes if other is not first)
                work = replace(work, nodes=tuple(kept))
    return work


def _is_read_once(work: Schedule, value: str) -> bool:
    readers = sum(work.roots[i] == value for node in work.nodes for i in node.inputs)
    return readers == 1 and value not in {*work.outputs, *work.updates.values()}
