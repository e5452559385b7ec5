# SPDX-License-Identifier: Apache-2.0
"""What operations cost, before anything is built: arithmetic by kind, the same on every target.

A guide for choosing sizes; what a chip really takes is measured on the built binary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from edgeling.graph.operations import OPERATIONS
from edgeling.graph.types import Graph, Node


@dataclass(frozen=True)
class Cost:
    """How often a graph, or a node of it, does what.

    Attributes:
        multiply_accumulates: products that are summed.
        elementary: other operations on one element each (additions, comparisons, exponentials, table look-ups...).
    """

    multiply_accumulates: int = 0
    elementary: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.multiply_accumulates + other.multiply_accumulates, self.elementary + other.elementary)


CostRule = Callable[[Graph, Node], Cost]


def cost(graph: Graph) -> Cost:
    """Of running a graph once."""
    return sum((COSTS[node.operation](graph, node) for node in graph.nodes), Cost())


def _elements(graph: Graph, *values: str) -> int:
    return sum(graph.types[value].size for value in values)


def _each_output(graph: Graph, node: Node) -> Cost:
    return Cost(elementary=_elements(graph, *node.outputs))


def _each_input(graph: Graph, node: Node) -> Cost:
    return Cost(elementary=_elements(graph, *node.inputs))


def _moved(_: Graph, __: Node) -> Cost:
    return Cost()


def _dense(graph: Graph, node: Node) -> Cost:
    rows = graph.types[node.inputs[0]].shape[0]
    activated = _elements(graph, node.output) if node.attributes.get("function", "") != "linear" else 0
    return Cost(rows * _elements(graph, node.inputs[1]), activated)


def _conv(graph: Graph, node: Node) -> Cost:
    kernel, made = graph.types[node.inputs[1]], graph.types[node.output]
    return Cost(made.size * kernel.size // made.shape[-1], made.size if node.attributes["function"] != "linear" else 0)


def _conv_input_gradient(graph: Graph, node: Node) -> Cost:
    dy, kernel = (graph.types[value] for value in node.inputs)
    return Cost(dy.size * kernel.size // dy.shape[-1])


def _conv_kernel_gradient(graph: Graph, node: Node) -> Cost:
    dy, kernel = graph.types[node.inputs[1]], graph.types[node.output]
    return Cost(dy.size * kernel.size // dy.shape[-1])


def _pool(graph: Graph, node: Node) -> Cost:
    return Cost(elementary=_elements(graph, node.output) * prod(node.attributes["size"]))


def _matmul(graph: Graph, node: Node) -> Cost:
    inner = graph.types[node.inputs[0]].shape[-2 if node.attributes["transpose_a"] else -1]
    return Cost(inner * _elements(graph, node.output))


def _curves(graph: Graph, node: Node) -> Cost:
    return Cost(elementary=_elements(graph, node.inputs[0]) * graph.types[node.output].shape[-1])


def _scan(_: Graph, node: Node) -> Cost:
    once, length = cost(node.attributes["body"]), int(node.attributes["length"])
    return Cost(once.multiply_accumulates * length, once.elementary * length)


_BY_WORK: dict[str, CostRule] = {"outputs": _each_output, "inputs": _each_input, "none": _moved}
_OWN: dict[str, CostRule] = {
    **dict.fromkeys(("dense", "dense_int8", "dense_int16"), _dense), "matmul": _matmul, "scan": _scan,
    "conv": _conv, "conv_input_gradient": _conv_input_gradient, "conv_kernel_gradient": _conv_kernel_gradient,
    "max_pool": _pool, "average_pool": _pool, "curves_int8": _curves,
}  # fmt: skip
COSTS: dict[str, CostRule] = {name: _OWN.get(name) or _BY_WORK[row.work] for name, row in OPERATIONS.items()}
