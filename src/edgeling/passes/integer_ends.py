# SPDX-License-Identifier: Apache-2.0
"""An int8 network whose caller hands over int8 and gets int8: the conversions at its ends are left to the caller.

Requires: what ``quantize`` makes of a graph of one input and one output, one node reading the input: ``quantize``.
Ensures: the same bits between the ends; the types of input and output say how they are stored.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.graph.integer import LOGISTIC_SCALE, LOGISTIC_ZERO_POINT
from edgeling.graph.integer_tables import FINE_LOGISTIC, Affine
from edgeling.graph.types import DType, Graph, Node, TensorType
from edgeling.passes.contracts import contract, integers_only, only_what_is_needed
from edgeling.passes.dead import remove_dead


@contract(ensures=(only_what_is_needed, integers_only))
def integer_ends(graph: Graph) -> Graph:
    """The graph without its ``quantize`` and ``dequantize``.

    Raises:
        UnsupportedError: it is not int8, or computes with floats before it quantises (categories, for one).
    """
    first, last = conversions(graph)
    (x,), (y,) = graph.inputs, graph.outputs
    names = {first.output: x, last.inputs[0]: y}

    def named(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names.get(value, value) for value in values)

    inner = [node for node in graph.nodes if node not in (first, last)]
    nodes = tuple(replace(node, inputs=named(node.inputs), outputs=named(node.outputs)) for node in inner)
    types = {**graph.types, x: graph.types[first.output], y: graph.types[last.inputs[0]]}
    return remove_dead(_with_int8_answer(replace(graph, nodes=nodes, types=types)))


def _with_int8_answer(graph: Graph) -> Graph:
    """Where probabilities are told finely, in int16, in steps of 1/256 instead, which is what buffers hold."""
    (y,) = graph.outputs
    if graph.types[y].dtype is not DType.INT16:
        return graph
    last = next(node for node in graph.nodes if node.output == y)
    stored = TensorType(graph.types[y].shape, DType.INT8, Affine(LOGISTIC_SCALE, LOGISTIC_ZERO_POINT).quantization)
    if last.operation == "softmax_int8":
        coarser = replace(last, attributes={**last.attributes, "fine": False})
        nodes = tuple(coarser if node is last else node for node in graph.nodes)
        return replace(graph, nodes=nodes, types={**graph.types, y: stored})
    fine = graph.constants[last.inputs[1]].astype(np.int32) - FINE_LOGISTIC.zero_point
    coarse = np.clip((fine + 128) // 256 + LOGISTIC_ZERO_POINT, -128, 127).astype(np.int8)
    types = {**graph.types, y: stored, last.inputs[1]: TensorType(coarse.shape, DType.INT8)}
    return replace(graph, types=types, constants={**graph.constants, last.inputs[1]: coarse})


def conversions(graph: Graph) -> tuple[Node, Node]:
    """The nodes at which an int8 graph leaves float and comes back."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise UnsupportedError(
            "int8 buffers are for a network of one input and one output",
            received=f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs",
            remedy="io='float32' (--io float32)",
        )
    readers = [node for node in graph.nodes if graph.inputs[0] in node.inputs]
    flat = len(graph.types[graph.inputs[0]].shape) == 2
    first = readers[0] if flat and [node.operation for node in readers] == ["quantize"] else None
    last = next((n for n in graph.nodes if n.operation == "dequantize" and n.output == graph.outputs[0]), None)
    if first is None or last is None:
        raise UnsupportedError(
            "an int8 input is a network's of int8 precision, whose columns are all numbers",
            received=_why_not(graph, first),
            remedy="io='float32' (--io float32), or leave columns of categories out",
        )
    return first, last


def _why_not(graph: Graph, first: Node | None) -> str:
    """What keeps the ends of a graph in float."""
    if first is not None:
        return f"a softmax over {graph.types[graph.outputs[0]].shape[-1]} classes, which is computed in float"
    computed = sorted({n.operation for n in graph.nodes if graph.types[n.outputs[0]].dtype is DType.FLOAT32})
    if "dequantize" not in computed:
        return "float32"
    told = ", ".join(name for name in computed if name != "dequantize")
    return f"a network that prepares its input in float ({told or 'in several ways'})"
