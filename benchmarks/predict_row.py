# SPDX-License-Identifier: Apache-2.0
"""One float32 row through the Iris network from Python: a NumPy array goes in, a new NumPy array comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import networks
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
    predict = networks.edgeling_model(LAYERS).predict
    return _checked(lambda: predict(ROW, verbose=0))


def onnx_runtime() -> Measure:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # faster for a row than a pool of threads
    session = onnxruntime.InferenceSession(networks.onnx_bytes(LAYERS), options, providers=["CPUExecutionProvider"])
    return _checked(lambda: session.run(None, {"x": ROW})[0])


def litert() -> Measure:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=tflite_bytes(LAYERS), num_threads=1)
    interpreter.allocate_tensors()
    x = interpreter.get_input_details()[0]["index"]
    y = interpreter.get_output_details()[0]["index"]

    def call() -> Any:
        interpreter.set_tensor(x, ROW)
        interpreter.invoke()
        return interpreter.get_tensor(y)

    return _checked(call)


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
