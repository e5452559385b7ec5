# SPDX-License-Identifier: Apache-2.0
"""Builds a program into a WebAssembly module and runs it on wasmtime.

There is no harness: the module exports the entry (and ``NAME_init``), imports nothing, and the host puts weights, arena
and buffers behind what the module itself uses of its memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeling.codegen.program import EntryPoint, Program
from edgeling.errors import ToolchainError
from edgeling.targets import Target, get
from edgeling.toolchain import cache, cross
from edgeling.toolchain.compilers import resource
from edgeling.toolchain.execution import (
    INSTRUCTION_LIMIT,
    PAINT,
    Array,
    Execution,
    batch_of,
    entry_named,
    unused_stack_bytes,
)
from edgeling.toolchain.measure import Footprint

if TYPE_CHECKING:
    import wasmtime

STACK_BYTES = 65536
_PAGE_BYTES = 65536
_CODE_SECTION, _DATA_SECTION = 10, 11


@dataclass(frozen=True)
class WasmModule:
    """A built module: the ``.wasm`` file, and what is in it."""

    program: Program
    entry: EntryPoint
    target: Target
    path: Path


def build(
    program: Program, target: Target | None = None, entry_name: str | None = None, more: Sequence[str] = ()
) -> WasmModule:
    """Compiles and links the program with one entry point exported, and ``more`` functions of it.

    Raises:
        CompilerNotFoundError: the ``ziglang`` package is not installed.
        ToolchainError: it does not compile or link; the message carries the compiler's first lines.
    """
    entry, target = entry_named(program, entry_name), target or get("wasm32")
    options = _link_options(program, entry, more)

    def make(workspace: Path, result: Path) -> None:
        objects = cross.compile_objects(target, program.files, [f"{program.name}.c"], workspace)
        cross.link("wasm-ld", [*options, *objects], target, workspace, result)

    key = cross.key_of(target, program.files, resource("memory.c"), *options)
    return WasmModule(program, entry, target, cache.get_or_make(key, "program.wasm", make))


def measure(module: WasmModule) -> Footprint:
    """Sizes of the module. ``flash_bytes`` is the whole file, which is what is shipped.

    ``flash_code_bytes`` and ``flash_weights_bytes`` are its code and data sections. WebAssembly copies constants into
    linear memory when it starts, so they count in ``ram_bytes`` too, with weights and arena.
    """
    data = module.path.read_bytes()
    sizes = dict(_sections(data))
    weights = sizes.get(_DATA_SECTION, 0)
    owned = module.program.weights_bytes + module.program.arena_bytes
    return Footprint(len(data), sizes.get(_CODE_SECTION, 0), weights, owned + weights)


class WasmInstance:
    """A module instantiated once. Rows may be run for as long as one likes; variables live on between them.

    Args:
        module: what :func:`build` made.
        instruction_limit: per row, in fuel; one more and the program counts as running away.
    """

    def __init__(self, module: WasmModule, instruction_limit: int = INSTRUCTION_LIMIT) -> None:
        import wasmtime

        config = wasmtime.Config()
        config.consume_fuel = True
        engine = wasmtime.Engine(config)
        self._module, self._limit = module, instruction_limit
        self._store = wasmtime.Store(engine)
        compiled = wasmtime.Module.from_file(engine, str(module.path))
        self._exports: Any = wasmtime.Instance(self._store, compiled, []).exports(self._store)
        self._memory: Any = self._exports["memory"]
        self._weights, self._arena, *self._ports = self._place()
        if module.program.initializer:
            self._call(module.program.initializer, self._weights)

    def run(self, inputs: Sequence[Array]) -> Execution:
        """Runs the entry on every row of ``inputs`` (``[n, ...]`` each).

        ``instructions`` is wasmtime's fuel: one for each WebAssembly operator executed, except ``nop``, ``drop``,
        ``block``, ``loop``, ``else`` and ``end``, which are free; plus one for the call. It is exact and repeatable,
        and no count of machine instructions. ``stack_bytes`` is the part of the stack in linear memory that was
        overwritten; what the engine keeps on its own stack cannot be seen from inside.

        Raises:
            ToolchainError: a trap, or a runaway program; inputs that do not match the entry.
        """
        batch = batch_of(self._module.entry, inputs)
        entry, places, count = self._module.entry, self._ports, len(inputs)
        owned = [*([self._weights] if entry.weights else []), *([self._arena] if entry.takes_arena else [])]
        instructions, status = np.zeros(batch.rows, np.int64), np.zeros(batch.rows, np.int32)
        self._memory.write(self._store, bytes([PAINT]) * STACK_BYTES, 0)
        for row, values in enumerate(batch.input_bytes()):
            for place, value in zip(places, values, strict=False):
                self._memory.write(self._store, value, place)
            instructions[row], status[row] = self._call(entry.function, *owned, *places)
            for place, output in zip(places[count:], batch.outputs, strict=True):
                raw = self._memory.read(self._store, place, place + output[row].nbytes)
                output[row] = np.frombuffer(raw, output.dtype).reshape(output[row].shape)
        return Execution(batch.outputs, instructions, self._stack_bytes(), status)

    def weights(self) -> bytes:
        """What outlives a call, as it is now."""
        return bytes(self._memory.read(self._store, self._weights, self._weights + self._module.program.weights_bytes))

    def _call(self, function: str, *arguments: int) -> tuple[int, int]:
        """Fuel, and what was returned (0 for nothing)."""
        import wasmtime

        self._store.set_fuel(self._limit)
        try:
            returned = self._exports[function](self._store, *arguments)
        except wasmtime.Trap as trap:
            raise self._failure(function, trap) from trap
        return self._limit - self._store.get_fuel(), returned or 0

    def _failure(self, function: str, trap: wasmtime.Trap) -> ToolchainError:
        import wasmtime

        if trap.trap_code is wasmtime.TrapCode.OUT_OF_FUEL:
            rule, what = f"a run must end within {self._limit} instructions", "no end"
        else:
            rule, what = "an emulated program must not fault", trap.message.strip().splitlines()[-1].strip()
        return ToolchainError(
            rule, received=f"{what} in {function} on {self._module.target.name}",
            remedy="report this as a bug, with the program if you can share it",
        )  # fmt: skip

    def _place(self) -> list[int]:
        """Addresses of the weights, the arena and every port, in pages of their own at the end of memory."""
        program, ports = self._module.program, (*self._module.entry.inputs, *self._module.entry.outputs)
        sizes = [program.weights_bytes, program.arena_bytes, *(port.type.bytes for port in ports)]
        ends = np.cumsum([(size + 15) // 16 * 16 for size in sizes]).tolist()
        start = self._memory.grow(self._store, -(-ends[-1] // _PAGE_BYTES)) * _PAGE_BYTES
        return [start + offset for offset in [0, *ends[:-1]]]

    def _stack_bytes(self) -> int:
        return STACK_BYTES - unused_stack_bytes(self._memory.read(self._store, 0, STACK_BYTES)) // 16 * 16


def _link_options(program: Program, entry: EntryPoint, more: Sequence[str]) -> list[str]:
    exported = dict.fromkeys([entry.function, *more, *program.main_functions, *filter(None, [program.initializer])])
    stack = ["--stack-first", "-z", f"stack-size={STACK_BYTES}"]
    return ["--no-entry", "--strip-all", *stack, *(f"--export={name}" for name in exported)]


def _sections(data: bytes) -> Iterator[tuple[int, int]]:
    """Number and payload size of every section, after the 8 bytes of the module's header."""
    at = 8
    while at < len(data):
        number = data[at]
        size, at = _leb128(data, at + 1)
        yield number, size
        at += size


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
