# SPDX-License-Identifier: Apache-2.0
"""Looking at a folder that another process may exchange meanwhile, or was killed while exchanging."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from edgeling.errors import ArtifactError
from edgeling.system.workshop import abandoned

Result = TypeVar("Result")
OLD = "old"
"""How names begin, in a writer's workshop, of a folder moved away to make room for the new one."""

Identity = tuple[int, int] | None  # device and number on it; None where nothing is


def steadily(look: Callable[[Path], Result], folder: Path, absent: Callable[[Path], Result]) -> Result:
    """``look(folder)``, again whenever what went wrong may come from the folder having been exchanged.

    Args:
        absent: what to do instead where there is no folder.

    Raises:
        ArtifactError: from ``look``, with the same folder there before and after; or from ``absent``.
    """
    while True:
        with _held(folder) as before:
            if before is None:
                if recover(folder):
                    continue
                return absent(folder)
            try:
                return look(folder)
            except (ArtifactError, FileNotFoundError):
                if _identity(folder) == before:
                    raise


@contextmanager
def _held(folder: Path) -> Iterator[Identity]:
    """What is there, kept open: else it could be deleted meanwhile and its number given to the next folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        yield None
        return
    except OSError:  # not for us to open, or a system that opens no folders
        yield _identity(folder)
        return
    try:
        status = os.fstat(descriptor)
        yield status.st_dev, status.st_ino
    finally:
        os.close(descriptor)


def _identity(folder: Path) -> Identity:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def recover(folder: Path) -> bool:
    """Puts back what a writer moved away before it was killed, where names cannot be exchanged in one step.

    Returns:
        whether there was something to put back.
    """
    with suppress(OSError):
        if not os.path.lexists(folder):
            for shop in abandoned(folder.parent, folder.name):
                for old in shop.glob(f"{OLD}*"):
                    os.rename(old, folder)
                    return True
    return False
