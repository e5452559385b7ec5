# SPDX-License-Identifier: Apache-2.0
"""What every value in a graph is: its element type, its quantisation, its shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
Attribute: TypeAlias = "bool | int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | Graph"


class DType(Enum):
    """Element types; the value is both NumPy's name and the file format's."""

    FLOAT32 = "float32"
    INT32 = "int32"
    UINT32 = "uint32"
    INT8 = "int8"
    INT16 = "int16"

    @property
    def numpy(self) -> np.dtype[Any]:
        """NumPy's dtype."""
        return np.dtype(self.value)

    @property
    def c_name(self) -> str:
        """The C99 type: ``float``, ``int32_t``, ``uint32_t``, ``int8_t`` or ``int16_t``."""
        return "float" if self is DType.FLOAT32 else f"{self.value}_t"

    @property
    def bytes(self) -> int:
        """Size of one element."""
        return int(self.numpy.itemsize)

    @classmethod
    def of(cls, array: Array) -> DType:
        """An array's element type; ValueError for one that no graph holds."""
        return cls(array.dtype.name)


@dataclass(frozen=True)
class Quantization:
    """``real = scale * (stored - zero_point)``, per tensor or along one axis (TensorFlow Lite's scheme).

    ``scale`` and ``zero_point`` hold one value, or as many as the axis is long.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...] = (0,)
    axis: int | None = None


@dataclass(frozen=True)
class TensorType:
    """A static shape (channels last, batch first; ``()`` is a scalar), an element type, and how it is quantised."""

    shape: tuple[int, ...]
    dtype: DType = DType.FLOAT32
    quantization: Quantization | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Size of all elements, packed."""
        return self.size * self.dtype.bytes

    def __str__(self) -> str:
        return f"{self.dtype.value}[{','.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Node:
    """One operation applied: ``outputs = operation(inputs; attributes)``. Values are named by strings."""

    operation: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> str:
        """The only output of a node that has one."""
        (only,) = self.outputs
        return only


@dataclass(frozen=True)
class Graph:
    """A straight-line program in static single assignment: nodes in the order they run.

    Attributes:
        name: a C identifier; generated functions carry it.
        inputs: values the caller hands over, in order.
        outputs: values handed back, in order.
        nodes: in an order in which every value is made before it is read.
        types: the type of every value, whoever makes it.
        constants: values that never change (weights of a deployed model, tables).
        variables: values that outlive a run (weights while training, optimizer slots), with their initial contents.
        updates: ``(variable, value)`` pairs: what each variable becomes once every node has run.
        metadata: free text for people and reports (labels, units, feature names), kept through every pass.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    types: Mapping[str, TensorType]
    constants: Mapping[str, Array] = field(default_factory=dict)
    variables: Mapping[str, Array] = field(default_factory=dict)
    updates: tuple[tuple[str, str], ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


EMPTY_GRAPH = Graph("empty", (), (), (), {})  # stands where a body is asked for


def bodies(node: Node) -> dict[str, Graph]:
    """The graphs among a node's attributes, by attribute."""
    return {key: value for key, value in node.attributes.items() if isinstance(value, Graph)}


def place_within(makers: Mapping[str, Node], types: Mapping[str, TensorType], whole: str, part: str) -> int | None:
    """Where in the last axis of ``whole``, put together of others, ``part`` begins; None if it is none of them.

    Args:
        makers: of each value the node that makes it.
    """
    if whole == part:
        return 0
    made, start = makers.get(whole), 0
    for value in made.inputs if made is not None and made.operation == "concatenate" else ():
        found = place_within(makers, types, value, part)
        if found is not None:
            return start + found
        start += types[value].shape[-1]
    return None
