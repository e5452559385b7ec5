# SPDX-License-Identifier: Apache-2.0
"""Writing an artifact: all of it, or nothing."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from edgeling import __version__
from edgeling.artifact.folder import OLD, recover, steadily
from edgeling.artifact.manifest import (
    FORMAT,
    FORMAT_VERSION,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    MAX_TOTAL_BYTES,
    OWN_ENTRIES,
    FileEntry,
    parse_json,
    require_names,
)
from edgeling.errors import ArtifactError
from edgeling.files.whole import sync_all, sync_folder, write_new
from edgeling.system.exchange import exchange
from edgeling.system.interrupts import interrupts_held
from edgeling.system.workshop import sweep, workshop

_IN_THE_WAY = (errno.ENOTEMPTY, errno.EEXIST)
"""What systems say when a folder would be renamed onto one that holds something."""


def write_artifact(path: str | Path, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Path:
    """Write a ``.edgeling`` folder: the files, and a manifest with their sizes and hashes.

    The folder appears whole or not at all, whatever happens meanwhile: it is written beside its place under another
    name, is on the disk, and is then exchanged in one step with the artifact that is already there, if any. Ctrl-C
    takes effect when the folder is whole. Of two writers at once one wins, whole.

    Args:
        path: the folder; the one it lies in must exist.
        manifest: the caller's entries of ``manifest.json``, plain values.
        files: content by name; names may have folders, separated by ``/``.

    Returns:
        The folder, absolute.

    Raises:
        ArtifactError: names that leave the folder, entries that are Edgeling's own, something at ``path`` that is
            not an artifact or holds files of somebody else, a full disk.
    """
    path = Path(path).expanduser().absolute()
    contents = {**files, MANIFEST: _manifest(path, manifest, files)}
    _require_room(path, contents)
    try:
        with interrupts_held():
            _replace(path, contents)
    except OSError as error:
        raise ArtifactError(
            "an artifact must be written whole",
            received=f"{error.strerror or error} for {str(path)!r}; nothing was changed",
            remedy="free some space, check the permissions, or write to another folder",
        ) from error
    return path


def _manifest(path: Path, entries: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    require_names(files)
    if own := sorted(set(entries) & set(OWN_ENTRIES)):
        raise ArtifactError("these manifest entries are Edgeling's own", received=", ".join(own), remedy="another name")
    value = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "edgeling_version": __version__,
        "created": _now(),
        "name": path.stem,
        "files": {name: vars(FileEntry.of(content)) for name, content in files.items()},
        **entries,
    }
    try:
        return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()
    except (TypeError, ValueError) as error:
        raise ArtifactError(
            "manifest entries are plain finite values", received=str(error), remedy="convert them first"
        ) from error


def _now() -> str:
    """The time in UTC to the second; ``SOURCE_DATE_EPOCH`` instead, so that a build can be repeated exactly."""
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _require_room(path: Path, contents: Mapping[str, bytes]) -> None:
    total = sum(map(len, contents.values()))
    if total > MAX_TOTAL_BYTES or len(contents[MANIFEST]) > MAX_MANIFEST_BYTES:
        raise ArtifactError(
            f"an artifact has at most {MAX_TOTAL_BYTES:,} bytes", received=f"{total:,}",
            remedy="leave columns, or layers, out",
        )  # fmt: skip
    require_replaceable(path)


def require_replaceable(path: str | Path) -> None:
    """The folder around ``path`` must be there; only an artifact with nothing but its own files may be written over.

    ``write_artifact`` asks this itself; whoever trains for an hour first may want to ask before.

    Raises:
        ArtifactError: something else is there, or nowhere to write to.
    """
    path = Path(path).expanduser().absolute()
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ArtifactError(
            "the folder to write into must exist and take files", received=repr(str(path.parent)),
            remedy="make it, or choose another",
        )  # fmt: skip
    steadily(_require_replaceable, path, _require_no_link)


def _require_replaceable(path: Path) -> None:
    if strangers := [str(path)] if path.is_symlink() or not path.is_dir() else _strangers(path):
        raise _not_ours(strangers)


def _require_no_link(path: Path) -> None:
    """Nothing is there, unless it is a link that leads nowhere."""
    if path.is_symlink():
        raise _not_ours([str(path)])


def _not_ours(strangers: Sequence[str]) -> ArtifactError:
    return ArtifactError(
        "only an artifact is written over, and only if it holds nothing else",
        received=f"{', '.join(strangers[:5])!r}", remedy="move it away, or write to another folder",
    )  # fmt: skip


def _strangers(folder: Path) -> list[str]:
    """What a folder holds that the manifest of an artifact there does not account for."""
    if not (folder / MANIFEST).is_file():
        return [str(place) for place in folder.iterdir()]
    files = [place for place in folder.rglob("*") if place.is_symlink() or not place.is_dir()]
    return sorted({place.relative_to(folder).as_posix() for place in files} - _listed(folder))


def _listed(folder: Path) -> set[str]:
    try:
        manifest = parse_json((folder / MANIFEST).read_bytes(), MANIFEST)
    except (OSError, ArtifactError):
        return set()
    mine = isinstance(manifest, dict) and manifest.get("format") == FORMAT
    files = manifest.get("files") if mine else None
    return {MANIFEST, *files} if isinstance(files, dict) else set()


def _replace(path: Path, contents: Mapping[str, bytes]) -> None:
    """Build the folder in a workshop beside ``path`` and exchange the two."""
    recover(path)
    sweep(path.parent, path.name)
    with workshop(path.parent, path.name) as shop:
        new = shop / "new"
        for name, content in contents.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            write_new(new / name, content)
        folders = new, *(new / name for name in _folders(contents)), shop
        sync_all((new / name for name in contents), folders)
        _swap(path, new, shop)
        sync_folder(path.parent)


def _folders(names: Iterable[str]) -> set[str]:
    """Every folder that the names mention."""
    return {str(folder) for name in names for folder in PurePosixPath(name).parents} - {"."}


def _swap(path: Path, new: Path, shop: Path) -> None:
    """``new`` under the name of ``path``; what is there, if anything, into the shop. In one step, or if it has to be in
    two, such that :func:`recover` brings back what was there."""
    for attempt in itertools.count():
        old = shop / f"{OLD}{attempt}"
        try:
            if not _exchanged(new, path):
                _rename_if_there(path, old)
                if not _renamed(new, path):
                    continue
        except BaseException:
            with contextlib.suppress(OSError):  # fails, as it should, if ``path`` holds a whole folder again
                os.rename(old, path)
            raise
        return


def _exchanged(new: Path, path: Path) -> bool:
    """Whether the two could be exchanged; what came out must be fit to be thrown away."""
    try:
        done = exchange(new, path)
    except FileNotFoundError:
        return False
    if done:
        try:
            _require_replaceable(new)
        except ArtifactError:  # somebody put something there a moment ago
            exchange(new, path)
            raise
    return done


def _renamed(source: Path, destination: Path) -> bool:
    """Whether nothing was in the way."""
    try:
        os.rename(source, destination)
    except OSError as error:
        if error.errno in _IN_THE_WAY:
            return False
        raise
    return True


def _rename_if_there(source: Path, destination: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # another writer moved it first
        os.rename(source, destination)
