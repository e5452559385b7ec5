# SPDX-License-Identifier: Apache-2.0
"""The compiler for a target's C: the one of the ``ziglang`` package, or for Arm the one that users ship with."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache as memoize
from importlib.metadata import version
from pathlib import Path

from edgeling.errors import CompilerNotFoundError, ToolchainError
from edgeling.targets import Target
from edgeling.toolchain.compilers import Compiler, zig

VARIABLE = "EDGELING_CC_ARM"
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class CrossCompiler:
    """What C for a target is compiled with.

    Attributes:
        compiler: the program.
        name: its name and version, for people.
        core: how it is told the core.
        optimization: how it is told to optimise, the last word of whoever chose the compiler among it.
    """

    compiler: Compiler
    name: str
    core: tuple[str, ...]
    optimization: tuple[str, ...]

    @property
    def flags_text(self) -> str:
        """What decides the code, as it is typed."""
        return shlex.join((*self.core, *self.optimization))


def cross_compiler(target: Target) -> CrossCompiler:
    """The compiler of a target: the one it names, else for Arm that of ``EDGELING_CC_ARM``, else the package's.

    Raises:
        CompilerNotFoundError: there is none, or no program of the name given.
        ToolchainError: it does not say what it compiles for, or that is no Arm core.
    """
    named = target.compiler or (os.environ.get(VARIABLE, "").strip() if target.arm_flags else "")
    if not named or named == "zig":
        core = ("-target", target.triple, f"-mcpu={target.cpu}")
        return CrossCompiler(zig(), f"Clang of ziglang {version('ziglang')}", core, target.compiler_flags)
    program, *words = _words(named)
    kept = tuple(flag for flag in target.compiler_flags if flag != "-mllvm" and not flag.startswith("-unroll"))
    name = f"{Path(program).name} {_version(program, tuple(words))}"
    return CrossCompiler(Compiler((program,)), name, target.arm_flags, (*kept, *words))


def _words(command: str) -> list[str]:
    """The program's path, and the flags behind it."""
    try:
        words = shlex.split(command, posix=sys.platform != "win32")
    except ValueError:  # a quotation mark without its other
        words = [command]
    program = shutil.which(words[0]) if words else None
    if program is None:
        raise CompilerNotFoundError(
            f"the compiler named by --compiler or {VARIABLE} must exist",
            received=repr(command),
            remedy="install it (Debian: gcc-arm-none-eabi), or leave it out to take the one of the package",
        )
    return [program, *words[1:]]


@memoize
def _version(program: str, words: tuple[str, ...]) -> str:
    """Its version; a compiler for another machine than an Arm core is refused."""
    machine = _said(program, *words, "-dumpmachine")
    if not machine.startswith(("arm", "thumb")):
        raise ToolchainError(
            "the compiler for a Cortex-M makes code for Arm",
            received=f"{Path(program).name}, for {machine or 'it does not say what'}",
            remedy="arm-none-eabi-gcc, or 'clang --target=arm-none-eabi'",
        )
    return _said(program, "-dumpfullversion") or _said(program, "-dumpversion")


def runtime(chosen: CrossCompiler) -> Path | None:
    """The arithmetic a core lacks, as this compiler brings it (libgcc); None where it brings none."""
    found = Path(_said(chosen.compiler.command[0], *chosen.core, *chosen.optimization, "-print-libgcc-file-name"))
    return found if found.is_file() else None


def _said(*command: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
