# SPDX-License-Identifier: Apache-2.0
"""Predictions of 1 and 32 rows of MLPerf Tiny's models, float32, one thread, as deployed.

Their files are no part of the project: they lie in ``mlperf_tiny`` of the shared data (``EDGELING_SHARED``). LiteRT and
OpenVINO read the published ``.tflite``, where there is one in float32; of the keyword spotter, whose published weights
are int8, every contender has the same drawn ones, of the wake word those of the ``.h5``, in files that are written here
(``exported.py``), as ONNX Runtime has of all.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import exported
from benchmarks.comparison import Comparison, Contender, Measure, seconds_per_call
from benchmarks.networks import Array
from benchmarks.tflite_file import litert_call
from edgeling.graph import Graph
from edgeling.graph.cost import cost
from edgeling.toolchain.predictor import Predictor, compiled


@dataclass(frozen=True)
class Tiny:
    """A model: its files, without their endings ("" where there is none), and its multiply-accumulates."""

    keras: str
    tflite: str
    products: int


MODELS = {
    "keyword spotting": Tiny("", "", 2_656_768),
    "person detection": Tiny("vww_96", "vww_96_float", 7_489_664),
    "ResNet-8": Tiny("pretrainedResnet", "pretrainedResnet", 12_501_632),
    "anomalies": Tiny("ad01", "ad01_fp32", 264_192),
    "wake word": Tiny("str_ww_ref_model", "", 826_368),
}
# The published file has lost the biases of nine layers: its answers are another network's of the same size.
OTHER_ANSWERS = ("anomalies",)
Call = Callable[[], Any]
Make = Callable[[str, Array], Call]


def comparisons() -> list[Comparison]:
    """One a model and number of rows: seconds of a call."""
    return [_comparison(name, rows) for rows in (1, 32) for name in MODELS]


def _comparison(name: str, rows: int) -> Comparison:
    made: dict[str, Make] = {"LiteRT": litert, "ONNX Runtime": onnx_runtime, "OpenVINO": openvino}
    peers = tuple(Contender(peer, partial(_measured, make, name, rows), 1.5) for peer, make in made.items())
    ours = Contender("Edgeling", partial(_measured, edgeling, name, rows))
    return Comparison(f"{name}, {rows} rows", "s", ours, peers, repetitions=15, work=2 * rows * MODELS[name].products)


def _measured(make: Make, name: str, rows: int) -> Measure:
    shape = graph_of(name).types[graph_of(name).inputs[0]].shape[1:]
    x = np.random.default_rng(0).normal(size=(rows, *shape)).astype(np.float32)
    call = make(name, x)
    if make not in (litert, openvino) or name not in OTHER_ANSWERS:
        np.testing.assert_allclose(call(), edgeling(name, x)(), rtol=1e-3, atol=1e-4)
    return seconds_per_call(call)


@cache
def graph_of(name: str) -> Graph:
    """As it is deployed: batch normalisation within the convolutions."""
    from edgeling.applications import ds_cnn
    from edgeling.models import load_model
    from edgeling.network.network import inference_graph
    from edgeling.passes import optimize

    keras = MODELS[name].keras
    graph = optimize(inference_graph(load_model(_folder() / f"{keras}.h5") if keras else ds_cnn()))
    assert cost(graph).multiply_accumulates == MODELS[name].products, name
    return graph


def _folder() -> Path:
    folder = Path(os.environ.get("EDGELING_SHARED", "../shared")) / "data" / "mlperf_tiny"
    if not folder.exists():
        raise ImportError(f"no {folder}: set EDGELING_SHARED")
    return folder


def edgeling(name: str, x: Array) -> Call:
    graph = graph_of(name)
    predict = Predictor(graph, partial(compiled, graph, "net"))
    return lambda: predict(x)


def _tflite(name: str, rows: int) -> bytes:
    published = MODELS[name].tflite
    return (
        (_folder() / f"{published}.tflite").read_bytes() if published else exported.tflite_bytes(graph_of(name), rows)
    )


def litert(name: str, x: Array) -> Call:
    return litert_call(_tflite(name, len(x)), x)


def onnx_runtime(name: str, x: Array) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    graph = graph_of(name)
    made = exported.onnx_bytes(graph, len(x))
    session = onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
    given = {graph.inputs[0]: exported.channels_first(x)}
    return lambda: session.run(None, given)[0]


def openvino(name: str, x: Array) -> Call:
    """Of TensorFlow Lite's file: half a tenth faster here than of the ONNX file."""
    import openvino

    core = openvino.Core()
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        path.write_bytes(_tflite(name, len(x)))
        model = core.read_model(path)
    model.reshape(list(x.shape))
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return lambda: request.infer([x])[0]
