# SPDX-License-Identifier: Apache-2.0
"""Runs generated C on emulated cores that are no target: of 64 bits, with vectors of their own (unicorn, ziglang)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeling.codegen.program import EntryPoint, Program
from edgeling.graph.types import Array
from edgeling.toolchain.compilers import FREESTANDING, resource, run, write_sources, zig
from edgeling.toolchain.image import Image, read_image

_STOP, _MEMORY, _PAGE = 0x1000, 0x40000000, 4096
_MEMORY_BYTES, _STACK_BYTES, _ROOM_BYTES = 1 << 24, 1 << 20, 1 << 18  # _ROOM_BYTES: of each argument

_CHECKED = ("-O0", "-fsanitize=undefined", "-fsanitize-trap=undefined")
_OPTIMIZED = ("-O1", "-fno-sanitize=undefined")


@dataclass(frozen=True)
class Core:
    """How code is compiled for it, and how unicorn is asked for it.

    Attributes:
        flags: what the compiler is told.
        kind, mode: unicorn's names of the architecture.
        arguments, link, stack: the registers of a call's first eight pointers, of where it returns to, of the stack.
        floats: a register, and what turns the float unit on there.
        word: bytes of a pointer.
    """

    flags: tuple[str, ...]
    kind: str
    mode: str
    arguments: str
    link: str
    stack: str
    floats: tuple[str, int]
    word: int = 8


CORES = {
    "aarch64 with NEON": Core(
        ("-target", "aarch64-freestanding", "-mcpu=cortex_a53"),
        "ARM64", "ARM", "X", "X30", "SP", ("CPACR_EL1", 3 << 20),
    ),
    "riscv64": Core(
        ("-target", "riscv64-freestanding", "-mcpu=generic_rv64+m+a+f+d+c", "-mcmodel=medany"),
        "RISCV", "RISCV64", "A", "RA", "SP", ("MSTATUS", 3 << 13),
    ),
    "riscv32": Core(
        ("-target", "riscv32-freestanding", "-mcpu=generic_rv32+m+a+f+c", "-mabi=ilp32f"),
        "RISCV", "RISCV32", "A", "RA", "SP", ("MSTATUS", 3 << 13), 4,
    ),
}  # fmt: skip


def build(core: Core, program: Program, folder: Path, optimized: bool) -> Path:
    """``NAME.c`` and the memory functions, linked; not optimized, it traps where C leaves open what happens."""
    memory = resource("memory.c")
    write_sources(folder, {**program.files, "memory.c": memory})
    flags = [
        *zig().command,
        *core.flags,
        *FREESTANDING,
        *(_OPTIMIZED if optimized else _CHECKED),
        "-fno-unwind-tables",
        "-g0",
        "-I.",
        "-c",
    ]
    for unit, own in ((f"{program.name}.c", ()), ("memory.c", ("-fno-builtin",))):
        run(folder, f"compiling {unit}", [*flags, *own, unit, "-o", f"{unit}.o"])
    objects = [f"{program.name}.c.o", "memory.c.o"]
    run(folder, "linking", [zig().command[0], "ld.lld", *objects, "-e", "0", "-o", "image.elf"])
    return folder / "image.elf"


class Emulator:
    """A core with an image in its memory, whose functions are called one after another."""

    def __init__(self, core: Core, path: Path) -> None:
        self._unicorn: Any = pytest.importorskip("unicorn")
        self._names = __import__(f"unicorn.{core.kind.lower()}_const", fromlist=["*"])
        self._core, self._image = core, read_image(path)
        self._chip = self._unicorn.Uc(self._constant("ARCH", core.kind), self._constant("MODE", core.mode))
        self._chip.mem_map(*_pages(self._image))
        for address, data in self._image.segments:
            self._chip.mem_write(address, data)
        self._chip.mem_map(_MEMORY, _MEMORY_BYTES)
        self._chip.mem_map(_STOP, _PAGE)
        register, value = core.floats
        self._chip.reg_write(self._register(register), self._chip.reg_read(self._register(register)) | value)

    def call(self, entry: EntryPoint, inputs: Sequence[Array], weights: bytes = b"") -> list[Array]:
        """The outputs, for these inputs and weights."""
        held = {"weights": next(places := self._places()), "arena": next(places)}
        self._chip.mem_write(held["weights"], weights)
        pointers = [held[name] for name in entry.memory("weights", "arena")]
        for array in inputs:
            pointers.append(next(places))
            self._chip.mem_write(pointers[-1], np.ascontiguousarray(array).tobytes())
        results = [next(places) for _ in entry.outputs]
        self._begin([*pointers, *results])
        self._chip.emu_start(self._image.symbols[entry.function], _STOP)
        return [
            np.frombuffer(bytes(self._chip.mem_read(at, port.type.bytes)), port.type.dtype.numpy)
            for at, port in zip(results, entry.outputs, strict=True)
        ]

    def _begin(self, pointers: Sequence[int]) -> None:
        """Registers as where a function is called: what comes after eight pointers lies on the stack."""
        core, top = self._core, _MEMORY + _MEMORY_BYTES - _PAGE
        for at, pointer in enumerate(pointers[:8]):
            self._chip.reg_write(self._register(f"{core.arguments}{at}"), pointer)
        self._chip.mem_write(top, b"".join(pointer.to_bytes(core.word, "little") for pointer in pointers[8:]))
        self._chip.reg_write(self._register(core.link), _STOP)
        self._chip.reg_write(self._register(core.stack), top)

    def _constant(self, kind: str, name: str) -> int:
        return int(getattr(self._unicorn, f"UC_{kind}_{name}"))

    def _register(self, name: str) -> int:
        return int(getattr(self._names, f"UC_{self._core.kind}_REG_{name}"))

    @staticmethod
    def _places() -> Iterator[int]:
        yield from range(_MEMORY, _MEMORY + _MEMORY_BYTES - _STACK_BYTES, _ROOM_BYTES)


def _pages(image: Image) -> tuple[int, int]:
    """Where memory for an image begins, and its size."""
    spans = [span for span in image.sections.values() if len(span)]
    first = min(span.start for span in spans) // _PAGE * _PAGE
    return first, -(-(max(span.stop for span in spans) - first) // _PAGE) * _PAGE
