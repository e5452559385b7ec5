# SPDX-License-Identifier: Apache-2.0
"""Compiled training for networks of any width: in one program, fold after fold and trial after trial.

A unit whose weights in and out are zero stays so: nothing flows through it (activations are 0 at 0), so nothing flows
back. A network of five units is therefore one of eight, three of them zero, to the bit of its sums; and programs for
8, 32 and 128 units serve all widths. A step is compiled for the largest batch, and its weight decay is a variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial

import numpy as np

from edgeling import initializers, losses
from edgeling.graph import Graph, GraphBuilder
from edgeling.graph.types import Array
from edgeling.layers import Dense
from edgeling.models import Model
from edgeling.models.reporting import Report
from edgeling.models.session import NAME
from edgeling.optimizers import Adam
from edgeling.training import arrays
from edgeling.training.engine import Engine, TrainingData
from edgeling.training.graphs import evaluation_graph, training_graph
from edgeling.utils import set_random_seed
from edgeling.workflow.recipes import Recipe, network_for
from edgeling.workflow.tuning.folds import Folds
from edgeling.workflow.tuning.space import Choice

_DECAY = "weight_decay"


class _DecayingAdam(Adam):
    """Adam whose weight decay is a variable of the step, so that trying another compiles nothing."""

    def trace(self, builder: GraphBuilder, learning_rate: str, gradients: Mapping[str, str]) -> None:
        decay = builder.variable(np.zeros((), np.float32), _DECAY)
        self._share = builder.add("multiply", decay, learning_rate)
        super().trace(builder, learning_rate, gradients)

    def _decayed(self, builder: GraphBuilder, weight: str, learning_rate: str) -> str:
        return builder.add("decay", weight, self._share, rate=1.0)


class Programs:
    """Compiled training for networks of one depth and activation.

    Args:
        folds: the rows.
        room: of each hidden layer, the most units.
        largest_batch: rows.
        recipe: how weights begin, and what Adam remembers.

    Attributes:
        parts: for each fold the rows that learn and those that are scored.
        engine: which trains; one choice at a time.
    """

    def __init__(
        self, folds: Folds, room: tuple[int, ...], activation: str, largest_batch: int, recipe: Recipe
    ) -> None:  # fmt: skip
        settings = replace(folds.settings, hidden=room, activation=activation, batch_size=largest_batch)
        set_random_seed(settings.seed)
        self._model = network_for(folds.preparation, settings, len(folds.y), recipe)
        width = int(self._model.output_shape[-1] or 1)
        loss = losses.get(self._model.loss, width)
        metrics = ["accuracy"] if folds.preparation.target.labels else []
        truth = arrays.targets(folds.y, width, loss)
        objective = Report(loss, metrics, [], width, folds.weights is not None, ((), (width,))).objective(truth)
        data = TrainingData(np.ascontiguousarray(folds.x), truth, folds.weights)
        judged = replace(
            data, sample_weight=np.ones(len(truth), np.float32) if folds.weights is None else folds.weights
        )
        lessons = (
            TrainingData(np.ascontiguousarray(b.x), arrays.targets(b.y, width, loss), b.weights) for b in folds.lessons
        )
        self.parts = [(lesson, judged[judge]) for lesson, (_, judge) in zip(lessons, folds.parts, strict=True)]
        network, rule, weighted = (
            self._model._as_network(),
            _DecayingAdam(beta_2=recipe.beta_2),
            folds.weights is not None,
        )

        @cache
        def step(rows: int) -> Graph:
            return training_graph(network, objective, rule, rows, weighted, any_rows=True)

        evaluation = partial(evaluation_graph, network, objective, any_rows=True)
        self.engine = Engine(NAME, step, evaluation, room=largest_batch)
        self._initial = dict(step(largest_batch).variables)
        self._dense = [layer for layer in self._model.layers if isinstance(layer, Dense)]
        self._names = network.names

    def begin(self, choice: Choice, seed: int) -> None:
        """Load the weights a choice begins with: what has its seed begins alike."""
        start = {**self._initial, _DECAY: np.array(choice.weight_decay, np.float32)}
        for place, (layer, rows, units) in enumerate(self._used(choice)):
            kernel = np.zeros(layer.kernel.shape, np.float32)
            drawn = initializers.get(layer.get_config()["kernel_initializer"])
            kernel[:rows, :units] = drawn.draw((rows, units), seed + place)
            start[self._names[layer.kernel]] = kernel
        self.engine.load(start)

    def hand_over(self, choice: Choice, variables: Mapping[str, Array], model: Model) -> None:
        """Hand what was learned to a network of the choice's own size."""
        layers = [layer for layer in model.layers if isinstance(layer, Dense)]
        for layer, (own, rows, units) in zip(layers, self._used(choice), strict=True):
            learned = [variables[self._names[weight]] for weight in own.weights]
            layer.set_weights([learned[0][:rows, :units], learned[1][:units]])
        for other, own_other in zip(model.layers, self._model.layers, strict=True):
            if not isinstance(other, Dense):
                other.set_weights([variables[self._names[weight]] for weight in own_other.weights])

    def _used(self, choice: Choice) -> list[tuple[Dense, int, int]]:
        """Each dense layer with its inputs and units that are not zero."""
        sizes = [*choice.hidden, self._dense[-1].kernel.shape[1]]
        inputs = [self._dense[0].kernel.shape[0], *choice.hidden]
        return list(zip(self._dense, inputs, sizes, strict=True))
