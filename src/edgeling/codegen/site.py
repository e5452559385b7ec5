# SPDX-License-Identifier: Apache-2.0
"""One call being written: a node, and the C expressions of everything it touches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from edgeling.codegen.dimensions import Dimensions
from edgeling.codegen.text import float_literal
from edgeling.graph.types import Array, DType, Node, TensorType
from edgeling.targets import Target

Line = Callable[["Site"], str]  # the C statement for a site
TableMaker = Callable[[str, str, Sequence[int]], str]
TaskMaker = Callable[[str], str]

# Threads are worth waking from this many elements on: some microseconds of them.
SHARED_ELEMENTS = 1 << 14


@dataclass(frozen=True)
class Setting:
    """What a kernel is chosen by.

    Attributes:
        node: the node.
        input_types, output_types: of its values, in order.
        target: what the C is for; None: C for any compiler and core.
        constants: the inputs that are constants, by their place.
        finite: whether its first input is known to hold neither NaN nor infinity.
        unchanged: the inputs, by their place, that are the same at each step of the loop it stands in.
        rectified: whether its first input is what a rectifier made, so that much of it is zero.
    """

    node: Node
    input_types: tuple[TensorType, ...]
    output_types: tuple[TensorType, ...]
    target: Target | None
    constants: Mapping[int, Array]
    finite: bool = False
    unchanged: frozenset[int] = frozenset()
    rectified: bool = False

    @property
    def threads(self) -> int:
        """How many threads may share the work."""
        return self.target.threads if self.target else 1


@dataclass(frozen=True)
class Site(Setting):
    """What a row of the call table sees when its call is written.

    Attributes:
        x: C expressions (pointers) of its inputs, in order; where constants are packed, of the others, then the tables.
        y: C expressions (pointers) of its outputs, in order.
        packed: the tables its kernel packed its constants in, by name.
        dimensions: names of lengths.
        table: ``table(name, c_type, numbers)`` adds a ``static const`` array to the file and gives its name.
        scratch: C expression (a pointer) of the scratch it asked for.
        kept: C expression (a pointer) of what it keeps from step to step.
        elements: how many elements are meant, if not all of the first output.
        held: whether its parameters lie in RAM, in a program whose other kernels' stay in flash.
        task: ``task(statement)`` adds a function to the file that does it for the elements ``[first, first + count)``
            of ``arrays``, and gives its name.
        after: what a kernel that takes it does with elements of its output at once: see :meth:`parts`.
    """

    _: KW_ONLY
    x: tuple[str, ...]
    y: tuple[str, ...]
    packed: Mapping[str, Array]
    dimensions: Dimensions
    table: TableMaker
    scratch: str
    task: TaskMaker
    after: str = "0, 0"
    kept: str = ""
    elements: str = ""
    held: bool = False

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
        return self.elements or self.dimensions.product(self.node.outputs[0])

    def float(self, attribute: str) -> str:
        """A float attribute as a C literal."""
        return float_literal(self.attributes[attribute])

    def flag(self, attribute: str) -> str:
        """A true or false attribute as 1 or 0."""
        return str(int(bool(self.attributes[attribute])))

    def function(self) -> str:
        """The enum constant of the node's ``function``."""
        return f"EDGELING_{self.attributes['function'].upper()}"

    def stored(self, kernel: str) -> str:
        """The kernel for the type of the first input: ``KERNEL``, of integers ``KERNEL_s8`` or ``KERNEL_s16``."""
        return stored_kernel(kernel, self.input_types[0].dtype)

    def call(self, function: str, *arguments: str) -> str:
        """``edgeling_FUNCTION(arguments..., inputs..., outputs...);``; of held parameters ``FUNCTION_held``."""
        return f"edgeling_{function}{'_held' if self.held else ''}({', '.join((*arguments, *self.x, *self.y))});"

    def by_elements(self, function: str, *arguments: str, pointers: Sequence[str] = ()) -> str:
        """``edgeling_FUNCTION(size, arguments..., pointers...);``, shared by threads where that pays.

        Args:
            function: each of its results depends on the same elements of its arrays alone, and on scalars.
            pointers: inputs, then outputs (all, by default); ``0`` stands for an array that there is not.
        """
        pointers = pointers or (*self.x, *self.y)
        size = self.output_types[0].size
        if self.threads < 2 or size < SHARED_ELEMENTS:
            return f"edgeling_{function}({', '.join((self.output_size(), *arguments, *pointers))});"
        return f"edgeling_by_elements({self.parts(function, *arguments, pointers=pointers)}, {self.output_size()});"

    def parts(self, function: str, *arguments: str, pointers: Sequence[str] = ()) -> str:
        """Two arguments: a function that does some elements of :meth:`by_elements`, and its arrays."""
        pointers, size = pointers or (*self.x, *self.y), self.output_types[0].size
        sizes = dict(zip((*self.x, *self.y), (t.size for t in (*self.input_types, *self.output_types)), strict=True))
        given = [pointer for pointer in pointers if pointer != "0"]
        parts = {p: f"(float *)arrays[{i}]{' + first' if sizes[p] == size else ''}" for i, p in enumerate(given)}
        inner = ", ".join(("count", *arguments, *(parts.get(p, p) for p in pointers)))
        task = self.task(f"edgeling_{function}({inner});")
        arrays = ", ".join(f"(void *){pointer}" for pointer in given)
        return f"{task}, ((void *const[]){{{arrays}}})"  # commas in parentheses: what is called may be a macro

    def by_rows(self, function: str, sizes: tuple[str, str], *arguments: str) -> str:
        """``edgeling_FUNCTION(rows, columns, arguments..., inputs..., outputs...);``, shared where that pays.

        Args:
            function: each row of its results depends on the same rows of its arrays alone.
            sizes: names of the lengths; every array has as many rows.
        """
        kinds = (*self.input_types, *self.output_types)
        widest = max(kinds, key=lambda kind: kind.size)
        if self.threads < 2 or widest.size < SHARED_ELEMENTS:
            return self.call(function, *sizes, *arguments)
        columns = widest.shape[-1]
        rows = widest.size // columns
        parts = (f"(float *)arrays[{i}] + first * {kind.size // rows}" for i, kind in enumerate(kinds))
        task = self.task(f"edgeling_{function}({', '.join(('count', str(columns), *arguments, *parts))});")
        arrays = ", ".join(f"(void *){pointer}" for pointer in (*self.x, *self.y))
        return f"edgeling_by_rows({task}, (void *const[]){{{arrays}}}, {', '.join(sizes)});"


