# SPDX-License-Identifier: Apache-2.0
"""Writing a file whole or not at all, and so that it is still there after the power has failed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from edgeling.errors import ArtifactError
from edgeling.system.workshop import sweep, workshop

_AT_A_TIME = 16


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name once the block has ended without an error.

    It is written beside its place and then renamed; two writers at once do not mix.

    Raises:
        OSError: no such folder, no permission, a full disk; what was there stays, and nothing is left beside it.
    """
    sweep(path.parent, path.name)
    with workshop(path.parent, path.name) as shop:
        with (shop / "new").open("xb") as file:
            yield file
            if not file.closed:  # a wrapper around it, such as of text, closes it
                file.flush()
        sync(shop / "new")
        os.replace(shop / "new", path)
    sync_folder(path.parent)


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        ArtifactError: no such folder, no permission, a full disk; what was there stays.
    """
    try:
        with written_whole(path) as file:
            file.write(content)
    except OSError as error:
        raise ArtifactError(
            "a file must be written whole",
            received=f"{error.strerror or error} for {str(path)!r}; nothing was changed",
            remedy="check the folder, the permissions and the free space",
        ) from error


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet.

    Raises:
        OSError: it is, or cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)


def sync(path: Path) -> None:
    """Wait until the disk has a file's content, or a folder's names.

    Raises:
        OSError: it has not, or the system has no such thing.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(files: Iterable[Path], folders: Iterable[Path]) -> None:
    """As :func:`sync` of every file and :func:`sync_folder` of every folder, at once: all take hardly longer than one.

    Raises:
        OSError: it does not have a file.
    """
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        for _ in (*pool.map(sync, files), *pool.map(sync_folder, folders)):
            pass


def sync_folder(folder: Path) -> None:
    """As :func:`sync`, where it can be done: Windows opens no folders, and some file systems do not sync them."""
    with suppress(OSError):
        sync(folder)
