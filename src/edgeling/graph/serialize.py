# SPDX-License-Identifier: Apache-2.0
"""A graph as JSON plus arrays, and back. What is read is hostile until it has passed the legality check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeling.errors import GraphError
from edgeling.graph.check import MAX_NESTING, check
from edgeling.graph.cost import cost
from edgeling.graph.types import Array, DType, Graph, Node, Quantization, TensorType, bodies

FORMAT = 1
# What is read may be hostile. These are far above any network for an edge.
MAX_NODES = 1000  # with those of bodies; compilers take more than linear time over one long function
MAX_TOTAL_BYTES = 1 << 30  # of all values together
MAX_OPERATIONS = 1 << 33  # multiplications and elementary operations of one run: seconds


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


def from_json(description: Any, arrays: Mapping[str, Array]) -> Graph:
    """The graph described, checked.

    Raises:
        GraphError: the description is malformed, of a newer format, or of a graph that is not legal, or that takes
            more memory or time to run than any network for an edge.
    """
    version = _kept(description, dict).get("format")
    if version != FORMAT:
        raise GraphError(
            f"graph format {FORMAT} can be read", received=repr(version)[:200],
            remedy="read it with the Edgeling that wrote it, or write it again with this one",
        )  # fmt: skip
    try:
        graph = check(_Reader(arrays).graph(description, ""))
    except KeyError as error:
        raise GraphError(
            "a graph's description is whole", received=f"none for {str(error)[:200]}",
            remedy="write the file again: this one was edited or is damaged",
        ) from None  # fmt: skip
    _require_affordable(graph)
    return graph


def _require_affordable(graph: Graph) -> None:
    size, work = _total_bytes(graph), cost(graph)
    if size > MAX_TOTAL_BYTES:
        raise GraphError(
            f"the values of a graph that is read have at most {MAX_TOTAL_BYTES:,} bytes", received=f"{size:,}",
            remedy="fewer or smaller weights",
        )  # fmt: skip
    if (count := work.multiply_accumulates + work.elementary) > MAX_OPERATIONS:
        raise GraphError(
            f"a graph that is read takes at most {MAX_OPERATIONS:,} operations", received=f"{count:,}",
            remedy="a smaller network",
        )  # fmt: skip


def _total_bytes(graph: Graph) -> int:
    inner = (body for node in graph.nodes for body in bodies(node).values())
    return sum(kind.bytes for kind in graph.types.values()) + sum(map(_total_bytes, inner))


def _kept(value: Any, kind: type[Any]) -> Any:
    """The value, if it is of this kind itself: a number that stands for a truth value is not."""
    if type(value) is not kind:
        raise GraphError(
            f"a graph's description has a {kind.__name__} here", received=repr(value)[:200],
            remedy="write the file again: this one was edited or is damaged",
        )  # fmt: skip
    return value


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(_kept(value, str) for value in _kept(values, list))


def _whole(values: Any) -> tuple[int, ...]:
    return tuple(_kept(value, int) for value in _kept(values, list))


def _pair(value: Any) -> tuple[str, str]:
    pair = _texts(value)
    if len(pair) != 2:
        raise GraphError(
            "an update names a variable and a value", received=repr(value)[:200],
            remedy="write the file again: this one was edited or is damaged",
        )  # fmt: skip
    return pair[0], pair[1]


def _type_to_json(kind: TensorType) -> dict[str, Any]:
    result: dict[str, Any] = {"shape": list(kind.shape), "dtype": kind.dtype.value}
    if kind.quantization:
        q = kind.quantization
        result["quantization"] = {"scale": list(q.scale), "zero_point": list(q.zero_point), "axis": q.axis}
    return result


def _type_from_json(d: Mapping[str, Any]) -> TensorType:
    dtype, q = _kept(d["dtype"], str), d.get("quantization")
    if dtype not in {kind.value for kind in DType}:
        raise GraphError(
            f"an element type is one of {', '.join(t.value for t in DType)}", received=repr(dtype)[:200],
            remedy="one of these",
        )  # fmt: skip
    quantization = None if q is None else _quantization_from_json(_kept(q, dict))
    return TensorType(_whole(d["shape"]), DType(dtype), quantization)


def _quantization_from_json(d: Mapping[str, Any]) -> Quantization:
    axis = None if d["axis"] is None else _kept(d["axis"], int)
    scale = tuple(_kept(value, float) for value in _kept(d["scale"], list))
    return Quantization(scale, _whole(d["zero_point"]), axis)


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


class _Reader:
    """Builds the graph described, and those inside it, without believing anything."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays, self._nodes = arrays, 0

    def graph(self, d: Mapping[str, Any], prefix: str) -> Graph:
        """``prefix`` is where its arrays are named from."""
        nodes = _kept(d["nodes"], list)
        self._count(len(nodes), prefix)
        return Graph(
            name=_kept(d["name"], str),
            inputs=_texts(d["inputs"]),
            outputs=_texts(d["outputs"]),
            nodes=tuple(self._node(_kept(node, dict), f"{prefix}node/{i}/") for i, node in enumerate(nodes)),
            types={name: _type_from_json(_kept(kind, dict)) for name, kind in _kept(d["types"], dict).items()},
            constants={name: self._arrays[f"{prefix}constant/{name}"] for name in _texts(d["constants"])},
            variables={name: self._arrays[f"{prefix}variable/{name}"] for name in _texts(d["variables"])},
            updates=tuple(_pair(pair) for pair in _kept(d["updates"], list)),
            metadata=dict(_kept(d["metadata"], dict)),
        )

    def _count(self, nodes: int, prefix: str) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise GraphError(
                f"a graph that is read has at most {MAX_NODES} nodes", received=str(self._nodes),
                remedy="a smaller network",
            )  # fmt: skip
        if prefix.count("node/") > MAX_NESTING:
            raise GraphError(
                f"bodies are nested at most {MAX_NESTING} deep", received=prefix[:200],
                remedy="write the file again: this one was edited or is damaged",
            )  # fmt: skip

    def _node(self, d: Mapping[str, Any], prefix: str) -> Node:
        def read(key: str, value: Any) -> Any:
            if isinstance(value, dict):
                return self.graph(value, f"{prefix}{key}/")
            return tuple(value) if isinstance(value, list) else value

        attributes = {key: read(key, value) for key, value in _kept(d["attributes"], dict).items()}
        return Node(_kept(d["operation"], str), _texts(d["inputs"]), _texts(d["outputs"]), attributes)
