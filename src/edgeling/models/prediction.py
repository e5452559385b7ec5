# SPDX-License-Identifier: Apache-2.0
"""Predictions of compiled networks. The weights stay variables, so that training does not compile anew."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import numpy as np

from edgeling.codegen import generate
from edgeling.errors import CompilerNotFoundError
from edgeling.graph import Graph, run_rows
from edgeling.graph.types import Array
from edgeling.models.session import NAME, lend
from edgeling.passes import optimize
from edgeling.toolchain.native import THIS_MACHINE, NativeProgram, load
from edgeling.training.graphs import Network, inference_graph
from edgeling.training.tracing import Weight

_CHUNK_ROWS = 65536  # between two of which Ctrl-C is seen
_ENTRY = f"{NAME}_run"


def not_ready(x: Any) -> Array:
    """What stands for :meth:`Predictor.single` before there is a predictor."""
    raise TypeError


class Predictor:
    """One model's predictions; after :meth:`follow`.

    Args:
        network: whose weights are followed: changed ones are copied before the next prediction.
        signature: what the compiled code depends on.
        output: shape of one row of predictions.

    Attributes:
        seen: ``Weight.changes`` when the weights were last copied.
    """

    def __init__(self, network: Network, signature: Hashable, output: tuple[int, ...]) -> None:
        self._weights = {name: weight for weight, name in network.names.items()}
        self._copied: dict[str, Array] = {}
        self._output, self.signature, self.seen = output, signature, -1
        self._graph, native = lend(("predict", signature), lambda: _compile(network))
        self._native = native.clone() if native else None
        self.single = self._bind(self._native, (1, *network.input_shape)) if self._native else not_ready

    def rows(self, x: Array) -> Array:
        """Predictions of float32 rows [rows, ...]."""
        if self._native is None:
            return self._interpret(x)
        out = np.empty((len(x), *self._output), np.float32)
        call = self._native.rows(_ENTRY)
        for start in range(0, len(x), _CHUNK_ROWS):
            chunk = slice(start, start + _CHUNK_ROWS)
            call(x[chunk], out[chunk])
        return out

    def _bind(self, native: NativeProgram, shape: tuple[int, ...]) -> Any:
        """The shortest way for one row; TypeError and ValueError tell the caller to take the long one."""
        call, empty, float32, out_shape = native.function(_ENTRY), np.empty, np.float32, (1, *self._output)
        float64 = np.dtype(np.float64)  # what rows of scikit-learn and pandas are

        def single(x: Any) -> Array:
            if x.shape != shape or Weight.changes != self.seen:
                raise TypeError
            out = empty(out_shape, float32)
            call(x.astype(float32) if x.dtype is float64 else x, out)
            return out

        return single

    def follow(self) -> None:
        """Copy the weights that have changed."""
        self.seen = Weight.changes
        for name, weight in self._weights.items():
            if self._copied.get(name) is not weight.value:
                self._copied[name] = weight.value
                if self._native:
                    self._native.variable(name, self._graph.types[name])[...] = weight.value

    def _interpret(self, x: Array) -> Array:
        return run_rows(replace(self._graph, variables={**self._graph.variables, **self._copied}), x)[0]


def _compile(network: Network) -> tuple[Graph, NativeProgram | None]:
    graph = optimize(inference_graph(network, frozen=False))
    try:
        return graph, load(generate(graph, NAME, target=THIS_MACHINE))
    except CompilerNotFoundError as error:
        warnings.warn(f"predictions are interpreted, which is slow: {error}", RuntimeWarning, stacklevel=5)
        return graph, None
