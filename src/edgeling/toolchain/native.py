# SPDX-License-Identifier: Apache-2.0
"""Runs compiled programs in this process, on NumPy arrays, without copying.

Calls made through :meth:`NativeProgram.function` and :meth:`NativeProgram.rows` hold Python's global lock: they are
meant to be short. Long loops written in C are called through :meth:`NativeProgram.symbol`, where ctypes releases it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeling.codegen.program import EntryPoint, Program
from edgeling.errors import ToolchainError
from edgeling.graph.types import TensorType
from edgeling.targets import get
from edgeling.toolchain import binding
from edgeling.toolchain.library import Unit, compile_linked, compile_program, rows_symbol, rows_unit, threads_unit
from edgeling.toolchain.loading import open_library

Function = Callable[..., None]

THIS_MACHINE = get("native")
_ALIGNMENT_BYTES = 64  # a cache line, and the widest vector register


def load(
    program: Program,
    extra_files: Mapping[str, str] | None = None,
    units: Sequence[Unit] = (),
    *,
    linked: bool = False,
) -> NativeProgram:
    """Compiles the program (or finds it in the cache) and loads it, with weights and an arena of its own.

    Args:
        program: what to run.
        extra_files: further C sources and headers (path to text) compiled into the same library; they may
            ``#include "NAME.h"``, and their functions are found with :meth:`NativeProgram.symbol`.
        units: sources that know nothing of the program, compiled once a machine and linked to it.
        linked: call kernels compiled once a machine, rather than compile them into the program.

    Raises:
        CompilerNotFoundError: there is no C compiler.
        ToolchainError: it does not compile or does not load.
    """
    compile_it = compile_linked if linked else compile_program
    return NativeProgram(program, open_library(compile_it(program, extra_files, units)))


def sharing_units() -> tuple[Unit, ...]:
    """The units of a program whose rows are shared by threads."""
    return rows_unit(), threads_unit()


class _SharedRows(ctypes.Structure):
    """``edgeling_shared_rows`` of ``c/rows.c``, field by field."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("loop", "weights", "arenas", "ports", "row_bytes")),
        ("rows", ctypes.c_int64),
        *((name, ctypes.c_int32) for name in ("port_count", "threads")),
    ]


