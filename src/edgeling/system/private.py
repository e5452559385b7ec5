# SPDX-License-Identifier: Apache-2.0
"""Folders whose content is run as code: nobody but their owner, and whoever owns the system, may change it.

POSIX only. Elsewhere a user's own folders are taken to be private.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

HAS_OWNERS = hasattr(os, "geteuid")
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_HAS_FOLDER_DESCRIPTORS = os.open in os.supports_dir_fd


class ExposedError(OSError):
    """Somebody else could change what is there; the text says where and why."""


def private_folder(folder: Path) -> Path:
    """The folder with all links followed, fit to be used by that name.

    It and everything above it belong to its user or to whoever owns the system, and nobody else may write there (or,
    as in ``/tmp``, only add). So no part of the name that is given back can be exchanged by anybody else, afterwards
    either: the parts are looked at from the root down.

    Raises:
        ExposedError: it is not so.
        OSError: there is no such folder.
    """
    resolved = Path(os.path.realpath(folder))
    if not HAS_OWNERS:
        return resolved
    for link in (folder.absolute(), *folder.absolute().parents):
        if link.is_symlink() and link.lstat().st_uid not in _trusted():
            raise ExposedError(f"{link} is a link that belongs to another user")
    for above in reversed(resolved.parents):
        _require_firm(above)
    _require_own(resolved.lstat(), resolved)
    if not stat.S_ISDIR(resolved.lstat().st_mode):
        raise NotADirectoryError(f"{resolved} is not a folder")
    return resolved


def make_folder(folder: Path) -> None:
    """The folder and those above it that are missing, each for its user alone."""
    for place in (*reversed(folder.parents), folder):
        if not place.exists():
            place.mkdir(mode=0o700, exist_ok=True)


def read_files(folder: Path, *names: str) -> list[bytes]:
    """The content of ordinary files in one folder, all of them the user's own, as they are opened: not a moment before.

    Raises:
        ExposedError: the folder or a file may be changed by somebody else.
        OSError: something is not there, or is a link.
    """
    if not (HAS_OWNERS and _HAS_FOLDER_DESCRIPTORS):
        return [(folder / name).read_bytes() for name in names]
    held = os.open(folder, _OPEN | os.O_DIRECTORY)
    try:
        _require_own(os.fstat(held), folder)
        return [_read(held, folder / name) for name in names]
    finally:
        os.close(held)


def _read(folder: int, path: Path) -> bytes:
    with open(os.open(path.name, _OPEN, dir_fd=folder), "rb") as file:
        status = os.fstat(file.fileno())
        _require_own(status, path)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise ExposedError(f"{path} is not a file of one name")
        return file.read()


def _require_own(status: os.stat_result, place: Path) -> None:
    if status.st_uid != os.geteuid():
        raise ExposedError(f"{place} belongs to another user")
    if status.st_mode & _OTHERS_WRITE:
        raise ExposedError(f"{place} may be written by others")


def _require_firm(folder: Path) -> None:
    """What is in the folder stays what it is, whatever other users do."""
    status = folder.lstat()
    if status.st_uid not in _trusted():
        raise ExposedError(f"{folder} belongs to another user")
    if stat.S_ISLNK(status.st_mode) or (status.st_mode & _OTHERS_WRITE and not status.st_mode & stat.S_ISVTX):
        raise ExposedError(f"{folder} may be written by others")


def _trusted() -> set[int]:
    """This user, root, and who owns the root folder: in a user namespace, root under another number."""
    return {os.geteuid(), 0, os.stat("/").st_uid}
