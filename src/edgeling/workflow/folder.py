# SPDX-License-Identifier: Apache-2.0
"""The folder of a build: what Edgeling wrote there may be replaced; what a person wrote or edited stays.

``edgeling-build.json`` lists every file with its SHA-256. A file that is listed and unchanged belongs to the build. A
folder with nothing else in it is exchanged in one step; else each file is renamed into its place, the manifest first.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from edgeling import __version__
from edgeling.errors import EdgelingError
from edgeling.files.whole import sync_all, sync_folder, write_new
from edgeling.system.exchange import exchange
from edgeling.system.interrupts import interrupts_held
from edgeling.system.workshop import sweep, workshop

MANIFEST = "edgeling-build.json"
Hashes = dict[str, set[str]]  # of a file: what a build wrote, one or, where a build was killed, several


def write_build(folder: Path, files: Mapping[str, str], about: Mapping[str, Any], *, force: bool = False) -> list[str]:
    """Write a build's files, and take away those of an earlier build in the same folder.

    Args:
        files: relative path to text.
        about: what the manifest says beside the files.
        force: also replace files of these names that a person wrote or edited.

    Returns:
        Files of an earlier build that were edited since, and left.

    Raises:
        EdgelingError: a file of these names is somebody's own, or the folder cannot be written.
    """
    made = not folder.exists()
    try:
        earlier = _read(folder)
        if not force:
            _require_ours(folder, files, earlier)
        hashes = {path: {_hash(text.encode())} for path, text in files.items()}
        if _exchanged(folder, {**files, MANIFEST: _manifest(about, hashes)}, earlier):
            return []
        folder.mkdir(parents=True, exist_ok=True)
        both = {path: earlier.get(path, set()) | hashes.get(path, set()) for path in {*earlier, *hashes}}
        _replace_all(folder, {**files, MANIFEST: _manifest(about, both)})
        kept = _sweep(folder, {path: known for path, known in earlier.items() if path not in files})
        _replace_all(folder, {MANIFEST: _manifest(about, hashes)})
    except OSError as error:
        if made:
            shutil.rmtree(folder, ignore_errors=True)
        raise EdgelingError(
            "the folder for the C can be written",
            received=f"{folder}: {error.strerror or error}",
            remedy="another folder (--out)",
        ) from error
    return kept


def _read(folder: Path) -> Hashes:
    """What earlier builds wrote; nothing where the manifest is missing or makes no sense."""
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        return {path: set(hashes) for path, hashes in files.items() if _is_inside(folder, path)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _is_inside(folder: Path, path: str) -> bool:
    parts = PurePosixPath(path)
    apart = parts.is_absolute() or ".." in parts.parts or "\\" in path or ":" in path or not parts.parts
    return not apart and (folder / path).parent.resolve().is_relative_to(folder.resolve())


def _require_ours(folder: Path, files: Mapping[str, str], earlier: Hashes) -> None:
    foreign = [
        path for path, text in files.items()
        if (found := _hash_of(folder / path)) and found not in {*earlier.get(path, ()), _hash(text.encode())}
    ]  # fmt: skip
    if foreign:
        edited = "edited since they were built" if set(foreign) <= set(earlier) else "not written by a build"
        raise EdgelingError(
            "a build replaces only files that a build wrote and nobody has edited",
            received=", ".join(str(folder / path) for path in foreign) + f": {edited}",
            remedy="another folder (--out), or force=True (--force), which replaces them",
        )


def _exchanged(folder: Path, files: Mapping[str, str], earlier: Hashes) -> bool:
    """The whole folder in one step, where it is not there yet or holds nothing but an earlier build."""
    folder = folder.absolute()
    if os.path.lexists(folder) and not _holds_only(folder, earlier):
        return False
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        sweep(folder.parent, folder.name)
        with interrupts_held(), workshop(folder.parent, folder.name) as shop:
            new = shop / "new"
            _write_synced(new, files)
            done = _put(new, folder, earlier)
    except PermissionError:  # the folder may be written, and the one around it not
        return False
    sync_folder(folder.parent)
    return done


def _put(new: Path, folder: Path, earlier: Hashes) -> bool:
    """Under the folder's name; what came out of there must be fit to be thrown away."""
    if not os.path.lexists(folder):
        os.rename(new, folder)
        return True
    if not exchange(new, folder):
        return False
    if not _holds_only(new, earlier):  # somebody put something there a moment ago
        exchange(new, folder)
        return False
    return True


def _holds_only(folder: Path, earlier: Hashes) -> bool:
    """Whether nothing of a person's is in it, nor anybody's shell."""
    if folder.is_symlink() or not folder.is_dir() or Path.cwd().is_relative_to(folder.resolve()):
        return False
    folders = {parent.as_posix() for path in earlier for parent in PurePosixPath(path).parents}
    for place in folder.rglob("*"):
        path = place.relative_to(folder).as_posix()
        if place.is_symlink() or (path not in folders if place.is_dir() else not _is_listed(place, path, earlier)):
            return False
    return True


def _is_listed(place: Path, path: str, earlier: Hashes) -> bool:
    return (path == MANIFEST and bool(earlier)) or _hash_of(place) in earlier.get(path, ())


def _write_synced(folder: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_new(folder / path, text.encode("utf-8", "replace"))
    parents = {folder / parent for path in files for parent in PurePosixPath(path).parents}
    sync_all((folder / path for path in files), parents)


def _replace_all(folder: Path, files: Mapping[str, str]) -> None:
    """Write all files next to their places first, then rename each: no file is ever half-written."""
    sweep(folder, "edgeling")
    with workshop(folder, "edgeling") as staging:
        _write_synced(staging, files)
        # The manifest first: whatever happens in between, it lists what lies there.
        for path in sorted(files, key=lambda path: path != MANIFEST):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(staging / path, folder / path)


def _sweep(folder: Path, stale: Hashes) -> list[str]:
    """Remove files of an earlier build that are as it left them, and folders that this empties."""
    kept = []
    for path, hashes in sorted(stale.items()):
        found = _hash_of(folder / path)
        if found in hashes:
            (folder / path).unlink()
            _remove_empty(folder, PurePosixPath(path).parents)
        elif found:
            kept.append(path)
    return kept


def _remove_empty(folder: Path, parents: Iterable[PurePosixPath]) -> None:
    with suppress(OSError):  # something else lies there
        for parent in list(parents)[:-1]:
            (folder / parent).rmdir()


def _manifest(about: Mapping[str, Any], files: Hashes) -> str:
    listed = {path: sorted(hashes) for path, hashes in sorted(files.items())}
    return json.dumps({"edgeling": __version__, **about, "files": listed}, indent=2) + "\n"


def _hash_of(path: Path) -> str:
    """Of what lies there; empty for nothing. What is no file is nobody's build."""
    if not path.is_file():
        return "no file" if os.path.lexists(path) else ""
    return _hash(path.read_bytes())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
