# SPDX-License-Identifier: Apache-2.0
"""Where compiled results are kept. They are run as code, so nobody else may be able to change what lies there."""

from __future__ import annotations

import atexit
import errno
import os
import sys
import tempfile
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache as memoize
from pathlib import Path

from edgeling.errors import ToolchainError
from edgeling.system.private import ExposedError, make_folder, private_folder
from edgeling.system.workshop import sweep, workshop

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What systems say when there is no room."""

_REMEDY = "set EDGELING_CACHE_DIR to a folder of your own that only you may write, such as one made by mkdir -m 700"


@dataclass(frozen=True)
class Place:
    """A folder; where it is a temporary one that vanishes when Python ends, why."""

    folder: Path
    why_temporary: str = ""
    is_exposed: bool = False


def cache_dir() -> Path:
    """The folder in use: ``EDGELING_CACHE_DIR``, else the user's cache folder.

    Where that cannot be written, and (with a warning) where another user could change what is in it, a temporary one.

    Raises:
        ToolchainError: there is no safe place for a temporary one either.
    """
    found = place()
    if found.is_exposed:
        said = f"compiled programs are kept only until Python ends, for {found.why_temporary}; {_REMEDY}"
        warnings.warn(said, UserWarning, stacklevel=2)
    return found.folder


def place() -> Place:
    """The folder in use, and why it is a temporary one, if it is.

    Raises:
        ToolchainError: as :func:`cache_dir`.
    """
    try:
        return Place(_usable(_wanted()))
    except RuntimeError as error:  # a user without a home, as in some containers
        return Place(_temporary_dir(), str(error))
    except ExposedError as error:
        return Place(_temporary_dir(), str(error), is_exposed=True)
    except OSError as error:
        return Place(_temporary_dir(), str(error))


def _wanted() -> Path:
    chosen = os.environ.get("EDGELING_CACHE_DIR")
    return Path(chosen).expanduser().absolute() if chosen else _user_cache_dir()


def _user_cache_dir() -> Path:
    if sys.platform == "win32":
        return (_absolute("LOCALAPPDATA") or Path.home()) / "edgeling" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "edgeling"
    return (_absolute("XDG_CACHE_HOME") or _absolute_home() / ".cache") / "edgeling"


def _absolute(variable: str) -> Path | None:
    """A folder named by a variable, unless it is empty or relative: the XDG Base Directory Specification has such a
    path ignored, for it would mean another folder wherever a program is started."""
    folder = Path(os.environ.get(variable, ""))
    return folder if folder.is_absolute() else None


def _absolute_home() -> Path:
    home = Path.home()
    if not home.is_absolute():  # HOME may be set to anything
        raise RuntimeError("the home folder's path is relative")
    return home


def _usable(folder: Path) -> Path:
    """The folder, private and taking files: asked of the file system itself, for permissions do not tell of read-only
    mounts. A full disk is reported where it hurts, not hidden."""
    try:
        make_folder(folder)
        folder = private_folder(folder)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        if error.errno in FULL:
            return folder
        raise


@memoize
def _temporary_dir() -> Path:
    stack = ExitStack()
    try:
        parent = Path(tempfile.gettempdir())
        sweep(parent, "edgeling")
        folder = private_folder(stack.enter_context(workshop(parent, "edgeling")))
    except OSError as error:
        stack.close()
        raise ToolchainError(
            "compiled programs need a folder that takes files and that nobody else can change",
            received=str(error),
            remedy=_REMEDY,
        ) from error
    atexit.register(stack.close)
    return folder
