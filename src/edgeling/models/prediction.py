# SPDX-License-Identifier: Apache-2.0
"""Predictions of models. The weights stay variables, so that training does not compile anew."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from edgeling.graph.types import Array, Graph
from edgeling.models.session import NAME, lend
from edgeling.network.network import Network, inference_graph
from edgeling.network.weights import Weight
from edgeling.passes import optimize
from edgeling.toolchain.native import Function, NativeProgram
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
        output: shape of one row of predictions.

    Attributes:
        seen: ``Weight.changes`` when the weights were last copied.
        direct: the shortest way for as many rows as were predicted last; TypeError and ValueError tell the caller to
            take the long one.
    """

    def __init__(self, network: Network, signature: Hashable, output: tuple[int, ...]) -> None:
        self._weights = {name: weight for weight, name in network.names.items()}
        self._copied: dict[str, Array] = {}
        self._input, self._output, self.signature, self.seen = network.input_shape, output, signature, -1
        shared = lend(("predict", signature), lambda: _Shared(optimize(inference_graph(network, frozen=False))))
        self._predictor = Predictor(shared.graph, shared.program)
        self.direct = not_ready

    def rows(self, x: Array) -> Array:
        """Predictions of float32 rows [rows, ...]."""
        answers = self._predictor(x)
        if call := self._predictor.bound(len(x)):
            self.direct = self._bind(call, len(x))
        return answers

    def _bind(self, call: Function, rows: int) -> Any:
        empty, float32 = np.empty, np.float32
        shape, out_shape = (rows, *self._input), (rows, *self._output)
        float64 = np.dtype(np.float64)  # what rows of scikit-learn and pandas are

        def direct(x: Any) -> Array:
            if x.shape != shape or Weight.changes != self.seen:
                raise TypeError
            out = empty(out_shape, float32)
            call(x.astype(float32) if x.dtype is float64 else x, out)
            return out

        return direct

    def follow(self) -> None:
        """Copy the weights that have changed."""
        self.seen = Weight.changes
        for name, weight in self._weights.items():
            if self._copied.get(name) is not weight.value:
                self._copied[name] = weight.value
                self._predictor.set_variable(name, weight.value)
