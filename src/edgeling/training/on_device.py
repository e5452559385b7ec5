# SPDX-License-Identifier: Apache-2.0
"""Learning after deployment, one row at a time: a deployed network with some of its weights as variables, and the step
that moves them.

The step is that of training (forward, loss, backward, update), for one row and as small as can be: no loss is handed
back, cross-entropy is taken from the logits, and a gradient is used where it is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeling.codegen.interface import LearningInterface
from edgeling.codegen.learning import RING_COUNT, RING_ROWS, RING_TRUTHS
from edgeling.errors import UnsupportedError
from edgeling.graph import Graph, GraphBuilder
from edgeling.graph.types import Array, DType, Node, TensorType
from edgeling.passes import differentiate, optimize
from edgeling.passes.learnable import unfused, with_affine_normalizations, with_variables
from edgeling.training.graphs import LEARNING_RATE, TraceableOptimizer

TRUTH = "y"
SPARSE, BINARY, SQUARED = "sparse_categorical_crossentropy", "binary_crossentropy", "mean_squared_error"


@dataclass(frozen=True)
class Goal:
    """What the network answers, and how a truth is compared with it.

    Attributes:
        function: the loss, by Keras's name.
        classes: how many, where the truth is the number of one; 0 where it is numbers.
        unit: of numbers, what is subtracted from them and from the answer, and what both are divided by.
    """

    function: str
    classes: int = 0
    unit: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Columns:
    """Of the input's columns, the statistics of the rows learned from, one each; those not to be followed have scale 0.

    Attributes:
        rows: as how many rows they count, against those that come.
        window: how many rows the statistics look back on at most; older ones fade.
    """

    mean: Array
    scale: Array
    rows: int = 16
    window: int = 256


@dataclass(frozen=True)
class Learner:
    """The graphs of a network that learns.

    Attributes:
        run: a row to its answer.
        learn: a row, its truth and the learning rate; moves the weights, gives nothing.
        loss: a row and its truth to the loss, as the network is now.
        observe: a row alone, which its statistics follow; None where there are none to follow.
        goal: what the truth is.
        weights: the variables that learn, those of the optimizer not among them.
        remembered: rows of the ring that an update must not lose on; 0: every update is adopted.
    """

    run: Graph
    learn: Graph
    loss: Graph
    observe: Graph | None
    goal: Goal
    weights: tuple[str, ...]
    remembered: int = 0

    @property
    def graphs(self) -> dict[str, Graph]:
        """By the suffix of their function in C; guarded learning is made of a step and the losses around it."""
        more = {"observe": self.observe} if self.observe else {}
        step = {"step": self.learn, "loss": self.loss} if self.remembered else {"learn": self.learn}
        return {"run": self.run, **step, **more}

    @property
    def interface(self) -> LearningInterface:
        """What the C offers beside the graphs' functions."""
        row, truth, _ = self.learn.inputs
        return LearningInterface(row, truth, self.goal.classes, self.remembered)

    def remembering(self, rows: int) -> Learner:
        """The same with a ring of that many rows among the variables of the step."""
        row, truth, _ = self.learn.inputs
        ring = {RING_ROWS: self._ring(row, rows), RING_TRUTHS: self._ring(truth, rows),
                RING_COUNT: np.zeros(1, np.uint32)}  # fmt: skip
        kinds = {name: TensorType(array.shape, DType.of(array)) for name, array in ring.items()}
        step = replace(self.learn, variables={**self.learn.variables, **ring}, types={**self.learn.types, **kinds})
        return replace(self, learn=step, remembered=rows)

    def _ring(self, value: str, rows: int) -> Array:
        return np.zeros((rows, self.learn.types[value].size), np.float32)


