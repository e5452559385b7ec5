# SPDX-License-Identifier: Apache-2.0
"""What other chips need beside Edgeling itself: a cross compiler and emulators, which come as an extra."""

from __future__ import annotations

from importlib.util import find_spec

from edgeling.errors import ToolchainError
from edgeling.targets import Target
from edgeling.toolchain.compilers import REMEDY, has_zig

__all__ = ["REMEDY", "missing_tools", "require_tools"]

_MODULES = {"unicorn": "unicorn", "pyelftools": "elftools", "wasmtime": "wasmtime"}
_EMULATORS = {"native": (), "wasm32": ("wasmtime",)}
_CORTEX_M = ("unicorn", "pyelftools")


def missing_tools(target: Target) -> tuple[str, ...]:
    """The packages that building for the target, running there and measuring lack here."""
    if target.core == "native":
        return ()
    emulators = _EMULATORS.get(target.core, _CORTEX_M)
    lacking = [package for package in emulators if find_spec(_MODULES[package]) is None]
    return (*([] if has_zig() else ["ziglang"]), *lacking)


def require_tools(target: Target) -> None:
    """Asked before anything takes time.

    Raises:
        ToolchainError: a package is not installed that the target needs; the message says what to type.
    """
    if lacking := missing_tools(target):
        raise ToolchainError(
            f"{target.name} is compiled for and emulated by packages that come with the extra 'targets'",
            received=f"no {' and no '.join(lacking)}", remedy=REMEDY,
        )  # fmt: skip
