# SPDX-License-Identifier: Apache-2.0
"""The training loop in plain NumPy around the interpreter: the reference the native engine is held to."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeling.graph import Graph, run
from edgeling.graph.random import permutation
from edgeling.training.engine import Epochs, Kept, TrainingData


class InterpreterEngine:
    """As ``edgeling.training.engine.Engine``, slowly."""

    logged: Any = np.float32

    def __init__(
        self, name: str, training_graph: Any, evaluation_graph: Any = None, adding_graph: Any = None,
        batches_a_step: int = 1,
    ) -> None:  # fmt: skip
        self._makers, self._evaluation_graph = (training_graph, adding_graph), evaluation_graph
        self._batches_a_step, self._accumulated = batches_a_step, 0
        self._weights: dict[str, Any] = {}
        self._graphs: dict[tuple[int, bool], Graph] = {}

    def load(self, weights: Any) -> None:
        self._weights.update(weights)

    def weights(self) -> dict[str, Any]:
        return dict(self._weights)

    def run_epochs(
        self, data: TrainingData, *, batch_size: int, epochs: int, shuffle: bool = True, seed: int = 0,
        first_epoch: int = 0, learning_rates: Any, steps_per_epoch: int | None = None, planned_steps: int = 0,
        accumulated: int = 0,
    ) -> Epochs:  # fmt: skip
        logs, rates, step, self._accumulated = [], np.atleast_1d(learning_rates), 0, accumulated
        for epoch in range(first_epoch, first_epoch + epochs):
            before = dict(self._weights)
            rows = len(data.x)
            order = permutation(rows, seed=seed, step=epoch) if shuffle else np.arange(rows)
            batches = [order[i : i + batch_size] for i in range(0, rows, batch_size)][:steps_per_epoch]
            sums, seen, predictions = 0.0, 0, []
            for batch in batches:
                outputs, predicted = self._step(data, batch, rates[step % len(rates)], seed)
                if not np.isfinite(outputs[0]):
                    self._weights = before
                    return Epochs(np.array(logs, self.logged), diverged=True)
                predictions += predicted
                sums, seen, step = sums + outputs * len(batch), seen + len(batch), step + 1
            logs.append(sums / seen)
        return Epochs(np.array(logs, self.logged), kept=self._kept(data, np.concatenate(batches), predictions))

    def _kept(self, data: TrainingData, order: Any, predictions: list[Any]) -> Kept | None:
        weight = None if data.sample_weight is None else data.sample_weight[order]
        return Kept(data.y[order], np.concatenate(predictions), weight) if predictions else None

    def _step(self, data: TrainingData, batch: Any, rate: Any, seed: int) -> Any:
        self._accumulated = (self._accumulated + 1) % self._batches_a_step
        adds = self._accumulated > 0
        graph = self._graphs.get((len(batch), adds)) or self._makers[adds](len(batch))
        self._graphs[len(batch), adds] = graph
        given = {"x": data.x[batch], "y": data.y[batch], "learning_rate": rate, "seed": np.uint32(seed)}
        given["share"] = self.logged(1 / len(batch))
        if data.sample_weight is not None:
            given["sample_weight"] = data.sample_weight[batch]
        held = {name: array for name, array in self._weights.items() if name in graph.variables}
        outputs, variables = self._run(graph, {k: v for k, v in given.items() if k in graph.inputs}, held)
        self._weights |= variables
        return _divided(outputs)

    def _run(self, graph: Graph, given: Any, held: Any) -> tuple[Any, dict[str, Any]]:
        result = run(graph, given, held)
        return result.outputs, result.variables

    def evaluate(self, data: TrainingData) -> Any:
        return self.evaluate_rows(data)[0]

    def evaluate_rows(self, data: TrainingData) -> tuple[Any, Any]:
        graph = self._evaluation_graph(1)
        held = {k: v for k, v in self._weights.items() if k in graph.variables}
        arrays = data.x, data.y, data.sample_weight
        rows = [
            self._run(graph, dict(zip(graph.inputs, [*(a[i : i + 1] for a in arrays), 1.0], strict=False)), held)[0]
            for i in range(len(data.x))
        ]
        logs, predictions = zip(*map(_divided, rows), strict=True)
        means = np.mean(np.array(logs, np.float64), axis=0).astype(self.logged)
        return means, np.concatenate([p for part in predictions for p in part]) if any(predictions) else None


def _divided(outputs: Any) -> tuple[Any, list[Any]]:
    """The logs, and the predictions if there are any."""
    return np.array([float(o) for o in outputs if o.ndim == 0]), [o for o in outputs if o.ndim]