def learner(
    graph: Graph, weights: Sequence[str], goal: Goal, optimizer: TraceableOptimizer, columns: Columns | None = None
) -> Learner:
    """The graphs of a deployed network whose ``weights`` learn.

    Args:
        graph: one input, one output, no variables; of its constants ``weights`` learn.
        optimizer: how they move.
        columns: statistics of the input that follow the rows, for sensors that drift: each column is brought back to
            the mean and deviation that the network was trained with.

    Raises:
        UnsupportedError: an operation between the weights and the answer has no gradient.
    """
    open_graph = unfused(with_affine_normalizations(with_variables(graph, weights)))
    follow = _Following(open_graph, columns) if columns is not None else None
    if follow is not None:
        open_graph = follow.in_front(open_graph)
    loss = _loss_graph(open_graph, goal)
    return Learner(
        run=_told(optimize(open_graph), str(graph.metadata.get("description") or "Answers one row.")),
        learn=_told(_step(loss, weights, optimizer, follow), "Learns from one row: moves the weights by one step."),
        loss=_told(optimize(loss), "The loss of one row, as the network is now."),
        observe=_told(optimize(follow.alone()), "Follows one row with the input's statistics; no truth is needed.")
        if follow
        else None,
        goal=goal,
        weights=tuple(weights),
    )  # fmt: skip


def _told(graph: Graph, description: str) -> Graph:
    return replace(graph, metadata={**graph.metadata, "description": description})


def _loss_graph(graph: Graph, goal: Goal) -> Graph:
    """Input and truth to the loss, a scalar."""
    builder = GraphBuilder.of(replace(graph, outputs=(), metadata={}))
    (answer,) = graph.outputs
    shape = (1, 1) if goal.classes else graph.types[answer].shape
    truth = builder.input(builder.unique(TRUTH), shape)
    value, from_logits = _compared(graph, answer, goal)
    if goal.unit != (0.0, 1.0):
        numbers = [builder.constant([n], name) for n, name in zip(goal.unit, ("unit_mean", "unit_scale"), strict=True)]
        truth = builder.add("standardize", truth, *numbers)
        value = _before_unit(graph, value, goal) or builder.add("standardize", value, *numbers)
    rows = builder.add("loss", truth, value, function=goal.function, from_logits=from_logits)
    return builder.build([builder.add("reshape", rows, shape=(), name="loss")])


def _compared(graph: Graph, answer: str, goal: Goal) -> tuple[str, bool]:
    """What the loss is taken from: logits where they are in reach, for they lose nothing to rounding."""
    maker = next((node for node in graph.nodes if answer in node.outputs), None)
    if maker is None:
        return answer, False
    if goal.function == SPARSE and maker.operation == "softmax":
        return maker.inputs[0], True
    if goal.function == BINARY and maker.attributes.get("function") == "sigmoid":
        return maker.inputs[0], True
    return answer, False


def _before_unit(graph: Graph, answer: str, goal: Goal) -> str:
    """What ``answer`` is in its unit, if the last two nodes do nothing else; empty if not."""
    makers = {node.output: node for node in graph.nodes if len(node.outputs) == 1}
    mean, scale = (float(np.float32(number)) for number in goal.unit)
    added = makers.get(answer)
    if added is None or added.operation != "add" or not _is_number(graph, added, mean):
        return ""
    scaled = makers.get(added.inputs[0])
    return scaled.inputs[0] if scaled and scaled.operation == "multiply" and _is_number(graph, scaled, scale) else ""


def _is_number(graph: Graph, node: Node, number: float) -> bool:
    known = graph.constants.get(node.inputs[1])
    return known is not None and known.size == 1 and bool(known.flat[0] == number)


def _step(loss: Graph, weights: Sequence[str], optimizer: TraceableOptimizer, follow: _Following | None) -> Graph:
    try:
        graph = differentiate(loss, loss.outputs[0], weights)
    except UnsupportedError as error:
        raise UnsupportedError(
            "what lies between a layer that learns and the answer has a gradient", received=error.rule,
            remedy="fewer layers (--learn last)",
        ) from error  # fmt: skip
    builder = GraphBuilder.of(graph)
    gradients: Mapping[str, str] = dict(zip(weights, graph.outputs[1:], strict=True))
    optimizer.trace(builder, builder.input(LEARNING_RATE, ()), gradients)
    if follow is not None:
        follow.trace(builder)
    return optimize(builder.build([]))


