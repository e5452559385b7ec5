# SPDX-License-Identifier: Apache-2.0
"""Predictions of 1, 32 and 10,000 rows of six networks, one thread: a NumPy array goes in, another comes out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks import networks, widths
from benchmarks.comparison import Comparison, Contender, Measure, seconds_per_call
from benchmarks.networks import Array, Layer

ROWS = (1, 32, 10_000)
Make = Callable[[tuple[Layer, ...], Array], Callable[[], Any]]


def comparisons() -> list[Comparison]:
    """One a network and number of rows: seconds of a call."""
    return [_comparison(name, rows) for name in widths.SIZES for rows in ROWS]


def _comparison(name: str, rows: int) -> Comparison:
    goal = 0.95 if name in widths.WIDE else 1
    made = {
        "ONNX Runtime": onnx_runtime,
        "LiteRT": litert,
        "OpenVINO": openvino,
        "PyTorch": pytorch,
        "NumPy": numpy,
    }
    peers = tuple(Contender(peer, partial(_measured, make, name, rows), goal) for peer, make in made.items())
    ours = Contender("Edgeling", partial(_measured, edgeling, name, rows))
    work = rows * widths.predicting(name)
    return Comparison(f"{name}, {rows:,} rows", "s", ours, peers, repetitions=15, work=work)


def _measured(make: Make, name: str, rows: int) -> Measure:
    layers = widths.layers_of(name)
    x = networks.rows_for(layers, rows)
    call = make(layers, x)
    np.testing.assert_allclose(call(), networks.answers(layers, x), rtol=1e-3, atol=1e-4)
    return seconds_per_call(call)


def edgeling(layers: tuple[Layer, ...], x: Array) -> Callable[[], Any]:
    predict = networks.edgeling_model(layers).predict
    return lambda: predict(x, verbose=0)


def onnx_runtime(layers: tuple[Layer, ...], x: Array, rows: int | None = None) -> Callable[[], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    made = networks.onnx_bytes(layers, rows=rows)
    session = onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x})[0]


def litert(layers: tuple[Layer, ...], x: Array) -> Callable[[], Any]:
    from benchmarks.tflite_file import litert_call, tflite_bytes

    return litert_call(tflite_bytes(layers, len(x)), x)


def openvino(layers: tuple[Layer, ...], x: Array) -> Callable[[], Any]:
    from io import BytesIO

    import openvino

    core = openvino.Core()
    model = core.read_model(BytesIO(networks.onnx_bytes(layers, rows=len(x))))
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()
    return lambda: request.infer([x])[0]


def pytorch(layers: tuple[Layer, ...], x: Array) -> Callable[[], Any]:
    import torch

    torch.set_num_threads(1)
    held = [(torch.from_numpy(a.kernel.T.copy()), torch.from_numpy(a.bias), a.activation) for a in layers]

    def call() -> Any:
        with torch.inference_mode():
            value = torch.from_numpy(x)
            for kernel, bias, activation in held:
                value = torch.nn.functional.linear(value, kernel, bias)
                value = value.relu_() if activation == "relu" else value
            return value.numpy()

    return call


def numpy(layers: tuple[Layer, ...], x: Array) -> Callable[[], Any]:
    def call() -> Any:
        value = x
        for layer in layers:
            value = value @ layer.kernel
            value += layer.bias
            if layer.activation == "relu":
                np.maximum(value, 0.0, out=value)
        return value

    return call
