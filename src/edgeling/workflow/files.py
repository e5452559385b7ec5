# SPDX-License-Identifier: Apache-2.0
"""Text for people and their programs: written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from edgeling.errors import EdgelingError
from edgeling.files import whole


@contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """A text file in UTF-8 that appears under its name once the block has ended without an error.

    Raises:
        EdgelingError: it cannot be written.
    """
    try:
        with whole.written_whole(path) as file, TextIOWrapper(file, encoding="utf-8", newline="") as text:
            yield text
    except OSError as error:
        raise EdgelingError(
            "the file can be written", received=f"{path}: {error.strerror or error}",
            remedy="a folder that is there and takes files",
        ) from error  # fmt: skip
