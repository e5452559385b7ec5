# SPDX-License-Identifier: Apache-2.0
"""Hidden places beside a thing that is being made. Those whose maker was killed are told by their lock, and removed.

A place is named ``.NAME.xxxxxxxx.part``. Its maker holds a lock on it, which the system lets go of when the maker
ends in whatever way. Where a file system has no such locks, a place counts as left behind after a day.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ABANDONED_SECONDS = 24 * 60 * 60
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF}


@contextmanager
def workshop(parent: Path, name: str) -> Iterator[Path]:
    """A new, empty folder for this user alone, removed at the end of the block with all that is in it.

    Raises:
        OSError: it cannot be made.
    """
    folder, lock = _made(parent, name)
    maker = os.getpid()
    try:
        try:
            yield folder
        finally:
            if os.getpid() == maker:  # else a fork of the maker, which leaves the block too
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)  # whatever interrupts the removal, the next maker can go on with it


def abandoned(parent: Path, name: str) -> Iterator[Path]:
    """Places left behind by makers of ``name`` that were killed; each is locked while it is looked at."""
    ours = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{8}}\.part")
    for place in [place for place in parent.iterdir() if ours.fullmatch(place.name)]:
        if (lock := _lock(place, by_age=True)) is not None:
            try:
                yield place
            finally:
                os.close(lock)


def sweep(parent: Path, name: str) -> None:
    """Removes what makers of ``name`` that were killed have left in ``parent``."""
    with suppress(OSError):
        for place in abandoned(parent, name):
            shutil.rmtree(place, ignore_errors=True)


def _made(parent: Path, name: str) -> tuple[Path, int]:
    """A new place and its lock; another, where somebody swept it away before it was locked."""
    while True:
        place = parent / f".{name}.{secrets.token_hex(4)}.part"
        place.mkdir(mode=0o700)
        if (lock := _lock(place)) is not None:
            return place, lock


def _lock(place: Path, by_age: bool = False) -> int | None:
    """A descriptor that holds the lock; None if another has it, or the place is gone."""
    try:
        descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return None
    except OSError:  # a link, not ours to open, or a system that opens no folders
        return os.open(os.devnull, os.O_RDONLY) if not by_age or _is_old(place) else None
    if _take(descriptor, place, by_age):
        return descriptor
    os.close(descriptor)
    return None


def _take(descriptor: int, place: Path, by_age: bool = False) -> bool:
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            return False
        return not by_age or _is_old(place)
    try:
        return os.path.samestat(os.fstat(descriptor), place.lstat())
    except FileNotFoundError:
        return False


def _is_old(place: Path) -> bool:
    try:
        return time.time() - place.lstat().st_mtime > _ABANDONED_SECONDS
    except OSError:
        return False
