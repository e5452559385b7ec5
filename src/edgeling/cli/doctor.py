# SPDX-License-Identifier: Apache-2.0
"""``edgeling doctor``: is everything here that Edgeling needs?"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from edgeling.cli.output import Json, print_json, reported
from edgeling.errors import EdgelingError


def doctor(as_json: Json = False) -> None:
    """Check compilers, emulators and the cache; exit 1 if something that train needs is missing.

    Example: edgeling doctor
    """
    with reported(as_json):
        found = examine()
        if as_json:
            print_json(found)
        else:
            from edgeling.cli.display import show_mapping

            show_mapping(found)
        if not found["healthy"]:
            raise typer.Exit(1)


def examine() -> dict[str, Any]:
    """What there is, by name: a version or a path; ``missing: ...`` where something is not there that train needs."""
    from edgeling import __version__

    found: dict[str, Any] = {"edgeling": __version__, "python": platform.python_version()}
    found["machine"] = f"{platform.system()} {platform.machine()}"
    found |= {name: _tried(probe) for name, probe in PROBES.items()}
    found["healthy"] = not any(str(value).startswith("missing") for value in found.values())
    return found


def _compiler() -> str:
    from edgeling.toolchain.compilers import host_compiler

    command = host_compiler().command
    program = Path(command[0]).resolve()
    return " ".join(command) + ("" if str(program) == command[0] else f" ({program})")


def _cache() -> str:
    from edgeling.toolchain.cache_folder import place

    found = place()
    return f"{found.folder}, until the end, for {found.why_temporary}" if found.why_temporary else str(found.folder)


def _cache_use() -> str:
    from edgeling.toolchain.cache_folder import place
    from edgeling.toolchain.cache_limit import entries, limit_bytes

    found = entries(place().folder)
    used = sum(entry.size_bytes for entry in found) / 2**20
    return f"{used:.1f} of {limit_bytes() / 2**20:.0f} MiB, {len(found)} compiled programs"


def _threads() -> str:
    from edgeling.toolchain.threads import thread_count

    chosen = "EDGELING_THREADS" if os.environ.get("EDGELING_THREADS", "").strip() else "free cores"
    return f"{thread_count()} ({chosen})"


def _version() -> str:
    from importlib.metadata import version

    return version("numpy")


def _package(name: str, extra: str = "targets") -> Callable[[], str]:
    """The version of a package that comes with an extra; train does without."""

    def version() -> str:
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version(name)
        except PackageNotFoundError:
            return f"not installed; train does without: pip install 'edgeling[{extra}]'"

    return version


PROBES: dict[str, Callable[[], str]] = {
    "c_compiler": _compiler,
    "cross_compiler": _package("ziglang"),
    "cortex_m_emulator": _package("unicorn"),
    "image_reader": _package("pyelftools"),
    "wasm_runtime": _package("wasmtime"),
    "table_reader": _package("polars", "tables"),
    "numpy": _version,
    "threads": _threads,
    "cache": _cache,
    "cache_use": _cache_use,
}


def _tried(probe: Callable[[], str]) -> str:
    try:
        return probe()
    except (EdgelingError, ImportError, OSError) as error:
        return f"missing: {error}"
