"""Looking at a folder that another process may exchange meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from edgeling.errors import ArtifactError

Result = TypeVar("Result")


def steadily(look: Callable[[Path], Result], folder: Path) -> Result:
    """``look(folder)``, again whenever what went wrong may come from the folder having been exchanged.

    Raises:
        ArtifactError: from ``look``, with the same folder there before and after.
    """
    while True:
        before = _identity(folder)
        try:
            return look(folder)
        except (ArtifactError, FileNotFoundError):
            if _identity(folder) == before:
                raise


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino
