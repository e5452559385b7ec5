# SPDX-License-Identifier: Apache-2.0
"""A training step in two: the gradients of a batch, which leave the weights alone, and the update, which moves them.

Between the two the gradients are the caller's: several calls can be averaged into one step, threads can share the
weights, devices can send what they learned. What the forward pass itself keeps is handed over in the same way, for it
is an update too: batch normalisation's moving averages follow by the batch's share of them. A counter, such as
dropout's, needs nothing handed over: it counts updates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edgeling.codegen import Pack, Program, generate
from edgeling.errors import TrainingError, UnsupportedError
from edgeling.graph import Graph, GraphBuilder
from edgeling.graph.types import Node
from edgeling.network.network import Network, inference_graph
from edgeling.passes import optimize, remove_dead
from edgeling.passes.scan_gradient import downstream
from edgeling.training.graphs import LEARNING_RATE, Objective, TraceableOptimizer, backward, training_graph

HANDED = "gradients"


@dataclass(frozen=True)
class Parts:
    """A step in two graphs.

    Attributes:
        gradients: a batch to loss and metrics, then what is handed over. It has variables, and updates none.
        update: what is handed over, then the learning rate; no outputs.
        handed: what is handed over, by the names of the update's inputs: ``kernel_gradient`` for each weight that is
            moved, ``moving_mean_statistic`` for what the forward pass keeps.
    """

    gradients: Graph
    update: Graph
    handed: tuple[str, ...]


def step_in_parts(
    network: Network,
    objective: Objective,
    optimizer: TraceableOptimizer,
    batch_size: int,
    has_sample_weight: bool = False,
) -> Parts:
    """The step of :func:`edgeling.training.graphs.training_graph`, cut between gradients and update.

    Every value that is handed over is a mean over the rows, if the loss is: of two parts of a batch, average them with
    their numbers of rows as weights. (A penalty on weights is the same in each part, and so in the average.)

    Raises:
        TrainingError: nothing would be learned.
        UnsupportedError: the optimizer adds up the gradients of several batches.
    """
    if optimizer.batches_a_step > 1:
        raise UnsupportedError(
            "a program that learns leaves it to its caller how many batches are a step",
            received=f"gradient_accumulation_steps={optimizer.batches_a_step}",
            remedy="leave it out, and average what `gradients` gives before `update`",
        )
    builder, outputs, gradients = backward(network, objective, batch_size, has_sample_weight)
    step = builder.graph(outputs)
    late = {variable: _late(step, variable, value) for variable, value in step.updates}
    given = {variable: _given(step, late[variable], value) for variable, value in step.updates}
    handed = [*gradients.values(), *(value for values in given.values() for value in values)]
    if not handed:
        raise TrainingError(
            "a step learns something", received="no weight that is trainable", remedy="layer.trainable = True"
        )
    first = remove_dead(replace(step, outputs=(*outputs, *handed), updates=()))
    second = _update_graph(step, optimizer, gradients, given, late)
    return Parts(first, second, second.inputs[: len(handed)])


def learning_program(
    network: Network,
    objective: Objective,
    optimizer: TraceableOptimizer,
    batch_size: int,
    name: str,
    has_sample_weight: bool = False,
) -> Program:
    """C that predicts and learns, for a device or for another program.

    Its functions: ``NAME_run`` answers one row; ``NAME_gradients`` and ``NAME_update`` are the step in two, the
    gradients one array of ``NAME_GRADIENTS_SIZE`` floats; ``NAME_train`` is both in one call, and needs no room for
    all the gradients at once. ``NAME_init`` fills the weights with those of this moment.

    Raises:
        TrainingError: nothing would be learned.
    """
    parts = step_in_parts(network, objective, optimizer, batch_size, has_sample_weight)
    whole = training_graph(network, objective, optimizer, batch_size, has_sample_weight)
    graphs = {
        "run": _told(inference_graph(network, frozen=False), "Answers one row."),
        "gradients": _told(parts.gradients, "Loss, metrics and gradients of a batch; moves nothing."),
        "update": _told(parts.update, "Moves the weights by gradients, and what the optimizer keeps."),
        "train": _told(whole, "One step: gradients and update in one call; loss and metrics are from before it."),
    }
    packs = {"gradients": Pack(HANDED, parts.handed, "outputs"), "update": Pack(HANDED, parts.handed, "inputs")}
    made = {suffix: optimize(graph) for suffix, graph in graphs.items()}
    return generate(made, name, initial_values=True, packs=packs)


def _told(graph: Graph, description: str) -> Graph:
    return replace(graph, metadata={**graph.metadata, "description": description})


def _late(step: Graph, variable: str, value: str) -> list[Node]:
    """Of the nodes that make a variable's next contents, those that read it: they belong to the update."""
    moved, needed, nodes = downstream(step, [variable]), {value}, list[Node]()
    for node in reversed(step.nodes):
        if needed & moved & set(node.outputs):
            nodes.insert(0, node)
            needed.update(node.inputs)
    return nodes


def _given(step: Graph, late: Sequence[Node], value: str) -> list[str]:
    """What those nodes need of the batch, or the next contents themselves."""
    made = {output for node in late for output in node.outputs}
    read = dict.fromkeys([i for node in late for i in node.inputs] if late else [value])
    return [v for v in read if v not in made and v not in step.variables and v not in step.constants]


def _update_graph(
    step: Graph, optimizer: TraceableOptimizer, gradients: Mapping[str, str], given: Mapping[str, Sequence[str]],
    late: Mapping[str, Sequence[Node]],
) -> Graph:  # fmt: skip
    builder = GraphBuilder(step.name)
    for variable, array in step.variables.items():
        builder.variable(array, variable)
    handed = {v: builder.input(f"{v}_gradient", step.types[v].shape) for v in gradients}
    known: dict[str, dict[str, str]] = {}
    for variable, values in given.items():
        name = f"{variable}_statistic"
        kinds = [step.types[value] for value in values]
        inputs = [builder.input(builder.unique(name), kind.shape, kind.dtype) for kind in kinds]
        known[variable] = dict(zip(values, inputs, strict=True))
    optimizer.trace(builder, builder.input(LEARNING_RATE, ()), handed)
    for variable, value in step.updates:
        builder.update(variable, _continued(step, builder, late[variable], known[variable]).get(value, value))
    return builder.build([])


def _continued(step: Graph, builder: GraphBuilder, nodes: Sequence[Node], names: Mapping[str, str]) -> dict[str, str]:
    """Append nodes of the step; give the names of its values here."""
    known = dict(names)
    for node in nodes:
        for constant in step.constants.keys() & set(node.inputs) - known.keys():
            known[constant] = builder.constant(step.constants[constant], constant)
        made = builder.add_many(
            node.operation, *(known.get(i, i) for i in node.inputs), name=node.outputs[0],
            types=[step.types[o] for o in node.outputs], **node.attributes,
        )  # fmt: skip
        known.update(zip(node.outputs, made, strict=True))
    return known
