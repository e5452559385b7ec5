# SPDX-License-Identifier: Apache-2.0
"""The manifest of an artifact: which files it has, how long they are, and their SHA-256.

``manifest.json`` is one JSON object::

    {"format": "edgeling-artifact", "format_version": 1, "edgeling_version": "0.1.0",
     "created": "2026-01-31T12:00:00+00:00", "name": "flowers",
     "files": {"weights.npz": {"size_bytes": 1234, "sha256": "9f86..."}, ...},
     ...entries of whoever wrote it...}
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edgeling.errors import ArtifactError
from edgeling.files import strict_json

MANIFEST = "manifest.json"
FORMAT = "edgeling-artifact"
FORMAT_VERSION = 1
OWN_ENTRIES = ("format", "format_version", "edgeling_version", "created", "name", "files")

MAX_MANIFEST_BYTES = 4 << 20
MAX_FILES = 1000
MAX_TOTAL_BYTES = 256 << 20
"""An artifact is for small devices; one larger than this is a mistake or an attack."""

COPY_AGAIN = "copy the whole folder again, or train again"

_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MAX_DEPTH = 4


@dataclass(frozen=True)
class FileEntry:
    """What the manifest says of one file."""

    size_bytes: int
    sha256: str

    @classmethod
    def of(cls, content: bytes) -> FileEntry:
        """What a manifest says of a file with this content."""
        return cls(len(content), hashlib.sha256(content).hexdigest())


def require_names(names: Iterable[str]) -> None:
    """Names must be relative, stay inside on every system, and differ even where letter case does not count.

    Raises:
        ArtifactError: one that does not.
    """
    seen = {MANIFEST}
    for name in names:
        parts = name.split("/")
        plain = len(parts) <= _MAX_DEPTH and all(_SEGMENT.fullmatch(p) and not p.endswith(".") for p in parts)
        if not plain or name.lower() in seen:
            raise ArtifactError(
                "an artifact's files have distinct plain names below its folder",
                received=repr(name[:200]),
                remedy="letters, digits, '_', '-', '.' and '/' to separate folders",
            )
        seen.add(name.lower())


def parse_json(text: bytes, name: str) -> Any:
    """Plain values of a file, see :func:`edgeling.files.strict_json.parse`.

    Raises:
        ArtifactError: anything else; ``name`` is the file's.
    """
    try:
        return strict_json.parse(text)
    except ValueError as error:
        raise _malformed(str(error), name) from error


def parse_manifest(text: bytes) -> dict[str, Any]:
    """The manifest as plain values, of a version this Edgeling can read.

    Raises:
        ArtifactError: not JSON, not an object, or of another format or version.
    """
    value = parse_json(text, MANIFEST)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise _malformed(f"none that says it is an {FORMAT}")
    version = value.get("format_version")
    if type(version) is not int or version < 1:
        raise _malformed(f"the format version {str(version)[:20]!r}")
    if version > FORMAT_VERSION:
        raise ArtifactError(
            f"this Edgeling reads artifacts of format version {FORMAT_VERSION}",
            received=f"version {str(version)[:20]}",
            remedy="a newer Edgeling",
        )
    if not all(isinstance(value.get(entry), str) for entry in ("name", "edgeling_version", "created")):
        raise _malformed("no text for name, edgeling_version or created")
    return value


def file_entries(manifest: Mapping[str, Any]) -> dict[str, FileEntry]:
    """The files a manifest lists, checked to be of plain names and plausible sizes.

    Raises:
        ArtifactError: anything else.
    """
    files = manifest.get("files")
    if not isinstance(files, dict) or len(files) > MAX_FILES:
        raise _malformed(f"no list of at most {MAX_FILES} files")
    require_names(files)
    entries = {name: _file_entry(name, value) for name, value in files.items()}
    total = sum(entry.size_bytes for entry in entries.values())
    if total > MAX_TOTAL_BYTES:
        raise _malformed(f"files of {str(total)[:40]} bytes, more than {MAX_TOTAL_BYTES:,}")
    return entries


def _file_entry(name: str, value: Any) -> FileEntry:
    size, digest = (value.get("size_bytes"), value.get("sha256")) if isinstance(value, dict) else (None, None)
    if type(size) is not int or size < 0 or not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise _malformed(f"no size and SHA-256 for {name!r}")
    return FileEntry(size, digest)


def _malformed(why: str, name: str = MANIFEST) -> ArtifactError:
    return ArtifactError(f"{name} must be whole and well formed", received=why[:300], remedy=COPY_AGAIN)
