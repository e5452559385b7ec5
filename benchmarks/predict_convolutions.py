# SPDX-License-Identifier: Apache-2.0
"""Predictions of 1 and 32 rows of MLPerf Tiny's ResNet-8 and person detector, float32, one thread.

Their files are no part of the project: they lie in ``mlperf_tiny`` of the shared data (``EDGELING_SHARED``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.comparison import Comparison, Contender, Measure, seconds_per_call
from benchmarks.networks import Array

FILES = {
    "ResNet-8": ("pretrainedResnet", "pretrainedResnet", (32, 32, 3), 12_501_632),
    "person detector": ("vww_96", "vww_96_float", (96, 96, 3), 7_489_664),
}
Make = Callable[[Path, Path, Array], Callable[[], Any]]


def comparisons() -> list[Comparison]:
    """One a network and number of rows: seconds of a call."""
    return [_comparison(name, rows) for name in FILES for rows in (1, 32)]


def _comparison(name: str, rows: int) -> Comparison:
    made: dict[str, Make] = {"LiteRT": litert, "OpenVINO": openvino}
    peers = tuple(Contender(peer, partial(_measured, make, name, rows), 1.5) for peer, make in made.items())
    ours = Contender("Edgeling", partial(_measured, edgeling, name, rows))
    return Comparison(f"{name}, {rows} rows", "s", ours, peers, repetitions=15, work=2 * rows * FILES[name][3])


def _measured(make: Make, name: str, rows: int) -> Measure:
    keras, tflite, shape, _ = FILES[name]
    folder = Path(os.environ.get("EDGELING_SHARED", "../shared")) / "data" / "mlperf_tiny"
    if not folder.exists():
        raise ImportError(f"no {folder}: set EDGELING_SHARED")
    x = np.random.default_rng(0).normal(size=(rows, *shape)).astype(np.float32)
    return seconds_per_call(make(folder / f"{keras}.h5", folder / f"{tflite}.tflite", x))


def edgeling(keras: Path, _: Path, x: Array) -> Callable[[], Any]:
    """As it is deployed: batch normalisation within the convolutions, weights packed."""
    from edgeling.models import load_model
    from edgeling.network.network import inference_graph
    from edgeling.passes import optimize
    from edgeling.toolchain.predictor import Predictor, compiled

    graph = optimize(inference_graph(load_model(keras)))
    predict = Predictor(graph, partial(compiled, graph, "net"))
    return lambda: predict(x)


def litert(_: Path, tflite: Path, x: Array) -> Callable[[], Any]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(tflite), num_threads=1)
    taken = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(taken, x.shape)
    interpreter.allocate_tensors()
    given = interpreter.get_output_details()[0]["index"]

    def call() -> Any:
        interpreter.set_tensor(taken, x)
        interpreter.invoke()
        return interpreter.get_tensor(given)

    return call


def openvino(_: Path, tflite: Path, x: Array) -> Callable[[], Any]:
    import openvino

    core = openvino.Core()
    model = core.read_model(tflite)
    model.reshape(list(x.shape))
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return lambda: request.infer([x])[0]
