# SPDX-License-Identifier: Apache-2.0
"""Many rows at once: a graph of one row becomes the same graph of ``n``, through the type rules.

A value is *batched* if it depends on an input; its first axis is then that of all rows, one row's after the other's: of
inputs and outputs the batch's, of what was reshaped (to a matrix with a line for each pixel) a multiple of it. What a
row's answer is does not depend on its neighbours: an operation that would mix rows (a sum over the first axis) is
refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from edgeling.errors import GraphError, UnsupportedError
from edgeling.graph.check import check
from edgeling.graph.naming import unused
from edgeling.graph.operations import GATES
from edgeling.graph.scan import Scan
from edgeling.graph.type_rules import infer
from edgeling.graph.types import Graph, Node, TensorType

# Operations over the last axis, which must not be the batch's; the others' shapes tell.
_OVER_LAST_AXIS = {
    "softmax",
    "log_softmax",
    "softmax_gradient",
    "log_softmax_gradient",
    "normalize",
    "normalize_gradient",
    "concatenate",
    "softmax_int8",
    "softmax_int16",
    "scale_quantized",
}
# Operations whose inputs are as long as each other: one that is the same for every row is repeated.
_ALL_BATCHED = {
    *GATES,
    "concatenate", "activation_gradient", "softmax_gradient", "log_softmax_gradient", "normalize_gradient",
    "larger_gradient",
    "max_pool_gradient",
}  # fmt: skip
_BINARY = {
    "add",
    "subtract",
    "multiply",
    "divide",
    "maximum",
    "minimum",
    "compare",
    "select",
    "add_quantized",
    "subtract_quantized",
    "multiply_quantized",
}


def with_batch(graph: Graph, rows: int) -> Graph:
    """The graph that answers ``rows`` rows in one run.

    Requires: every input has a first axis of length one; no variable is updated (what lives on from row to row cannot
    be computed for all at once).
    Ensures: inputs and outputs have ``rows`` as their first axis; each row's answer is that of ``graph``.

    Raises:
        UnsupportedError: an operation mixes rows, or the graph keeps state.
    """
    if graph.updates:
        raise _refused("a graph that keeps state runs row by row", str([name for name, _ in graph.updates]))
    return check(_Batching(graph, rows, frozenset(graph.inputs)).run())


def _refused(rule: str, received: str) -> UnsupportedError:
    return UnsupportedError(rule, received=received, remedy="run it row by row")


def _mixed(node: Node) -> UnsupportedError:
    return _refused("each row is answered for itself", f"{node.operation} that makes {node.outputs[0]!r}")


@dataclass
class _Batching:
    """One graph, or one body, being rewritten: values named in ``batched`` have the batch's first axis."""

    graph: Graph
    rows: int
    given: frozenset[str]
    is_body: bool = False  # of a loop, which may go over parts of rows: several lines for each
    types: dict[str, TensorType] = field(default_factory=dict)
    batched: set[str] = field(default_factory=set)
    nodes: list[Node] = field(default_factory=list)

    def run(self) -> Graph:
        graph = self.graph
        self.types = dict(graph.types)
        for name in self.given:
            self._mark(name)
        for node in graph.nodes:
            self._node(node)
        outputs = tuple(map(self._repeated if self.is_body else self.broadcast, graph.outputs))
        return replace(graph, outputs=outputs, nodes=tuple(self.nodes), types=self.types)

    def broadcast(self, value: str) -> str:
        """A batched value; one that is the same for every row is repeated."""
        if value in self.batched and self.graph.types[value].shape[:1] == (1,):
            return value
        self._require_row(value)
        return self._add("broadcast", (value,), f"{value}_rows", shape=(self.rows, *self.types[value].shape[1:]))

    def _repeated(self, value: str) -> str:
        """As :meth:`broadcast`, of any number of lines for each row: what loops over parts of rows begin with."""
        if value in self.batched:
            return value
        first, *others = self.types[value].shape
        if first == 1:
            return self.broadcast(value)
        apart = self._add("reshape", (value,), f"{value}_apart", shape=(1, first, *others))
        each = self._add("broadcast", (apart,), f"{value}_rows", shape=(self.rows, first, *others))
        return self._add("reshape", (each,), f"{value}_lines", shape=(self.rows * first, *others))

    def _add(self, operation: str, inputs: tuple[str, ...], name: str, **attributes: Any) -> str:
        name = unused(name, self.types)
        (self.types[name],) = infer(operation, tuple(self.types[i] for i in inputs), attributes)
        self.nodes.append(Node(operation, inputs, (name,), attributes))
        self.batched.add(name)
        return name

    def _mark(self, name: str) -> None:
        """An input: its first axis becomes the batch's."""
        if not self.is_body:
            self._require_row(name)
        first, *others = self.types[name].shape
        self.types[name] = replace(self.types[name], shape=(self.rows * first, *others))
        self.batched.add(name)

    def _require_row(self, name: str) -> None:
        if self.types[name].shape[:1] != (1,):
            raise _refused(f"{name!r} has a first axis of length one", str(self.types[name]))

    def _node(self, node: Node) -> None:
        if not self.batched.intersection(node.inputs):
            self.nodes.append(node)
            return
        node = self._scan(node) if node.operation == "scan" else self._plain(node)
        for output, kind in zip(node.outputs, self._inferred(node), strict=True):
            row = self.graph.types[output]
            if not row.shape or kind.shape != (self.rows * row.shape[0], *row.shape[1:]):
                raise _mixed(node)
            self.types[output] = replace(row, shape=kind.shape)
            self.batched.add(output)
        self.nodes.append(node)

    def _inferred(self, node: Node) -> tuple[TensorType, ...]:
        try:
            return infer(node.operation, tuple(self.types[i] for i in node.inputs), node.attributes)
        except GraphError:  # legal for one row only
            raise _mixed(node) from None

    def _plain(self, node: Node) -> Node:
        row = self.graph.types[node.outputs[0]]
        ranks = {len(self.types[i].shape) for i in node.inputs if i in self.batched}
        over_rows = node.operation in _OVER_LAST_AXIS and min(ranks) < 2
        if over_rows or (node.operation in _BINARY and ranks != {len(row.shape)}):
            raise _mixed(node)
        if node.operation in _ALL_BATCHED or (node.operation == "matmul" and len(row.shape) > 2):
            inputs = tuple(v if v in self.batched else self.broadcast(v) for v in node.inputs)
            node = replace(node, inputs=inputs)
        if "shape" in node.attributes:
            first, *others = node.attributes["shape"] or (0,)
            return replace(node, attributes={**node.attributes, "shape": (self.rows * first, *others)})
        return node

    def _scan(self, node: Node) -> Node:
        """A loop: what is carried is batched where it begins so, or becomes so in the body."""
        scan = Scan.of(node.attributes)
        carried, sequences, captured = scan.split_inputs(node.inputs)
        if any(axis == 0 for axis in scan.axes):
            raise _mixed(node)
        carried = tuple(map(self._repeated, carried))
        given = (*carried, *sequences, *captured)
        inside = frozenset(
            name for name, value in zip(scan.body.inputs, given, strict=True) if value in self.batched
        )  # fmt: skip
        body = _Batching(scan.body, self.rows, inside, is_body=True).run()
        return replace(node, inputs=given, attributes=replace(scan, body=body).attributes)
