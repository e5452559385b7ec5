# SPDX-License-Identifier: Apache-2.0
"""Names for lengths: which axes of which values are the same dimension, and what to call it in C.

Axes are joined where an operation makes them equal by rule, not where two lengths happen to agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edgeling.codegen.names import Names
from edgeling.codegen.schedule import CURVES, OUTPUT_STEP, PRODUCT_UPDATE, SEPARABLE, Schedule
from edgeling.graph.types import Node

Axis = tuple[str, int]

# Of what moves windows: which of (inputs, output) have as many images as the first input.
_IMAGES = {
    "conv": (3,), "conv_input_gradient": (2,), "conv_kernel_gradient": (1,), "max_pool": (1,), "average_pool": (1,),
    "max_pool_gradient": (1, 2), "average_pool_gradient": (1,),
    **dict.fromkeys(("affine_transform", "affine_transform_gradient"), (1, 2)),
}  # fmt: skip
Pairs = Iterator[tuple[Axis, Axis]]


class Dimensions:
    """``name(value, axis)`` gives the C name of a length; ``named`` lists what was asked for, in order.

    Args:
        rows: what the first axis of the first input is called, where its length is known only when the C runs.
    """

    def __init__(self, work: Schedule, names: Names, rows: str = "") -> None:
        self._work, self._names, self._rows = work, names, rows
        self._parents: dict[Axis, Axis] = {}
        self.named: dict[str, int] = {}
        self._labels: dict[Axis, str] = {}
        for one, other in (pair for node in work.nodes for pair in _joined(work, node)):
            self._join(one, other)
        for one, other in _kept_rows(work) if rows else ():
            self._join(one, other)
        self._members = self._classes()

    def name(self, value: str, axis: int) -> str:
        """The dimension's name, or ``1`` for a length of one that no input or output has."""
        head = self._find((value, axis))
        if self._rows and head == self._find((self._work.graph.inputs[0], 0)):
            return self._rows
        length = self._work.types[value].shape[axis]
        members = self._members.get(head, [(value, axis)])
        if length == 1 and not any(member in self._outer() for member, _ in members):
            return "1"
        if head not in self._labels:
            self._labels[head] = self._names.take(self._label(members))
            self.named[self._labels[head]] = length
        return self._labels[head]

    def product(self, value: str, axes: Iterable[int] | None = None) -> str:
        """The number of elements over some axes (all by default) as a product of names."""
        shape = self._work.types[value].shape
        factors = [self.name(value, axis % len(shape)) for axis in (range(len(shape)) if axes is None else axes)]
        return " * ".join(f for f in factors if f != "1") or "1"

    def _label(self, members: list[Axis]) -> str:
        rank = {name: i for i, name in enumerate(self._outer())}
        value, axis = min(members, key=lambda m: rank.get(m[0], len(rank)))
        shape = self._work.types[value].shape
        if value in self._work.graph.inputs and axis == 0 and len(shape) > 1:
            return "BATCH"
        kind = f"AXIS_{axis}" if len(shape) > 2 else ("ROWS", "COLUMNS")[axis] if len(shape) == 2 else "SIZE"
        return f"{value}_{kind}".upper()

    def _outer(self) -> tuple[str, ...]:
        return (*self._work.graph.inputs, *self._work.graph.outputs, *self._work.outputs)

    def _classes(self) -> dict[Axis, list[Axis]]:
        classes: dict[Axis, list[Axis]] = {}
        inner = [output for node in self._work.nodes for output in node.outputs]
        for value in dict.fromkeys((*self._outer(), *inner, *self._work.types)):
            for axis in range(len(self._work.types[value].shape)):
                classes.setdefault(self._find((value, axis)), []).append((value, axis))
        return classes

    def _find(self, axis: Axis) -> Axis:
        while (parent := self._parents.get(axis, axis)) != axis:
            axis = parent
        return axis

    def _join(self, one: Axis, other: Axis) -> None:
        first, second = self._find(one), self._find(other)
        if first != second:
            self._parents[second] = first


def _joined(work: Schedule, node: Node) -> Pairs:
    """The pairs of axes that a node makes one dimension."""
    shape = {value: work.types[value].shape for value in (*node.inputs, *node.outputs)}
    if node.operation == "dense":
        (x, kernel, bias), y = node.inputs, node.output
        yield from (((x, 0), (y, 0)), ((x, 1), (kernel, 0)), ((kernel, 1), (bias, 0)), ((kernel, 1), (y, 1)))
    elif node.operation == "matmul":
        (a, b), y = node.inputs, node.output
        flip_a, flip_b = int(bool(node.attributes["transpose_a"])), int(bool(node.attributes["transpose_b"]))
        many = len(shape[y]) - 2
        yield from (((a, many + flip_a), (y, many)), ((a, many + 1 - flip_a), (b, many + flip_b)))
        yield (b, many + 1 - flip_b), (y, many + 1)
        yield from (((v, axis), (y, axis)) for axis in range(many) for v in (a, b))
    elif node.operation in _IMAGES:
        values = (*node.inputs, node.output)
        yield from (((values[0], 0), (values[place], 0)) for place in _IMAGES[node.operation])
    elif node.operation == "transpose":
        yield from (
            ((node.inputs[0], axis), (node.output, at)) for at, axis in enumerate(node.attributes["permutation"])
        )
    elif node.operation == PRODUCT_UPDATE:
        kernel, x, gradient = node.inputs[:3]
        yield from (((x, 1), (kernel, 0)), ((gradient, 1), (kernel, 1)))
        yield from (pair for y in node.outputs for pair in _aligned(shape, kernel, y))
    elif node.operation == OUTPUT_STEP:
        (x, truth, _, kernel), made = node.inputs[:4], node.outputs
        yield from (((x, 1), (kernel, 0)), ((truth, 1), (kernel, 1)))
        yield from (pair for y in made for pair in _aligned(shape, kernel, y))
    elif node.operation in ("embedding", CURVES, SEPARABLE):
        yield (node.inputs[0], 0), (node.output, 0)
    elif node.operation == "embedding_gradient":
        yield (node.inputs[0], 0), (node.inputs[1], 0)
    elif node.operation in (
        "gather",
        "scatter",
        "calendar",
        "one_hot",
        "concatenate",
        "loss",
        "metric",
        "cross_entropy",
    ):
        yield from (((value, 0), (node.output, 0)) for value in node.inputs if shape[value])
    elif node.operation in ("loss_gradient", "cross_entropy_gradient"):
        rows, truth, prediction = node.inputs
        yield from (((rows, 0), (prediction, 0)), ((truth, 0), (prediction, 0)))
        yield from (((prediction, axis), (node.output, axis)) for axis in (0, 1))
    else:
        first = node.outputs[0]
        for value in (*node.inputs, *node.outputs[1:]):
            yield from _aligned(shape, value, first)


def _kept_rows(work: Schedule) -> Pairs:
    """First axes that a reshape leaves as they are: rows stay rows, whatever becomes of their elements."""
    for node in work.graph.nodes:
        if node.operation == "reshape":
            before, after = (work.types[value].shape for value in (node.inputs[0], node.output))
            if before and after and before[0] == after[0]:
                yield (node.inputs[0], 0), (node.output, 0)


def _aligned(shape: dict[str, tuple[int, ...]], value: str, other: str) -> Pairs:
    """Axes joined as NumPy broadcasts them, from the last."""
    for back in range(1, min(len(shape[value]), len(shape[other])) + 1):
        if shape[value][-back] == shape[other][-back]:
            yield (value, len(shape[value]) - back), (other, len(shape[other]) - back)
