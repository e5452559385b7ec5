# SPDX-License-Identifier: Apache-2.0
"""Batches as such: of models whose rows go on from where the same row of the batch before ended (``stateful=True``),
and of those that add to the loss what they make of a whole batch. The graph is that of so many rows, run for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from typing import Any

import numpy as np

from edgeling.graph import Graph, GraphBuilder, run
from edgeling.graph.types import Array
from edgeling.layers.written_rules import is_written
from edgeling.models.session import NAME, lend
from edgeling.models.stateful import state_shapes, states_for, take_states
from edgeling.models.views import example
from edgeling.models.within import all_within
from edgeling.network.arrays import Rows, parts_of, side_by_side
from edgeling.network.network import inference_graph
from edgeling.network.tracing import Tracer
from edgeling.passes import optimize, remove_dead
from edgeling.toolchain.predictor import compiled
from edgeling.training.engine import Kept, TrainingData
from edgeling.training.graphs import Objective, evaluation_graph


class BatchProgram:
    """A graph of a whole batch: interpreted where there is no compiler."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self._native = graph, compiled(graph, NAME, 1)

    def __call__(self, given: Mapping[str, Array], held: Mapping[str, Array]) -> tuple[list[Array], dict[str, Array]]:
        """The outputs, and what the variables that the graph moves hold afterwards.

        Args:
            given: the inputs.
            held: what variables hold before it.
        """
        moved = [name for name, _ in self.graph.updates]
        if self._native is None:
            done = run(self.graph, dict(given), {**self.graph.variables, **held})
            return list(done.outputs), {name: done.variables[name] for name in moved}
        for name in self.graph.variables:
            self._native.variable(name, self.graph.types[name])[...] = held[name]
        kinds = [self.graph.types[name] for name in self.graph.outputs]
        made = [np.empty(max(1, kind.size), np.float32) for kind in kinds]
        entry = self._native.program.entries[0].function
        self._native.function(entry)(*(np.ascontiguousarray(given[name]) for name in self.graph.inputs), *made)
        states = {name: np.array(self._native.variable(name, self.graph.types[name])) for name in moved}
        return [array.reshape(kind.shape) for array, kind in zip(made, kinds, strict=True)], states


def _lent(what: str, signature: Any, rows: int, graph: Callable[[], Graph]) -> BatchProgram:
    return lend((what, signature, rows), lambda: BatchProgram(optimize(graph())))


def _held(model: Any) -> dict[str, Array]:
    return {name: weight.value for weight, name in model._as_network().names.items()}


def predicted_batch(model: Any, x: Rows, signature: Any) -> Rows:
    """The answers of a batch of rows side by side, each with a state of its own that it leaves for the next batch.

    Raises:
        DataError: a layer keeps states of another number of rows.
    """
    rows = len(x)
    program = _lent("predict a batch", signature, rows, partial(_inference, model, rows))
    inputs = [part for part in parts_of(x) if part is not None]
    given = dict(zip(program.graph.inputs, inputs, strict=True))
    outputs, states = program(given, {**_held(model), **states_for(model, rows)})
    take_states(model, states)
    answers: Rows = side_by_side(outputs)
    return answers


def _inference(model: Any, rows: int) -> Graph:
    return inference_graph(model._as_network(), frozen=False, rows=rows)


class BatchSession:
    """Evaluates batch by batch; in the place of :class:`edgeling.models.session.Session`.

    Args:
        signature: what the compiled code depends on.
    """

    of_batches = True

    def __init__(self, model: Any, objective: Objective, signature: Any) -> None:
        self._model, self._objective, self._signature = model, objective, signature

    def push(self) -> None:
        """Nothing is kept between batches but the model's own states."""

    def evaluate(self, data: TrainingData) -> tuple[list[float], Kept | None]:
        """As :meth:`edgeling.models.session.Session.evaluate`, of one batch."""
        model, rows = self._model, len(data.x)
        program = _lent("evaluate a batch", self._signature, rows, partial(self._graph, rows))
        weights = np.ones(rows, np.float32) if data.sample_weight is None else data.sample_weight
        given = dict(zip(program.graph.inputs, (data.x, data.y, weights), strict=False))
        outputs, states = program(given, {**_held(model), **states_for(model, rows)})
        take_states(model, states)
        logs = [float(each) for each in outputs if each.ndim < 2]
        if len(logs) == len(outputs):
            return logs, None
        made = outputs[-1].reshape(rows, prod(outputs[-1].shape[1:]))
        return logs, Kept(data.y, made, data.sample_weight, data.target_row)

    def _graph(self, rows: int) -> Graph:
        return evaluation_graph(self._model._as_network(), self._objective, rows, keeping=True)


def goes_by_batches(model: Any) -> bool:
    """Whether a model is evaluated batch by batch: it keeps states, or adds to the loss what is of a whole batch."""
    return bool(state_shapes(model)) or (_may_add(model) and _adds_of_batches(model))


def _may_add(model: Any) -> bool:
    return any(layer.traces_calls or is_written(layer.activity_regularizer) for layer in all_within(model._whole_chain))


def _adds_of_batches(model: Any) -> bool:
    """Whether what is added to the loss, beside penalties on weights and what is a mean over rows, reads the rows."""
    tracer = _answered(model)
    added = tracer.added()
    if not added:
        return False
    graph = remove_dead(tracer.builder.build(added))
    return any(name in graph.inputs for node in graph.nodes for name in node.inputs)


def adds_to_loss(model: Any) -> bool:
    """Whether a model has a loss without one: penalties on weights or answers, or what its layers add."""
    return bool(_answered(model).penalties())


def adds_rows_to_loss(model: Any) -> bool:
    """Whether a model that is built adds to the loss what its layers make of rows: losses or penalties on answers."""
    may = any(layer.activity_regularizer is not None or is_written(layer) for layer in all_within(model._whole_chain))
    return may and bool(model.built) and bool(_answered(model).added_by_layers())


def _answered(model: Any) -> Tracer:
    """A tracer that went through the model with one row, of some length where it is not known."""
    network = example(model)._as_network()
    tracer = Tracer(GraphBuilder("added"), network.names)
    network.answer(tracer, [tracer.builder.input(name, (1, *row)) for name, row in network.inputs.items()])
    return tracer
