# SPDX-License-Identifier: Apache-2.0
"""Predictions of models. The weights stay variables, so that training does not compile anew."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from edgeling.graph.types import Array, Graph
from edgeling.models.session import NAME, lend
from edgeling.network.arrays import Rows, parts_of, side_by_side
from edgeling.network.network import Network, inference_graph, kept_states
from edgeling.network.weights import Weight
from edgeling.passes import optimize
from edgeling.toolchain.direct import Answer
from edgeling.toolchain.native import NativeProgram
from edgeling.toolchain.predictor import Predictor, compiled


def not_ready(x: Any) -> Array:
    """What stands for :attr:`Followed.direct` before anything was predicted."""
    raise TypeError


class _Shared:
    """What models of one structure share: the graph, and its code for one row or for many."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._programs: dict[int, NativeProgram | None] = {}

    def program(self, rows: int) -> NativeProgram | None:
        """The code for a number of rows at once, with a state of its own."""
        if rows not in self._programs:
            self._programs[rows] = compiled(self.graph, NAME, rows)
        known = self._programs[rows]
        return known.clone() if known else None


class Followed:
    """The predictions of one model whose weights change; after :meth:`follow`.

    Args:
        network: whose weights are followed: changed ones are copied before the next prediction.
        signature: what the compiled code depends on.

    Attributes:
        seen: what ``Weight.changes`` counted when the weights were last copied.
        direct: the shortest way for as many rows as were predicted last, with these weights; TypeError tells the caller
            to take the long one.
    """

    def __init__(self, network: Network, signature: Hashable) -> None:
        self._weights = {name: weight for weight, name in network.names.items()}
        self._copied: dict[str, Array] = {}
        self.signature, self.seen = signature, -1
        shared = lend(("predict", signature), lambda: _Shared(optimize(inference_graph(network, frozen=False))))
        self._predictor = Predictor(shared.graph, shared.program)
        self._states = kept_states(network) if shared.graph.updates else {}
        self.direct: Answer = not_ready

    def rows(self, x: Rows) -> Rows:
        """Predictions of float32 rows [rows, ...], or of several."""
        for name, (layer, place) in self._states.items():
            self._predictor.set_variable(name, layer.state_of(place, self._predictor.variable(name).shape))
        answers: Rows = side_by_side(self._predictor.answers(*(part for part in parts_of(x) if part is not None)))
        for name, (layer, place) in self._states.items():
            layer.states[place] = self._predictor.variable(name)
        self.direct = self._predictor.direct(len(x), Weight.changes) or not_ready
        return answers

    def follow(self) -> None:
        """Copy the weights that have changed."""
        self.seen = Weight.changes.value
        for name, weight in self._weights.items():
            if self._copied.get(name) is not weight.value:
                self._copied[name] = weight.value
                self._predictor.set_variable(name, weight.value)
