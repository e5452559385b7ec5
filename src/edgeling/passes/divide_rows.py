# SPDX-License-Identifier: Apache-2.0
"""A step that learns of many rows as a loop over blocks of them, whose sums over rows are added up behind it.

No row of a batch needs another until gradients, losses and metrics are summed. So what one block of rows makes on the
way there and back is all that has to be held at a time, it stays in a core's cache, and blocks are independent: threads
do some each, and wait for one another once a step. Sums are added in the order of the blocks, whoever did them.

*Divided* is what has lines for rows along its first axis, of each row as many and together: inputs, and what comes of
them. A *partial* value is a block's share of a sum over all rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from edgeling.graph.cost import cost
from edgeling.graph.naming import unused
from edgeling.graph.scan import Scan
from edgeling.graph.type_rules import infer
from edgeling.graph.types import Graph, Node, TensorType
from edgeling.passes.contracts import contract, same_face, same_or_changed

MOST_BLOCKS = 8
LEAST_PRODUCTS = 1 << 20
"""Of a block: some dozens of microseconds, so that threads are worth waking."""
LEAST_USES = 512
"""Products for each element of a partial sum, which is written once and read once more than a sum of all rows."""

_BROADCASTING = {"add", "subtract", "multiply", "divide", "maximum", "minimum", "compare", "select"}
_BESIDE = {
    "activation_gradient", "softmax_gradient", "log_softmax_gradient", "normalize_gradient", "larger_gradient",
    "concatenate", "loss", "metric", "cross_entropy", "loss_gradient", "cross_entropy_gradient", "max_pool_gradient",
}  # fmt: skip
"""Operations whose inputs have as many lines as each other."""
_FIRST = {
    "square", "logarithm", "trigonometric", "whole", "stop_gradient", "reciprocal_sqrt", "clip", "activation",
    "softmax", "log_softmax", "normalize", "batch_normalization", "dense", "max_pool", "average_pool",
    "average_pool_gradient", "embedding", "one_hot", "gather", "reshape", "broadcast", "slice", "pad", "transpose",
    "sum",
}  # fmt: skip
"""Operations of whose inputs the first alone has lines. Convolutions are none: they lay kernels out at each call, which
costs more than their images shared one by one."""
_OVER_LAST_AXIS = {"softmax", "log_softmax", "normalize", "concatenate"}


@contract(same_face, same_or_changed)
def divide_rows(graph: Graph, rows: int) -> Graph:
    """The graph with what it does for ``rows`` rows in blocks; the same object where rows are mixed or it does not pay.

    Ensures: the outputs are the same but for the order in which rows are summed.

    Args:
        rows: the first length of every input that is no number.
    """
    divided = {name for name in graph.inputs if graph.types[name].shape[:1] == (rows,)}
    most = min(MOST_BLOCKS, cost(graph).multiply_accumulates // LEAST_PRODUCTS)
    blocks = next((n for n in range(most, 1, -1) if rows % n == 0), 1)
    if blocks < 2 or not divided or any(graph.types[name].shape for name in set(graph.inputs) - divided):
        return graph
    region = _Region(graph, rows, blocks, divided)
    return region.divided_graph() if region.takes_all() and region.pays() else graph


@dataclass
class _Region:
    """What is done for each block.

    Attributes:
        divided: the values that have lines for rows.
        nodes: of the body, for the rows of a block.
        types: of the body's values.
        sliced, captured: what it reads: values of which it sees a block's lines, and others.
        partial: its shares of sums over rows.
        before, after: what is done for all rows together; what waits for sums over rows.
        late: what depends on such sums.
    """

    graph: Graph
    rows: int
    blocks: int
    divided: set[str]
    nodes: list[Node] = field(default_factory=list)
    types: dict[str, TensorType] = field(default_factory=dict)
    sliced: dict[str, None] = field(default_factory=dict)
    captured: dict[str, None] = field(default_factory=dict)
    partial: list[str] = field(default_factory=list)
    before: list[Node] = field(default_factory=list)
    after: list[Node] = field(default_factory=list)
    late: set[str] = field(default_factory=set)

    def takes_all(self) -> bool:
        """Whether all that has lines for rows was taken; else something mixes rows, or waits for a sum over them."""
        return all(map(self._takes, self.graph.nodes))

    def pays(self) -> bool:
        """Whether partial sums are little beside what makes them."""
        body = Graph("body", (), (), tuple(self.nodes), self.types)
        summed = sum(self.types[name].size for name in self.partial)
        return bool(self.partial) and summed * LEAST_USES <= cost(body).multiply_accumulates

    def _takes(self, node: Node) -> bool:
        is_late = bool(self.late.intersection(node.inputs))
        if not self.divided.intersection(node.inputs):
            (self.after if is_late else self.before).append(node)
            self.late.update(node.outputs if is_late else ())
            return True
        if is_late:
            return False
        if self._keeps_lines(node):
            self.divided.update(node.outputs)
        elif self._sums_lines(node):
            self.partial.extend(node.outputs)
            self.late.update(node.outputs)
        else:
            return False
        return self._add(node)

    def _add(self, node: Node) -> bool:
        """The node, for the rows of a block; whether its type rule gives what it is to give."""
        attributes: dict[str, Any] = dict(node.attributes)
        if "shape" in attributes and node.output in self.divided:
            attributes["shape"] = self._shape(node.output)
        self.nodes.append(replace(node, attributes=attributes))
        for name in node.inputs:
            self._read(name, self._is_beside(node, name))
        kinds = infer(node.operation, tuple(self.types[name] for name in node.inputs), attributes)
        for name in node.outputs:
            self.types[name] = self._narrow(name) if name in self.divided else self.graph.types[name]
        return [kind.shape for kind in kinds] == [self.types[name].shape for name in node.outputs]

    def _read(self, name: str, has_lines: bool) -> None:
        """A value that the body reads: if the body does not make it, a block's lines of it, or all of it."""
        if name in self.types:
            return
        is_sliced = name in self.divided or has_lines
        self.types[name] = self._narrow(name) if is_sliced else self.graph.types[name]
        (self.sliced if is_sliced else self.captured)[name] = None

    def _is_beside(self, node: Node, name: str) -> bool:
        """Whether a value that is none of the rows' has a line for each that is divided in a node."""
        shape, made = self.graph.types[name].shape, self.graph.types[node.outputs[0]].shape
        is_matrix = node.operation == "matmul" and len(made) == 2
        if node.operation in _FIRST or is_matrix or self._lines(name) != self._lines_of(node):
            return False
        return node.operation in _BESIDE or len(shape) == len(made)

    def _lines(self, name: str) -> int:
        return (*self.graph.types[name].shape, 0)[0]

    def _lines_of(self, node: Node) -> int:
        """How many lines what is divided among a node's inputs has; 0 where they are not as many."""
        found = {self._lines(name) for name in self.divided.intersection(node.inputs)}
        return found.pop() if len(found) == 1 else 0

    def _shape(self, name: str) -> tuple[int, ...]:
        first, *others = self.graph.types[name].shape
        return (first // self.blocks, *others)

    def _narrow(self, name: str) -> TensorType:
        return replace(self.graph.types[name], shape=self._shape(name))

    def _keeps_lines(self, node: Node) -> bool:
        """Whether each line that it gives comes of the same line of what it is given."""
        types, lines, operation = self.graph.types, self._lines_of(node), node.operation
        shape, given = types[node.outputs[0]].shape, [types[name].shape for name in node.inputs]
        if not lines or not shape or shape[0] % self.rows or len(node.outputs) != 1:
            return False
        if operation in _OVER_LAST_AXIS and len(given[0]) < 2:
            return False
        if operation in _BROADCASTING:
            ranks = {len(types[name].shape) for name in self.divided.intersection(node.inputs)}
            return ranks == {len(shape)} and shape[0] == lines
        if operation in _BESIDE:
            return all(each[:1] == (lines,) for each in given) and shape[0] == lines
        if operation == "matmul":
            return self._is_product_of_lines(node, lines)
        is_first = node.inputs[0] in self.divided and not self.divided.intersection(node.inputs[1:])
        return operation in _FIRST and is_first and self._stays(node, lines)

    def _is_product_of_lines(self, node: Node, lines: int) -> bool:
        if len(self.graph.types[node.output].shape) > 2:
            return all(self._lines(name) == lines for name in node.inputs)
        first, second = (name in self.divided for name in node.inputs)
        return first and not second and not node.attributes["transpose_a"]

    def _stays(self, node: Node, lines: int) -> bool:
        """Whether an operation of one value with lines leaves them where they are."""
        attributes, operation = node.attributes, node.operation
        if operation == "reshape":
            return True
        if operation == "sum":
            return 0 not in attributes["axes"]
        if operation == "transpose":
            return bool(attributes["permutation"][0] == 0)
        if operation in ("slice", "pad") and attributes["begin"][0]:
            return False
        if operation == "broadcast" and len(attributes["shape"]) != len(self.graph.types[node.inputs[0]].shape):
            return False
        return self._lines(node.output) == lines

    def _sums_lines(self, node: Node) -> bool:
        lines, operation = self._lines_of(node), node.operation
        if not lines:
            return False
        if operation == "sum":
            return 0 in node.attributes["axes"]
        if operation == "matmul":
            flips = (node.attributes["transpose_a"], node.attributes["transpose_b"])
            is_product = flips == (True, False) and len(self.graph.types[node.output].shape) == 2
            return is_product and self.divided.issuperset(node.inputs)
        return operation == "embedding_gradient" and self.divided.issuperset(node.inputs)

    def divided_graph(self) -> Graph:
        """The loop over blocks, between what comes before and what waits for its sums."""
        graph, kept = self.graph, [name for name in self.graph.outputs if name in self.divided - set(self.graph.inputs)]
        types, constants = dict(graph.types), {n: graph.constants[n] for n in self.captured if n in graph.constants}
        captured = [name for name in self.captured if name not in constants]
        made = [*self.partial, *dict.fromkeys(kept)]
        body = Graph(f"{graph.name}_rows", (*self.sliced, *captured), tuple(made), tuple(self.nodes),
                     {**self.types}, constants)  # fmt: skip
        scan = Scan(body, self.blocks, 0, (0,) * (len(self.sliced) + len(made)), False)
        nodes = [*self.before]

        def add(operation: str, inputs: tuple[str, ...], outputs: tuple[str, ...], attributes: dict[str, Any]) -> None:
            types.update(zip(outputs, infer(operation, tuple(types[i] for i in inputs), attributes), strict=True))
            nodes.append(Node(operation, inputs, outputs, attributes))

        apart = {name: unused(f"{name}_blocks", types) for name in (*self.sliced, *made)}
        for name in self.sliced:
            add("reshape", (name,), (apart[name],), {"shape": (self.blocks, *self._shape(name))})
        stacks = tuple(apart[name] for name in made)
        add("scan", (*(apart[name] for name in self.sliced), *captured), stacks, scan.attributes)
        for name in made:
            whole = apart[name]
            if name in self.late:
                whole = unused(f"{name}_sum", types)
                add("sum", (apart[name],), (whole,), {"axes": (0,)})
            add("reshape", (whole,), (name,), {"shape": graph.types[name].shape})
        needed = {i for node in (*nodes, *self.after) for i in node.inputs} | set(graph.outputs)
        inside = {o for node in self.nodes for o in node.outputs} - set(made)
        return replace(
            graph, nodes=(*nodes, *self.after),
            types={name: kind for name, kind in types.items() if name not in inside},
            constants={name: array for name, array in graph.constants.items() if name in needed},
        )  # fmt: skip
