# SPDX-License-Identifier: Apache-2.0
"""A network's scores: what its last activation makes probabilities of."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from edgeling.errors import UnsupportedError
from edgeling.graph import Graph, GraphBuilder, Node
from edgeling.graph.types import DType
from edgeling.passes.dead import part
from edgeling.passes.scales import exactly_dequantized

ModelOutput = Literal["probability", "raw"]
MODEL_OUTPUTS: tuple[ModelOutput, ...] = ("probability", "raw")  # SHAP's names
_LAST = ("softmax", "activation", "dense")
_INTEGER_SOFTMAX, _LOOKUP = ("softmax_int8", "softmax_int16"), ("lookup_int8", "lookup_int16")


def explained_graph(graph: Graph, model_output: str) -> Graph:
    """The graph whose output is explained: as it answers (``"probability"``), or its scores (``"raw"``).

    Raises:
        UnsupportedError: another output.
    """
    require_model_output(model_output)
    return before_last_activation(graph) if model_output == "raw" else graph


def require_model_output(model_output: str) -> None:
    """Raise an UnsupportedError unless it is one of ``MODEL_OUTPUTS``."""
    if model_output not in MODEL_OUTPUTS:
        raise UnsupportedError(
            "what is explained is a probability or what the last activation makes it of",
            received=repr(model_output), remedy="model_output='probability' or 'raw' (--model-output)",
        )  # fmt: skip


def before_last_activation(graph: Graph) -> Graph:
    """The graph of one output, float or integer, without the sigmoid or softmax that makes it; itself where none
    does. Scores of integers are floats again, within some millionths of what they stand for."""
    (y,) = graph.outputs
    maker = _maker(graph, y)
    if maker is not None and maker.operation == "dequantize":
        return _of_integers(graph, maker)
    function = "softmax" if maker and maker.operation == "softmax" else maker and maker.attributes.get("function")
    if maker is None or maker.operation not in _LAST or function not in ("sigmoid", "softmax"):
        return graph
    if maker.operation != "dense":
        return part(graph, graph.inputs, maker.inputs[:1])
    linear = replace(maker, attributes={**maker.attributes, "function": "linear"})
    return replace(graph, nodes=tuple(linear if node is maker else node for node in graph.nodes))


def _maker(graph: Graph, value: str) -> Node | None:
    return next((node for node in graph.nodes if value in node.outputs), None)


def _of_integers(graph: Graph, end: Node) -> Graph:
    last = _maker(graph, end.inputs[0])
    if last is None or not (last.operation in _INTEGER_SOFTMAX or _is_sigmoid(graph, last)):
        return graph
    score = last.inputs[0]
    kind = graph.types[score]
    if kind.quantization is None or len(kind.quantization.scale) != 1:
        return graph
    (scale,), (zero_point,) = kind.quantization.scale, kind.quantization.zero_point
    builder = GraphBuilder.of(part(graph, graph.inputs, (score,)))
    exact = exactly_dequantized(scale, zero_point, kind.dtype)
    return builder.build([builder.add("dequantize", score, scale=exact, zero_point=zero_point)])


def _is_sigmoid(graph: Graph, node: Node) -> bool:
    """Of a table whether it holds a sigmoid: its steps go from 0 to 1."""
    if node.operation not in _LOOKUP:
        return False
    made, table = graph.types[node.output], graph.constants[node.inputs[1]]
    if made.quantization is None:
        return False
    (scale,), (zero_point,) = made.quantization.scale, made.quantization.zero_point
    steps = 2.0 ** (8 * made.dtype.bytes)
    ours = scale == 1 / steps if zero_point else made.dtype is DType.INT16 and scale == 2 / steps
    return ours and (table.astype(int) - zero_point).min() >= 0
