# SPDX-License-Identifier: Apache-2.0
"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from edgeling.errors import ArtifactError


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name once the block has ended without an error.

    It is written beside its place under another name and then renamed; two writers at once do not mix.

    Raises:
        OSError: no such folder, no permission, a full disk; what was there stays, and nothing is left beside it.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            yield file
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


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
