# SPDX-License-Identifier: Apache-2.0
"""Runs one int8 operator through TensorFlow Lite Micro's reference kernels: the independent judge of our integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray
from tflite_micro.python.tflite_micro import runtime

schema = runtime.schema_fb


@dataclass(frozen=True)
class Tensor:
    """A tensor of the model; constants carry their data."""

    shape: tuple[int, ...]
    dtype: str = "int8"
    scale: Sequence[float] = ()
    zero_point: int = 0
    data: NDArray[Any] | None = None
    axis: int = 0


@dataclass(frozen=True)
class Operator:
    """One operator, with the options of its schema table (``SoftmaxOptions`` and its fields)."""

    name: str
    options: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


def run_operator(operator: Operator, inputs: list[Tensor], output: Tensor, x: NDArray[Any]) -> NDArray[Any]:
    """``inputs[0]`` is what ``x`` is handed to; the other inputs are constants."""
    interpreter = runtime.Interpreter.from_bytes(bytes(_model(operator, inputs, output)), arena_size=1 << 16)
    interpreter.set_input(x, 0)
    interpreter.invoke()
    return np.array(interpreter.get_output(0))


def _model(operator: Operator, inputs: list[Tensor], output: Tensor) -> bytearray:
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, operator.name)
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
    graph = schema.SubGraphT()
    tensors = [*inputs, output]
    graph.tensors = [_tensor(t, buffer) for buffer, t in enumerate(tensors, start=1)]
    graph.inputs, graph.outputs = [0], [len(inputs)]
    graph.operators = [_operator(operator, len(inputs))]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [schema.BufferT(), *(_buffer(t) for t in tensors)]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return builder.Output()


def _tensor(tensor: Tensor, buffer: int) -> Any:
    packed = schema.TensorT()
    packed.shape, packed.buffer, packed.name = list(tensor.shape), buffer, f"t{buffer}"
    packed.type = getattr(schema.TensorType, tensor.dtype.upper())
    if len(tensor.scale):
        packed.quantization = schema.QuantizationParametersT()
        packed.quantization.scale = [float(s) for s in tensor.scale]
        packed.quantization.zeroPoint = [tensor.zero_point] * len(tensor.scale)
        packed.quantization.quantizedDimension = tensor.axis
    return packed


def _buffer(tensor: Tensor) -> Any:
    buffer = schema.BufferT()
    if tensor.data is not None:
        buffer.data = np.frombuffer(np.ascontiguousarray(tensor.data).tobytes(), np.uint8)
    return buffer


def _operator(operator: Operator, inputs: int) -> Any:
    packed = schema.OperatorT()
    packed.opcodeIndex, packed.inputs, packed.outputs = 0, list(range(inputs)), [inputs]
    if operator.options:
        packed.builtinOptionsType = getattr(schema.BuiltinOptions, operator.options)
        packed.builtinOptions = getattr(schema, operator.options + "T")()
        for name, value in operator.fields.items():
            setattr(packed.builtinOptions, name, value)
    return packed
