# SPDX-License-Identifier: Apache-2.0
"""Where Keras's test cases come from: its source distribution, fetched once by pip and kept outside the project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

_EXPORT = re.compile(r"@?keras_export\((.*?)\)", re.DOTALL)
_NAME = re.compile(r"\"(keras\.[A-Za-z0-9_.]+)\"")


class NoSourceError(Exception):
    """Keras's source cannot be had; the text says why."""


def keras_source() -> Path:
    """The folder ``keras/src`` of the release that is installed.

    ``KERAS_SOURCE`` may name the unpacked source distribution; else pip downloads it into the user's cache.

    Raises:
        NoSourceError: it cannot be had.
    """
    given = os.environ.get("KERAS_SOURCE")
    folder = Path(given).expanduser() if given else _kept() / f"keras-{version('keras')}"
    if not folder.is_dir() and not given:
        _download(folder)
    source = folder / "keras" / "src"
    if not (source / "losses" / "losses_test.py").is_file():
        raise NoSourceError(f"{folder} holds no tests of Keras's")
    return source


def _kept() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgeling-tests"


def _download(folder: Path) -> None:
    """Ask pip for the source, never building it, and unpack it beside its place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        options = ["--no-binary", ":all:", "--no-deps", "--quiet", "--dest", work]
        command = [sys.executable, "-m", "pip", "download", *options, folder.name.replace("-", "==")]
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
        except subprocess.TimeoutExpired:
            raise NoSourceError("pip took longer than five minutes over Keras's source") from None
        archives = list(Path(work).glob("keras-*.tar.gz"))
        if done.returncode or not archives:
            raise NoSourceError(f"pip cannot download Keras's source: {done.stderr.strip()[-300:]}")
        with tarfile.open(archives[0]) as archive:
            archive.extractall(work, filter="data")
        with suppress(OSError):  # another process was first
            (Path(work) / folder.name).rename(folder)


@cache
def public_names(source: Path) -> frozenset[str]:
    """Every name Keras exports, ``keras.losses.Huber`` and so on, as its source declares them."""
    found: set[str] = set()
    for path in source.rglob("*.py"):
        if not path.name.endswith("_test.py"):
            for arguments in _EXPORT.findall(path.read_text("utf-8")):
                found |= set(_NAME.findall(arguments))
    return frozenset(found)
