# SPDX-License-Identifier: Apache-2.0
"""Building graphs one operation at a time; every node is typed and checked as it is added."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edgeling.errors import GraphError
from edgeling.graph.attributes import complete_attributes
from edgeling.graph.check import check
from edgeling.graph.limits import check_type
from edgeling.graph.naming import unused
from edgeling.graph.type_rules import infer
from edgeling.graph.types import Array, DType, Graph, Node, Quantization, TensorType


class GraphBuilder:
    """Collects nodes. Values are handed around by name; names are made unique by a number.

    Example:
        >>> b = GraphBuilder("twice")
        >>> x = b.input("x", (1, 3))
        >>> graph = b.build([b.add("add", x, x, name="y")])
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._inputs: list[str] = []
        self._nodes: list[Node] = []
        self._types: dict[str, TensorType] = {}
        self._constants: dict[str, Array] = {}
        self._variables: dict[str, Array] = {}
        self._updates: list[tuple[str, str]] = []
        self._metadata: dict[str, Any] = {}

    @classmethod
    def of(cls, graph: Graph) -> GraphBuilder:
        """A builder that goes on where ``graph`` ends (its outputs are to be given to ``build`` again)."""
        builder = cls(graph.name)
        builder._inputs, builder._nodes = list(graph.inputs), list(graph.nodes)
        builder._types, builder._constants = dict(graph.types), dict(graph.constants)
        builder._variables, builder._updates = dict(graph.variables), list(graph.updates)
        builder._metadata = dict(graph.metadata)
        return builder

    def input(
        self,
        name: str,
        shape: Sequence[int],
        dtype: DType = DType.FLOAT32,
        quantization: Quantization | None = None,
    ) -> str:
        """A value the caller hands over; GraphError if the name is taken (inputs and variables keep theirs)."""
        self._inputs.append(name)
        return self._declare(name, TensorType(tuple(shape), dtype, quantization))

    def constant(self, array: ArrayLike, name: str = "constant", quantization: Quantization | None = None) -> str:
        """A value that never changes. Floats of any width become float32, other dtypes stay."""
        stored, name = _stored(array), self.unique(name)
        self._constants[name] = stored
        return self._declare(name, TensorType(stored.shape, DType.of(stored), quantization))

    def variable(self, array: ArrayLike, name: str) -> str:
        """A value that outlives a run, with its initial contents; GraphError if the name is taken."""
        stored = _stored(array)
        self._variables[name] = stored
        return self._declare(name, TensorType(stored.shape, DType.of(stored)))

    def add(self, operation: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Append a node with one output, and give the output's name."""
        (only,) = self.add_many(operation, *inputs, name=name, **attributes)
        return only

    def sum(self, x: str, axes: Sequence[int]) -> str:
        """The sum over any axes, in order, which are kept with length one; kernels sum neighbouring ones."""
        for _, group in groupby(enumerate(axes), key=lambda pair: pair[1] - pair[0]):
            x = self.add("sum", x, axes=tuple(axis for _, axis in group))
        return x

    def add_many(
        self,
        operation: str,
        *inputs: str,
        name: str = "",
        types: Sequence[TensorType] | None = None,
        **attributes: Any,
    ) -> tuple[str, ...]:
        """Append a node, and give its outputs' names.

        Args:
            types: the outputs' types where they say more than the type rule can know (quantisation).

        Raises:
            GraphError: an unknown operation, attribute or value, or inputs of the wrong types.
        """
        full = complete_attributes(operation, len(inputs), attributes)
        inferred = infer(operation, tuple(self.type_of(i) for i in inputs), full)
        kinds = [kind for _, kind in zip(inferred, types or inferred, strict=True)]
        outputs = tuple(self._declare(self.unique(name or operation), kind) for kind in kinds)
        self._nodes.append(Node(operation, inputs, outputs, full))
        return outputs

    def extend(self, node: Node, kinds: Sequence[TensorType], **attributes: Any) -> tuple[str, ...]:
        """Give a node made before other attributes and further outputs of these types; give those outputs' names."""
        outputs = tuple(self._declare(self.unique(f"{node.outputs[0]}_kept"), kind) for kind in kinds)
        extended = Node(node.operation, node.inputs, (*node.outputs, *outputs), {**node.attributes, **attributes})
        self._nodes[next(i for i, known in enumerate(self._nodes) if known is node)] = extended
        return outputs

    def inline(self, graph: Graph, *inputs: str) -> tuple[str, ...]:
        """Append another graph's constants and nodes, fed with these values; give the names of its outputs.

        Raises:
            GraphError: it has variables, or its inputs have other types than the values.
        """
        if graph.variables:
            raise GraphError(
                "a graph with variables is not inlined", received=str(list(graph.variables)),
                remedy="inline the graph that its weights were frozen in",
            )  # fmt: skip
        names = dict(zip(graph.inputs, inputs, strict=True))
        for constant, array in graph.constants.items():
            names[constant] = self.constant(array, constant, graph.types[constant].quantization)
        for node in graph.nodes:
            made = self.add_many(
                node.operation, *(names[i] for i in node.inputs), name=node.outputs[0],
                types=[graph.types[o] for o in node.outputs], **node.attributes,
            )  # fmt: skip
            names.update(zip(node.outputs, made, strict=True))
        return tuple(names[o] for o in graph.outputs)

    def update(self, variable: str, value: str) -> None:
        """Say what a variable becomes when the run ends."""
        self._updates.append((variable, value))

    def describe(self, **metadata: Any) -> None:
        """Add to the graph's metadata."""
        self._metadata.update(metadata)

    def type_of(self, value: str) -> TensorType:
        """The type of a value made so far; GraphError where there is none."""
        if value not in self._types:
            raise GraphError(
                "a value is made before it is read", received=repr(value),
                remedy="add the node that makes it first, or declare the input",
            )  # fmt: skip
        return self._types[value]

    def unique(self, name: str) -> str:
        """``name``, or ``name_2``, ``name_3``... if it is taken."""
        return unused(name, self._types)

    def build(self, outputs: Sequence[str]) -> Graph:
        """The graph, checked.

        Raises:
            GraphError: it is not legal.
        """
        return check(self.graph(outputs))

    def graph(self, outputs: Sequence[str]) -> Graph:
        """The graph as it is, unchecked: for one who changes it further."""
        return Graph(
            self.name, tuple(self._inputs), tuple(outputs), tuple(self._nodes), dict(self._types),
            dict(self._constants), dict(self._variables), tuple(self._updates), dict(self._metadata),
        )  # fmt: skip

    def _declare(self, name: str, kind: TensorType) -> str:
        if name in self._types:
            raise GraphError("every value has its own name", received=repr(name), remedy="another name")
        check_type(kind)
        self._types[name] = kind
        return name


def _stored(array: ArrayLike) -> Array:
    stored = np.asarray(array)
    if stored.dtype.kind == "f":
        stored = stored.astype(np.float32)
    return np.ascontiguousarray(stored).reshape(stored.shape)
