# SPDX-License-Identifier: Apache-2.0
"""What passes require and ensure, as functions: the tests run them before and after every pass, users never.

A pass states its contract where it is defined, ``@contract(ensures(only_what_is_needed), ...)``. Every contract asks
for a legal graph and gives one; most keep the graph's face.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from edgeling.graph.check import check
from edgeling.graph.scan import Scan
from edgeling.graph.types import DType, Graph, bodies

P = ParamSpec("P")
Pass = Callable[Concatenate[Graph, P], Graph]
Condition = Callable[[Graph], None]
Relation = Callable[[Graph, Graph], None]


class Contracts:
    """Whether contracts are held; ``Contracts.enforced = True`` in tests."""

    enforced = False


def contract(
    *relations: Relation, requires: tuple[Condition, ...] = (), ensures: tuple[Condition, ...] = ()
) -> Callable[[Pass[P]], Pass[P]]:
    """Decorates a pass.

    Args:
        relations: what holds between the graph given and the graph made.
        requires: what holds of the graph given, besides that it is legal.
        ensures: what holds of the graph made, likewise.

    A pass that breaks its contract, or is called outside it, raises AssertionError where contracts are enforced.
    """

    def decorate(run: Pass[P]) -> Pass[P]:
        @wraps(run)
        def held(graph: Graph, /, *arguments: P.args, **keywords: P.kwargs) -> Graph:
            if not Contracts.enforced:
                return run(graph, *arguments, **keywords)
            for condition in (legal, *requires):
                condition(graph)
            made = run(graph, *arguments, **keywords)
            for condition in (legal, *ensures):
                condition(made)
            for relation in relations:
                relation(graph, made)
            return made

        return held

    return decorate


def legal(graph: Graph) -> None:
    """The graph passes the legality check."""
    check(graph)


def same_face(given: Graph, made: Graph) -> None:
    """Name, inputs, outputs and variables are as they were, and of the same types."""
    face = (given.name, given.inputs, given.outputs, tuple(given.variables))
    assert (made.name, made.inputs, made.outputs, tuple(made.variables)) == face, "the face of the graph changed"
    ends = {*given.inputs, *given.outputs, *given.variables}
    assert all(_form(made, value) == _form(given, value) for value in ends), "a type of the graph's face changed"


def same_or_changed(given: Graph, made: Graph) -> None:
    """Where nothing changed it is the same object."""
    same = len(made.nodes) == len(given.nodes) and all(map(operator.is_, made.nodes, given.nodes))
    values = [(graph.constants.keys(), graph.types.keys()) for graph in (given, made)]
    assert made is given or not same or values[0] != values[1], "an equal copy"


def more_outputs(given: Graph, made: Graph) -> None:
    """The outputs there were come first, and the inputs there were."""
    assert made.outputs[: len(given.outputs)] == given.outputs, "outputs changed their order"
    assert made.inputs[: len(given.inputs)] == given.inputs, "inputs changed their order"


def only_what_is_needed(graph: Graph) -> None:
    """Every node and constant is read by an output or an update, through others, in bodies too; types are of values."""
    needed = {*graph.outputs, *(value for _, value in graph.updates)}
    for node in reversed(graph.nodes):
        assert needed.intersection(node.outputs), f"nobody reads {node.outputs}"
        needed.update(node.inputs)
        for body in bodies(node).values():
            only_what_is_needed(body)
    assert graph.constants.keys() <= needed, f"nobody reads {sorted(graph.constants.keys() - needed)}"
    values = {*graph.inputs, *graph.constants, *graph.variables, *(o for node in graph.nodes for o in node.outputs)}
    assert graph.types.keys() == values, "types of values that are gone"


def nothing_left_to_compute(graph: Graph) -> None:
    """No node has only constants for inputs, and no body is handed a constant."""
    for node in graph.nodes:
        assert not all(i in graph.constants for i in node.inputs), f"{node.operation} of constants"
        if node.operation == "scan":
            scan = Scan.of(node.attributes)
            _, _, captured = scan.split_inputs(node.inputs)
            assert not graph.constants.keys() & set(captured), "a body captures a constant"
            nothing_left_to_compute(scan.body)


def integers_inside(graph: Graph) -> None:
    """Between ``quantize`` and ``dequantize`` there are integers only."""
    reached: set[str] = set()
    for node in graph.nodes:
        if node.operation == "quantize" or (reached.intersection(node.inputs) and node.operation != "dequantize"):
            reached.update(node.outputs)
    assert all(graph.types[value].dtype is not DType.FLOAT32 for value in reached), "floats among the integers"


def integers_only(graph: Graph) -> None:
    """No value is a float."""
    assert all(kind.dtype is not DType.FLOAT32 for kind in graph.types.values()), "floats in an integer graph"


def _form(graph: Graph, value: str) -> tuple[tuple[int, ...], DType]:
    kind = graph.types[value]
    return kind.shape, kind.dtype
