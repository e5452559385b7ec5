# SPDX-License-Identifier: Apache-2.0
"""Compiled training, shared by every model of one structure: engines are made once and lent out with a state."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from hashlib import sha256
from typing import Any, TypeVar

import numpy as np

from edgeling.configurable import OpaqueError, key
from edgeling.graph import Graph
from edgeling.graph.serialize import to_json
from edgeling.graph.types import Array
from edgeling.network.network import Network
from edgeling.network.weights import Weight
from edgeling.training.engine import Engine, Epochs, Kept, TrainingData
from edgeling.training.graphs import Objective, TraceableOptimizer, evaluation_graph, training_graph

_LIMIT = 8
NAME = "network"  # of every training program, so that models of one structure share one compiled library


@dataclass(frozen=True)
class Lent:
    """An engine, and what its optimizer's variables hold before the first step."""

    engine: Engine
    initial: Mapping[str, Array]


Compiled = TypeVar("Compiled")


class _Kept(threading.local):
    """What was compiled lately. Every thread has its own: an engine holds one state, and runs without Python's lock."""

    def __init__(self) -> None:
        self.compiled: OrderedDict[Hashable, Any] = OrderedDict()


_kept = _Kept()


class Session:
    """One model's use of an engine.

    Args:
        weights: the model's weights by their name in the graph.
        optimizer_state: what the optimizer keeps, by name; changed in place. Empty before the first step.
    """

    of_batches = False

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

    def evaluate(self, data: TrainingData) -> tuple[list[float], Kept | None]:
        """Mean loss and metrics, with the weights the engine holds; and the predictions, if they are asked for."""
        weighted = data
        if data.sample_weight is None:
            weighted = replace(data, sample_weight=np.ones(len(data.x), np.float32))
        means, predictions = self._engine.evaluate_rows(weighted)
        if predictions is None:
            return means.tolist(), None
        return means.tolist(), Kept(data.y, predictions, data.sample_weight, data.target_row)


def lend(key: Hashable, make: Callable[[], Compiled]) -> Compiled:
    """What this thread compiled for that key, made if there is none; the least recently used are let go."""
    kept = _kept.compiled
    compiled = kept.pop(key, None) or make()
    kept[key] = compiled
    while len(kept) > _LIMIT:
        kept.popitem(last=False)
    return compiled


class Traced(tuple[str, ...]):
    """A key made of graphs."""


def described(parts: Any, graphs: Callable[[], Iterable[Graph]], weights: Collection[str]) -> Hashable:
    """A key for what is compiled from ``parts``: made of them, or of the graphs where a part is somebody else's.

    What another's class computes can depend on anything, such as a function defined anew a moment ago: only the graph
    that it traces tells. That takes milliseconds, which our own need not.

    Args:
        graphs: trace them.
        weights: variables whose contents do not matter.
    """
    try:
        return key(parts)
    except OpaqueError:
        return Traced(_fingerprint(graph, weights) for graph in graphs())


def _fingerprint(graph: Graph, weights: Collection[str]) -> str:
    description, arrays = to_json(graph)
    digest = sha256(json.dumps(description, default=repr).encode())
    for name, array in arrays.items():
        if name.removeprefix("variable/") not in weights:
            digest.update(array.tobytes())
    return digest.hexdigest()


def for_training(
    network: Network, objective: Objective, optimizer: TraceableOptimizer, batch_size: int, weighted: bool
) -> Lent:
    """An engine that trains and evaluates."""

    @cache
    def step(size: int) -> Graph:
        return training_graph(network, objective, optimizer, size, weighted, any_rows=True)

    @cache
    def adding(size: int) -> Graph:
        return training_graph(network, objective, optimizer, size, weighted, any_rows=True, accumulating=True)

    weights = set(network.names.values())
    initial = {name: array for name, array in step(batch_size).variables.items() if name not in weights}
    evaluation = partial(evaluation_graph, network, objective, any_rows=True)
    batches = optimizer.batches_a_step
    return Lent(Engine(NAME, step, evaluation, adding if batches > 1 else None, batches), initial)


def for_evaluation(network: Network, objective: Objective) -> Lent:
    """An engine that only evaluates."""
    return Lent(Engine(NAME, None, partial(evaluation_graph, network, objective, any_rows=True)), {})
