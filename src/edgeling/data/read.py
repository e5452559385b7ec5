# SPDX-License-Identifier: Apache-2.0
"""Reading a table from a file: CSV here with the standard library, Parquet through polars.

CSV is not left to polars because importing it takes longer than reading most tables people have at hand.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from edgeling.data.table import Column, Table, categorical_column, numeric_column
from edgeling.errors import DataError
from edgeling.graph.types import Array

if TYPE_CHECKING:
    import polars

MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "Null", "null")
"""Cells that mean "not known" (the usual ones of spreadsheets, R, pandas, SQL and the UCI repository)."""

MAX_CELLS = 200_000_000
"""More than this would not fit the memory of an ordinary workstation."""

_SEPARATORS = (",", ";", "\t")
_CHUNK_ROWS = 50_000
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
_TEXT = np.dtypes.StringDType()


def read_table(path: str | Path, *, categorical: Collection[str] = ()) -> Table:
    """Read ``.csv``, ``.tsv`` or ``.txt`` (UTF-8, separated by ``,`` ``;`` or tab) or ``.parquet``.

    A column whose cells are numbers becomes float64, any other column categories. Empty cells and the words in
    ``MISSING`` are missing values. Truth values are ``true`` and ``false`` however they are written. In a file
    separated by ``;`` a number may have a decimal comma.

    Args:
        path: the file.
        categorical: columns to read as categories even where their cells are numbers.

    Raises:
        DataError: not a readable table; text among numbers; an infinity; repeated names.
    """
    path = Path(path).expanduser()
    _require_file(path)
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv", ".txt"):
        return _read_csv(path, categorical)
    if suffix in (".parquet", ".pq"):
        return _read_parquet(path, categorical)
    raise DataError(
        "a table is a .csv, .tsv, .txt or .parquet file",
        received=f"{path.name!r}",
        remedy="export the table as CSV",
    )


def _require_file(path: Path) -> None:
    if path.is_dir():
        raise DataError("a table is a file", received=f"the folder {str(path)!r}", remedy="name a file in it")
    if not path.exists():
        raise DataError("the file must exist", received=f"{str(path)!r}", remedy="check the path and the spelling")
    if not path.is_file():
        raise DataError("a table is an ordinary file", received=f"{str(path)!r}", remedy="copy it to a file first")
    if path.stat().st_size == 0:
        raise DataError(
            "a table needs a header and rows", received=f"the empty file {path.name!r}", remedy="export it again"
        )


# ---------------------------------------------------------------------------------------------------------- CSV


def _read_csv(path: Path, categorical: Collection[str]) -> Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            separator = _sniff_separator(file)
            names, columns = _read_cells(file, separator)
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise _not_a_table(path, str(error)) from error
    decimal = "," if separator == ";" else "."
    return Table(tuple(_parse(n, c, decimal, n in categorical) for n, c in zip(names, columns, strict=True)))


def _not_a_table(path: Path, why: str) -> DataError:
    return DataError(
        "a CSV file is UTF-8 text with a header and rows separated by comma, semicolon or tab",
        received=f"{path.name!r}: {why}",
        remedy="export the table as CSV in UTF-8",
    )


def _sniff_separator(file: TextIO) -> str:
    """The separator that cuts the first rows alike, and into most cells."""
    start = file.read(65536)
    if "\0" in start:
        raise csv.Error("it holds NUL bytes, so it is not text")
    file.seek(0)
    lines = start.splitlines(keepends=True)[:20]
    return max(_SEPARATORS, key=lambda separator: _agreement(lines, separator))


def _agreement(lines: Sequence[str], separator: str) -> tuple[bool, int]:
    """Whether a separator cuts all rows into the same number of cells above one, and that of the first row."""
    widths = [len(row) for row in csv.reader(lines, delimiter=separator, skipinitialspace=True) if row] or [0]
    return len(set(widths)) == 1 and widths[0] > 1, widths[0]


def _read_cells(file: TextIO, separator: str) -> tuple[list[str], list[Array]]:
    """The header, and each column as StringDType [rows]."""
    reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
    rows = (row for row in reader if len(row) > 1 or any(cell.strip() for cell in row))  # blank lines are no rows
    names = _header(next(rows, []))
    chunks = list(_chunks(rows, len(names)))
    if not chunks:
        raise DataError("a table needs rows below its header", received=f"the header {', '.join(names[:20])!r} alone")
    return names, [np.concatenate(parts) for parts in zip(*chunks, strict=True)]


def _header(cells: Sequence[str]) -> list[str]:
    names = [cell.strip() or f"column_{i + 1}" for i, cell in enumerate(cells)]
    if _looks_like_data(names):
        raise DataError(
            "the first line must name the columns",
            received=f"{', '.join(names[:6])!r}",
            remedy="put a line of column names at the top of the file",
        )
    return names


def _looks_like_data(names: Sequence[str]) -> bool:
    """Whether a first line is a row: a fraction in it, or whole numbers other than a plain 0, 1, 2, ..."""
    numbers = [name for name in names if _NUMBER.fullmatch(name)]
    counted = list(names) == [str(i) for i in range(len(names))]
    return any("." in number for number in numbers) or (bool(numbers) and numbers == list(names) and not counted)


def _chunks(rows: Iterator[list[str]], width: int) -> Iterator[list[Array]]:
    """Columns of a bounded number of rows at a time: lists of Python strings are far larger than arrays."""
    start = 1
    while chunk := list(itertools.islice(rows, _CHUNK_ROWS)):
        _require_width(chunk, width, start)
        start += len(chunk)
        _require_memory(start * width)
        yield [np.strings.strip(np.array(cells, dtype=_TEXT)) for cells in zip(*chunk, strict=True)]


def _require_width(chunk: Sequence[Sequence[str]], width: int, start: int) -> None:
    for number, row in enumerate(chunk, start):
        if len(row) != width:
            raise DataError(
                "every row has as many cells as the header",
                received=f"{len(row)} cells in row {number} and {width} names",
                remedy="quote cells that hold the separator, or complete the row",
            )


def _require_memory(cells: int) -> None:
    if cells > MAX_CELLS:
        raise DataError(f"a table has at most {MAX_CELLS:,} cells", remedy="train on a sample of the rows")


def _parse(name: str, texts: Array, decimal: str, categorical: bool) -> Column:
    missing = np.logical_or.reduce([texts == word for word in MISSING])
    points = np.strings.replace(texts, decimal, ".") if decimal != "." else texts
    is_number = _numbers(points, missing)
    if categorical or not _is_numeric(name, texts, missing, is_number):
        return _as_written_everywhere(categorical_column(name, texts, missing), texts, missing)
    values = np.full(len(texts), np.nan)
    values[is_number] = points[is_number].astype(np.float64)
    return numeric_column(name, values)


def _as_written_everywhere(column: Column, texts: Array, missing: Array) -> Column:
    """Truth values are ``true`` and ``false``, whether Python (True), a spreadsheet (TRUE) or Parquet wrote them."""
    if not column.categories or not {text.lower() for text in column.categories} <= {"true", "false"}:
        return column
    lowered: Array = np.array([text.lower() for text in texts.tolist()], dtype=_TEXT)
    return categorical_column(column.name, lowered, missing)


def _numbers(texts: Array, missing: Array) -> Array:
    """bool [rows]: which texts are numbers."""
    if _all_numbers(texts[~missing]):
        return ~missing
    # Python's pattern is slow, so it sees each distinct text once.
    distinct, where = np.unique(texts, return_inverse=True)
    matched: Array = np.array([_NUMBER.fullmatch(text) is not None for text in distinct.tolist()], dtype=bool)
    return matched[where] & ~missing


def _all_numbers(texts: Array) -> bool:
    """The quick answer for most columns: NumPy reads all that ``_NUMBER`` matches, and besides 1_000 and nan."""
    try:
        values = texts.astype(np.float64)
    except ValueError:
        return False
    return not (np.isnan(values).any() or (np.strings.find(texts, "_") >= 0).any())


def _is_numeric(name: str, texts: Array, missing: Array, is_number: Array) -> bool:
    """Numbers throughout (or nothing at all); numbers by majority with text among them are refused."""
    words = np.flatnonzero(~missing & ~is_number)
    count = int(is_number.sum())
    if words.size and count > words.size:
        raise DataError(
            "a column holds numbers throughout, or categories",
            received=f"{str(texts[words[0]])!r} in row {words[0] + 1} of column {name!r}, "
            f"which has numbers in {count} of its {count + words.size} filled rows",
            remedy="correct the cell, leave it empty if the value is unknown, or read the column as categories",
        )
    return not words.size


# ------------------------------------------------------------------------------------------------------ Parquet


def _read_parquet(path: Path, categorical: Collection[str]) -> Table:
    import polars

    try:
        scan = polars.scan_parquet(path)
        rows, width = int(scan.select(polars.len()).collect().item()), len(scan.collect_schema())
        _require_memory(rows * width)
        frame = scan.collect()
    # A file that is broken in the right place panics in polars' native code, and that is not an Exception.
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            "a Parquet file must be whole and readable",
            received=f"{path.name!r}: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
            remedy="write the file again, or export it as CSV",
        ) from error
    if not rows:
        raise DataError("a table needs rows", received=f"{path.name!r} without any", remedy="export it again")
    return Table(tuple(_from_series(series, series.name in categorical) for series in frame.get_columns()))


def _from_series(series: polars.Series, categorical: bool) -> Column:
    import polars

    if series.dtype.is_nested() or series.dtype in (polars.Binary, polars.Object, polars.Duration):
        raise DataError(
            "a column holds numbers, texts, dates or truth values",
            received=f"{series.name!r} of type {series.dtype}",
            remedy="unpack the column into plain ones, or drop it",
        )
    if series.dtype.is_numeric() and not categorical:
        return numeric_column(series.name, series.cast(polars.Float64).fill_null(float("nan")).to_numpy())
    cells = series.cast(polars.String).fill_null("").to_list()
    return _parse(series.name, np.strings.strip(np.array(cells, dtype=_TEXT)), ".", categorical)
