# SPDX-License-Identifier: Apache-2.0
"""From a graph to the straight line of calls that the C program makes.

Reshapes disappear (they are another name for the same memory). Every output and every updated variable gets a value of
its own, made by one call, by inserting copies where a graph hands out the same value twice. Updates are placed as early
as nobody needs the old contents any more, so that a gradient's memory is free again as soon as possible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from edgeling.graph.naming import unused
from edgeling.graph.types import Graph, Node, TensorType

COPY = "copy"
PRODUCT_UPDATE = "product_update"
OUTPUT_STEP = "output_step"
CURVES = "curves"
SEPARABLE = "separable_conv"
SCHEDULED = frozenset({COPY, PRODUCT_UPDATE, OUTPUT_STEP, CURVES, SEPARABLE})  # which no graph holds

_RECTIFIERS = ("relu", "relu6")


@dataclass(frozen=True)
class Schedule:
    """What runs, in order.

    Attributes:
        graph: the graph it came from.
        nodes: in the order they run; ``copy`` nodes may be among them, ``reshape`` nodes are not.
        types: of every value, those of inserted copies included.
        roots: every value's owner of memory (itself, unless it is a reshape of another).
        outputs: for each output of the graph, in order, the value made for it.
        updates: for each updated variable, the value made for it.
    """

    graph: Graph
    nodes: tuple[Node, ...]
    types: Mapping[str, TensorType]
    roots: Mapping[str, str]
    outputs: tuple[str, ...]
    updates: Mapping[str, str]

    @cached_property
    def rectified(self) -> frozenset[str]:
        """The values that a rectifier made: much of them is zero."""
        made = (node.outputs for node in self.nodes if node.attributes.get("function") in _RECTIFIERS)
        return frozenset(output for outputs in made for output in outputs)


def schedule(graph: Graph) -> Schedule:
    """Order a graph's nodes for execution. Requires a legal graph."""
    builder = _Builder(graph)
    outputs = tuple(builder.own(output, output) for output in graph.outputs)
    updates = {
        variable: builder.own(value, variable)
        for variable, value in graph.updates
        if builder.roots[value] != variable
    }  # fmt: skip
    nodes = _ordered(builder.nodes, builder.roots, updates)
    return Schedule(graph, tuple(nodes), builder.types, builder.roots, outputs, updates)


class _Builder:
    """Resolves reshapes, and gives each output and each variable a value that only one call makes."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = [node for node in graph.nodes if node.operation != "reshape"]
        self.types = dict(graph.types)
        self.roots = {name: name for name in graph.types}
        for node in graph.nodes:
            if node.operation == "reshape":
                self.roots[node.output] = self.roots[node.inputs[0]]
        self._made = {output for node in self.nodes for output in node.outputs}
        self._owned: set[str] = set()

    def own(self, value: str, name: str) -> str:
        """The root of ``value`` if nobody owns it yet, else a copy."""
        root = self.roots[value]
        if root not in self._made or root in self._owned:
            root = self._copy(root, name)
        self._owned.add(root)
        return root

    def _copy(self, source: str, name: str) -> str:
        copy = unused(f"{name}_copy", self.types)
        self.types[copy], self.roots[copy] = self.types[source], copy
        # Directly behind what makes it, so that the original need not live on; of a variable before it changes.
        at = next((i + 1 for i, node in enumerate(self.nodes) if source in node.outputs), 0)
        self.nodes.insert(at, Node(COPY, (source,), (copy,)))
        return copy


def _ordered(nodes: list[Node], roots: Mapping[str, str], updates: Mapping[str, str]) -> list[Node]:
    queue = _Queue(nodes, roots, updates)
    for index in range(len(nodes)):
        if index not in queue.waiting:
            queue.emit(index)
    # Left over are updates that wait for one another, as of two variables that exchange their contents.
    for index in sorted(queue.waiting):
        queue.emit(index)
    return [nodes[index] for index in queue.order]


class _Queue:
    """Emits nodes in order; a node that makes a variable's next contents waits until the old ones are read."""

    def __init__(self, nodes: list[Node], roots: Mapping[str, str], updates: Mapping[str, str]) -> None:
        self.order: list[int] = []
        self._reads = [{roots[i] for i in node.inputs} for node in nodes]
        self._maker = {output: index for index, node in enumerate(nodes) for output in node.outputs}
        self._readers: dict[str, set[int]] = {variable: set() for variable in updates}
        for index, reads in enumerate(self._reads):
            for variable in reads & updates.keys():
                self._readers[variable].add(index)
        self._variables: dict[int, list[str]] = {}
        for variable, value in updates.items():
            self._variables.setdefault(self._maker[value], []).append(variable)
        self.waiting = set(self._variables)
        self._emitted: set[int] = set()

    def emit(self, index: int) -> None:
        """Append a node, before it the waiting ones it reads from, after it those that need wait no longer."""
        self._append(index)
        while ready := [waiting for waiting in sorted(self.waiting) if self._is_ready(waiting)]:
            self._append(ready[0])

    def _append(self, index: int) -> None:
        if index in self._emitted:
            return
        # A node that waits is emitted all the same where another reads what it makes.
        for maker in sorted(self._makers(index) - self._emitted):
            self._append(maker)
        self.waiting.discard(index)
        self._emitted.add(index)
        self.order.append(index)

    def _makers(self, index: int) -> set[int]:
        return {self._maker[value] for value in self._reads[index] if value in self._maker}

    def _is_ready(self, index: int) -> bool:
        others = {reader for variable in self._variables[index] for reader in self._readers[variable]} - {index}
        return (self._makers(index) | others) <= self._emitted
