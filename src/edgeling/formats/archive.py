# SPDX-License-Identifier: Apache-2.0
"""The outside of a model file: found, bounded, taken apart and put together without trust.

A ``.keras`` file is a zip archive of three members. Nothing is ever unpacked to disk, so names that would leave a
folder lead nowhere; sizes are checked before anything of that size is read.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from edgeling.errors import ArtifactError, EdgelingError

MAX_FILE_BYTES = 256 << 20
"""A model for a small device is smaller by far; more is a mistake or an attack."""

MAX_ENTRIES = 1000
_END = struct.Struct("<4s4H2LH")  # the record that ends a zip archive (PKWARE APPNOTE 4.3.16)
_MAX_COMMENT = 0xFFFF
_REMEDY = "copy the file again, or save the model again with Keras"


def malformed(received: str, remedy: str = _REMEDY) -> ArtifactError:
    """The error of a file that is not what it should be."""
    return ArtifactError("a model file must be whole and well formed", received=received[:300], remedy=remedy)


@contextmanager
def distrust(what: str) -> Iterator[None]:
    """Whatever code trips over while it reads ``what`` becomes an ArtifactError.

    A file made to mislead can bring zipfile, h5py or a layer's constructor to raise nearly anything.
    """
    try:
        yield
    except EdgelingError:
        raise
    except Exception as error:
        raise malformed(f"{what} that cannot be read ({type(error).__name__}: {error})") from error


def read_file(path: str | Path) -> bytes:
    """The content of an ordinary file of a bearable size.

    Raises:
        ArtifactError: no such file, not a file, empty, too large.
    """
    path = Path(path).expanduser()
    if os.path.isdir(path):  # unlike Path's, never raises
        raise ArtifactError(
            "a model file is one file", received=f"the folder {str(path)!r}",
            remedy="edgeling.load(...) for an .edgeling folder",
        )  # fmt: skip
    if not os.path.isfile(path):
        raise ArtifactError("the model file must exist", received=f"{str(path)!r}", remedy="check the path")
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size  # read(n) allocates n bytes, however short the file
            content = file.read(size) if size <= MAX_FILE_BYTES else b""
    except OSError as error:
        raise ArtifactError(
            "the model file must be readable", received=f"{str(path)!r}: {error.strerror}",
            remedy="check the permissions",
        ) from error  # fmt: skip
    if not content:
        raise malformed(f"{size:,} bytes in {path.name!r}, where 1 to {MAX_FILE_BYTES:,} are read")
    return content


def read_members(content: bytes, limits: Mapping[str, int]) -> dict[str, bytes]:
    """Members of a zip archive.

    Args:
        limits: the wanted members, all of which must be there once, and the most bytes each may have.

    Raises:
        ArtifactError: a member missing, repeated or too large; an archive that is corrupt.
    """
    with distrust("a zip archive"):
        _require_few_entries(content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: _member(archive, name, limit) for name, limit in limits.items()}


def _require_few_entries(content: bytes) -> None:
    """Before zipfile makes an object of each."""
    start = content.rfind(b"PK\5\6", max(0, len(content) - _MAX_COMMENT - _END.size))
    if start < 0:
        raise malformed("no end of a zip archive")
    *_, entries, directory_bytes, _, _ = _END.unpack_from(content, start)
    if (
        entries > MAX_ENTRIES
        or directory_bytes > MAX_ENTRIES * 1000
        or content[max(0, start - 20) : start][:4] == b"PK\6\7"
    ):
        raise malformed(f"a zip archive of more than {MAX_ENTRIES} members")


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    found = [info for info in archive.infolist() if info.filename == name]
    if len(found) != 1:
        others = sorted(archive.namelist())[:5]
        raise malformed(f"{len(found)} members named {name!r} among {others}")
    if found[0].file_size > limit:
        raise malformed(f"{found[0].file_size:,} bytes in {name!r}, more than {limit:,}")
    with archive.open(found[0]) as member:
        data = member.read(limit + 1)
    if len(data) != found[0].file_size:
        raise malformed(f"{len(data):,} bytes in {name!r}, where {found[0].file_size:,} are declared")
    return data


def zip_of(members: Mapping[str, bytes]) -> bytes:
    """An archive of these members, stored as Keras stores them: not compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()
