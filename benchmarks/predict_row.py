# SPDX-License-Identifier: Apache-2.0
"""One float32 row through the Iris network from Python: a NumPy array goes in, a new NumPy array comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import networks, predict_rows
from benchmarks.comparison import Comparison, Contender, Measure, seconds_per_call
from benchmarks.tflite_file import tflite_bytes

LAYERS = networks.iris()
ROW = networks.rows_for(LAYERS, 1)


def comparisons() -> list[Comparison]:
    """One: seconds of a call."""
    peers = (
        Contender("ONNX Runtime", onnx_runtime, 5),
        Contender("LiteRT", litert, 1),
        Contender("TensorFlow Lite Micro", tflite_micro, 1),
    )
    ours = Contender("Edgeling", edgeling)
    return [Comparison("predict of one row, 4-4-3", "s", ours, peers, repetitions=9)]


def edgeling() -> Measure:
    return _checked(predict_rows.edgeling(LAYERS, ROW))


def onnx_runtime() -> Measure:
    return _checked(predict_rows.onnx_runtime(LAYERS, ROW, rows=1))


def litert() -> Measure:
    return _checked(predict_rows.litert(LAYERS, ROW))


def tflite_micro() -> Measure:
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(tflite_bytes(LAYERS))

    def call() -> Any:
        interpreter.set_input(ROW, 0)
        interpreter.invoke()
        return interpreter.get_output(0)

    return _checked(call)


def _checked(call: Callable[[], Any]) -> Measure:
    """Measures the call, once it is known to give the right answer."""
    np.testing.assert_allclose(call(), networks.answers(LAYERS, ROW), rtol=1e-4)
    return seconds_per_call(call)
