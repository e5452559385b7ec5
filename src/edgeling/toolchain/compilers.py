# SPDX-License-Identifier: Apache-2.0
"""C compilers: which there are on this machine, and how each is asked."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache as memoize
from importlib.resources import files as resources
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from edgeling.errors import CompilerNotFoundError, ToolchainError
from edgeling.system import processes

FREESTANDING = ("-std=c99", "-fno-strict-aliasing", "-fno-math-errno", "-fno-trapping-math")
"""For every compilation. The memory plan keeps C's aliasing rules by itself (``codegen/memory.py``); that no compiler
is to build on them is a second lock. There is no ``errno`` and no trap to preserve; these two change no value, unlike
``-ffast-math``, never used."""

HOST = (*FREESTANDING, "-O3", "-ffp-contract=fast", "-fno-builtin", "-fPIC")
"""For this machine. ISO mode switches contraction (``a * b + c`` rounded once) off; it is wanted. Without
``-fno-builtin`` gcc makes copies of constants into calls of memcpy, and gcc 12 then expands some of them wrongly where
there is AVX-512: of ``{a, b, a, b, 0, 0, 0, 0}`` the zeros become a second ``a, b, a, b``."""

REMEDY = "pip install 'edgeling[targets]'"
"""What installs the compiler for every target, and the emulators."""

_TIMEOUT_SECONDS = 300.0
_SHOWN_LINES = 6
_LEAST_FREE_BYTES = 1 << 20


@dataclass(frozen=True)
class Compiler:
    """A C compiler: the words that start it, and whether it is the one from the ``ziglang`` package."""

    command: tuple[str, ...]
    is_zig: bool = False

    @property
    def identity(self) -> str:
        """Changes when the compiler does: its words, and the size and time of the program behind the first."""
        program = Path(self.command[0]).resolve()
        status = program.stat()
        return f"{shlex.join(self.command)} {program} {status.st_size} {status.st_mtime_ns}"

    @property
    def is_gcc(self) -> bool:
        """Whether it is GCC, by the name of the program behind the first word; what macOS calls so is Clang."""
        return "gcc" in Path(self.command[0]).resolve().name and sys.platform != "darwin"


def host_compiler() -> Compiler:
    """The compiler for this machine.

    ``EDGELING_CC`` chooses: ``none`` (there is none), ``zig``, or a command. Else ``CC``, else ``cc``, ``gcc`` or
    ``clang`` on the path, else the ``ziglang`` package.

    Raises:
        CompilerNotFoundError: there is none, or the one chosen cannot be found.
    """
    chosen = _choice()
    if chosen in {"none", "zig"}:
        return zig() if chosen == "zig" else _no_compiler("EDGELING_CC=none")
    chosen = chosen or os.environ.get("CC", "").strip()
    if chosen:
        return _named(chosen)
    if found := next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None):
        return Compiler((found,))
    return zig() if has_zig() else _no_compiler("no cc, gcc or clang on the path, and no package ziglang")


def _no_compiler(received: str) -> NoReturn:
    raise CompilerNotFoundError(
        "a C compiler is needed: networks are trained and run by compiled C", received=received,
        remedy=f"install gcc or clang; or {REMEDY}, which brings a compiler",
    )  # fmt: skip


def zig() -> Compiler:
    """The compiler in the ``ziglang`` package, which compiles for every target.

    Raises:
        CompilerNotFoundError: the package is not installed, or ``EDGELING_CC=none``.
    """
    location = zig_folder()
    if location is None or not has_zig():
        raise CompilerNotFoundError(
            "chips and WebAssembly are compiled for by the package ziglang",
            received="it is not installed" if location is None else "EDGELING_CC=none",
            remedy=REMEDY if location is None else "unset EDGELING_CC",
        )
    program = location / ("zig.exe" if sys.platform == "win32" else "zig")
    return Compiler((str(program), "cc"), is_zig=True)


def has_zig() -> bool:
    """Whether the ``ziglang`` package is there, and not switched off."""
    return _choice() != "none" and zig_folder() is not None


def _choice() -> str:
    return os.environ.get("EDGELING_CC", "").strip()


@memoize
def zig_folder() -> Path | None:
    """Where the ``ziglang`` package lies, without importing it."""
    spec = find_spec("ziglang")
    return Path(spec.origin).parent if spec and spec.origin else None


def _named(command: str) -> Compiler:
    try:
        words = shlex.split(command, posix=sys.platform != "win32")
    except ValueError:  # a quotation mark without its other
        words = [command]
    program = shutil.which(words[0])
    if program is None:
        raise CompilerNotFoundError(
            "the compiler named by CC or EDGELING_CC must exist", received=repr(command),
            remedy="unset the variable to let Edgeling look for one",
        )  # fmt: skip
    return Compiler((program, *words[1:]))


def resource(name: str) -> str:
    """The text of a file in ``c/``."""
    return resources("edgeling.toolchain").joinpath("c", name).read_text("utf-8")


def write_sources(folder: Path, files: Mapping[str, str]) -> None:
    """Writes the files below ``folder``.

    Raises:
        ToolchainError: a name leaves the folder.
    """
    for name, text in files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ToolchainError(
                "a source file's name must stay in its folder", received=repr(name),
                remedy="a plain name such as 'network.c'",
            )  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def run(workspace: Path, purpose: str, *commands: Sequence[str]) -> None:
    """Runs tools side by side in ``workspace``, where they also keep their own caches and temporary files.

    Raises:
        ToolchainError: one failed (with the first lines of its complaint), could not start, or took too long.
    """
    places = ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR", "TMPDIR")
    settings = {**dict.fromkeys(places, str(workspace / "tool-cache")), "LC_ALL": "C"}
    (workspace / "tool-cache").mkdir(exist_ok=True)
    try:
        ended = processes.run(
            commands, timeout_seconds=_TIMEOUT_SECONDS, folder=workspace, environment=os.environ | settings
        )
    except TimeoutError as error:
        raise ToolchainError(f"{purpose} must end", received=str(error), remedy="a smaller network") from error
    except OSError as error:
        raise ToolchainError(
            f"{purpose} must succeed", received=str(error), remedy="edgeling doctor, which shows what is missing"
        ) from error
    if failed := next((done for done in ended if done.status), None):
        said = (failed.errors or failed.output).decode(errors="replace")
        raise _failure(purpose, said, failed.status, shutil.disk_usage(workspace).free)


def _failure(purpose: str, said: str, status: int, free_bytes: int) -> ToolchainError:
    # Some compilers say that the disk is full; some die without a word.
    if "No space left on device" in said or (not said.strip() and free_bytes < _LEAST_FREE_BYTES):
        return ToolchainError(
            f"{purpose} needs room on the disk", received=f"{free_bytes} bytes free",
            remedy="free some space, or set EDGELING_CACHE_DIR to a folder on another disk",
        )  # fmt: skip
    lines = [line for line in said.splitlines() if line.strip()]
    first = next((i for i, line in enumerate(lines) if "error" in line), 0)
    shown = "\n".join(lines[first : first + _SHOWN_LINES]) or f"exit status {status}"
    return ToolchainError(
        f"{purpose} must succeed", received=f"from the compiler:\n{shown}",
        remedy="read what it says; edgeling doctor shows which compiler that is",
    )  # fmt: skip
