# SPDX-License-Identifier: Apache-2.0
"""Tables of text: cells between separators, one row a line, as the csv module of Python's library reads them.

Large tables whose text leaves no doubt (every quote encloses a whole cell, every line has as many separators) are cut
up by polars where it is installed, which gives the same cells twenty times sooner; importing it takes longer than
reading a small table.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from edgeling.data.cells import Cells
from edgeling.data.number_forms import PLAIN
from edgeling.data.series import SwiftText, has_polars, without
from edgeling.data.table import require_distinct_names
from edgeling.data.words import is_missing
from edgeling.errors import DataError
from edgeling.graph.types import Array

MAX_CELLS = 200_000_000
"""More than this would not fit the memory of an ordinary workstation."""
LARGE_CHARACTERS = 4_000_000
"""From this size on, importing polars pays."""
LARGE_ROWS = 2000
"""Of fewer, what polars does a column costs more than what it saves."""

_SEPARATORS = (",", ";", "\t", "|")
_SNIFFED_CHARACTERS = 262_144
_LINES_OF_A_ROW = 100
_SNIFFED_LINES = 30
_CHUNK_ROWS = 50_000
_TEXT = np.dtypes.StringDType()


@dataclass(frozen=True)
class Grid:
    """What a text holds before its cells are understood.

    Attributes:
        columns: by name, in the file's order.
        separator: of cells.
        notes: sentences about how it was cut up.
    """

    columns: dict[str, Cells]
    separator: str
    notes: tuple[str, ...] = ()


def cut_up(name: str, text: str, separator: str = "", comment: str = "", encoded: bytes = b"") -> Grid:
    """The columns of a text.

    Args:
        separator: of cells; by default the one of ``, ; tab |`` that cuts the first rows alike.
        comment: lines that begin with it are left out; by default ``#`` where the text begins with it.
        encoded: the same text in UTF-8, if it is at hand.

    Raises:
        DataError: no header, no rows, rows of another width, or more cells than memory holds.
    """
    named = re.match(r"sep=(.)\r?\n", text)  # a line that Excel understands
    if named:
        text, separator = text[named.end() :], separator or named[1]
    try:
        lines = _Lines(text, separator, comment, encoded if not named else b"")
        header = _header(lines.header)
        columns = (_quickly(lines, len(header)) or _carefully(lines, len(header))) if header else []
    except csv.Error as error:
        raise DataError(
            "a table of text has a header and rows separated by comma, semicolon, tab or |",
            received=f"{name!r}: {error}",
            remedy="export the table as CSV, each cell with a quote or a separator in it enclosed in quotes",
        ) from error
    if not columns:
        raise DataError(
            "a table needs rows below its header", received=f"the header {', '.join(header[:20])!r} alone",
            remedy="export the table again, with its rows",
        )  # fmt: skip
    require_distinct_names(header)
    return Grid(dict(zip(header, columns, strict=True)), lines.separator, tuple(lines.notes))


@dataclass
class _Lines:
    """A text without its comments, its separator, its header, and where its rows begin."""

    text: str
    separator: str
    comment: str
    encoded: bytes = b""
    notes: list[str] = field(default_factory=list)
    header: list[str] = field(default_factory=list)
    start: int = 0
    comments: int = 0

    def __post_init__(self) -> None:
        whole, self.text = self.text, self.text.lstrip("\r\n")
        last = self._leave_out_comments(self.comment or "#") if self.comment or self.text.startswith("#") else ""
        start = self.text[:_SNIFFED_CHARACTERS].splitlines(keepends=True)[:_SNIFFED_LINES]
        self.separator = self.separator or max(_SEPARATORS, key=lambda s: _agreement(start, s))
        self.header, self.start = self._first_row()
        if named := self._names_in(last):
            self.header, self.start = named, 0
        elif not last and "#" in self.text and "\n#" in self.body and self._has_notes_among_rows():
            self._leave_out_comments("#")
            self.header, self.start = self._first_row()
        if self.text is not whole:
            self.encoded = b""

    @property
    def body(self) -> str:
        """The rows below the header."""
        return self.text[self.start :]

    def _leave_out_comments(self, mark: str) -> str:
        """Drop comment lines; a quoted cell may hold what looks like one. Returns the last of those at the top."""
        kept: list[str] = []
        top, count, inside = "", 0, False
        for line in self.text.splitlines(keepends=True):
            if not inside and line.startswith(mark):
                top = line if not kept else top
                count += 1
            else:
                kept.append(line)
                inside ^= line.count('"') % 2 == 1
        self.text, self.comments = "".join(kept), count
        if count:
            self.notes.append(
                f"comments are left out: {count:,} {'line' if count == 1 else 'lines'} beginning with {mark!r}"
            )
        return top.removeprefix(mark).strip()

    def _has_notes_among_rows(self) -> bool:
        """Whether no row that begins with # is as wide as the header; a cell of it may go on in the next lines."""
        lines = self.body.split("\n")
        starts = (i for i, line in enumerate(lines) if line.startswith("#"))
        rows = (next(_reader(lines[i : i + _LINES_OF_A_ROW], self.separator)) for i in starts)
        return all(len(row) != len(self.header) for row in rows)

    def _first_row(self) -> tuple[list[str], int]:
        start = self.text[:_SNIFFED_CHARACTERS]
        stream = io.StringIO(start if "\n" in start[_SNIFFED_CHARACTERS // 2 :] else self.text, newline="")
        row = next((row for row in _reader(stream, self.separator) if any(cell.strip() for cell in row)), [])
        return row, stream.tell()

    def _names_in(self, comment: str) -> list[str]:
        """Column names in the last comment above the rows, ``#x,y``: where it is alone, or stands above numbers."""
        names = next(iter(_reader([comment], self.separator)), []) if comment else []
        if len(names) != len(self.header) or len(names) < 2 or _looks_like_data([name.strip() for name in names]):
            return []
        if self.comments == 1:
            self.notes.clear()
            return names
        return names if _looks_like_data([cell.strip() for cell in self.header]) else []


def _reader(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=separator, skipinitialspace=separator != "\t")


def _agreement(lines: Sequence[str], separator: str) -> tuple[bool, int]:
    """Whether a separator cuts all rows into the same number of cells above one, and that of the first row."""
    widths = [len(row) for row in _reader(lines, separator) if row] or [0]
    cut = widths[:-1] if len(widths) > 2 else widths  # the last may end in the middle
    return len(set(cut)) == 1 and widths[0] > 1, widths[0]


def _header(cells: Sequence[str]) -> list[str]:
    names = [cell.strip() or f"column_{i + 1}" for i, cell in enumerate(cells)]
    if _looks_like_data(names):
        raise DataError(
            "the first line must name the columns", received=f"{', '.join(names[:6])[:200]!r}",
            remedy="put a line of column names at the top of the file",
        )  # fmt: skip
    return names


def _looks_like_data(names: Sequence[str]) -> bool:
    """Whether a first line is a row: a fraction in it, or whole numbers other than a plain 0, 1, 2, ..."""
    numbers = [name for name in names if PLAIN.fullmatch(name)]
    counted = list(names) == [str(i) for i in range(len(names))]
    return any("." in number for number in numbers) or (bool(numbers) and numbers == list(names) and not counted)


def require_memory(cells: int) -> None:
    """Raise a DataError for a table of more cells than memory holds."""
    if cells > MAX_CELLS:
        raise DataError(f"a table has at most {MAX_CELLS:,} cells", remedy="train on a sample of the rows")


# ------------------------------------------------------------------------------------------------------- carefully


def _carefully(lines: _Lines, width: int) -> list[Cells]:
    reader = _reader(io.StringIO(lines.body, newline=""), lines.separator)
    # Blank lines are no rows, unless they can be a missing value of a single column.
    rows = (row for row in reader if len(row) > 1 or any(cell.strip() for cell in row))
    chunks = list(_chunks(rows, width))
    return [TextCells(np.concatenate(parts)) for parts in zip(*chunks, strict=True)]


def _chunks(rows: Iterator[list[str]], width: int) -> Iterator[list[Array]]:
    """Columns of a bounded number of rows at a time: lists of Python strings are far larger than arrays."""
    start, size = 1, max(1, min(_CHUNK_ROWS, 10_000_000 // width))
    while chunk := list(itertools.islice(rows, size)):
        _require_width(chunk, width, start)
        start += len(chunk)
        require_memory(start * width)
        yield [np.strings.strip(np.array(cells, dtype=_TEXT)) for cells in zip(*chunk, strict=True)]


def _require_width(chunk: Sequence[Sequence[str]], width: int, start: int) -> None:
    for number, row in enumerate(chunk, start):
        if len(row) != width:
            raise DataError(
                "every row has as many cells as the header",
                received=f"{len(row)} cells in row {number} and {width} names",
                remedy="quote cells that hold the separator, complete the row, or say which character separates",
            )


class TextCells:
    """A column held by NumPy: StringDType [rows], without spaces around."""

    def __init__(self, texts: Array) -> None:
        self._texts = texts

    def sample(self) -> list[str]:
        return list(dict.fromkeys(self._texts[:300].tolist()))

    def plain_numbers(self, extra: Sequence[str]) -> tuple[Array, Counter[str]] | None:
        """NumPy reads all that ``PLAIN`` matches, and besides 1_000 and nan."""
        texts = self._texts
        missing = texts == ""
        words: Counter[str] = Counter()
        try:
            values = np.where(missing, "nan", texts).astype(np.float64)
        except ValueError:
            if (found := self._sentinels(extra)) is None:
                return None
            missing, words = found
            try:
                values = np.where(missing, "nan", texts).astype(np.float64)
            except ValueError:
                return None
        if (np.strings.find(texts, "_") >= 0).any() or not _only_missing(
            texts[np.isnan(values) & ~missing], extra, words
        ):
            return None
        return without(values, extra, words), words

    def _sentinels(self, extra: Sequence[str]) -> tuple[Array, Counter[str]] | None:
        """Where the words for missing values are, if a first look says that numbers stand beside them."""
        head = [word for word in self.sample() if word and not is_missing(word, extra)]
        if not all(PLAIN.fullmatch(word) for word in head):
            return None
        distinct, codes = self.distinct()
        gone = np.array([is_missing(word, extra) for word in distinct])
        counts = np.bincount(codes, minlength=len(distinct)).tolist()
        return gone[codes], Counter({w: n for w, n, g in zip(distinct, counts, gone, strict=True) if g and w})

    def distinct(self) -> tuple[list[str], Array]:
        return self._distinct

    @cached_property
    def _distinct(self) -> tuple[list[str], Array]:
        found, codes = np.unique(self._texts, return_inverse=True)
        return found.tolist(), codes


class CodedCells:
    """A column of which each distinct text is held once.

    Args:
        distinct: sorted.
        codes: int [rows] positions in them.
    """

    def __init__(self, distinct: list[str], codes: Array) -> None:
        present = np.bincount(codes, minlength=len(distinct)) > 0
        self._distinct = [word for word, there in zip(distinct, present, strict=True) if there]
        self._codes = (np.cumsum(present) - 1)[codes]

    def sample(self) -> list[str]:
        return self._distinct[:300]

    def plain_numbers(self, extra: Sequence[str]) -> tuple[Array, Counter[str]] | None:
        del extra
        return None

    def distinct(self) -> tuple[list[str], Array]:
        return self._distinct, self._codes


def _only_missing(texts: Array, extra: Sequence[str], words: Counter[str]) -> bool:
    """Count what NumPy took for NaN; whether it means a missing value here too."""
    words.update(texts.tolist())
    return all(is_missing(word, extra) for word in words)


# --------------------------------------------------------------------------------------------------------- quickly


def _quickly(lines: _Lines, width: int) -> list[Cells] | None:
    """The same cells by polars; ``None`` where the text is small, or a cell could be read in two ways."""
    text, separator = lines.text, lines.separator
    if len(text) < LARGE_CHARACTERS or width < 2 or not separator.isascii() or not _has_many_rows(text):
        return None
    if not has_polars():
        return None
    plain = '"' not in text and _has_no_lone_returns(text)
    rows = None if plain else _clear_rows(lines.body, separator, width)
    if rows is None and not plain:
        return None
    skipped = text.count("\n", 0, lines.start)
    swift = SwiftText(lines.encoded or text.encode(), skipped, separator, width, quoted='"' in text)
    if plain and swift.is_cut and swift.last_is_missing:  # a row may be too narrow, or blank
        rows = _clear_rows(lines.body, separator, width)
    elif plain:
        rows = swift.rows
    require_memory((rows or 0) * width)
    return swift.columns() if swift.is_cut and swift.rows == rows else None


def _has_no_lone_returns(text: str) -> bool:
    return "\r" not in text or text.count("\r") == text.count("\r\n")


def _has_many_rows(text: str) -> bool:
    return next(itertools.islice(re.finditer("\n", text), LARGE_ROWS, None), None) is not None


def _clear_rows(text: str, separator: str, width: int) -> int | None:
    """How many rows there are, where lines have as many separators on average as they should, none is blank or ended by
    a lone carriage return, and quotes enclose whole cells; else ``None``."""
    if not _has_no_lone_returns(text) or "\n\n" in text or "\n\r" in text or text.startswith(("\n", "\r")):
        return None
    bare = _quoted(separator).sub("", text) if '"' in text else text
    rows = bare.count("\n") + (not bare.endswith("\n"))
    return rows if '"' not in bare and bare.count(separator) == rows * (width - 1) else None


def _quoted(separator: str) -> re.Pattern[str]:
    s = re.escape(separator)
    return re.compile(rf'(?:(?<=[{s}\n])|\A)"(?:[^"]|"")*+"(?=[{s}\r\n]|\Z)')
