# SPDX-License-Identifier: Apache-2.0
"""Run as a program: a file of columns on standard input, its columns as NumPy's ``.npz`` on standard output.

The native libraries that read Parquet, Arrow and workbooks are fast and not made for hostile files: changed bytes can
make them crash. So they work in a process of their own, which may die, and whose memory has a bound where the system
keeps one. Arguments: kind, name, sheet.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from edgeling.data.frames import column_of
from edgeling.data.native_files import budget_bytes, read_native
from edgeling.data.source import Source
from edgeling.data.table import Column
from edgeling.errors import EdgelingError
from edgeling.system.limits import bound_own_time

_OWN_BYTES = 2**30
"""For the libraries themselves, and what they keep in hand."""


_OWN_SECONDS = 10
_BYTES_A_SECOND = 4 << 20


def columns_of(source: Source, kind: str, sheet: str) -> dict[str, Any]:
    """Arrays by name: ``header`` in JSON, and ``values`` or ``codes`` of each column by its place."""
    try:
        frame, notes = read_native(source, kind, sheet)
        found = [(series.name, column_of(series.name, series)) for series in frame.get_columns()]
    except EdgelingError as error:
        parts = [type(error).__name__, error.rule, error.received, error.remedy]
        return {"header": _json({"error": parts})}
    arrays: dict[str, Any] = {}
    described: list[dict[str, Any]] = []
    for i, (name, column) in enumerate(found):
        if isinstance(column, Column):
            arrays[f"values{i}"] = column.values
            described.append({"name": name, "temporal": column.temporal})
        else:
            words, codes = column.distinct()
            arrays[f"codes{i}"] = codes.astype(np.int32)
            described.append({"name": name, "words": words})
    return {"header": _json({"columns": described, "notes": notes}), **arrays}


def _json(value: Any) -> Any:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def _bound_memory(size: int) -> None:
    """Where the system keeps account of a process's data (Linux), it may grow by so many bytes and no more."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        import polars  # noqa: F401  (what it takes for itself is not counted)

        status = Path("/proc/self/status").read_text("ascii")
        held = next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmData"))
        resource.setrlimit(resource.RLIMIT_DATA, (held + size, held + size))


def main(kind: str, name: str, sheet: str) -> None:
    """Read standard input, write standard output."""
    source = Source(name, "", sys.stdin.buffer.read())
    _bound_memory(_OWN_BYTES + 3 * budget_bytes(source))
    bound_own_time(_OWN_SECONDS + budget_bytes(source) // _BYTES_A_SECOND)
    output = io.BytesIO()
    np.savez(output, **columns_of(source, kind, sheet))
    sys.stdout.buffer.write(output.getbuffer())


if __name__ == "__main__":
    main(*sys.argv[1:])
