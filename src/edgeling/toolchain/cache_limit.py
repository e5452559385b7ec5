# SPDX-License-Identifier: Apache-2.0
"""How full the cache is, and who has to leave: what was not used for longest."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgeling.errors import ToolchainError
from edgeling.system.workshop import workshop

USED = "sha256"
"""The file whose time says when an entry was last used."""

_DEFAULT_BYTES = 256 << 20
_IN_USE_SECONDS = 60  # whoever asked for it may not have opened it yet
_SHARE = 64  # of the limit: how much may be added before all entries are looked at again
_KEY = re.compile(r"[0-9a-f]{40}")
_added: dict[Path, int] = {}


@dataclass(frozen=True)
class Entry:
    """One compiled result: its folder, what it takes on the disk, when it was last used (seconds since 1970)."""

    folder: Path
    size_bytes: int
    used: float


def limit_bytes() -> int:
    """``EDGELING_CACHE_BYTES``, else 256 MiB.

    Raises:
        ToolchainError: it is no number from zero up.
    """
    given = os.environ.get("EDGELING_CACHE_BYTES", "").strip()
    if not given:
        return _DEFAULT_BYTES
    if not given.isdecimal():
        raise ToolchainError(
            "EDGELING_CACHE_BYTES is a number of bytes", received=repr(given), remedy="such as 268435456, or unset it"
        )
    return int(given)


def entries(cache: Path) -> list[Entry]:
    """Everything in the cache, what was not used for longest first."""
    return sorted(_entries(cache), key=lambda entry: entry.used)


def make_room(cache: Path, added_bytes: int) -> None:
    """Called after something was added: now and then the least recently used are removed, until all fit the limit."""
    limit = limit_bytes()
    _added[cache] = _added.get(cache, limit) + added_bytes  # a process looks first when it first adds something
    if _added[cache] > limit // _SHARE:
        _added[cache] = 0
        _shrink(cache, limit)


def _shrink(cache: Path, limit: int) -> None:
    found = entries(cache)
    total, before = sum(entry.size_bytes for entry in found), time.time() - _IN_USE_SECONDS
    with workshop(cache, "making") as shop:  # moved there, they are gone at once, and whole until then
        for entry in found:
            if total <= limit or entry.used > before:
                return
            with suppress(OSError):
                entry.folder.rename(shop / entry.folder.name)
                total -= entry.size_bytes


def _entries(cache: Path) -> Iterator[Entry]:
    for folder in cache.iterdir():
        if _KEY.fullmatch(folder.name):
            with suppress(OSError):
                yield _entry(folder)


def _entry(folder: Path) -> Entry:
    with os.scandir(folder) as files:
        status = {file.name: file.stat(follow_symlinks=False) for file in files}
    size = sum(getattr(s, "st_blocks", -(-s.st_size // 512)) * 512 for s in status.values())
    used = status[USED].st_mtime if USED in status else 0.0
    return Entry(folder, size, used)
