"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from edgeling.errors import EdgelingError


@contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """A text file that appears under its name once the block has ended without an error.

    Raises:
        EdgelingError: it cannot be written.
    """
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                yield file
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EdgelingError("the file can be written", received=f"{path}: {error.strerror or error}") from error
