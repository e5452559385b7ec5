# SPDX-License-Identifier: Apache-2.0
"""From a graph to the straight line of calls that the C program makes.

Reshapes disappear (they are another name for the same memory). Every output and every updated variable gets a value of
its own, made by one call, by inserting copies where a graph hands out the same value twice. Updates are placed as early
as nobody needs the old contents any more, so that a gradient's memory is free again as soon as possible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edgeling.graph.naming import unused
from edgeling.graph.types import Graph, Node, TensorType

COPY = "copy"
PRODUCT_UPDATE = "product_update"
SCHEDULED = frozenset({COPY, PRODUCT_UPDATE})  # operations of its own, which no graph holds
# Optimizer updates of which each element depends on the same element of weight, gradient and slots, and on scalars.
BY_ELEMENTS = frozenset(
    """sgd_update momentum_update rmsprop_update adagrad_update adam_update amsgrad_update adamax_update nadam_update
    lion_update adadelta_update ftrl_update""".split()  # noqa: SIM905
)


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


def with_products_in_updates(work: Schedule) -> Schedule:
    """The schedule in which the gradient of a kernel, of one row, is never stored: each of its elements is the product
    of two numbers, made where the update takes it.

    Such an update has the row and its gradient in the place of the kernel's gradient, and its operation as ``rule``.
    """
    readers: dict[str, list[Node]] = {}
    for node in work.nodes:
        for value in node.inputs:
            readers.setdefault(work.roots[value], []).append(node)
    kept = {*work.outputs, *work.updates.values()}
    products = {
        node.output: node
        for node in work.nodes
        if _is_outer_product(work, node)
        and node.output not in kept
        and [r.operation in BY_ELEMENTS and work.roots[r.inputs[1]] == node.output for r in readers[node.output]]
        == [True]
    }
    nodes = (_with_product(work, node, products) for node in work.nodes if node.outputs[0] not in products)
    return replace(work, nodes=tuple(nodes)) if products else work


def _with_product(work: Schedule, node: Node, products: Mapping[str, Node]) -> Node:
    product = products.get(work.roots[node.inputs[1]]) if node.operation in BY_ELEMENTS else None
    if product is None:
        return node
    inputs = (node.inputs[0], *product.inputs, *node.inputs[2:])
    return Node(PRODUCT_UPDATE, inputs, node.outputs, {**node.attributes, "rule": node.operation})


def _is_outer_product(work: Schedule, node: Node) -> bool:
    if node.operation != "matmul" or node.attributes["transpose_b"] or not node.attributes["transpose_a"]:
        return False
    return work.types[node.inputs[0]].shape[0] == 1


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
        at = next((i + 1 for i, node in enumerate(self.nodes) if source in node.outputs), 0)
        self.nodes.insert(at, Node(COPY, (source,), (copy,)))
        return copy


def _ordered(nodes: list[Node], roots: Mapping[str, str], updates: Mapping[str, str]) -> list[Node]:
    queue = _Queue(nodes, roots, updates)
    for index in range(len(nodes)):
        if index not in queue.waiting:
            queue.emit(index)
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
