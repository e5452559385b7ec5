# SPDX-License-Identifier: Apache-2.0
"""A folder of compiled results, found again by the hash of what they were made from.

Every entry is a folder of its own, ``KEY/``, holding one file and its SHA-256. It is made beside its place under a
name nobody else uses and moved there whole, so another process sees all of it or nothing; of two processes making
the same entry, one keeps its folder and the other uses that one. An entry whose hash is wrong is made again.
"""

from __future__ import annotations

import atexit
import errno
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache as memoize
from pathlib import Path

from edgeling.errors import ToolchainError

Make = Callable[[Path, Path], None]
"""``make(workspace, result)``: writes ``result``, with ``workspace`` an empty folder that vanishes afterwards."""

_ABANDONED_SECONDS = 24 * 60 * 60
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def key_of(parts: Iterable[str | bytes], files: Mapping[str, str] | None = None) -> str:
    """SHA-256 of the parts, in order, and of the files (name to text) in the order of their names.

    Each is preceded by its length so that no two lists run together.
    """
    digest = hashlib.sha256()
    for part in (*parts, *(text for item in sorted((files or {}).items()) for text in item)):
        data = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(data)}:".encode() + data)
    return digest.hexdigest()


def cache_dir() -> Path:
    """The folder in use: ``EDGELING_CACHE_DIR``, else the user's cache folder, else (not writable) a temporary one."""
    try:
        chosen = os.environ.get("EDGELING_CACHE_DIR")
        wanted = Path(chosen).expanduser() if chosen else _user_cache_dir()
    except RuntimeError:  # a user without a home, as in some containers
        return _temporary_dir()
    return wanted if _is_writable(wanted) else _temporary_dir()


def get_or_make(key: str, name: str, make: Make) -> Path:
    """The file ``name`` made from whatever ``key`` is the hash of: out of the cache, or made now.

    Raises:
        ToolchainError: the disk is full; and whatever ``make`` raises. Nothing half-written is left behind.
    """
    folder = cache_dir() / key[:40]
    if not _is_whole(folder, name):
        _guarded(folder, name, make)
    return folder / name


def _guarded(folder: Path, name: str, make: Make) -> None:
    try:
        _fill(folder, name, make)
    except OSError as error:
        if error.errno not in _FULL:
            raise ToolchainError("the cache folder must take files", received=str(error)) from error
        raise ToolchainError(
            "a compiled program needs room on the disk",
            received=f"{error.strerror} in {folder.parent}",
            remedy="free some space, or set EDGELING_CACHE_DIR to a folder on another disk",
        ) from error


def _fill(folder: Path, name: str, make: Make) -> None:
    _sweep(folder.parent)
    scratch = Path(tempfile.mkdtemp(prefix="making-", dir=folder.parent))
    try:
        entry, workspace = scratch / "entry", scratch / "workspace"
        entry.mkdir()
        workspace.mkdir()
        make(workspace, entry / name)
        _require_made(entry / name)
        (entry / "sha256").write_text(_hash(entry / name), "ascii")
        _move_into_place(entry, folder, name, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _require_made(result: Path) -> None:
    if not result.is_file():
        raise ToolchainError(
            "a compiler must write what it is asked for",
            received="success, and no file",
            remedy="another compiler: EDGELING_CC=zig is the one that comes with the package",
        )


def _sweep(parent: Path) -> None:
    """Removes what processes that were killed while making an entry have left, once nobody can be making it."""
    for scratch in parent.glob("making-*"):
        with suppress(OSError):
            if time.time() - scratch.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(scratch, ignore_errors=True)


def _move_into_place(entry: Path, folder: Path, name: str, scratch: Path) -> None:
    """Rename; where a folder is already there, keep it if it is whole, and push it aside if it is not."""
    for attempt in range(8):
        try:
            entry.rename(folder)
        except OSError as error:
            if _is_whole(folder, name):
                return
            if error.errno in _FULL or attempt == 7:
                raise
            _push_aside(folder, scratch / f"broken-{attempt}")
        else:
            return


def _push_aside(folder: Path, place: Path) -> None:
    with suppress(FileNotFoundError):  # another process has just done so
        folder.rename(place)


def _is_whole(folder: Path, name: str) -> bool:
    try:
        return (folder / "sha256").read_text("ascii") == _hash(folder / name)
    except (OSError, UnicodeDecodeError):
        return False


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _user_cache_dir() -> Path:
    if sys.platform == "win32":
        return (_absolute("LOCALAPPDATA") or Path.home()) / "edgeling" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "edgeling"
    return (_absolute("XDG_CACHE_HOME") or _absolute_home() / ".cache") / "edgeling"


def _absolute(variable: str) -> Path | None:
    """A folder named by a variable, unless it is empty or relative: the XDG Base Directory Specification has such a
    path ignored, for it would mean another folder wherever a program is started."""
    folder = Path(os.environ.get(variable, ""))
    return folder if folder.is_absolute() else None


def _absolute_home() -> Path:
    home = Path.home()
    if not home.is_absolute():  # HOME may be set to anything
        raise RuntimeError("the home folder's path is relative")
    return home


def _is_writable(folder: Path) -> bool:
    """Asked of the file system itself: permission bits do not tell of read-only mounts."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError as error:
        return error.errno in _FULL  # a full disk is reported where it hurts, not hidden


@memoize
def _temporary_dir() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="edgeling-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
