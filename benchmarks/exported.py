# SPDX-License-Identifier: Apache-2.0
"""Graphs of convolutional networks, of any number of rows, as ONNX and TensorFlow Lite files: what peers are handed."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.networks import Array
from benchmarks.tflite_file import TFLiteFile
from edgeling.graph import Graph
from edgeling.graph.batch import with_batch
from edgeling.graph.types import Node


def onnx_bytes(graph: Graph, rows: int) -> bytes:
    """Images lie as ONNX has them, channels first; input ``x`` is called as the graph calls it."""
    from onnx import TensorProto, helper

    many = with_batch(graph, rows)
    nodes, constants = list[Any](), list[Any]()
    for node in many.nodes:
        _ONNX[node.operation](many, node, nodes, constants)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, _channels_first(many.types[name].shape))
        for name in (*many.inputs, *many.outputs)
    ]
    made = helper.make_graph(nodes, "network", ends[:1], ends[1:], constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def channels_first(x: Array) -> Array:
    """Images as ONNX has them."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1)) if x.ndim == 4 else x


def _channels_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0], shape[-1], *shape[1:-1]) if len(shape) == 4 else shape


def _onnx_node(operator: str, inputs: tuple[str, ...], output: str, nodes: list[Any], **attributes: Any) -> None:
    from onnx import helper

    nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))


def _onnx_layer(
    node: Node, operator: str, parameters: tuple[Array, ...], nodes: list[Any], constants: list[Any], **attributes: Any
) -> None:
    """An operator with parameters, and a rectifier behind it where the layer has one."""
    from onnx import numpy_helper

    names = tuple(f"{node.output}_{i}" for i in range(len(parameters)))
    constants += [numpy_helper.from_array(np.ascontiguousarray(p), n) for n, p in zip(names, parameters, strict=True)]
    linear = node.attributes["function"] == "linear"
    result = node.output if linear else f"{node.output}_sum"
    _onnx_node(operator, (node.inputs[0], *names), result, nodes, **attributes)
    if not linear:
        _onnx_node(_RECTIFIERS[node.attributes["function"]][0], (result,), node.output, nodes)


def _onnx_conv(graph: Graph, node: Node, nodes: list[Any], constants: list[Any]) -> None:
    kernel, bias = (graph.constants[name] for name in node.inputs[1:])
    top, bottom, left, right = node.attributes["padding"]
    _onnx_layer(
        node, "Conv", (kernel.transpose(3, 2, 0, 1), bias), nodes, constants, pads=[top, left, bottom, right],
        strides=list(node.attributes["strides"]), group=node.attributes["groups"],
    )  # fmt: skip


def _onnx_dense(graph: Graph, node: Node, nodes: list[Any], constants: list[Any]) -> None:
    _onnx_layer(node, "Gemm", tuple(graph.constants[name] for name in node.inputs[1:]), nodes, constants)


def _onnx_pool(_: Graph, node: Node, nodes: list[Any], __: list[Any]) -> None:
    window = {"kernel_shape": list(node.attributes["size"]), "strides": list(node.attributes["strides"])}
    _onnx_node("AveragePool", node.inputs, node.output, nodes, **window)


def _onnx_reshape(_: Graph, node: Node, nodes: list[Any], __: list[Any]) -> None:
    """Of one pixel an image."""
    _onnx_node("Flatten", node.inputs, node.output, nodes)


def _onnx_activation(_: Graph, node: Node, nodes: list[Any], __: list[Any]) -> None:
    _onnx_node(_RECTIFIERS[node.attributes["function"]][0], node.inputs, node.output, nodes)


# As ONNX and as TensorFlow Lite call them.
_RECTIFIERS = {"relu": ("Relu", "RELU"), "linear": ("Identity", "NONE")}
_ONNX = {
    "conv": _onnx_conv,
    "dense": _onnx_dense,
    "average_pool": _onnx_pool,
    "reshape": _onnx_reshape,
    "activation": _onnx_activation,
    "add": lambda _, node, nodes, __: _onnx_node("Add", node.inputs, node.output, nodes),
    "softmax": lambda _, node, nodes, __: _onnx_node("Softmax", node.inputs, node.output, nodes),
}


