# SPDX-License-Identifier: Apache-2.0
"""The gradient of a loop: the same loop keeping what the way back reads, then a loop backwards over what it kept.

The body is differentiated once, by the caller's own vector-Jacobian product. Its nodes fall into those that need a
cotangent, which run on the way back, and the others, which run on the way there. Values of the latter that the former
read are stacked (along axis 0, so that a slice is contiguous). On the way back the cotangents of what was carried are
carried, and so are the sums of the gradients of what was captured.

Source: reverse accumulation through a loop, as in JAX's ``scan`` (Bradbury et al., 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeling.graph.builder import GraphBuilder
from edgeling.graph.scan import Scan, stack_type
from edgeling.graph.types import DType, Graph, Node
from edgeling.passes.dead import part

VectorJacobian = Callable[[Graph, Sequence[str], Sequence[str]], Graph]


def downstream(graph: Graph, sources: Iterable[str]) -> set[str]:
    """The values that depend on any of the sources."""
    reached = set(sources)
    for node in graph.nodes:
        if reached.intersection(node.inputs):
            reached.update(node.outputs)
    return reached


def scan_gradient(
    vector_jacobian: VectorJacobian, builder: GraphBuilder, node: Node, arriving: Sequence[str]
) -> list[str]:
    """Extend a scan node of ``builder`` by what it has to keep, append the loop backwards.

    Args:
        arriving: the gradient of each of the node's outputs, "" where there is none.

    Returns:
        The gradient of each of the node's inputs, "" where there is none.
    """
    scan = Scan.of(node.attributes)
    ways = _divide(vector_jacobian, scan, arriving)
    kinds = [stack_type(ways.joint.types[value], 0, scan.length) for value in ways.kept]
    axes = (*scan.axes, *[0] * len(kinds))
    kept = builder.extend(node, kinds, body=ways.there(scan.body), axes=axes)
    return _Backwards(builder, node, scan, ways, arriving).append(kept)


@dataclass(frozen=True)
class _Ways:
    """The differentiated body, divided.

    Attributes:
        joint: the body with its gradients.
        cotangents: by the number of the body's output, the joint graph's input that brings its gradient.
        gradients: by the body's input, the value that is its gradient; inputs without one are left out.
        back: the nodes of the way back.
        stacked: what they read of the way there and the scan stacks anyway, with its number among the results.
        kept: what else they read of it, neither sliced nor captured.
    """

    joint: Graph
    cotangents: dict[int, str]
    gradients: dict[str, str]
    back: tuple[Node, ...]
    stacked: dict[str, int]
    kept: tuple[str, ...]

    def there(self, body: Graph) -> Graph:
        """The body that also gives what is kept."""
        return part(self.joint, body.inputs, (*body.outputs, *self.kept))


def _divide(vector_jacobian: VectorJacobian, scan: Scan, arriving: Sequence[str]) -> _Ways:
    body = scan.body
    floats = [name for name in body.inputs if body.types[name].dtype is DType.FLOAT32]
    # What is carried has a cotangent after the first step backwards, even where none arrives.
    seeded = [
        i for i, name in enumerate(body.outputs)
        if body.types[name].dtype is DType.FLOAT32 and (i < scan.carried or arriving[i])
    ]  # fmt: skip
    joint = vector_jacobian(body, [body.outputs[i] for i in seeded], floats)
    cotangents = dict(zip(seeded, joint.inputs[len(body.inputs) :], strict=True))
    depends = downstream(joint, cotangents.values())
    found = zip(floats, joint.outputs[len(body.outputs) :], strict=True)
    back = tuple(node for node in joint.nodes if depends.intersection(node.outputs))
    at_hand = {*depends, *joint.constants, *body.inputs[scan.carried :]}
    read = [v for v in dict.fromkeys(i for node in back for i in node.inputs) if v not in at_hand]
    results = {value: i for i, value in enumerate(body.outputs[scan.carried :])}
    stacked = {value: results[value] for value in read if value in results}
    gradients = {name: gradient for name, gradient in found if gradient in depends}
    return _Ways(joint, cotangents, gradients, back, stacked, tuple(v for v in read if v not in results))


@dataclass(frozen=True)
class _Late:
    """A sum over the steps that waits for the loop's end, where it is one product (or sum) over all steps' rows.

    Attributes:
        node: what makes a step's part of the gradient: a product ``a.T @ b``, or a sum over rows.
        shape: of the gradient.
    """

    node: Node
    shape: tuple[int, ...]

    @classmethod
    def of(cls, makers: Mapping[str, Node], gradient: str) -> _Late | None:
        """Of the gradient of what is captured; None where it is another sum."""
        node = makers.get(gradient)
        shape = ()
        if node is not None and node.operation == "reshape":
            shape, node = tuple(node.attributes["shape"]), makers.get(node.inputs[0])
        if node is None:
            return None
        is_product = (
            node.operation == "matmul" and node.attributes["transpose_a"] and not node.attributes["transpose_b"]
        )
        is_sum = node.operation == "sum" and tuple(node.attributes["axes"]) == (0,)
        return cls(node, shape) if is_product or is_sum else None

    @property
    def parts(self) -> tuple[str, ...]:
        """What is stacked of each step."""
        return self.node.inputs

    def sum(self, builder: GraphBuilder, stacks: Mapping[str, str]) -> str:
        """The gradient, after the loop."""
        rows = []
        for value in self.parts:
            steps, of_each, *others = builder.type_of(stacks[value]).shape
            rows.append(builder.add("reshape", stacks[value], shape=(steps * of_each, *others)))
        total = builder.add(self.node.operation, *rows, **self.node.attributes)
        return builder.add("reshape", total, shape=self.shape) if self.shape else total


class _Backwards:
    """Writes the loop backwards."""

    def __init__(
        self, builder: GraphBuilder, node: Node, scan: Scan, ways: _Ways, arriving: Sequence[str]
    ) -> None:  # fmt: skip
        self._builder, self._node, self._scan, self._ways, self._arriving = builder, node, scan, ways, arriving
        self._carried, self._slices, self._captured = scan.split_inputs(scan.body.inputs)
        with_gradients = [name for name in self._captured if name in ways.gradients]
        made = {output: maker for maker in ways.back for output in maker.outputs}
        self._later = {name: late for name in with_gradients if (late := _Late.of(made, ways.gradients[name]))}
        self._summed = [name for name in with_gradients if name not in self._later]
        self._sliced = [name for name in self._slices if name in ways.gradients]

    def append(self, kept: Sequence[str]) -> list[str]:
        """Add the node; give the gradient of each input of the scan it goes back through."""
        scan, ways, node = self._scan, self._ways, self._node
        _, sequences, captured = scan.split_inputs(node.inputs)
        carried = [i for i in ways.cotangents if i < scan.carried]
        stacks = [i for i in ways.cotangents if i >= scan.carried]
        initial = [self._arriving[i] or self._zeros(ways.cotangents[i]) for i in carried]
        initial += [self._zeros(name) for name in self._summed]
        body = self._body(carried, stacks)
        axes = [scan.stack_axes[i - scan.carried] for i in stacks] + [scan.stack_axes[i] for i in ways.stacked.values()]
        axes += [0] * len(kept) + list(scan.sequence_axes)
        axes += [scan.sequence_axes[self._slices.index(name)] for name in self._sliced]
        axes += [0] * len(self._parts())
        loop = Scan(body, scan.length, len(initial), tuple(axes), not scan.reverse)
        stacked = [node.outputs[scan.carried + i] for i in ways.stacked.values()]
        given = (*initial, *(self._arriving[i] for i in stacks), *stacked, *kept, *sequences, *captured)
        made = iter(self._builder.add_many("scan", *given, name=f"{node.outputs[0]}_back", **loop.attributes))
        ends = [self._carried[i] for i in carried] + self._summed + self._sliced
        found = dict(zip(ends, made, strict=False))
        lying = {self._ways.gradients[name]: found[name] for name in self._sliced}  # those along axis 0 are asked for
        at_hand = {**lying, **dict(zip(ways.kept, kept, strict=True)), **dict(zip(self._parts(), made, strict=True))}
        found |= {name: late.sum(self._builder, at_hand) for name, late in self._later.items()}
        return [found.get(name, "") for name in scan.body.inputs]

    def _parts(self) -> list[str]:
        """What the loop stacks for the sums that wait: neither kept nor stacked along axis 0 anyway."""
        lying = {self._ways.gradients[name] for name in self._sliced if self._axis_of(name) == 0}
        parts = (value for late in self._later.values() for value in late.parts)
        return [value for value in dict.fromkeys(parts) if value not in lying and value not in self._ways.kept]

    def _axis_of(self, sliced: str) -> int:
        return self._scan.sequence_axes[list(self._slices).index(sliced)]

    def _body(self, carried: Sequence[int], stacks: Sequence[int]) -> Graph:
        ways, joint = self._ways, self._ways.joint
        builder = GraphBuilder.of(replace(joint, name=f"{joint.name}_back", inputs=(), nodes=ways.back))
        sums = [builder.input(builder.unique(f"{name}_sum"), joint.types[name].shape) for name in self._summed]
        made = [self._carried_gradient(builder, i) for i in carried]
        made += [
            builder.add("add", total, ways.gradients[name]) for total, name in zip(sums, self._summed, strict=True)
        ]
        made += [ways.gradients[name] for name in self._sliced]
        made += self._parts()
        inputs = [ways.cotangents[i] for i in carried] + sums + [ways.cotangents[i] for i in stacks]
        inputs += [*ways.stacked, *ways.kept, *self._slices, *self._captured]
        return part(builder.graph(made), inputs, made)

    def _carried_gradient(self, builder: GraphBuilder, index: int) -> str:
        name = self._carried[index]
        shape = self._ways.joint.types[name].shape
        return self._ways.gradients.get(name) or builder.constant(np.zeros(shape, np.float32), "zero")

    def _zeros(self, value: str) -> str:
        return self._builder.constant(np.zeros(self._ways.joint.types[value].shape, np.float32), "zero")
