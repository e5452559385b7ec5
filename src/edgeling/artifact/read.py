# SPDX-License-Identifier: Apache-2.0
"""Reading an artifact that may have been damaged, forged or made by someone hostile."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from numpy.typing import NDArray

from edgeling.artifact.folder import steadily
from edgeling.artifact.manifest import (
    COPY_AGAIN,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    FileEntry,
    file_entries,
    parse_json,
    parse_manifest,
)
from edgeling.errors import ArtifactError
from edgeling.files.arrays import npz_to_arrays


@dataclass(frozen=True, eq=False)
class Artifact:
    """A folder read whole and found to be what its manifest says; changing the folder later changes nothing here.

    Attributes:
        path: the folder.
        manifest: everything in ``manifest.json``.
        files: the content of every file the manifest lists, by name.
    """

    path: Path
    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]

    @property
    def name(self) -> str:
        """The folder's name when it was written, without the ending."""
        return str(self.manifest["name"])

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            ArtifactError: the manifest does not list it.
        """
        if name not in self.files:
            raise ArtifactError(
                f"the artifact has a file {name!r}",
                received=f"{', '.join(self.files) or 'none'} in {str(self.path)!r}",
                remedy=COPY_AGAIN,
            )
        return self.files[name]

    def read_json(self, name: str) -> Any:
        """A JSON file as plain values.

        Raises:
            ArtifactError: not listed, or not JSON.
        """
        return parse_json(self.read(name), name)

    def read_arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays of an ``.npz`` file that ``arrays_to_npz`` wrote, read-only.

        Raises:
            ArtifactError: not listed, or not such a file.
        """
        return npz_to_arrays(self.read(name))


def read_artifact(path: str | Path) -> Artifact:
    """Read a ``.edgeling`` folder. Files that its manifest does not list are never opened.

    Raises:
        ArtifactError: no such folder; a missing, damaged or newer manifest; a listed file that is missing, is not an
            ordinary file inside the folder, or has another size or hash.
    """
    return steadily(_read, Path(path).expanduser(), _refuse_absent)


def _read(folder: Path) -> Artifact:
    _require_folder(folder)
    manifest = parse_manifest(_read_file(folder, MANIFEST, MAX_MANIFEST_BYTES))
    entries = file_entries(manifest)
    return Artifact(folder, manifest, {name: _read_listed(folder, name, entry) for name, entry in entries.items()})


def _require_folder(folder: Path) -> None:
    if not (folder / MANIFEST).exists():
        raise _no_artifact(f"{str(folder)!r}, which has none")


def _refuse_absent(folder: Path) -> NoReturn:
    raise _no_artifact(f"{str(folder)!r}, which does not exist")


def _no_artifact(received: str) -> ArtifactError:
    remedy = "the folder that training left, usually NAME.edgeling"
    return ArtifactError(f"an artifact is a folder with a {MANIFEST}", received=received, remedy=remedy)


def _read_listed(folder: Path, name: str, entry: FileEntry) -> bytes:
    content = _read_file(folder, name, entry.size_bytes)
    found = FileEntry.of(content)
    if found != entry:
        what = "another size" if found.size_bytes != entry.size_bytes else "another SHA-256"
        raise _unfit(name, f"{what} than the manifest says")
    return content


def _read_file(folder: Path, name: str, most: int) -> bytes:
    """At most ``most`` bytes of an ordinary file that really is where its name says."""
    place = folder / name
    try:
        if os.path.realpath(place) != os.path.join(os.path.realpath(folder), *name.split("/")):
            raise _unfit(name, "a link to somewhere else")
        # Without O_NONBLOCK, opening a named pipe would wait for ever.
        descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as file:
            return _read_bounded(file, name, most)
    except OSError as error:
        raise _unfit(name, error.strerror or str(error)) from error


def _read_bounded(file: BinaryIO, name: str, most: int) -> bytes:
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise _unfit(name, "something other than a file")
    if status.st_size > most:
        raise _unfit(name, f"{status.st_size} bytes, more than {most}")
    return file.read(most)


def _unfit(name: str, why: str) -> ArtifactError:
    return ArtifactError(
        "an artifact's files must be those its manifest lists", received=f"{name!r}: {why}", remedy=COPY_AGAIN
    )