class _Following:
    """Running statistics of an input's columns (Welford, 1962), in standard deviations from those it began with.

    What the network sees is ``x * slope + shift``: a column whose mean has moved by r and whose variance has grown u
    times, ``r`` and ``u`` counted in its own deviations, is put back by slope 1 / sqrt(u). A missing value moves
    nothing. A value beyond 16 deviations counts as 16.
    """

    _LEAST_VARIANCE, _LARGEST_VARIANCE, _LARGEST_STEP = 1e-4, 1e8, 16.0

    def __init__(self, graph: Graph, columns: Columns) -> None:
        (self._x,) = graph.inputs
        self._graph, self._columns = graph, columns
        self._followed = (columns.scale > 0).astype(np.float32)
        ones = np.ones(len(columns.mean), np.float32)
        self.variables = {
            "input_slope": ones, "input_shift": 0 * ones, "input_moved": 0 * ones, "input_variance": ones,
            "input_rows": columns.rows * ones,
        }  # fmt: skip

    def in_front(self, graph: Graph) -> Graph:
        """The graph with its input put back before anything reads it."""
        builder = GraphBuilder(graph.name)
        x = builder.input(self._x, graph.types[self._x].shape)
        slope, shift = (builder.variable(self.variables[v], v) for v in ("input_slope", "input_shift"))
        names = {self._x: builder.add("add", builder.add("multiply", x, slope), shift, name="input_put_back")}
        for name, array in graph.variables.items():
            names[name] = builder.variable(array, name)
        for name, array in graph.constants.items():
            names[name] = builder.constant(array, name, graph.types[name].quantization)
        for node in graph.nodes:
            kinds = [graph.types[o] for o in node.outputs]
            inputs = [names[i] for i in node.inputs]
            made = builder.add_many(node.operation, *inputs, name=node.outputs[0], types=kinds, **node.attributes)
            names.update(zip(node.outputs, made, strict=True))
        builder.describe(**graph.metadata)
        return builder.build([names[o] for o in graph.outputs])

    def alone(self) -> Graph:
        """A row to new statistics, no more."""
        builder = GraphBuilder(self._graph.name)
        builder.input(self._x, self._graph.types[self._x].shape)
        self.trace(builder)
        return builder.build([])

    def trace(self, b: GraphBuilder) -> None:
        """Append what a row does to the statistics."""
        held = {name: name if name in b.graph([]).variables else b.variable(a, name)
                for name, a in self.variables.items()}  # fmt: skip
        moved, variance = held["input_moved"], held["input_variance"]
        scale = np.where(self._columns.scale > 0, self._columns.scale, 1)
        mean, deviation = b.constant(self._columns.mean, "learned_mean"), b.constant(scale, "learned_scale")
        known = self._known(b)
        rows = b.add("clip", b.add("add", held["input_rows"], known), minimum=0.0, maximum=float(self._columns.window))
        share = b.add("divide", known, rows)
        value = b.add("impute", b.add("standardize", self._x, mean, deviation), moved)
        limit = self._LARGEST_STEP
        step = b.add("clip", b.add("subtract", value, moved), minimum=-limit, maximum=limit)
        next_moved = b.add("add", moved, b.add("multiply", share, step))
        rest = b.add("subtract", b.constant(1.0, "number"), share)
        spread = b.add("subtract", b.add("multiply", b.add("square", step), rest), variance)
        next_variance = b.add("add", variance, b.add("multiply", share, spread))
        low, high = self._LEAST_VARIANCE, self._LARGEST_VARIANCE
        slope = b.add("reciprocal_sqrt", b.add("clip", next_variance, minimum=low, maximum=high), epsilon=0.0)
        kept = b.add("multiply", mean, b.add("subtract", b.constant(1.0, "number"), slope))
        way = b.add("multiply", slope, b.add("multiply", deviation, next_moved))
        shift = b.add("subtract", kept, way)
        new = {"input_slope": slope, "input_shift": shift, "input_moved": next_moved,
               "input_variance": next_variance, "input_rows": rows}  # fmt: skip
        for name, value in new.items():
            row = self.variables[name].shape
            b.update(held[name], b.add("reshape", value, shape=row))

    def _known(self, b: GraphBuilder) -> str:
        """1 where a column is followed and its value is there, else 0."""
        there = b.add("compare", self._x, self._x, function="equal")  # which NaN is not
        return b.add("multiply", b.constant(self._followed, "followed"), there)
