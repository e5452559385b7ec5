# SPDX-License-Identifier: Apache-2.0
"""What steps of learning on one row need not store: gradients that are used up where they are made.

Of one row the gradient of a kernel is the product of two vectors: no element of it need be stored. And where the last
layer is all that learns, outputs and their gradients are needed a few at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgeling.codegen.schedule import OUTPUT_STEP, PRODUCT_UPDATE, Schedule
from edgeling.graph.types import Graph, Node

# Optimizer updates of which each element depends on the same element of weight, gradient and slots, and on scalars.
BY_ELEMENTS = frozenset(
    """sgd_update momentum_update rmsprop_update adagrad_update adam_update amsgrad_update adamax_update nadam_update
    lion_update adadelta_update ftrl_update""".split()  # noqa: SIM905
)
# Losses that are a mean over a row's outputs.
MEANS = frozenset(
    """mean_squared_error mean_absolute_error huber log_cosh mean_squared_logarithmic_error binary_crossentropy
    mean_absolute_percentage_error hinge squared_hinge poisson""".split()  # noqa: SIM905
)
# Updates whose kernels give the gradient of what a layer reads as well (layer_step.h).
BY_LAYERS = frozenset({"sgd_update", "momentum_update", "adam_update"})
LEAST_OUTPUTS = 64  # so few are stored and gone through faster all at once


def with_numbers_first(graph: Graph) -> Graph:
    """The graph with the nodes in front that make single numbers of nothing but such: what an optimizer counts.

    Else an update waits for its learning rate until all gradients are there, and so do they for it.
    """
    known = {name for name in (*graph.inputs, *graph.variables, *graph.constants) if graph.types[name].size == 1}
    numbers = list[Node]()
    for node in graph.nodes:
        if known.issuperset(node.inputs) and all(graph.types[o].size == 1 for o in node.outputs):
            numbers.append(node)
            known.update(node.outputs)
    others = tuple(node for node in graph.nodes if all(node is not one for one in numbers))
    return replace(graph, nodes=(*numbers, *others)) if numbers else graph


def with_products_in_updates(work: Schedule) -> Schedule:
    """The schedule in which the gradient of a kernel, of one row, is never stored: each of its elements is the product
    of two numbers, made where the update takes it.

    Such an update has the row and its gradient in the place of the kernel's gradient, and its operation as ``rule``.
    """
    readers: dict[str, list[Node]] = {}
    for node in work.nodes:
        for value in node.inputs:
            readers.setdefault(work.roots[value], []).append(node)
    kept = {*work.outputs, *work.updates.values()}
    products = {
        node.output: node
        for node in work.nodes
        if _is_outer_product(work, node)
        and node.output not in kept
        and [r.operation in BY_ELEMENTS and work.roots[r.inputs[1]] == node.output for r in readers[node.output]]
        == [True]
    }
    nodes = (_with_product(work, node, products) for node in work.nodes if node.outputs[0] not in products)
    return replace(work, nodes=tuple(nodes)) if products else work


def _with_product(work: Schedule, node: Node, products: Mapping[str, Node]) -> Node:
    product = products.get(work.roots[node.inputs[1]]) if node.operation in BY_ELEMENTS else None
    if product is None:
        return node
    inputs = (node.inputs[0], *product.inputs, *node.inputs[2:])
    return Node(
        PRODUCT_UPDATE, inputs, node.outputs, {**node.attributes, "rule": node.operation, "gives_gradient": False}
    )


def _is_outer_product(work: Schedule, node: Node) -> bool:
    if node.operation != "matmul" or node.attributes["transpose_b"] or not node.attributes["transpose_a"]:
        return False
    return len(work.types[node.output].shape) == 2 and work.types[node.inputs[0]].shape[0] == 1


def with_gradients_in_updates(work: Schedule) -> Schedule:
    """The schedule in which a layer's weights are read once for their update and for the gradient of what it reads.

    The update gives that gradient as its last output. Requires :func:`with_products_in_updates`.
    """
    for update in work.nodes:
        gradient = _gradient_beside(work, update)
        if gradient is not None:
            both = replace(
                update, outputs=(*update.outputs, gradient.output),
                attributes={**update.attributes, "gives_gradient": True},
            )  # fmt: skip
            nodes = (both if node is update else node for node in work.nodes if node is not gradient)
            work = replace(work, nodes=tuple(nodes))
    return work


def _gradient_beside(work: Schedule, update: Node) -> Node | None:
    """The gradient of what a layer reads, if it can be made where the layer is updated."""
    if update.operation != PRODUCT_UPDATE or update.attributes["rule"] not in BY_LAYERS:
        return None
    if work.types[update.inputs[1]].size == 1 and work.roots[update.inputs[-1]] not in work.graph.inputs:
        return None  # the gradient, one number, could lie where the rate is read
    kernel, _, dy = (work.roots[i] for i in update.inputs[:3])
    at = _place(work, update)
    for before, node in enumerate(work.nodes[:at]):
        if _is_product_with(work, node, dy, kernel):
            return None if any(_reads(work, n, node.output) for n in work.nodes[before:at]) else node
    return None


def _is_product_with(work: Schedule, node: Node, dy: str, kernel: str) -> bool:
    if node.operation != "matmul" or node.attributes["transpose_a"] or not node.attributes["transpose_b"]:
        return False
    return [work.roots[i] for i in node.inputs] == [dy, kernel]


def _place(work: Schedule, node: Node) -> int:
    return next(at for at, other in enumerate(work.nodes) if other is node)


def _reads(work: Schedule, node: Node, value: str) -> bool:
    return any(work.roots[i] == value for i in node.inputs)


def with_outputs_in_steps(work: Schedule) -> Schedule:
    """The schedule in which outputs, their loss's gradient and the update of the layer that makes them are one call.

    It is for a linear layer behind which nothing but the loss reads its outputs. If layers before it learn too, the
    gradient of what it reads is added up as it goes. Requires :func:`with_gradients_in_updates`.
    """
    for loss in work.nodes:
        step = _output_step(work, loss) if loss.operation == "loss_gradient" else None
        if step is not None:
            gone, last, node = step
            kept = [node if other is last else other for other in work.nodes]
            return replace(work, nodes=tuple(other for other in kept if all(other is not one for one in gone)))
    return work


def _output_step(work: Schedule, loss: Node) -> tuple[list[Node], Node, Node] | None:
    """Nodes that go, the one in whose place the step comes, and the step."""
    gradient, made = loss.output, [n for n in work.nodes if work.roots[loss.inputs[2]] in n.outputs]
    if not made or loss.attributes["function"] not in MEANS or work.types[gradient].size < LEAST_OUTPUTS:
        return None
    (layer,) = made
    if layer.operation != "dense" or layer.attributes["function"] != "linear" or work.types[gradient].shape[0] != 1:
        return None
    kernels = [n for n in work.nodes if n.operation == PRODUCT_UPDATE and work.roots[n.inputs[2]] == gradient]
    biases = [n for n in work.nodes if n.operation in BY_ELEMENTS and work.roots[n.inputs[1]] == gradient]
    if len(kernels) != 1 or len(biases) != 1 or kernels[0].attributes["rule"] != biases[0].operation:
        return None
    kernel, bias = kernels[0], biases[0]
    x, w, b = (work.roots[i] for i in layer.inputs)
    readers = {
        work.roots[loss.inputs[2]]: [loss], gradient: [kernel, bias], w: [layer, kernel], b: [layer, bias],
    }  # fmt: skip
    mine = (work.roots[kernel.inputs[0]], work.roots[kernel.inputs[1]], work.roots[bias.inputs[0]]) == (w, x, b)
    kept = {*work.outputs, *work.updates.values()}
    if (
        not mine
        or kept & {gradient, layer.output}
        or any(_readers(work, v) != {*map(id, r)} for v, r in readers.items())
    ):
        return None
    both = [n for n in work.nodes if n is kernel or n is bias]
    beside = kernel.outputs[-1:] if kernel.attributes["gives_gradient"] else ()
    if beside and any(_reads(work, n, beside[0]) for n in work.nodes[: _place(work, both[1])]):
        return None
    slots = len(bias.outputs) - 1
    inputs = (
        layer.inputs[0], *loss.inputs[1::-1], kernel.inputs[0], *kernel.inputs[3 : 3 + slots],
        bias.inputs[0], *bias.inputs[2 : 2 + slots], *kernel.inputs[3 + slots :],
    )  # fmt: skip
    outputs = (*kernel.outputs[: slots + 1], *bias.outputs, *beside)
    node = Node(OUTPUT_STEP, inputs, outputs, {**kernel.attributes, "loss": dict(loss.attributes)})
    return [layer, loss, both[0]], both[1], node


def _readers(work: Schedule, value: str) -> set[int]:
    """Who reads a value, by identity."""
    return {id(n) for n in work.nodes if _reads(work, n, value)}
