# SPDX-License-Identifier: Apache-2.0
"""The legality check: what every graph promises to everyone who reads one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from edgeling.errors import GraphError
from edgeling.graph.attributes import complete_attributes
from edgeling.graph.limits import check_limits, check_type
from edgeling.graph.type_rules import infer
from edgeling.graph.types import Graph, Node, bodies

MAX_NESTING = 4
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
TEXT_LISTS = ("input_names", "input_units", "output_names", "labels")  # what generated headers show


def check(graph: Graph, nesting: int = 0) -> Graph:
    """Give the graph back if it is legal.

    Legal: the name is a C identifier; every value is made once and before it is read, and of a type that can be;
    every node's types follow from its inputs' types; attributes and the constants of int8 nodes are within what
    kernels rely on; arrays have the declared shape and dtype; updates name variables, once each, with values of their
    type. The C of a legal graph neither reads nor writes out of bounds, and overflows no integer.

    Raises:
        GraphError: the first rule broken.
    """
    if nesting > MAX_NESTING:
        raise GraphError(
            f"bodies are nested at most {MAX_NESTING} deep", received=graph.name,
            remedy="put what the innermost bodies do into those around them",
        )  # fmt: skip
    if not _IDENTIFIER.fullmatch(graph.name):
        raise GraphError(
            "a graph's name is a C identifier", received=repr(graph.name),
            remedy="a name of letters, digits and _, such as 'network'",
        )  # fmt: skip
    for kind in graph.types.values():
        check_type(kind)
    known: set[str] = set()
    for value in (*graph.inputs, *graph.constants, *graph.variables):
        _make(graph, value, known)
    _check_arrays(graph)
    for node in graph.nodes:
        _check_node(graph, node, known, nesting)
    _check_ends(graph, known)
    _check_metadata(graph)
    return graph


def _make(graph: Graph, value: str, known: set[str]) -> None:
    if value in known:
        raise GraphError("every value is made once", received=repr(value), remedy="another name for the second")
    if value not in graph.types:
        raise GraphError("every value has a type", received=repr(value), remedy="declare its type in types")
    known.add(value)


def _check_node(graph: Graph, node: Node, known: set[str], nesting: int) -> None:
    if missing := [i for i in node.inputs if i not in known]:
        raise GraphError(
            f"{node.operation} reads values made before it", received=repr(missing[0]),
            remedy="put the node that makes it before, or declare it as an input",
        )  # fmt: skip
    attributes = complete_attributes(node.operation, len(node.inputs), node.attributes)
    for body in bodies(node).values():
        check(body, nesting + 1)
    if missing := [name for name in attributes if name not in node.attributes]:
        raise GraphError(
            f"{node.operation} states all its attributes", received=f"none for {missing[0]!r}",
            remedy="add the attribute",
        )  # fmt: skip
    inferred = infer(node.operation, tuple(graph.types[i] for i in node.inputs), attributes)
    if len(inferred) != len(node.outputs):
        raise GraphError(
            f"{node.operation} has {len(inferred)} outputs", received=str(len(node.outputs)),
            remedy=f"name {len(inferred)} outputs",
        )  # fmt: skip
    for output, kind in zip(node.outputs, inferred, strict=True):
        _make(graph, output, known)
        declared = graph.types[output]
        if (declared.shape, declared.dtype) != (kind.shape, kind.dtype):
            raise GraphError(
                f"{output!r} of {node.operation} is {kind}", received=str(declared), remedy=f"declare it as {kind}"
            )
    check_limits(node, graph)


def _check_arrays(graph: Graph) -> None:
    for name, array in (*graph.constants.items(), *graph.variables.items()):
        kind = graph.types[name]
        if array.shape != kind.shape or array.dtype != kind.dtype.numpy:
            raise GraphError(
                f"{name!r} is {kind}", received=f"{array.dtype}{list(array.shape)}", remedy=f"store it as {kind}"
            )


def _check_ends(graph: Graph, known: set[str]) -> None:
    for value in _ends(graph):
        if value not in known:
            raise GraphError(
                "outputs and updates name values of the graph", received=repr(value),
                remedy="the name of an input, a constant, a variable or a node's output",
            )  # fmt: skip
    for variable, value in graph.updates:
        if variable not in graph.variables or graph.types[variable] != graph.types[value]:
            raise GraphError(
                "an update gives a variable a value of its type", received=repr((variable, value)),
                remedy="compute a value of the variable's type, for instance with cast or reshape",
            )  # fmt: skip
    if len({v for v, _ in graph.updates}) != len(graph.updates):
        raise GraphError(
            "a variable is updated once", received=str(graph.updates), remedy="leave one of the updates out"
        )


def _check_metadata(graph: Graph) -> None:
    for key in TEXT_LISTS:
        value = graph.metadata.get(key, [])
        if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
            raise GraphError(f"metadata's {key} is a list of texts", received=repr(value), remedy="list the texts")
    if not isinstance(graph.metadata.get("fusion_error", 0.0), int | float):
        raise GraphError(
            "metadata's fusion_error is a number", received=repr(graph.metadata["fusion_error"]),
            remedy="a number, or no fusion_error",
        )  # fmt: skip


def _ends(graph: Graph) -> Iterator[str]:
    yield from graph.outputs
    for pair in graph.updates:
        yield from pair
