# SPDX-License-Identifier: Apache-2.0
"""Builds a program into a firmware image for a Cortex-M, with the compiler of the ``ziglang`` package.

The image is complete: it starts from its reset vector, fills its memory and waits in ``edgeling_ready``. Then
``edgeling_invoke()`` runs the program once on static buffers, ``edgeling_in_0...`` and ``edgeling_out_0...``, and keeps
what it returned in ``edgeling_status``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeling.codegen.program import EntryPoint, Port, Program
from edgeling.errors import TargetError, ToolchainError
from edgeling.targets import Target
from edgeling.targets.target import LARGEST_MEMORY_BYTES
from edgeling.toolchain import cache, cross
from edgeling.toolchain.compilers import resource
from edgeling.toolchain.execution import entry_named

LEAST_STACK_BYTES = 1024  # as cortex_m.ld demands
ROOMY_STACK_BYTES, ROOMY_CODE_BYTES = 256 << 10, 16 << 20
_KEPT = '__attribute__((section(".edgeling_harness.kept"), used))'
_HARNESS, _SCRIPT = "edgeling_harness.c", "target.ld"


@dataclass(frozen=True)
class Firmware:
    """A built image: the ELF file, what is in it, and for which chip."""

    program: Program
    entry: EntryPoint
    target: Target
    path: Path


def build(program: Program, target: Target, entry_name: str | None = None) -> Firmware:
    """Compiles and links the program, its start-up and one entry point.

    Args:
        program: what to build.
        target: a Cortex-M.
        entry_name: the C function to call; by default the program's first entry.

    Raises:
        CompilerNotFoundError: the ``ziglang`` package is not installed.
        TargetError: the program does not fit the target's flash or RAM.
        ToolchainError: it does not compile or link; the message carries the compiler's first lines.
    """
    entry = entry_named(program, entry_name)
    files = {**program.files, _HARNESS: harness_source(program, entry), _SCRIPT: linker_script(target)}

    def make(workspace: Path, result: Path) -> None:
        objects = cross.compile_objects(target, files, [f"{program.name}.c", _HARNESS], workspace)
        _link(target, ["--strip-debug", *objects, "-T", _SCRIPT], workspace, result)

    key = cross.key_of(target, files, resource("memory.c"))
    return Firmware(program, entry, target, cache.get_or_make(key, "firmware.elf", make))


def build_roomy(program: Program, target: Target, entry_name: str | None = None) -> Firmware:
    """As :func:`build`; a program too large for the target gets more memory than the chip has, to be run all the same.

    Raises:
        TargetError: it is too large for any chip of this core.
    """
    try:
        return build(program, target, entry_name)
    except TargetError:
        entry = entry_named(program, entry_name)
        buffers = sum(port.type.bytes for port in (*entry.inputs, *entry.outputs))
        flash = max(target.flash_bytes, 2 * program.constant_bytes + ROOMY_CODE_BYTES)
        ram = max(target.ram_bytes, program.weights_bytes + program.arena_bytes + buffers + ROOMY_STACK_BYTES)
        if max(flash, ram) >= LARGEST_MEMORY_BYTES:
            raise
        return build(program, target.with_memory(flash, ram), entry_name)


def harness_source(program: Program, entry: EntryPoint) -> str:
    """The generated C around the program: its weights, its arena, its buffers and ``edgeling_invoke``."""
    name = program.name
    buffers = [_buffer(port, f"edgeling_in_{i}") for i, port in enumerate(entry.inputs)]
    buffers += [_buffer(port, f"edgeling_out_{i}") for i, port in enumerate(entry.outputs)]
    arguments = entry.memory("&edgeling_weights", "&edgeling_arena")
    arguments += [f"edgeling_in_{i}" for i in range(len(entry.inputs))]
    arguments += [f"edgeling_out_{i}" for i in range(len(entry.outputs))]
    stored = "edgeling_status = " if entry.returns == "int" else ""
    setup = f"{program.initializer}(&edgeling_weights);" if program.initializer else ""
    owned = {"weights": program.weights_bytes, "arena": program.arena_bytes}
    kept = [f"(void (*)(void)){function}" for function in program.main_functions]
    linked = f"{_KEPT} void (*const edgeling_kept[])(void) = {{{', '.join(kept)}}};" if kept else ""
    return f"""#include "{name}.h"

{resource("firmware.c")}
{chr(10).join(_owned(name, what) for what, size in owned.items() if size)}
{chr(10).join(buffers)}
{linked}
__attribute__((section(".edgeling_harness.buffers"), used)) int edgeling_status; /* what it returned, if anything */

void edgeling_invoke(void);
EDGELING_HARNESS void edgeling_setup(void) {{ {setup} }}
EDGELING_HARNESS void edgeling_invoke(void) {{
    {stored}{entry.function}({", ".join(arguments)});
    __asm__ volatile(""); /* no tail call: it would leave marks below where the entry's stack begins */
}}
"""


def linker_script(target: Target) -> str:
    """``c/cortex_m.ld`` with the target's memory filled in."""
    text = resource("cortex_m.ld")
    for field in ("flash_base", "flash_bytes", "ram_base", "ram_bytes"):
        text = text.replace(f"@{field.upper()}@", hex(getattr(target, field)))
    return text


def _owned(name: str, what: str) -> str:
    return f'__attribute__((section(".bss.edgeling_{what}"), aligned(8))) {name}_{what} edgeling_{what};'


def _buffer(port: Port, name: str) -> str:
    section = '__attribute__((section(".edgeling_harness.buffers"), aligned(8)))'
    return f"{section} {port.type.dtype.c_name} {name}[{port.type.size}]; /* {port.name} */"


def _link(target: Target, arguments: list[str], workspace: Path, result: Path) -> None:
    try:
        cross.link("ld.lld", arguments, target, workspace, result)
    except ToolchainError as error:
        if "will not fit in region" not in error.received and "overflowed" not in error.received:
            raise
        raise TargetError(
            f"a program must fit {target.name} ({target.flash_bytes} bytes flash, {target.ram_bytes} bytes RAM)",
            received=error.received,
            remedy="a smaller network, int8, or a chip with more memory",
        ) from error