_SUFFIXES = {DType.INT8: "_s8", DType.INT16: "_s16"}


def stored_kernel(kernel: str, dtype: DType) -> str:
    """The name of a kernel, or of its header, for an element type."""
    return kernel + _SUFFIXES.get(dtype, "")


WIDEST = 16  # floats in a vector, at most


def has_wide_rows(setting: Setting) -> bool:
    """Whether the target has vectors, and rows along the last axis fill one."""
    return setting.target is not None and setting.target.has_vectors and setting.output_types[0].shape[-1] >= WIDEST


def _always(_: Setting) -> bool:
    return True


def _nothing(_: Setting) -> int:
    return 0


def _no_tables(_: Setting) -> Mapping[str, Array]:
    return {}


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
        may_be_held: whether there is one more of it, whose parameters lie in RAM.
        fits: whether it is right for a setting.
        scratch_floats: how much memory it needs while it runs.
        pack: the tables it reads in place of all its constant inputs, by name; none: it reads the constants.
        before: a statement before the loop it stands in, which makes what it keeps from step to step of inputs that
            are unchanged.
        kept_floats: how much memory that takes.
    """

    header: str
    line: Line
    in_place: tuple[int, ...] = ()
    parameters: tuple[int, ...] = ()
    fits: Callable[[Setting], bool] = _always
    scratch_floats: Callable[[Setting], int] = _nothing
    pack: Callable[[Setting], Mapping[str, Array]] = _no_tables
    before: Line | None = None
    kept_floats: Callable[[Setting], int] = _nothing
    may_be_held: bool = False


def stored_calls(header: str, line: Line, **others: Any) -> tuple[Call, ...]:
    """A kernel for each element type that activations are stored as, int8 last."""
    return tuple(
        Call(stored_kernel(header, dtype), line, fits=lambda setting, dtype=dtype: _holds(setting, dtype), **others)  # type: ignore[misc]
        for dtype in reversed(_SUFFIXES)
    )


def _holds(setting: Setting, dtype: DType) -> bool:
    return setting.input_types[0].dtype is dtype
