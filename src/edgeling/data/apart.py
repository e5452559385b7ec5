# SPDX-License-Identifier: Apache-2.0
"""Files of columns, read by a process of its own (``native_reader``): if it dies, the file is reported as broken."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from typing import Any

import numpy as np

from edgeling import errors
from edgeling.data.cells import Cells
from edgeling.data.delimited import CodedCells
from edgeling.data.parquet_size import unpacked_bytes
from edgeling.data.source import Source
from edgeling.data.table import Column
from edgeling.errors import DataError
from edgeling.system import processes

_TIMEOUT_SECONDS = 600
_KINDS = {"parquet": "a Parquet file", "arrow": "an Arrow file", "excel": "a workbook"}


def read_apart(source: Source, kind: str, sheet: str = "") -> tuple[list[tuple[str, Column | Cells]], tuple[str, ...]]:
    """The columns of a file in order, and sentences about them.

    Args:
        kind: ``parquet``, ``arrow`` or ``excel``.

    Raises:
        DataError: broken, made to do harm, or larger than memory.
        UnsupportedError: a package that reads it is not installed.
    """
    if kind == "parquet":
        _require_description(source)
    environment = {**processes.with_own_path(), "RUST_BACKTRACE": "0"}
    command = [sys.executable, "-P", "-m", "edgeling.data.native_reader", kind, source.name, sheet]
    try:
        (done,) = processes.run(
            [command], given=source.content, environment=environment, timeout_seconds=_TIMEOUT_SECONDS
        )
    except TimeoutError:
        raise _broken(source, kind, f"it takes longer than {_TIMEOUT_SECONDS} s to read") from None
    if done.status:
        raise _broken(source, kind, _last_words(done.errors))
    try:
        with np.load(io.BytesIO(done.output), allow_pickle=False) as arrays:
            return _taken_over(arrays)
    except (KeyError, TypeError, IndexError, zipfile.BadZipFile, OSError, EOFError, ValueError) as error:
        if isinstance(error, errors.EdgelingError):
            raise
        raise _broken(source, kind, "what was read of it makes no sense") from error


def _taken_over(arrays: Any) -> tuple[list[tuple[str, Column | Cells]], tuple[str, ...]]:
    header = json.loads(arrays["header"].tobytes())
    if error := header.get("error"):
        kind = {"UnsupportedError": errors.UnsupportedError}.get(error[0], DataError)
        raise kind(error[1], received=error[2], remedy=error[3])
    found: list[tuple[str, Column | Cells]] = []
    for i, described in enumerate(header["columns"]):
        name = described["name"]
        if "words" in described:
            found.append((name, CodedCells(described["words"], arrays[f"codes{i}"])))
        else:
            found.append((name, Column(name, arrays[f"values{i}"], temporal=described["temporal"])))
    return found, tuple(header["notes"])


def _require_description(source: Source) -> None:
    """Most broken Parquet files show it before a process is started for them."""
    try:
        unpacked_bytes(source.content)
    except ValueError as error:
        raise _broken(source, "parquet", str(error)) from None


def _last_words(said: bytes) -> str:
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    out_of_memory = any("memory allocation" in line or "MemoryError" in line for line in lines)
    return "it takes more memory than a file of its size may" if out_of_memory else "the library that reads it gave up"


def _broken(source: Source, kind: str, why: str) -> DataError:
    return DataError(
        f"{_KINDS[kind]} must be whole and readable",
        received=f"{source.name!r}: {why}",
        remedy="write the file again, or export it as CSV",
    )
