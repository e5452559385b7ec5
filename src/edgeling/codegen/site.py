# SPDX-License-Identifier: Apache-2.0
"""One call being written: a node, and the C expressions of everything it touches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeling.codegen.dimensions import Dimensions
from edgeling.codegen.text import float_literal
from edgeling.graph.types import Node, TensorType
from edgeling.targets import Target

Line = Callable[["Site"], str]  # the C statement for a site
TableMaker = Callable[[str, str, Sequence[int]], str]


@dataclass(frozen=True)
class Setting:
    """What a kernel is chosen by.

    Attributes:
        node: the node.
        input_types, output_types: of its values, in order.
        target: what the C is for; None: C for any compiler and core.
    """

    node: Node
    input_types: tuple[TensorType, ...]
    output_types: tuple[TensorType, ...]
    target: Target | None


@dataclass(frozen=True)
class Site(Setting):
    """What a row of the call table sees when its call is written.

    Attributes:
        x: C expressions (pointers) of its inputs, in order.
        y: C expressions (pointers) of its outputs, in order.
        dimensions: names of lengths.
        table: ``table(name, c_type, numbers)`` adds a ``static const`` array to the file and gives its name.
        scratch: C expression (a pointer) of the scratch it asked for.
    """

    x: tuple[str, ...]
    y: tuple[str, ...]
    dimensions: Dimensions
    table: TableMaker
    scratch: str

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The node's."""
        return self.node.attributes

    def length(self, index: int, axis: int) -> str:
        """The name of the length of one axis of input ``index``."""
        rank = len(self.input_types[index].shape)
        return self.dimensions.name(self.node.inputs[index], axis % rank)

    def output_length(self, axis: int) -> str:
        """The name of the length of one axis of the first output."""
        rank = len(self.output_types[0].shape)
        return self.dimensions.name(self.node.outputs[0], axis % rank)

    def size(self, index: int = 0) -> str:
        """The number of elements of input ``index``."""
        return self.dimensions.product(self.node.inputs[index])

    def rows(self, index: int = 0) -> str:
        """The number of last axes in input ``index``."""
        return self.dimensions.product(self.node.inputs[index], range(len(self.input_types[index].shape) - 1))

    def output_size(self) -> str:
        """The number of elements of the first output."""
        return self.dimensions.product(self.node.outputs[0])

    def float(self, attribute: str) -> str:
        """A float attribute as a C literal."""
        return float_literal(self.attributes[attribute])

    def flag(self, attribute: str) -> str:
        """A true or false attribute as 1 or 0."""
        return str(int(bool(self.attributes[attribute])))

    def function(self) -> str:
        """The enum constant of the node's ``function``."""
        return f"EDGELING_{self.attributes['function'].upper()}"

    def call(self, function: str, *arguments: str) -> str:
        """``edgeling_FUNCTION(arguments..., inputs..., outputs...);``"""
        return f"edgeling_{function}({', '.join((*arguments, *self.x, *self.y))});"


def _always(_: Setting) -> bool:
    return True


def _nothing(_: Setting) -> int:
    return 0


@dataclass(frozen=True)
class Call:
    """A kernel that may do the work of an operation.

    Attributes:
        header: the kernel header, ``kernels/HEADER.h``.
        line: the C statement for a site (several lines where an operation takes many inputs).
        in_place: inputs whose memory an output of the same size may take over, because the kernel reads each of
            their elements before it writes the same element of any output.
        parameters: inputs the kernel reads with ``edgeling_read_*``, so that constants may stay in flash
            (``kernels/flash.h``).
        fits: whether it is right for a setting.
        scratch_floats: how much memory it needs while it runs.
    """

    header: str
    line: Line
    in_place: tuple[int, ...] = ()
    parameters: tuple[int, ...] = ()
    fits: Callable[[Setting], bool] = _always
    scratch_floats: Callable[[Setting], int] = _nothing
