# SPDX-License-Identifier: Apache-2.0
"""Cross-compilation: objects for any target, linked by the linkers of the ``ziglang`` package.

Everything is compiled with ``-c`` and linked directly: linking through ``zig cc`` would first build a C library and
compiler_rt, which takes seconds and hundreds of megabytes, for programs that mostly need neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock

from edgeling.errors import ToolchainError
from edgeling.targets import Target
from edgeling.toolchain import cache
from edgeling.toolchain.arm_compiler import cross_compiler, runtime
from edgeling.toolchain.compilers import FREESTANDING, resource, run, write_sources, zig

_SECTIONS = ("-ffunction-sections", "-fdata-sections", "-g0")
_ONE_AT_A_TIME = Lock()  # a compilation takes 100 MB and a few hundredths of a second
_LEAN = ("-fomit-frame-pointer", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables")


def flags(target: Target) -> tuple[str, ...]:
    """What every file for the target is compiled with."""
    chosen = cross_compiler(target)
    return (*chosen.core, *FREESTANDING, *_SECTIONS, *_LEAN, *chosen.optimization)


def key_of(target: Target, files: Mapping[str, str], *more: str) -> str:
    """The cache key of what ``files`` become on ``target``."""
    used = zig().identity, cross_compiler(target).compiler.identity
    return cache.key_of([*used, *flags(target), *more], files)


def compile_objects(target: Target, files: Mapping[str, str], units: Sequence[str], workspace: Path) -> list[str]:
    """Writes the files into the workspace and compiles those named in ``units``; returns the objects' names.

    Raises:
        ToolchainError: one does not compile.
    """
    write_sources(workspace, files)
    return [_compile(target, unit, workspace) for unit in units]


def memory_object(target: Target) -> Path:
    """``c/memory.c``, compiled for size: ``memcpy`` and its kin."""
    name, extra = "memory.c", ("-fno-builtin", "-Os")
    files = {name: resource(name)}

    def make(workspace: Path, result: Path) -> None:
        write_sources(workspace, files)
        result.write_bytes((workspace / _compile(target, name, workspace, *extra)).read_bytes())

    return cache.get_or_make(key_of(target, files, *extra), "memory.o", make)


def arithmetic(target: Target) -> Path:
    """The arithmetic a core lacks (floats, 64-bit division): the compiler's own.

    Of the one in the ``ziglang`` package from its sources, which takes seconds, once.
    """
    chosen = cross_compiler(target)
    brought = None if chosen.compiler.is_zig else runtime(chosen)
    return brought or _compiler_rt(target)


def _compiler_rt(target: Target) -> Path:
    program = zig().command[0]
    options = ("-target", target.triple, f"-mcpu={target.cpu}", "-O", "ReleaseSmall", "-ffunction-sections")

    def make(workspace: Path, result: Path) -> None:
        source = Path(program).parent / "lib" / "compiler_rt.zig"
        command = [program, "build-lib", str(source), *options, f"-femit-bin={result}"]
        run(workspace, f"building compiler_rt for {target.name}", command)

    return cache.get_or_make(cache.key_of(["compiler_rt", zig().identity, *options]), "compiler_rt.a", make)


def link(linker: str, arguments: Sequence[str], target: Target, workspace: Path, result: Path) -> None:
    """Links; while symbols are undefined, once more with the memory functions, then with the arithmetic too.

    Most programs need neither, and the second takes seconds to build.

    Raises:
        ToolchainError: it does not link.
    """
    command = [zig().command[0], linker, "--gc-sections", *arguments, "-o", str(result)]
    for help_with in (memory_object, arithmetic, None):
        try:
            run(workspace, f"linking for {target.name}", command)
            return
        except ToolchainError as error:
            if help_with is None or "undefined symbol" not in error.received:
                raise
        command.append(str(help_with(target)))


def _compile(target: Target, unit: str, workspace: Path, *extra: str) -> str:
    made = f"{unit}.o"
    command = [*cross_compiler(target).compiler.command, *flags(target), *extra, "-I.", "-c", unit, "-o", made]
    with _ONE_AT_A_TIME:
        run(workspace, f"compiling {unit} for {target.name}", command)
    return made
