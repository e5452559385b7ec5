# SPDX-License-Identifier: Apache-2.0
"""Answers from a graph: its C, compiled for this machine; the interpreter where there is no compiler."""

from __future__ import annotations

import warnings
from functools import cached_property

import numpy as np

from edgeling.codegen.program import Program
from edgeling.errors import CompilerNotFoundError, DataError
from edgeling.graph import Graph, run_rows
from edgeling.graph.types import Array
from edgeling.toolchain.native import NativeProgram, load


class Predictor:
    """Call it with rows: float32 [rows, n] in, float32 [rows, m] out. Compiles on the first call.

    Args:
        graph: one input, one output, batch 1.
        program: the same graph as C.
    """

    def __init__(self, graph: Graph, program: Program) -> None:
        self._graph, self._program = graph, program

    def __call__(self, rows: Array) -> Array:
        x = np.ascontiguousarray(rows, np.float32)
        self._require_width(x)
        if self._native is None:
            return run_rows(self._graph, x)[0]
        (entry,) = self._program.entries
        answers = np.empty((len(x), entry.outputs[0].type.size), np.float32)
        self._native.rows(entry.function)(x, answers)
        return answers

    @cached_property
    def _native(self) -> NativeProgram | None:
        try:
            return load(self._program)
        except CompilerNotFoundError as error:
            warnings.warn(f"predicting with the slow interpreter: {error}", RuntimeWarning, stacklevel=4)
            return None

    def _require_width(self, x: Array) -> None:
        size = self._graph.types[self._graph.inputs[0]].size
        if x.ndim != 2 or x.shape[1] != size:
            raise DataError(f"the network takes rows of {size} features", received=f"an array of shape {x.shape}")
