# SPDX-License-Identifier: Apache-2.0
"""The bytes of a table: from a file, a gzip or zip archive or standard input, and never more of them than is sane.

A compressed file may hold a thousand times its own size and more, so what it unpacks to is counted while unpacking.
"""

from __future__ import annotations

import gzip
import io
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, cast

from edgeling.errors import DataError

STDIN = "-"
MAX_BYTES = 8 * 2**30
"""Of a file, and of what it unpacks to."""
SMALL_BYTES = 64 * 2**20
"""What any file may unpack to, however small it is."""
LARGEST_RATIO = 200
"""How many times its own size a larger one may unpack to: tables of text reach 5 to 50."""

_CHUNK_BYTES = 2**20
_PACKED = (".gz", ".zip")


@dataclass(frozen=True)
class Source:
    """A table's bytes.

    Attributes:
        name: of the file, for messages.
        suffix: lower case, of the table itself: ``.csv`` of ``a.csv.gz``; empty if unknown.
        content: unpacked.
    """

    name: str
    suffix: str
    content: bytes


def open_source(path: str | PurePath) -> Source:
    """Read a file whole, unpacked if it is packed; ``-`` is standard input.

    Raises:
        DataError: there is no such file, it cannot be read or unpacked, it is empty, or it unpacks to too much.
    """
    if str(path) == STDIN:
        return _unpacked("standard input", "", _read(sys.stdin.buffer, MAX_BYTES, "standard input"))
    path = Path(path).expanduser()
    size = _require_file(path)
    if size > MAX_BYTES:
        raise too_large(path.name, MAX_BYTES)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            "a table is a file that can be read", received=f"{path}: {error.strerror}", remedy="check the permissions"
        ) from error
    return _unpacked(path.name, path.suffix.lower(), content)


def table_stem(path: str | PurePath) -> str:
    """The name of a table without its endings: ``flowers`` of ``flowers.csv.gz``."""
    name = PurePath(path)
    return "table" if str(path) == STDIN else PurePath(name.stem).stem if name.suffix.lower() in _PACKED else name.stem


def limit_bytes(packed_bytes: int) -> int:
    """What a file of this size may unpack to."""
    return min(MAX_BYTES, max(SMALL_BYTES, LARGEST_RATIO * packed_bytes))


def too_large(name: str, limit: int) -> DataError:
    """More than the budget."""
    return DataError(
        f"a table takes at most {limit // 2**20:,} MB when it is read", received=f"{name!r}, which takes more",
        remedy="unpack it and look at it first; train on a sample of its rows",
    )  # fmt: skip


def _require_file(path: Path) -> int:
    """Its size in bytes."""
    try:
        if path.is_dir():
            raise DataError("a table is a file", received=f"the folder {str(path)!r}", remedy="name a file in it")
        if not path.exists():
            raise DataError("the file must exist", received=f"{str(path)!r}", remedy="check the path and the spelling")
        if not path.is_file():
            raise DataError(
                "a table is an ordinary file", received=f"{str(path)!r}",
                remedy="copy it to a file first, or pipe it to -",
            )  # fmt: skip
        return path.stat().st_size
    except (OSError, ValueError) as error:  # a name too long, or with a NUL in it
        if isinstance(error, DataError):
            raise
        raise DataError("the file must exist", received=f"{str(path)[:200]!r}", remedy="check the path") from error


def _read(stream: IO[bytes], limit: int, name: str) -> bytes:
    """All of a stream, unless it is more than ``limit`` bytes."""
    parts, size = [], 0
    while part := stream.read(_CHUNK_BYTES):
        parts.append(part)
        size += len(part)
        if size > limit:
            raise too_large(name, limit)
    return b"".join(parts)


def _unpacked(name: str, suffix: str, content: bytes) -> Source:
    _require_content(name, content)
    try:
        if content[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(content)) as stream:
                inner = _read(cast("IO[bytes]", stream), limit_bytes(len(content)), name)
            _require_content(name, inner)
            return Source(name, _inner_suffix(name), inner)
        if content[:4] in (b"PK\x03\x04", b"PK\x05\x06") and suffix in (".zip", ""):
            return _unzipped(name, suffix, content)
    except DataError:
        raise
    except Exception as error:  # of parsers not written for hostile bytes, which raise nearly anything
        raise DataError(
            "an archive must be whole and without a password", received=f"{name!r}: {error}", remedy="pack it again"
        ) from error
    return Source(name, suffix, content)


def _unzipped(name: str, suffix: str, content: bytes) -> Source:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if suffix == "" and "[Content_Types].xml" in archive.namelist():
            return Source(name, ".xlsx", content)  # a workbook is a zip archive too
        members = [m for m in archive.infolist() if not m.is_dir() and _is_content(m.filename)]
        if len(members) != 1:
            shown = ", ".join(repr(m.filename[:60]) for m in members[:5]) or "none"
            raise DataError(
                "an archive holds one table", received=f"{name!r} with {len(members)} files: {shown}",
                remedy="unpack it",
            )  # fmt: skip
        with archive.open(members[0]) as stream:
            inner = _read(stream, limit_bytes(len(content)), name)
    _require_content(name, inner)
    return Source(name, PurePath(members[0].filename).suffix.lower(), inner)


def _require_content(name: str, content: bytes) -> None:
    if not content:
        raise DataError(
            "a table needs a header and rows", received=f"the empty file {name!r}", remedy="export it again"
        )


def _is_content(name: str) -> bool:
    return not name.startswith("__MACOSX/") and not PurePath(name).name.startswith(".")


def _inner_suffix(name: str) -> str:
    return PurePath(PurePath(name).stem).suffix.lower()
