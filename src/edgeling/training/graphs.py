# SPDX-License-Identifier: Apache-2.0
"""A network's graphs: one training step, the evaluation of one row, inference.

Inputs, in this order: ``x`` [rows, ...], ``y`` [rows, outputs] ([rows, 1] class numbers where the loss is sparse),
``sample_weight`` [rows] if there is one, and while training ``learning_rate`` and (with dropout) ``seed``, scalars;
and, where it is asked for, ``share``: one over the number of rows. A graph with it is the same for any number of rows.
Outputs: ``loss`` and every metric, scalars: means over the rows; the predictions if they are asked for. Variables: the
weights in the network's order, then what the optimizer keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Protocol

from edgeling.graph import Graph, GraphBuilder
from edgeling.graph.types import LARGEST_FLOAT32
from edgeling.network.network import Network
from edgeling.network.tracing import Tracer
from edgeling.passes import differentiate, rectify_normalized, through_logits
from edgeling.training.masked import loss_of_steps, no_loss

LEARNING_RATE = "learning_rate"
SHARE = "share"
_LEAST_WEIGHT = 1e-30  # of a batch: one whose rows all weigh nothing has loss 0


class TraceableRows(Protocol):
    """What is asked of a loss or a metric: two matrices to one value a row."""

    @property
    def signed(self) -> bool:
        """Whether it takes labels of -1 and 1."""

    @property
    def is_written(self) -> bool:
        """Whether it sees rows as they are, not places of them one below another."""


class TraceableMetric(TraceableRows, Protocol):
    """What is asked of a metric besides."""

    def traced(self, tracer: Tracer, y_true: str, y_pred: str) -> str:
        """Append the nodes; give the name of the value of each row, [rows]."""


class TraceableLoss(TraceableRows, Protocol):
    """What is asked of a loss besides."""

    def traced(self, tracer: Tracer, y_true: str, y_pred: str, weighted: bool) -> str:
        """Append the nodes; give the name of the value of each row, [rows]."""

    def of_steps(self, tracer: Tracer, y_true: str, y_pred: str) -> str:
        """The same, but a value of each step of each row, where rows are [steps, outputs]."""

    @property
    def reduction(self) -> str | None:
        """How the values of a batch become one; see :class:`edgeling.losses.Loss`."""


class TraceableOptimizer(Protocol):
    """What is asked of an optimizer."""

    @property
    def batches_a_step(self) -> int:
        """How many batches a step takes: by the mean of their gradients weights move."""

    def trace(self, builder: GraphBuilder, learning_rate: str, gradients: Mapping[str, str]) -> None:
        """Append the nodes and updates that move every variable among ``gradients`` by its gradient."""

    def accumulate(self, builder: GraphBuilder, gradients: Mapping[str, str]) -> None:
        """Append those of a batch that is not the last of its step."""


@dataclass(frozen=True)
class Objective:
    """What training makes small, and what it reports.

    Attributes:
        target_width: columns of ``y``.
        binary_labels: all labels are 0 or 1, or all -1 or 1; signed losses and metrics see -1 and 1.
        keeps_predictions: the graphs give their predictions, [rows, outputs], as their last output.
        outputs: of a model of several inputs or outputs what each of these is to be; then loss and metrics here say
            nothing, x and y hold all columns side by side, and each loss is an output after their sum. One that is
            masked has no metrics here, no loss in an evaluation, and its mask [rows, steps] is kept beside it.
    """

    loss: TraceableLoss
    metrics: Sequence[TraceableMetric] = field(default_factory=tuple)
    target_width: int = 1
    binary_labels: bool = False
    keeps_predictions: bool = False
    outputs: tuple[OutputObjective, ...] = ()


@dataclass(frozen=True)
class OutputObjective:
    """What one of several outputs is to be.

    Attributes:
        objective: its loss and metrics; None: nothing is asked of it.
        weight: of its loss in the sum.
        start, width: its columns of ``y``.
        row: the shape of one row of it; losses go over the last axis, and their mean over the others.
        weights: the column of ``y`` where weights of its rows begin, if there are any.
        weight_row: the shape of one row of these: () where a row has one, [steps] where each of its steps has.
    """

    objective: Objective | None
    weight: float
    start: int
    width: int
    row: tuple[int, ...]
    weights: int | None = None
    weight_row: tuple[int, ...] = ()


def training_graph(
    network: Network,
    objective: Objective,
    optimizer: TraceableOptimizer,
    batch_size: int,
    has_sample_weight: bool = False,
    *,
    any_rows: bool = False,
    accumulating: bool = False,
) -> Graph:
    """One step on ``batch_size`` rows: forward, loss, gradients, update.

    The loss is ``sum(rows * sample_weight) / batch_size`` (or as its reduction says) plus the penalties, as in Keras.

    Args:
        any_rows: one over the batch size is an input.
        accumulating: a batch that is not the last of its step.
    """
    scalars = (LEARNING_RATE, SHARE) if any_rows else (LEARNING_RATE,)
    builder, outputs, gradients = backward(network, objective, batch_size, has_sample_weight, *scalars)
    if accumulating:
        optimizer.accumulate(builder, gradients)
    else:
        optimizer.trace(builder, LEARNING_RATE, gradients)
    return builder.build(outputs)


def backward(
    network: Network, objective: Objective, batch_size: int, has_sample_weight: bool, *scalars: str
) -> tuple[GraphBuilder, list[str], dict[str, str]]:
    """A step as far as its gradients: its builder, its outputs, and the gradient of each weight that is moved.

    Args:
        scalars: inputs that whoever goes on needs.
    """
    builder = GraphBuilder(network.name)
    outputs = _score(builder, network, objective, batch_size, has_sample_weight, scalars, training=True)
    variables = network.trainable()
    graph = differentiate(rectify_normalized(through_logits(builder.build(outputs))), outputs[0], variables)
    gradients = graph.outputs[len(outputs) :]
    return GraphBuilder.of(graph), outputs, dict(zip(variables, gradients, strict=True))


def evaluation_graph(
    network: Network, objective: Objective, batch_size: int = 1, *, any_rows: bool = False, keeping: bool = False
) -> Graph:  # fmt: skip
    """Loss and metrics, the network as deployed. ``sample_weight`` is always an input (ones where there is none).

    The loss is the mean over the rows whatever its reduction is: of one row the others make no sense.

    Args:
        keeping: states of layers that keep them go on from run to run.
    """
    builder = GraphBuilder(network.name)
    scalars = (SHARE,) if any_rows else ()
    outputs = _score(builder, network, objective, batch_size, True, scalars, training=False, keeping=keeping)
    return through_logits(builder.build(outputs))


def _score(
    builder: GraphBuilder, network: Network, objective: Objective, batch: int, weighted: bool,
    scalars: Sequence[str], *, training: bool, keeping: bool = True,
) -> list[str]:  # fmt: skip
    """The graph up to its outputs: the loss, the metrics, the predictions."""
    x = _inputs(builder, network, batch)
    y = builder.input("y", (batch, objective.target_width))
    sample_weight = builder.input("sample_weight", (batch,)) if weighted else ""
    for scalar in scalars:
        builder.input(scalar, ())
    share = SHARE if SHARE in scalars else ""
    tracer = Tracer(builder, network.names, training=training, share=share, keeping=keeping)
    predictions = network.answer(tracer, x)
    if objective.outputs:
        return _several(tracer, objective, predictions, y, sample_weight)
    (prediction,) = predictions
    truths = _Truths(builder, y, objective.binary_labels)
    rows = objective.loss.traced(tracer, truths.of(objective.loss), prediction, weighted)
    reduction = objective.loss.reduction if training else "mean"  # of one row; its caller has the batches
    loss = _with_penalties(tracer, _reduced(tracer, rows, sample_weight, reduction))
    metrics = [_mean(tracer, m.traced(tracer, truths.of(m), prediction), "metric") for m in objective.metrics]
    return [loss, *metrics, *([prediction] if objective.keeps_predictions else [])]


def _with_penalties(tracer: Tracer, loss: str) -> str:
    for penalty in tracer.penalties():
        loss = tracer.builder.add("add", loss, penalty, name="loss")
    return loss


def _inputs(builder: GraphBuilder, network: Network, batch: int) -> list[str]:
    """The inputs: of several, columns of ``x`` side by side."""
    if len(network.inputs) == 1:
        return [builder.input("x", (batch, *row)) for row in network.inputs.values()]
    sizes = [prod(row) for row in network.inputs.values()]
    x = builder.input("x", (batch, sum(sizes)))
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    parts = [_columns(builder, x, start, size) for start, size in zip(starts, sizes, strict=True)]
    rows = network.inputs.values()
    return [builder.add("reshape", part, shape=(batch, *row)) for part, row in zip(parts, rows, strict=True)]


def _columns(builder: GraphBuilder, rows: str, start: int, size: int) -> str:
    batch, width = builder.type_of(rows).shape
    return rows if size == width else builder.add("slice", rows, begin=(0, start), shape=(batch, size))


def _several(
    tracer: Tracer, objective: Objective, predictions: Sequence[str], y: str, sample_weight: str
) -> list[str]:  # fmt: skip
    """The sum of the losses, each loss with its metrics, and all predictions side by side."""
    builder, total, logs = tracer.builder, "", list[str]()
    for output, prediction in zip(objective.outputs, predictions, strict=True):
        if output.objective is None:
            continue
        loss, metrics = _one_of_several(tracer, output, output.objective, prediction, y, sample_weight)
        logs += [loss, *metrics]
        share = builder.add("multiply", loss, tracer.number(output.weight)) if output.weight != 1 else loss
        total = builder.add("add", total, share) if total else share
    total = total or tracer.number(0.0)  # there are penalties alone
    total = builder.add("reshape", _with_penalties(tracer, total), shape=(), name="loss_of_all")
    if not objective.keeps_predictions:
        return [total, *logs]
    batch = builder.type_of(y).shape[0]
    outputs = zip(objective.outputs, predictions, strict=True)
    kept = [each for output, made in outputs for each in _kept(tracer, output, made)]
    flat = [builder.add("reshape", each, shape=(batch, builder.type_of(each).size // batch)) for each in kept]
    return [total, *logs, flat[0] if len(flat) == 1 else builder.add("concatenate", *flat)]


def _kept(tracer: Tracer, output: OutputObjective, prediction: str) -> list[str]:
    """What is kept of an output: the prediction, and which of its steps count."""
    mask = tracer.mask_of(prediction) if output.objective else ""
    return [prediction, mask] if mask else [prediction]


def _one_of_several(
    tracer: Tracer, output: OutputObjective, goal: Objective, prediction: str, y: str, sample_weight: str
) -> tuple[str, list[str]]:
    """The loss of one output, and the means of its metrics."""
    b, batch = tracer.builder, tracer.builder.type_of(y).shape[0]
    places = prod(output.row[:-1])
    matrix = b.add("reshape", prediction, shape=(batch * places, output.row[-1]))
    own = _columns(b, y, output.start, output.width)
    truths = _Truths(b, own, goal.binary_labels, batch * places)
    weights = sample_weight
    if output.weights is not None:
        held = _columns(b, y, output.weights, prod(output.weight_row))
        weights = b.add("reshape", held, shape=(batch, *output.weight_row))

    def per_row(values: str) -> str:
        """The mean over the places of each row, or what it is where there is one."""
        if places == 1:
            return values
        summed = b.add("sum", b.add("reshape", values, shape=(batch, places)), axes=(1,))
        return b.add("multiply", b.add("reshape", summed, shape=(batch,)), tracer.number(1 / places))

    written, weighted, mask = goal.loss.is_written, bool(weights), tracer.mask_of(prediction)
    if mask and not tracer.training:
        return no_loss(tracer, mask), []
    metrics = [
        _mean(tracer, m.traced(tracer, own, prediction) if m.is_written else
              per_row(m.traced(tracer, truths.of(m), matrix)), "metric")
        for m in goal.metrics
    ]  # fmt: skip
    reduction = goal.loss.reduction if tracer.training else "mean"
    if mask or (weights and output.weight_row):
        each = goal.loss.of_steps(tracer, own if written else truths.of(goal.loss), prediction if written else matrix)
        return loss_of_steps(tracer, each, mask, weights, reduction, output.row[:-1]), metrics
    if written:
        rows = goal.loss.traced(tracer, own, prediction, weighted)
    else:
        rows = per_row(goal.loss.traced(tracer, truths.of(goal.loss), matrix, weighted))
    summed = reduction == "sum" or (weighted and reduction == "mean_with_sample_weight")
    if summed and places > 1 and not written:  # weights of rows are [rows, 1] to Keras, which adds them up so
        rows = b.add("multiply", rows, tracer.number(places))
    loss = b.add("reshape", _reduced(tracer, rows, weights, reduction), shape=(), name="loss_of_output")
    return loss, metrics


class _Truths:
    """``y`` as it is, or one place of its rows below another, and (made on first use) as -1 and 1."""

    def __init__(self, builder: GraphBuilder, y: str, binary_labels: bool, places: int = 0) -> None:
        self._builder, self._given, self._binary, self._places = builder, y, binary_labels, places
        self._y = "" if places else y
        self._signed = ""

    def of(self, rows: TraceableRows) -> str:
        if not self._y:
            size = self._builder.type_of(self._given).size
            self._y = self._builder.add("reshape", self._given, shape=(self._places, size // self._places))
        if not (rows.signed and self._binary):
            return self._y
        if not self._signed:
            b, one = self._builder, self._builder.constant(1.0, "number")
            squared = b.add("square", self._y)  # y * y + y - 1: of 0 and -1 it makes -1, of 1 it makes 1
            self._signed = b.add("subtract", b.add("add", squared, self._y), one, name="signed_y")
        return self._signed


def _reduced(tracer: Tracer, rows: str, sample_weight: str, reduction: str | None) -> str:
    """The loss of a batch from those of its rows [n], weighted if there are weights."""
    builder = tracer.builder
    if sample_weight:
        rows = builder.add("multiply", rows, sample_weight)
    if reduction == "sum":
        return _total(builder, rows, "loss")
    if reduction == "mean_with_sample_weight" and sample_weight:
        total, weight = _total(builder, rows, "total"), _total(builder, sample_weight, "weight")
        some = builder.add("clip", weight, minimum=_LEAST_WEIGHT, maximum=LARGEST_FLOAT32)
        return builder.add("divide", total, some, name="loss")
    return _mean(tracer, rows, "loss")


def _total(builder: GraphBuilder, rows: str, name: str) -> str:
    """The sum of [n], a scalar."""
    return builder.add("reshape", builder.add("sum", rows, axes=(0,)), shape=(), name=name)


def _mean(tracer: Tracer, rows: str, name: str) -> str:
    """The mean of [n], a scalar."""
    total = _total(tracer.builder, rows, "total")
    return tracer.builder.add("multiply", total, tracer.share(rows), name=name)
