# SPDX-License-Identifier: Apache-2.0
"""Dense networks as float32 TensorFlow Lite files, for LiteRT and TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.networks import Array, Layer


def litert_call(content: bytes, x: Array) -> Callable[[], Any]:
    """What LiteRT answers the rows by one thread, handed in and out each time."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    taken = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(taken, x.shape)
    interpreter.allocate_tensors()
    given = interpreter.get_output_details()[0]["index"]

    def call() -> Any:
        interpreter.set_tensor(taken, x)
        interpreter.invoke()
        return interpreter.get_tensor(given)

    return call


class TFLiteFile:
    """A model under construction: tensors, their buffers, operators and their codes."""

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema: Any = schema
        self.tensors: list[Any] = []
        self.buffers: list[Any] = [schema.BufferT()]
        self.codes: list[Any] = []
        self.operators: list[Any] = []

    def tensor(self, shape: tuple[int, ...], data: Any = None) -> int:
        """Its number."""
        made, buffer = self.schema.TensorT(), self.schema.BufferT()
        if data is not None:
            buffer.data = np.frombuffer(np.ascontiguousarray(data, np.float32).tobytes(), np.uint8)
        made.shape, made.type, made.buffer = list(shape), self.schema.TensorType.FLOAT32, len(self.buffers)
        made.name = f"t{len(self.tensors)}"
        self.tensors.append(made)
        self.buffers.append(buffer)
        return len(self.tensors) - 1

    def operator(self, name: str, inputs: list[int], output: int, options: Any = None, kind: str = "") -> None:
        made, code = self.schema.OperatorT(), self.schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(self.schema.BuiltinOperator, name)
        code.version = 1
        made.opcodeIndex, made.inputs, made.outputs = len(self.codes), inputs, [output]
        if options is not None:
            made.builtinOptionsType, made.builtinOptions = getattr(self.schema.BuiltinOptions, kind), options
        self.codes.append(code)
        self.operators.append(made)

    def packed(self, inputs: list[int], outputs: list[int]) -> bytes:
        import flatbuffers

        graph, model = self.schema.SubGraphT(), self.schema.ModelT()
        graph.tensors, graph.inputs, graph.outputs, graph.operators = self.tensors, inputs, outputs, self.operators
        model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, self.codes, [graph], self.buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def tflite_bytes(layers: tuple[Layer, ...], rows: int = 1) -> bytes:
    """One FULLY_CONNECTED a layer, relu fused into it; sigmoid and softmax follow as operators."""
    file = TFLiteFile()
    x = value = file.tensor((rows, len(layers[0].kernel)))
    for layer in layers:
        value = _dense(file, value, layer, rows)
        if layer.activation not in ("relu", "linear"):
            value = _activation(file, value, layer, rows)
    return file.packed([x], [value])


def _dense(file: TFLiteFile, value: int, layer: Layer, rows: int) -> int:
    options = file.schema.FullyConnectedOptionsT()
    functions = file.schema.ActivationFunctionType
    options.fusedActivationFunction = functions.RELU if layer.activation == "relu" else functions.NONE
    kernel = file.tensor(layer.kernel.T.shape, layer.kernel.T)
    inputs = [value, kernel, file.tensor(layer.bias.shape, layer.bias)]
    output = file.tensor((rows, layer.bias.size))
    file.operator("FULLY_CONNECTED", inputs, output, options, "FullyConnectedOptions")
    return output


def _activation(file: TFLiteFile, value: int, layer: Layer, rows: int) -> int:
    output = file.tensor((rows, layer.bias.size))
    if layer.activation == "softmax":
        options = file.schema.SoftmaxOptionsT()
        options.beta = 1.0
        file.operator("SOFTMAX", [value], output, options, "SoftmaxOptions")
    else:
        file.operator("LOGISTIC", [value], output)
    return output
