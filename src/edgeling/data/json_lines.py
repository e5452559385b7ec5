# SPDX-License-Identifier: Apache-2.0
"""Tables as JSON: an object a line, an array of objects, or an object of columns. A name that a row lacks is a missing
value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from edgeling.data.delimited import require_memory
from edgeling.errors import DataError

_PLAIN = (str, int, float, bool, type(None))


def read_json(name: str, text: str) -> dict[str, list[Any]]:
    """The columns of a table in JSON, in the order in which their names first appear.

    Raises:
        DataError: it is not JSON, not rows of plain values, or holds no row.
    """
    if (whole := _columns(text)) is not None:
        return whole
    columns: dict[str, list[Any]] = {}
    rows = 0
    for row in _rows(name, text):
        for key, value in row.items():
            if not isinstance(value, _PLAIN):
                raise DataError(
                    "a column of JSON holds numbers, texts or truth values",
                    received=f"{type(value).__name__} in {key!r}, row {rows + 1}",
                    remedy="unpack the column into plain ones, or drop it",
                )
            column = columns.setdefault(key, [])
            column.extend([None] * (rows - len(column)))
            column.append(value)
        rows += 1
        require_memory(rows * len(columns))
    if not columns:
        raise DataError("a table needs rows", received=f"{name!r} without any", remedy="export it again")
    return {key: column + [None] * (rows - len(column)) for key, column in columns.items()}


def _columns(text: str) -> dict[str, list[Any]] | None:
    """A text that is one object, of lists of plain values."""
    if text.lstrip()[:1] != "{":
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    lists = bool(found) and all(isinstance(column, list) for column in found.values())
    return found if lists and all(isinstance(v, _PLAIN) for column in found.values() for v in column) else None


def _rows(name: str, text: str) -> Iterator[dict[str, Any]]:
    if text.lstrip()[:1] == "[":
        found = _load(name, text, "")
        pairs = [(f", item {i}", value) for i, value in enumerate(found, 1)]
    else:
        lines = ((i, line) for i, line in enumerate(text.split("\n"), 1) if line.strip())
        pairs = ((f", line {i}", _load(name, line, f", line {i}")) for i, line in lines)  # type: ignore[assignment]
    for place, value in pairs:
        if not isinstance(value, dict):
            raise _not_rows(name, f"{type(value).__name__}{place}")
        yield value


def _load(name: str, text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError also for a whole number of more than 4,300 digits
        raise _not_rows(name, f"{str(error)[:200]}{place}") from error


def _not_rows(name: str, why: str) -> DataError:
    return DataError(
        "a table in JSON is an object a line, an array of objects, or an object of columns",
        received=f"{name!r}: {why}",
        remedy='one row a line, such as {"length": 1.5, "kind": "red"}',
    )