def tflite_bytes(graph: Graph, rows: int) -> bytes:
    """As TensorFlow's converter writes them: rectifiers within layers, padding ``same`` or ``valid``."""
    many, file = with_batch(graph, rows), TFLiteFile()
    places = {name: file.tensor(many.types[name].shape) for name in many.inputs}
    for node in many.nodes:
        places[node.output] = file.tensor(many.types[node.output].shape)
        _TFLITE[node.operation](many, node, file, places)
    return file.packed([places[name] for name in many.inputs], [places[name] for name in many.outputs])


def _function(file: TFLiteFile, node: Node) -> int:
    return int(getattr(file.schema.ActivationFunctionType, _RECTIFIERS[node.attributes["function"]][1]))


def _tflite_conv(graph: Graph, node: Node, file: TFLiteFile, places: dict[str, int]) -> None:
    kernel, bias = (graph.constants[name] for name in node.inputs[1:])
    is_depthwise = node.attributes["groups"] > 1
    operator, kind = ("DEPTHWISE_CONV_2D", "DepthwiseConv2D") if is_depthwise else ("CONV_2D", "Conv2D")
    options = getattr(file.schema, f"{kind}OptionsT")()
    options.strideH, options.strideW = node.attributes["strides"]
    options.padding = file.schema.Padding.SAME if any(node.attributes["padding"]) else file.schema.Padding.VALID
    options.fusedActivationFunction = _function(file, node)
    if is_depthwise:
        options.depthMultiplier = 1
    kernel = kernel.transpose(2, 0, 1, 3) if is_depthwise else kernel.transpose(3, 0, 1, 2)
    inputs = [places[node.inputs[0]], file.tensor(kernel.shape, kernel), file.tensor(bias.shape, bias)]
    file.operator(operator, inputs, places[node.output], options, f"{kind}Options")


def _tflite_dense(graph: Graph, node: Node, file: TFLiteFile, places: dict[str, int]) -> None:
    kernel, bias = (graph.constants[name] for name in node.inputs[1:])
    options = file.schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = _function(file, node)
    inputs = [places[node.inputs[0]], file.tensor(kernel.T.shape, kernel.T), file.tensor(bias.shape, bias)]
    file.operator("FULLY_CONNECTED", inputs, places[node.output], options, "FullyConnectedOptions")


def _tflite_pool(_: Graph, node: Node, file: TFLiteFile, places: dict[str, int]) -> None:
    options = file.schema.Pool2DOptionsT()
    options.filterHeight, options.filterWidth = node.attributes["size"]
    options.strideH, options.strideW = node.attributes["strides"]
    options.padding = file.schema.Padding.VALID
    file.operator("AVERAGE_POOL_2D", [places[node.inputs[0]]], places[node.output], options, "Pool2DOptions")


def _tflite_reshape(graph: Graph, node: Node, file: TFLiteFile, places: dict[str, int]) -> None:
    options = file.schema.ReshapeOptionsT()
    options.newShape = list(graph.types[node.output].shape)
    file.operator("RESHAPE", [places[node.inputs[0]]], places[node.output], options, "ReshapeOptions")


def _tflite_softmax(_: Graph, node: Node, file: TFLiteFile, places: dict[str, int]) -> None:
    options = file.schema.SoftmaxOptionsT()
    options.beta = 1.0
    file.operator("SOFTMAX", [places[node.inputs[0]]], places[node.output], options, "SoftmaxOptions")


_TFLITE = {
    "conv": _tflite_conv,
    "dense": _tflite_dense,
    "average_pool": _tflite_pool,
    "reshape": _tflite_reshape,
    "softmax": _tflite_softmax,
}
