# SPDX-License-Identifier: Apache-2.0
"""Loops whose rows, or steps, threads divide: each runs the whole loop for some of the rows.

A row of a batch goes through a recurrent layer without the others, there and back; sums over rows wait until after the
loop (``passes/scan_gradient.py``). So a thread needs to wait for the others once a loop, not once a step. A body that
mixes rows, or would give other bits for fewer of them, is left as it is. Where nothing is carried, steps are divided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from edgeling.codegen.calls_products import EXACT, PANEL_ROWS, SHARED_PRODUCTS
from edgeling.errors import GraphError
from edgeling.graph.cost import cost
from edgeling.graph.operations import GATES
from edgeling.graph.scan import Scan
from edgeling.graph.type_rules import infer
from edgeling.graph.types import Graph, Node, TensorType
from edgeling.targets import Target

# As in threads.c: blocks of so many elements are computed in the same places of vectors as all of them.
ALIGNED = 64
_ROUNDED_ONCE = {
    "add", "subtract", "multiply", "divide", "maximum", "minimum", "compare", "select", "square", "clip", "whole",
    "larger_gradient",
}  # fmt: skip
_BY_ELEMENTS = {*_ROUNDED_ONCE, *GATES, "activation", "activation_gradient", "reciprocal_sqrt", "trigonometric"}
_MOVED = {"reshape", "slice", "concatenate"}


@dataclass(frozen=True)
class Blocks:
    """Which rows of a loop a thread does.

    Attributes:
        rows: how many rows each block has, the larger ones first.
        scans: the loop over so many rows.
        divided: the body's inputs and outputs that have a line for each row.
    """

    rows: tuple[int, ...]
    scans: Mapping[int, Scan]
    divided: frozenset[str]


def blocks_of(node: Node, target: Target | None) -> Blocks | None:
    """How the rows of a ``scan`` are divided; None where all are done together."""
    threads = target.threads if target and target.has_vectors else 1
    scan = Scan.of(node.attributes)
    rows = _rows_of(scan)
    parts = min(threads, rows // PANEL_ROWS)
    if parts < 2 or cost(scan.body).multiply_accumulates * scan.length < SHARED_PRODUCTS:
        return None
    sizes = tuple(rows // parts + (part < rows % parts) for part in range(parts))
    divided = _divided(scan, rows)
    if not _same_bits(scan.body, divided, sizes):
        return None
    bodies = {size: _Narrowing(scan.body, divided, rows, size).run() for size in dict.fromkeys(sizes)}
    if any(body is None for body in bodies.values()):
        return None
    scans = {size: replace(scan, body=body) for size, body in bodies.items() if body}
    return Blocks(sizes, scans, divided)


def steps_together(scan: Scan, target: Target) -> int:
    """How many steps of a loop threads may do at a time: one where anything is carried from one to the next."""
    if scan.carried or not target.has_vectors or cost(scan.body).multiply_accumulates * scan.length < SHARED_PRODUCTS:
        return 1
    return min(target.threads, scan.length)


def _rows_of(scan: Scan) -> int:
    """How many rows what is carried has, if all of it has as many; else 0."""
    shapes = [scan.body.types[name].shape for name in scan.body.inputs[: scan.carried + scan.scanned]]
    lengths = {shape[0] if shape else 0 for shape in shapes}
    return lengths.pop() if len(lengths) == 1 else 0


def _divided(scan: Scan, rows: int) -> frozenset[str]:
    """The values that have a line for each row: what comes of those that are carried or sliced, and what is captured
    and stands beside them (the mask of dropped states)."""
    body = scan.body
    found, known = set(body.inputs[: scan.carried + scan.scanned]), 0
    captured = set(body.inputs[scan.carried + scan.scanned :])
    while known != len(found):
        known = len(found)
        for node in body.nodes:
            if found.intersection(node.inputs):
                found.update(node.outputs)
                beside = captured.intersection(node.inputs) if node.operation in _BY_ELEMENTS else ()
                found.update(v for v in beside if body.types[v].shape == body.types[node.outputs[0]].shape)
    return frozenset(found)


def _same_bits(body: Graph, divided: frozenset[str], sizes: Sequence[int]) -> bool:
    """Whether an element is computed in the same place of a vector, where it matters, in whichever block it is."""
    for node in body.nodes:
        by_rows = node.operation in GATES or node.operation in ("matmul", *_MOVED, *_ROUNDED_ONCE)
        is_exact = node.operation == "dense" and node.attributes["function"] in {"linear", *EXACT}
        each = prod(body.types[node.outputs[0]].shape[1:])
        elsewhere = divided.intersection(node.inputs) and any(size * each % ALIGNED for size in sizes[:-1])
        if elsewhere and not (by_rows or is_exact):
            return False
    return True


class _Narrowing:
    """A body being written for fewer rows."""

    def __init__(self, body: Graph, divided: frozenset[str], rows: int, fewer: int) -> None:
        self._body, self._divided, self._rows, self._fewer = body, divided, rows, fewer
        self._types = dict(body.types)

    def run(self) -> Graph | None:
        """The body; None where it mixes rows."""
        body = self._body
        for name in self._divided.intersection(body.inputs):
            self._types[name] = self._narrow(name)
        nodes = [self._node(node) for node in body.nodes]
        if any(node is None for node in nodes) or not self._divided.issuperset(body.outputs):
            return None
        return replace(body, nodes=tuple(node for node in nodes if node), types=self._types)

    def _narrow(self, value: str) -> TensorType:
        kind = self._body.types[value]
        return replace(kind, shape=(self._fewer, *kind.shape[1:]))

    def _node(self, node: Node) -> Node | None:
        if not self._divided.intersection(node.inputs):
            return node
        if not self._keeps_rows(node):
            return None
        if "shape" in node.attributes:
            node = replace(node, attributes={**node.attributes, "shape": (self._fewer, *node.attributes["shape"][1:])})
        try:
            kinds = infer(node.operation, tuple(self._types[i] for i in node.inputs), node.attributes)
        except GraphError:  # a constant with a line for each row
            return None
        narrowed = tuple(map(self._narrow, node.outputs))
        self._types.update(zip(node.outputs, narrowed, strict=True))
        return node if kinds == narrowed else None

    def _keeps_rows(self, node: Node) -> bool:
        """Whether each line of a node's outputs comes of the same lines of its inputs."""
        has_lines = [value in self._divided for value in node.inputs]
        shape = self._body.types[node.outputs[0]].shape
        if shape[:1] != (self._rows,):
            return False
        if node.operation in ("dense", "matmul"):
            first_alone = has_lines[0] and not any(has_lines[1:])
            return len(shape) == 2 and first_alone and not node.attributes.get("transpose_a")
        if node.operation == "slice":
            return bool(node.attributes["begin"][0] == 0)
        if node.operation == "reshape":
            return self._body.types[node.inputs[0]].shape[:1] == (self._rows,)
        return node.operation in _BY_ELEMENTS or (node.operation == "concatenate" and len(shape) > 1 and all(has_lines))
