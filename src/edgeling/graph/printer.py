# SPDX-License-Identifier: Apache-2.0
"""A graph as text a person can read: one value a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgeling.graph.types import Graph, Node, bodies


def to_text(graph: Graph) -> str:
    """The graph, printed: inputs, constants and variables by type, then a node a line, then what goes out."""
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    arguments = ", ".join(f"{name}: {graph.types[name]}" for name in graph.inputs)
    yield f"graph {graph.name}({arguments}):"
    for kind, names in (("constant", graph.constants), ("variable", graph.variables)):
        for name in names:
            yield f"  {kind} {name}: {graph.types[name]}"
    for node in graph.nodes:
        yield f"  {_node(graph, node)}"
        for body in bodies(node).values():
            yield from (f"    {line}" for line in _lines(body))
    for variable, value in graph.updates:
        yield f"  update {variable} <- {value}"
    yield f"  return {', '.join(graph.outputs)}"


def _node(graph: Graph, node: Node) -> str:
    outputs = ", ".join(f"{o}: {graph.types[o]}" for o in node.outputs)
    return f"{outputs} = {node.operation}({', '.join(node.inputs)}{_attributes(node.attributes)})"


def _attributes(attributes: Mapping[str, Any]) -> str:
    return "".join(
        f", {key}={value.name if isinstance(value, Graph) else repr(value)}" for key, value in attributes.items()
    )
