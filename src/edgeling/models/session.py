# SPDX-License-Identifier: Apache-2.0
"""Compiled training, shared by every model of one structure: engines are made once and lent out with a state."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from threading import get_ident
from typing import Any, TypeVar

import numpy as np

from edgeling.graph import Graph
from edgeling.graph.types import Array
from edgeling.training.engine import Engine, Epochs, TrainingData
from edgeling.training.graphs import Network, Objective, Rule, evaluation_graph, training_graph
from edgeling.training.tracing import Weight

_LIMIT = 32
NAME = "network"  # of every training program, so that models of one structure share one compiled library


@dataclass(frozen=True)
class Lent:
    """An engine, and what its optimizer's variables hold before the first step."""

    engine: Engine
    initial: Mapping[str, Array]


_kept: OrderedDict[Any, Any] = OrderedDict()
Compiled = TypeVar("Compiled")


class Session:
    """One model's use of an engine.

    Args:
        weights: the model's weights by their name in the graph.
        optimizer_state: what the optimizer keeps, by name; changed in place. Empty before the first step.
    """

    def __init__(self, lent: Lent, weights: Mapping[str, Weight], optimizer_state: dict[str, Array]) -> None:
        self._engine, self._initial = lent.engine, lent.initial
        self._weights, self._optimizer_state = weights, optimizer_state

    def push(self) -> None:
        """Hand the model's state to the engine."""
        self._engine.load({**self._initial, **self.state()})

    def pull(self) -> None:
        """Take the engine's state back to the model: all of it, even if Ctrl-C comes meanwhile."""
        try:
            self.restore(self._engine.weights())
        except KeyboardInterrupt:
            self.restore(self._engine.weights())
            raise

    def state(self) -> dict[str, Array]:
        """The model's weights and what its optimizer keeps, by name."""
        return {**{name: w.value for name, w in self._weights.items()}, **self._optimizer_state}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Bring back an earlier :meth:`state`."""
        self._optimizer_state.clear()
        for name, array in state.items():
            if name in self._weights:
                self._weights[name].value = array
            else:
                self._optimizer_state[name] = array

    def run_epochs(self, data: TrainingData, **how: Any) -> Epochs:
        """See :meth:`edgeling.training.engine.Engine.run_epochs`."""
        return self._engine.run_epochs(data, **how)

    def evaluate(self, data: TrainingData) -> list[float]:
        """Mean loss and metrics, with the weights the engine holds."""
        if data.sample_weight is None:
            data = TrainingData(data.x, data.y, np.ones(len(data.x), np.float32))
        return self._engine.evaluate(data).tolist()


def lend(key: Any, make: Callable[[], Compiled]) -> Compiled:
    """What was compiled for that key, made if there is none; the least recently used are let go.

    Every thread has its own: an engine holds one state, and runs without Python's lock.
    """
    key = get_ident(), key
    compiled = _kept.pop(key, None) or make()
    _kept[key] = compiled
    while len(_kept) > _LIMIT:
        _kept.popitem(last=False)
    return compiled


def for_training(network: Network, objective: Objective, optimizer: Rule, batch_size: int, weighted: bool) -> Lent:
    """An engine that trains and evaluates."""

    @cache
    def step(size: int) -> Graph:
        return training_graph(network, objective, optimizer, size, weighted)

    weights = set(network.names.values())
    initial = {name: array for name, array in step(batch_size).variables.items() if name not in weights}
    return Lent(Engine(NAME, step, evaluation_graph(network, objective)), initial)


def for_evaluation(network: Network, objective: Objective) -> Lent:
    """An engine that only evaluates."""
    return Lent(Engine(NAME, None, evaluation_graph(network, objective)), {})
