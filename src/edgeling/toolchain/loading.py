# SPDX-License-Identifier: Apache-2.0
"""Compiled libraries in this process: each is loaded once, and let go when nothing of it is in use any more."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from weakref import WeakValueDictionary, finalize

from edgeling.errors import ToolchainError

_loaded: WeakValueDictionary[Path, ctypes.CDLL] = WeakValueDictionary()


def open_library(path: Path) -> ctypes.CDLL:
    """The library, mapped for as long as somebody holds what is returned, or a function taken out of it.

    A ctypes function holds its library, and who calls a function holds it meanwhile, so that nothing is unmapped under
    a thread that runs it. An address alone holds nothing.

    Raises:
        ToolchainError: it does not load.
    """
    found = _loaded.get(path)
    return _open(path) if found is None else found


def _open(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise ToolchainError(
            "a compiled program must load",
            received=str(error),
            remedy="set EDGELING_CACHE_DIR to a folder on a file system that programs may run from",
        ) from error
    # At the end of Python nothing is unmapped: daemon threads may still be running there.
    finalize(library, _close, library._handle).atexit = False
    _loaded[path] = library
    return library


def _close(handle: int) -> None:
    import _ctypes

    if sys.platform == "win32":
        _ctypes.FreeLibrary(handle)
    else:
        _ctypes.dlclose(handle)
