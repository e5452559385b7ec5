# SPDX-License-Identifier: Apache-2.0
"""A folder of compiled results, found again by the hash of what they were made from.

Every entry is a folder of its own, ``KEY/``, holding one file, and the SHA-256 of the key and that file. It is made
beside its place under a name nobody else uses and moved there whole, so another process sees all of it or nothing; of
two processes making the same entry, one keeps its folder and the other uses that one. An entry whose hash is wrong, or
that another user could have written, is made again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from edgeling.errors import ToolchainError
from edgeling.system.private import read_files
from edgeling.system.workshop import sweep, workshop
from edgeling.toolchain.cache_folder import FULL, cache_dir
from edgeling.toolchain.cache_limit import USED, make_room

Make = Callable[[Path, Path], None]
"""``make(workspace, result)``: writes ``result``, with ``workspace`` an empty folder that vanishes afterwards."""

_MAKING = "making"


def key_of(parts: Iterable[str | bytes], files: Mapping[str, str] | None = None) -> str:
    """SHA-256 of the parts, in order, and of the files (name to text) in the order of their names.

    Each is preceded by its length so that no two lists run together.
    """
    digest = hashlib.sha256()
    for part in (*parts, *(text for item in sorted((files or {}).items()) for text in item)):
        data = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(data)}:".encode() + data)
    return digest.hexdigest()


def get_or_make(key: str, name: str, make: Make) -> Path:
    """The file ``name`` made from whatever ``key`` is the hash of: out of the cache, or made now.

    Raises:
        ToolchainError: the disk is full, or no folder is safe; and whatever ``make`` raises. Nothing half-written is
            left behind.
    """
    folder = cache_dir() / key[:40]
    if _is_whole(folder, key, name):
        with suppress(OSError):
            os.utime(folder / USED)
    else:
        _guarded(folder, key, name, make)
    return folder / name


def _guarded(folder: Path, key: str, name: str, make: Make) -> None:
    try:
        sweep(folder.parent, _MAKING)
        with workshop(folder.parent, _MAKING) as scratch:
            _fill(folder, key, name, make, scratch)
        make_room(folder.parent, (folder / name).stat().st_size)
    except OSError as error:
        if error.errno not in FULL:
            raise ToolchainError(
                "the cache folder must take files", received=str(error),
                remedy="check the permissions, or set EDGELING_CACHE_DIR to another folder",
            ) from error  # fmt: skip
        raise ToolchainError(
            "a compiled program needs room on the disk", received=f"{error.strerror} in {folder.parent}",
            remedy="free some space, or set EDGELING_CACHE_DIR to a folder on another disk",
        ) from error  # fmt: skip


def _fill(folder: Path, key: str, name: str, make: Make, scratch: Path) -> None:
    entry, workspace = scratch / "entry", scratch / "workspace"
    for new in (entry, workspace):
        new.mkdir(mode=0o700)
    make(workspace, entry / name)
    _require_made(entry / name)
    (entry / USED).write_text(_seal(key, (entry / name).read_bytes()), "ascii")
    (entry / name).chmod(0o700)  # whatever the umask of the compiler let others do
    (entry / USED).chmod(0o600)
    _move_into_place(entry, folder, key, name, scratch)


def _require_made(result: Path) -> None:
    if not result.is_file():
        raise ToolchainError(
            "a compiler must write what it is asked for", received="success, and no file",
            remedy="another compiler: EDGELING_CC=zig is the one that comes with the package",
        )  # fmt: skip


def _move_into_place(entry: Path, folder: Path, key: str, name: str, scratch: Path) -> None:
    """Rename; where a folder is already there, keep it if it is whole, and push it aside if it is not."""
    for attempt in range(8):
        try:
            entry.rename(folder)
        except OSError as error:
            if _is_whole(folder, key, name):
                return
            if error.errno in FULL or attempt == 7:
                raise
            _push_aside(folder, scratch / f"broken-{attempt}")
        else:
            return


def _push_aside(folder: Path, place: Path) -> None:
    with suppress(FileNotFoundError):  # another process has just done so
        folder.rename(place)


def _is_whole(folder: Path, key: str, name: str) -> bool:
    """Whether an entry is there that this user made, for this key, and that nobody could have changed."""
    try:
        seal, content = read_files(folder, USED, name)
    except OSError:
        return False
    return seal == _seal(key, content).encode()


def _seal(key: str, content: bytes) -> str:
    """With the key in it, an entry that was moved under another's name is none."""
    return hashlib.sha256(key.encode() + content).hexdigest()
