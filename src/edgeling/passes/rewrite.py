# SPDX-License-Identifier: Apache-2.0
"""What rewriting passes share: who makes a value, who reads it, and replacing nodes in place."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from edgeling.graph.naming import unused
from edgeling.graph.types import Array, Graph, Node, TensorType, bodies
from edgeling.passes.dead import remove_dead


class Uses:
    """Who makes and who reads the values of a graph."""

    def __init__(self, graph: Graph) -> None:
        self.maker = {output: node for node in graph.nodes for output in node.outputs}
        self._reads = Counter(i for node in graph.nodes for i in node.inputs)
        self._reads.update(graph.outputs)
        self._reads.update(value for _, value in graph.updates)

    def read_once(self, value: str) -> bool:
        """Whether there is one reader only: an input of a node, an output of the graph, or an update."""
        return self._reads[value] == 1


def in_bodies(graph: Graph, change: Callable[[Graph], Graph]) -> Graph:
    """The graph with a pass applied to the body of every node that has one."""
    nodes = tuple(_with_bodies(node, change) for node in graph.nodes)
    return graph if all(map(operator.is_, nodes, graph.nodes)) else replace(graph, nodes=nodes)


def _with_bodies(node: Node, change: Callable[[Graph], Graph]) -> Node:
    changed = {key: change(body) for key, body in bodies(node).items()}
    same = all(changed[key] is node.attributes[key] for key in changed)
    return node if same else replace(node, attributes={**node.attributes, **changed})


def substitute(graph: Graph, nodes: list[tuple[Node, Node | None]], constants: Mapping[str, Array]) -> Graph:
    """The graph with some nodes replaced (None: removed) and some constants added."""
    swap = {id(old): new for old, new in nodes}
    kept = [swap.get(id(node), node) for node in graph.nodes]
    types = {**graph.types, **{name: TensorType(array.shape) for name, array in constants.items()}}
    return remove_dead(
        replace(
            graph,
            nodes=tuple(node for node in kept if node is not None),
            constants={**graph.constants, **constants},
            types=types,
        )
    )


def bypass(graph: Graph, node: Node) -> Graph | None:
    """The graph with the input of a node of one input read in place of its output; None if that is an output."""
    (source,) = node.inputs
    if node.output in graph.outputs or any(node.output == value for _, value in graph.updates):
        return None
    left = (n for n in graph.nodes if n is not node)
    nodes = (replace(n, inputs=tuple(source if i == node.output else i for i in n.inputs)) for n in left)
    return remove_dead(replace(graph, nodes=tuple(nodes)))


def rename(graph: Graph, old: str, new: str) -> Graph:
    """The graph with one value under another name (or the next free one like it)."""
    name = unused(new, graph.types) if old != new else old

    def named(value: str) -> str:
        return name if value == old else value

    def all_named(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(named, values))

    return replace(
        graph,
        inputs=all_named(graph.inputs),
        outputs=all_named(graph.outputs),
        nodes=tuple(replace(n, inputs=all_named(n.inputs), outputs=all_named(n.outputs)) for n in graph.nodes),
        types={named(value): kind for value, kind in graph.types.items()},
        constants={named(value): array for value, array in graph.constants.items()},
        variables={named(value): array for value, array in graph.variables.items()},
        updates=tuple((named(variable), named(value)) for variable, value in graph.updates),
    )