class NativeProgram:
    """A loaded program, its weights and an arena. Not safe for two threads at once: give each its own :meth:`clone`.

    Attributes:
        program: what was loaded.
        weights: the bytes of what outlives a call, ``uint8[weights_bytes]``.
        arena: the bytes of scratch, ``uint8[arena_bytes]``. Both are 64-byte aligned; C works in this very memory.
    """

    def __init__(self, program: Program, library: ctypes.CDLL, weights: NDArray[np.uint8] | None = None) -> None:
        self.program = program
        self.weights = _aligned_zeros(program.weights_bytes) if weights is None else weights
        self.arena = _aligned_zeros(program.arena_bytes)
        self._library = library
        self._entries = {entry.function: entry for entry in program.entries}
        self._functions: dict[tuple[str, bool], Function] = {}
        self._others: list[NDArray[np.uint8]] = []  # arenas of the threads that share rows
        if weights is None:
            self.reset()

    def reset(self) -> None:
        """Sets every variable to its initial value: zero, if the program has no initializer."""
        self.weights[:] = 0
        if self.program.initializer:
            self.symbol(self.program.initializer)(ctypes.c_void_p(self.weights.ctypes.data))

    def clone(self, *, share_weights: bool = False) -> NativeProgram:
        """The same code with an arena of its own.

        Args:
            share_weights: it reads these very weights, so two threads may run entries that only read them, each its
                own clone. Otherwise it begins with initial weights of its own.
        """
        return NativeProgram(self.program, self._library, self.weights if share_weights else None)

    def variable(self, name: str, type: TensorType) -> NDArray[Any]:
        """A view of one variable among the weights: what is written here, the C code reads.

        Raises:
            ToolchainError: the program has no such variable, or it would reach past the weights.
        """
        offsets = self.program.variable_offsets
        if name not in offsets:
            raise ToolchainError(
                f"a variable is one of {', '.join(offsets)}", received=repr(name), remedy="one of these"
            )
        stored = self.weights[offsets[name] : offsets[name] + type.bytes]
        if stored.nbytes != type.bytes:
            raise ToolchainError(
                "a variable must lie within the weights", received=f"{name}: {type}",
                remedy="the type that the graph declares",
            )  # fmt: skip
        return stored.view(type.dtype.numpy).reshape(type.shape)

    def function(self, entry_name: str) -> Function:
        """``call(*inputs, *outputs)``: runs the entry once. Outputs are written in place; nothing is returned.

        Every argument must be a C-contiguous array (or other buffer) of exactly the port's element type and number
        of bytes; shapes are not looked at. Inputs and outputs must not overlap.

        Raises:
            ToolchainError: there is no such entry. The callable raises TypeError (not an array, wrong element type,
                wrong number of arguments) and ValueError (not contiguous, read-only output, wrong size).
        """
        return self._bound(entry_name, takes_rows=False)

    def rows(self, entry_name: str) -> Function:
        """As :meth:`function`, on arrays of ``n`` rows each: runs the entry on every row, in order."""
        return self._bound(entry_name, takes_rows=True)

    def share_rows(self, entry_name: str, threads: int, *arrays: NDArray[Any]) -> None:
        """As :meth:`rows`, shared by threads and without the global lock: one such call at a time.

        Args:
            entry_name: one that only reads weights, of a program that was loaded with :func:`sharing_units`.
            threads: how many, this one included.
            arrays: inputs and outputs, C-contiguous, of whole rows.
        """
        entry = self._entry(entry_name)
        ports = [*entry.inputs, *entry.outputs]
        while len(self._others) < threads:
            self._others.append(_aligned_zeros(self.program.arena_bytes))
        arenas = (ctypes.c_void_p * threads)(*(arena.ctypes.data for arena in self._others[:threads]))
        places = (ctypes.c_void_p * len(ports))(*(array.ctypes.data for array in arrays))
        row_bytes = (ctypes.c_int64 * len(ports))(*(port.type.bytes for port in ports))
        loop, weights = binding.address(self.symbol(rows_symbol(entry))), self.weights.ctypes.data
        tables = [ctypes.addressof(table) for table in (arenas, places, row_bytes)]
        rows = arrays[0].nbytes // ports[0].type.bytes
        self.symbol("edgeling_share_rows")(ctypes.byref(_SharedRows(loop, weights, *tables, rows, len(ports), threads)))

    def address(self, entry_name: str) -> int:
        """The entry's C function pointer, good for as long as this program is held."""
        return binding.address(self.symbol(self._entry(entry_name).function))

    def rows_address(self, entry_name: str) -> int:
        """As :meth:`address`, of the function that runs the entry on rows (see ``library.py``)."""
        return binding.address(self.symbol(rows_symbol(self._entry(entry_name))))

    def symbol(self, name: str) -> Any:
        """Any exported C function, as a new ctypes function (set its ``argtypes``); a call releases the global lock.

        Raises:
            ToolchainError: the library exports no such function.
        """
        try:
            found = self._library[name]
        except AttributeError as error:
            raise ToolchainError(
                "a symbol must be exported by the library", received=repr(name),
                remedy="one of the functions in the header",
            ) from error  # fmt: skip
        found.restype = None
        return found

    def _entry(self, name: str) -> EntryPoint:
        if name not in self._entries:
            raise ToolchainError(
                f"an entry point is one of {', '.join(self._entries)}", received=repr(name), remedy="one of these"
            )
        return self._entries[name]

    def _bound(self, name: str, *, takes_rows: bool) -> Function:
        if (name, takes_rows) not in self._functions:
            entry = self._entry(name)
            run = binding.address(self.symbol(rows_symbol(entry)))
            self._functions[name, takes_rows] = binding.bind(
                entry, run, (self.weights, self.arena), takes_rows=takes_rows, keep=self._library
            )
        return self._functions[name, takes_rows]


def _aligned_zeros(size: int) -> NDArray[np.uint8]:
    memory = np.zeros(size + _ALIGNMENT_BYTES, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT_BYTES
    return memory[start : start + size]
