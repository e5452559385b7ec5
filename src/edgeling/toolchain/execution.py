# SPDX-License-Identifier: Apache-2.0
"""What a run of a program on some target gave, and how its rows go in and out as bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeling.codegen.program import EntryPoint, Port, Program
from edgeling.errors import ToolchainError

Array = NDArray[Any]

PAINT = 0xA5  # written over the whole stack before a run: what still holds it afterwards was not used
INSTRUCTION_LIMIT = 200_000_000  # for one row, unless said otherwise


@dataclass(frozen=True)
class Execution:
    """Outputs and cost of ``n`` rows.

    Attributes:
        outputs: one array ``[n, ...]`` per output port.
        instructions: how many each row took, ``int64[n]``; the unit is the emulator's (see its page).
        stack_bytes: the deepest the stack got, over all rows.
        status: what each row's call returned, ``int32[n]``; 0 for an entry that returns nothing.
    """

    outputs: tuple[Array, ...]
    instructions: NDArray[np.int64]
    stack_bytes: int
    status: NDArray[np.int32]


@dataclass(frozen=True)
class Batch:
    """Checked inputs of ``n`` rows, and room for their outputs."""

    rows: int
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]

    def input_bytes(self) -> Iterator[tuple[bytes, ...]]:
        """The bytes of every input port, row by row."""
        for row in range(self.rows):
            yield tuple(array[row].tobytes() for array in self.inputs)


def entry_named(program: Program, name: str | None) -> EntryPoint:
    """The entry point or extra of that function name, or the first.

    Raises:
        ToolchainError: there is none.
    """
    every = (*program.entries, *program.extras)
    found = next((entry for entry in every if name in (None, entry.function)), None)
    if found is None:
        known = ", ".join(entry.function for entry in every)
        raise ToolchainError(f"an entry point is one of {known}", received=repr(name), remedy="one of these")
    return found


def batch_of(entry: EntryPoint, inputs: Sequence[Array]) -> Batch:
    """Checks ``inputs`` (one array ``[n, ...]`` per input port, of the port's element type) and makes room.

    Raises:
        ToolchainError: wrong number of arrays, element type, row size, or arrays of different length.
    """
    if len(inputs) != len(entry.inputs):
        raise ToolchainError(
            f"{entry.function} takes {len(entry.inputs)} inputs", received=f"{len(inputs)} arrays",
            remedy=f"hand {len(entry.inputs)} arrays over",
        )  # fmt: skip
    rows = inputs[0].size // entry.inputs[0].type.size if inputs else 1
    checked = tuple(_checked(port, array, rows) for port, array in zip(entry.inputs, inputs, strict=True))
    outputs = tuple(np.zeros((rows, *_row_shape(port)), port.type.dtype.numpy) for port in entry.outputs)
    return Batch(rows, checked, outputs)


def unused_stack_bytes(stack: bytes) -> int:
    """How many bytes at the lower end of a painted stack were never written."""
    touched = np.flatnonzero(np.frombuffer(stack, np.uint8) != PAINT)
    return int(touched[0]) if touched.size else len(stack)


def _row_shape(port: Port) -> tuple[int, ...]:
    """The port's shape; a batch of one gives way to the rows."""
    shape = port.type.shape
    return shape[1:] if shape[:1] == (1,) else shape


def _checked(port: Port, array: Array, rows: int) -> Array:
    if array.dtype != port.type.dtype.numpy or array.size != rows * port.type.size:
        raise ToolchainError(
            f"input {port.name} must be {rows} rows of {port.type}", received=f"{array.dtype}{list(array.shape)}",
            remedy=f"np.ascontiguousarray(x, {port.type.dtype.value!r})",
        )  # fmt: skip
    return np.ascontiguousarray(array).reshape(rows, -1)
