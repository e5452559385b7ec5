# SPDX-License-Identifier: Apache-2.0
"""Columns held by polars, and large texts cut up by it: into numbers where the first rows are numbers, in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeling.data.cells import Cells
from edgeling.data.number_forms import PLAIN
from edgeling.data.words import is_missing
from edgeling.errors import UnsupportedError
from edgeling.graph.types import Array

if TYPE_CHECKING:
    import polars

_SAMPLE_ROWS = 300


def has_polars() -> bool:
    """Whether it is installed."""
    return find_spec("polars") is not None


def require_polars(received: str) -> None:
    """For tables that nothing else reads.

    Raises:
        UnsupportedError: it is not installed.
    """
    if not has_polars():
        raise UnsupportedError(
            "Parquet, Arrow and workbooks are read by the package polars", received=received,
            remedy="pip install 'edgeling[tables]', or export the table as CSV",
        )  # fmt: skip


class SeriesCells:
    """A column held by polars. Spaces around its texts go when it is looked at: one column is copied at a time."""

    def __init__(self, series: polars.Series) -> None:
        self._series = series

    def _texts(self) -> polars.Series:
        return self._series.fill_null("").str.strip_chars()

    def sample(self) -> list[str]:
        return list(dict.fromkeys((text or "").strip() for text in self._series.head(300).to_list()))

    def plain_numbers(self, extra: Sequence[str]) -> tuple[Array, Counter[str]] | None:
        import polars

        if any(word and not is_missing(word, extra) and not PLAIN.fullmatch(word) for word in self.sample()):
            return None
        texts = self._texts()
        values = texts.cast(polars.Float64, strict=False)
        unread = texts.filter((values.is_null() | values.is_nan()) & (texts != ""))
        words: Counter[str] = Counter()
        if unread.len():
            counted = unread.value_counts()
            if counted.height > 1000 or not all(is_missing(word, extra) for word in counted[:, 0]):
                return None
            words.update(dict(zip(*counted.get_columns(), strict=True)))
        return without(values.fill_null(float("nan")).to_numpy(), extra, words), words

    def distinct(self) -> tuple[list[str], Array]:
        import polars

        texts = self._texts()
        found = texts.unique().sort()
        return found.to_list(), texts.cast(polars.Enum(found)).to_physical().to_numpy()


class SwiftText:
    """A text of rows that polars cuts up. Columns whose first cells are numbers are read as numbers at once.

    Args:
        encoded: in UTF-8.
        skipped: lines above the first row.
        quoted: whether quotes enclose cells.

    Attributes:
        is_cut: False where some row is too wide; then nothing else is known.
    """

    def __init__(self, encoded: bytes, skipped: int, separator: str, width: int, *, quoted: bool) -> None:
        self._encoded, self._skipped, self._separator, self._quoted = encoded, skipped, separator, quoted
        self._names = [f"column_{i + 1}" for i in range(width)]  # as polars would
        self.is_cut = self._cut()

    def _cut(self) -> bool:
        import polars

        try:
            self.head = self._read({}, self._names, _SAMPLE_ROWS)
            numbers = {name: polars.Float64 for name in self._names if _is_numbers(self.head[name])}
            self._frame = self._read(numbers, self._names)
        except polars.exceptions.PolarsError:
            return False
        return True

    @property
    def rows(self) -> int:
        """How many there are."""
        return self._frame.height if self.is_cut else 0

    @property
    def last_is_missing(self) -> bool:
        """Whether some row has nothing in the last column, as rows that are too narrow have."""
        return self._frame[self._names[-1]].null_count() > 0

    def columns(self) -> list[Cells]:
        """The cells, in order."""
        return [
            NumberCells(self, name, series) if series.dtype.is_float() else SeriesCells(series)
            for name, series in zip(self._names, self._frame.get_columns(), strict=True)
        ]

    def texts(self, name: str) -> polars.Series:
        """A column as texts; those whose numbers leave a doubt are read again together."""
        if name in self._doubtful.columns:
            return self._doubtful[name]
        return self._read({}, [name])[name]

    @cached_property
    def _doubtful(self) -> polars.DataFrame:
        return self._read({}, [series.name for series in self._frame.get_columns() if is_doubtful(series)])

    def _read(self, numbers: Mapping[str, Any], names: Collection[str], rows: int | None = None) -> polars.DataFrame:
        import polars

        if not names:
            return polars.DataFrame()
        return polars.read_csv(
            self._encoded, has_header=False, skip_lines=self._skipped, separator=self._separator, n_rows=rows,
            schema={name: numbers.get(name, polars.String) for name in self._names}, columns=list(names),
            quote_char='"' if self._quoted else None, ignore_errors=True,
        )  # fmt: skip


def _is_numbers(head: polars.Series) -> bool:
    words = [word for word in head.unique().str.strip_chars().to_list() if word and not is_missing(word, ())]
    return bool(words) and all(PLAIN.fullmatch(word) for word in words)


def is_doubtful(numbers: polars.Series) -> bool:
    """Whether some cell was not read as a number; of texts, no."""
    return numbers.dtype.is_float() and (numbers.null_count() > 0 or bool(numbers.is_nan().any()))


class NumberCells:
    """A column that polars read as numbers, and as texts where that is asked for."""

    def __init__(self, text: SwiftText, name: str, numbers: polars.Series) -> None:
        self._text, self._name, self._numbers = text, name, numbers

    @cached_property
    def _cells(self) -> SeriesCells:
        return SeriesCells(self._text.texts(self._name))

    def sample(self) -> list[str]:
        return SeriesCells(self._text.head[self._name]).sample()

    def plain_numbers(self, extra: Sequence[str]) -> tuple[Array, Counter[str]] | None:
        """Empty cells are missing; any other that is no number is looked at as text."""
        words: Counter[str] = Counter()
        doubtful = is_doubtful(self._numbers)
        if doubtful and self._text.texts(self._name).null_count() != self._gaps():
            return self._cells.plain_numbers(extra)
        values = self._numbers.fill_null(float("nan")) if doubtful else self._numbers
        return without(values.to_numpy(), extra, words), words

    def _gaps(self) -> int:
        return self._numbers.null_count() + int(self._numbers.is_nan().sum())

    def distinct(self) -> tuple[list[str], Array]:
        return self._cells.distinct()


def without(values: Array, extra: Sequence[str], words: Counter[str]) -> Array:
    """Numbers that stand for a missing value, such as -999, made NaN and counted."""
    for word in extra:
        if PLAIN.fullmatch(word) and (hit := values == float(word)).any():
            values = np.where(hit, np.nan, values)
            words[word] += int(hit.sum())
    return values
