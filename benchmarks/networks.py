# SPDX-License-Identifier: Apache-2.0
"""The two tutorial networks with fixed weights, built the same for every peer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Layer:
    """``activation(x @ kernel + bias)``: kernel [inputs, outputs], bias [outputs]."""

    kernel: Array
    bias: Array
    activation: str


def tutorial(*sizes: int, last: str) -> tuple[Layer, ...]:
    """Dense layers of these sizes with relu between them; weights drawn from a fixed seed."""
    generator = np.random.default_rng(7)
    activations = ["relu"] * (len(sizes) - 2) + [last]
    pairs = zip(sizes, sizes[1:], activations, strict=False)
    return tuple(Layer(_drawn(generator, i, o), _drawn(generator, o), activation) for i, o, activation in pairs)


def diabetes() -> tuple[Layer, ...]:
    """8-10-1, relu and sigmoid."""
    return tutorial(8, 10, 1, last="sigmoid")


def iris() -> tuple[Layer, ...]:
    """4-4-3, relu and softmax."""
    return tutorial(4, 4, 3, last="softmax")


def rows_for(layers: tuple[Layer, ...], count: int) -> Array:
    """Inputs float32 [count, inputs], as if standardised."""
    return np.random.default_rng(8).normal(size=(count, len(layers[0].kernel))).astype(np.float32)


def answers(layers: tuple[Layer, ...], x: Array) -> Array:
    """What the network gives in float64, as float32."""
    value = x.astype(np.float64)
    for layer in layers:
        value = _ACTIVATIONS[layer.activation](value @ layer.kernel.astype(np.float64) + layer.bias)
    return value.astype(np.float32)


def edgeling_model(layers: tuple[Layer, ...]) -> Any:
    """An Edgeling ``Sequential`` with these weights."""
    from edgeling.layers import Dense
    from edgeling.models import Sequential

    model = Sequential()
    for i, layer in enumerate(layers):
        first: dict[str, Any] = {} if i else {"input_dim": len(layer.kernel)}
        model.add(Dense(layer.bias.size, activation=layer.activation, **first))
    model.set_weights([array for layer in layers for array in (layer.kernel, layer.bias)])
    return model


def onnx_bytes(layers: tuple[Layer, ...], rows: int | None = 1) -> bytes:
    """An ONNX model of so many rows, or any: one Gemm and one activation a layer; input ``x``, output ``y``."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, value = [], [], "x"
    for i, layer in enumerate(layers):
        constants += [numpy_helper.from_array(layer.kernel, f"k{i}"), numpy_helper.from_array(layer.bias, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [value, f"k{i}", f"b{i}"], [f"sum{i}"]))
        value = "y" if i == len(layers) - 1 else f"y{i}"
        operator = {"linear": "Identity"}.get(layer.activation, layer.activation.capitalize())
        nodes.append(helper.make_node(operator, [f"sum{i}"], [value]))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows" if rows is None else rows, size])
        for name, size in (("x", len(layers[0].kernel)), ("y", layers[-1].bias.size))
    ]
    graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(made.SerializeToString())


def _drawn(generator: np.random.Generator, *shape: int) -> Array:
    return generator.normal(size=shape).astype(np.float32)


def _softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


_ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0.0),
    "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "softmax": _softmax,
}
