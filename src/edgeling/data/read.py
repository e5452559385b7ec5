# SPDX-License-Identifier: Apache-2.0
"""Reading a table from a file of any kind that is known here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from edgeling.data.apart import read_apart
from edgeling.data.cells import understand
from edgeling.data.delimited import cut_up
from edgeling.data.encoding import decode
from edgeling.data.frames import assembled, from_data, with_target
from edgeling.data.json_lines import read_json
from edgeling.data.no_table import other, require_no_other
from edgeling.data.reading import Reading, Role
from edgeling.data.source import Source, open_source
from edgeling.data.table import Table

_KINDS = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt", ".psv", ".dat", ".data"), "text"),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "json"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".feather", ".arrow", ".ipc", ".arrows"), "arrow"),
    **dict.fromkeys((".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"), "excel"),
}
_MARKS = {b"PAR1": "parquet", b"ARRO": "arrow", b"\xff\xff\xff\xff": "arrow", b"\xd0\xcf\x11\xe0": "excel"}


def table_of(
    data: Any,
    *,
    reading: Reading | None = None,
    roles: Mapping[str, Role] | None = None,
    names: Sequence[str] | None = None,
) -> Table:
    """A table of whatever holds one: a file by its path, a DataFrame, a dict of columns, an array, or a ``Table``.

    Args:
        names: of the columns of an array.

    Raises:
        DataError, UnsupportedError: as :func:`read_table` and :func:`from_data`.
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, str | PurePath):
        return read_table(data, reading=reading, roles=roles)
    return from_data(data, reading, roles, names)


def table_and_target(
    data: Any, target: Any, reading: Reading | None = None, roles: Mapping[str, Role] | None = None
) -> tuple[Table, str]:
    """A table to learn from, and the name of its target, which may be given by its values instead.

    Raises:
        DataError, UnsupportedError: as :func:`table_of`; or the target has not one value a row.
    """
    table = table_of(data, reading=reading, roles=roles)
    return (table, target) if isinstance(target, str) else with_target(table, target)


def read_table(
    path: str | PurePath,
    *,
    reading: Reading | None = None,
    roles: Mapping[str, Role] | None = None,
    categorical: Collection[str] = (),
) -> Table:
    """Read a table of text (``.csv``, ``.tsv``, ``.txt``), JSON lines, Parquet, Arrow's IPC (Feather) or a workbook.

    Text and JSON may be packed by gzip or zip; ``-`` is standard input. A column whose cells are numbers becomes
    float64 (1,234.5 and 12 % and $5 too, said in the table's notes), dates become seconds since 1970, any other column
    categories. Empty cells and the usual words for it (``NA``, ``?``, ``None``...) are missing values. Words for yes
    and no are understood however they are written.

    Args:
        path: the file.
        reading: what is known of how it is written; by default it is told from the file.
        roles: what is known of columns by name.
        categorical: columns to read as categories even where their cells are numbers.

    Raises:
        DataError: not a readable table; text among numbers; an infinity; repeated names; too large.
        UnsupportedError: a workbook, where the package that reads it is not installed.
    """
    reading = reading or Reading()
    roles = {**(roles or {}), **dict.fromkeys(categorical, Role("category"))}
    source = open_source(path)
    kind = _kind(source)
    if kind == "text":
        return _read_text(source, reading, roles)
    if kind == "json":
        text, note = decode(source.name, source.content, reading.encoding)
        table = from_data(read_json(source.name, text), reading, roles)
        return replace(table, notes=(note, *table.notes)) if note else table
    columns, notes = read_apart(source, kind, reading.sheet)
    return assembled(columns, reading, roles, notes)


def _kind(source: Source) -> str:
    start = source.content[:4]
    known = _KINDS.get(source.suffix, "")
    if known in ("parquet", "arrow", "excel"):
        return known
    if not known and not _is_text(source.content):
        require_no_other(source.name, source.suffix, source.content)
    if not known or known == "text":
        for mark, kind in _MARKS.items():
            if start.startswith(mark):
                return kind
    if not known and source.content.lstrip()[:1] in (b"{", b"["):
        return "json"
    if not known and source.suffix and not _is_text(source.content):
        raise other(source.name)
    return known or "text"


def _is_text(content: bytes) -> bool:
    return b"\0" not in content[:4096] or content[:2] in (b"\xff\xfe", b"\xfe\xff")


def _read_text(source: Source, reading: Reading, roles: Mapping[str, Role]) -> Table:
    text, note = decode(source.name, source.content, reading.encoding)
    same = not reading.encoding and text.isascii() and len(text) == len(source.content)
    grid = cut_up(source.name, text, reading.separator, reading.comment, source.content if same else b"")
    usual = "," if grid.separator == ";" else "."
    columns, found = understand(grid.columns, reading, roles, usual_decimal=usual)
    return Table(columns, notes=(*((note,) if note else ()), *grid.notes, *found.sentences()))
