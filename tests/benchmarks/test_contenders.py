# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks compare computes the same: the naive C, and each file handed to a peer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import exported, naive, networks
from benchmarks.networks import Layer
from edgeling import targets
from edgeling.applications import ds_cnn
from edgeling.graph import Graph
from edgeling.network.network import inference_graph
from edgeling.passes import optimize
from edgeling.toolchain.prove import prove
from tests.support.rounding import prediction_bound, row_bounds

LAYERS = {"8-10-1": networks.diabetes(), "4-4-3": networks.iris()}


@pytest.fixture(params=LAYERS)
def layers(request: pytest.FixtureRequest) -> tuple[Layer, ...]:
    return LAYERS[request.param]


def require_network(layers: tuple[Layer, ...], x: np.ndarray, found: np.ndarray) -> None:
    bound = prediction_bound(networks.edgeling_model(layers), x)
    bound.require(networks.answers(layers, x), "in double")
    bound.require(found)


def test_naive_c_computes_the_network(layers: tuple[Layer, ...]) -> None:
    x = networks.rows_for(layers, 32)
    tolerance = prediction_bound(networks.edgeling_model(layers), x).tolerance
    assert prove(naive.program(layers), targets.get("native"), [x], [networks.answers(layers, x)], tolerance).matches


def test_edgeling_model_computes_the_network(layers: tuple[Layer, ...]) -> None:
    x = networks.rows_for(layers, 32)
    require_network(layers, x, networks.edgeling_model(layers).predict(x, verbose=0))


def test_onnx_file_computes_the_network(layers: tuple[Layer, ...]) -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(networks.onnx_bytes(layers), providers=["CPUExecutionProvider"])
    x = networks.rows_for(layers, 1)
    require_network(layers, x, session.run(None, {"x": x})[0])


def test_tflite_file_computes_the_network(layers: tuple[Layer, ...]) -> None:
    interpreters = pytest.importorskip("ai_edge_litert.interpreter")
    from benchmarks.tflite_file import tflite_bytes

    interpreter = interpreters.Interpreter(model_content=tflite_bytes(layers), num_threads=1)
    interpreter.allocate_tensors()
    x = networks.rows_for(layers, 1)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    y = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    require_network(layers, x, y)


def tiny_graph() -> Graph:
    """Of each operation one: a depthwise and a strided convolution, a pool, a dense layer, a softmax."""
    model = ds_cnn((9, 6, 1), classes=3, filters=4, blocks=1)
    rng = np.random.default_rng(5)
    model.set_weights([rng.uniform(0.2, 1.0, w.shape) for w in model.get_weights()])
    return optimize(inference_graph(model))


def test_exported_onnx_file_computes_the_graph() -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    graph, x = tiny_graph(), np.random.default_rng(6).normal(size=(2, 9, 6, 1)).astype(np.float32)
    session = runtime.InferenceSession(exported.onnx_bytes(graph, 2), providers=["CPUExecutionProvider"])
    row_bounds(graph, x)[0].require(session.run(None, {graph.inputs[0]: exported.channels_first(x)})[0])


def test_exported_tflite_file_computes_the_graph() -> None:
    interpreters = pytest.importorskip("ai_edge_litert.interpreter")
    graph, x = tiny_graph(), np.random.default_rng(6).normal(size=(2, 9, 6, 1)).astype(np.float32)
    interpreter = interpreters.Interpreter(model_content=exported.tflite_bytes(graph, 2), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    row_bounds(graph, x)[0].require(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def test_command_prints_json_alone_on_standard_output() -> None:
    """Counts only: the one benchmark without timings, without peers to install."""
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root / "src"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "benchmarks", "--only", "cortex_m", "--json"]
    done = subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=True)
    results = json.loads(done.stdout)
    assert {result["benchmark"] for result in results} == {"cortex_m"}
    missed = [(r["title"], line) for r in results for line in r["lines"] if line["met"] is False]
    assert not missed  # counts do not depend on how busy the machine is
    assert all(line["value"] for result in results for line in result["lines"])
