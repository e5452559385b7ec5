# SPDX-License-Identifier: Apache-2.0
"""A graph as JSON plus arrays, and back. What is read is hostile until it has passed the legality check."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from edgeling.errors import GraphError
from edgeling.graph.check import MAX_NESTING, check
from edgeling.graph.types import Array, DType, Graph, Node, Quantization, TensorType

FORMAT = 1
MAX_NODES = 1000  # compilers take more than linear time over one long function
MAX_ELEMENTS = 1 << 28  # of one value: a gigabyte; what is larger is no network for an edge, but an attack


def to_json(graph: Graph) -> tuple[dict[str, Any], dict[str, Array]]:
    """A JSON-ready description, and the arrays it refers to by name (``constant/...`` and ``variable/...``).

    Arrays of the body of node 3 begin with ``node/3/body/``.
    """
    arrays: dict[str, Array] = {}
    return {"format": FORMAT, **_graph_to_json(graph, arrays, "")}, arrays


def _graph_to_json(graph: Graph, arrays: dict[str, Array], prefix: str) -> dict[str, Any]:
    arrays |= {f"{prefix}constant/{name}": array for name, array in graph.constants.items()}
    arrays |= {f"{prefix}variable/{name}": array for name, array in graph.variables.items()}
    return {
        "name": graph.name,
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "types": {name: _type_to_json(kind) for name, kind in graph.types.items()},
        "nodes": [_node_to_json(node, arrays, f"{prefix}node/{i}/") for i, node in enumerate(graph.nodes)],
        "constants": list(graph.constants),
        "variables": list(graph.variables),
        "updates": [list(pair) for pair in graph.updates],
        "metadata": dict(graph.metadata),
    }


def from_json(description: Mapping[str, Any], arrays: Mapping[str, Array]) -> Graph:
    """The graph described, checked.

    Raises:
        GraphError: the description is malformed, of a newer format, or of a graph that is not legal.
    """
    if description.get("format") != FORMAT:
        raise GraphError(f"graph format {FORMAT} can be read", received=repr(description.get("format")))
    try:
        return check(_graph_from_json(description, arrays, ""))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        if isinstance(error, GraphError):
            raise
        raise GraphError("a graph's description is whole", received=f"{type(error).__name__}: {error}") from None


def _graph_from_json(d: Mapping[str, Any], arrays: Mapping[str, Array], prefix: str) -> Graph:
    if prefix.count("node/") > MAX_NESTING:
        raise GraphError(f"bodies are nested at most {MAX_NESTING} deep", received=prefix)
    if len(d["nodes"]) > MAX_NODES:
        raise GraphError(f"a graph that is read has at most {MAX_NODES} nodes", received=str(len(d["nodes"])))
    return Graph(
        name=d["name"],
        inputs=tuple(d["inputs"]),
        outputs=tuple(d["outputs"]),
        nodes=tuple(_node_from_json(node, arrays, f"{prefix}node/{i}/") for i, node in enumerate(d["nodes"])),
        types={name: _type_from_json(kind) for name, kind in d["types"].items()},
        constants={name: arrays[f"{prefix}constant/{name}"] for name in d["constants"]},
        variables={name: arrays[f"{prefix}variable/{name}"] for name in d["variables"]},
        updates=tuple((variable, value) for variable, value in d["updates"]),
        metadata=dict(d["metadata"]),
    )


def _type_to_json(kind: TensorType) -> dict[str, Any]:
    result: dict[str, Any] = {"shape": list(kind.shape), "dtype": kind.dtype.value}
    if kind.quantization:
        q = kind.quantization
        result["quantization"] = {"scale": list(q.scale), "zero_point": list(q.zero_point), "axis": q.axis}
    return result


def _type_from_json(d: Mapping[str, Any]) -> TensorType:
    shape = tuple(int(n) for n in d["shape"])
    if any(n < 0 for n in shape) or prod(shape) > MAX_ELEMENTS:
        raise GraphError(f"a shape has no negative length and at most {MAX_ELEMENTS} elements", received=str(shape))
    q = d.get("quantization")
    quantization = None
    if q is not None:
        axis = None if q["axis"] is None else int(q["axis"])
        quantization = Quantization(tuple(map(float, q["scale"])), tuple(map(int, q["zero_point"])), axis)
    return TensorType(shape, DType(d["dtype"]), quantization)


def _node_to_json(node: Node, arrays: dict[str, Array], prefix: str) -> dict[str, Any]:
    def stored(key: str, value: Any) -> Any:
        if isinstance(value, Graph):
            return _graph_to_json(value, arrays, f"{prefix}{key}/")
        return list(value) if isinstance(value, tuple) else value

    return {
        "operation": node.operation,
        "inputs": list(node.inputs),
        "outputs": list(node.outputs),
        "attributes": {key: stored(key, value) for key, value in node.attributes.items()},
    }


def _node_from_json(d: Mapping[str, Any], arrays: Mapping[str, Array], prefix: str) -> Node:
    def read(key: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return _graph_from_json(value, arrays, f"{prefix}{key}/")
        return tuple(value) if isinstance(value, list) else value

    attributes = {key: read(key, value) for key, value in d["attributes"].items()}
    return Node(d["operation"], tuple(d["inputs"]), tuple(d["outputs"]), attributes)
