# SPDX-License-Identifier: Apache-2.0
"""Answers from a graph: its C, compiled for this machine; the interpreter where there is no compiler."""

from __future__ import annotations

import warnings
from functools import cached_property

import numpy as np

from edgeling.errors import CompilerNotFoundError, DataError
from edgeling.graph.types import Array
from edgeling.toolchain.native import NativeProgram, load
from edgeling.workflow.deploy import Deployable


class Predictor:
    """Call it with rows: float32 [rows, n] in, float32 [rows, m] out. Compiles on the first call.

    A row that has no answer, for a value is infinite or is missing where it may not be, gives NaN.
    """

    def __init__(self, deployed: Deployable, precision: str) -> None:
        self._deployed, self._precision = deployed, precision
        self._program = deployed.program(precision)

    def __call__(self, rows: Array) -> Array:
        x = np.ascontiguousarray(rows, np.float32)
        self._require_width(x)
        if self._native is None:
            return self._deployed.answers(self._precision, x)[0]
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
        size = self._program.entries[0].inputs[0].type.size
        if x.ndim != 2 or x.shape[1] != size:
            raise DataError(f"the network takes rows of {size} features", received=f"an array of shape {x.shape}")
