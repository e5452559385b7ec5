# SPDX-License-Identifier: Apache-2.0
"""From the cells of a text column to what they are: numbers, dates, truth values or categories, and what is missing.

Each distinct text is looked at once. Columns of plain numbers, which most are, are read in one go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from edgeling.data.dates import DAY_FIRST, Dates, is_never, parse_dates
from edgeling.data.number_forms import PLAIN, NumberForm, decimal_mark, find_form
from edgeling.data.reading import Reading, Role, role_of
from edgeling.data.table import ABSENT, Column, numeric_column
from edgeling.data.words import AMONG_NUMBERS, are_truth_values, is_missing, missing_words, truth
from edgeling.errors import DataError
from edgeling.graph.types import Array

DECIMAL_COMMA, DECIMAL_POINT, TIME_OF_DAY = "decimal comma", "decimal point", "time of day"
_MARKS = {DECIMAL_COMMA: ",", DECIMAL_POINT: "."}
_SAMPLE = 300  # distinct texts that decide which form is tried on all of them


class Cells(Protocol):
    """A column of texts, without spaces around them."""

    def sample(self) -> list[str]:
        """Some distinct texts."""

    def plain_numbers(self, extra: Sequence[str]) -> tuple[Array, Counter[str]] | None:
        """float64 [rows], and the words for missing values by their count; ``None`` unless all others are numbers."""

    def distinct(self) -> tuple[list[str], Array]:
        """The distinct texts, sorted, and int [rows] positions in them."""


@dataclass
class Understood:
    """What reading found out besides the columns.

    Attributes:
        notes: sentences for the person.
        missing: by word, how many cells and in how many columns it was taken for a missing value.
    """

    notes: list[str] = field(default_factory=list)
    missing: dict[str, list[int]] = field(default_factory=dict)

    def count_missing(self, words: Mapping[str, int]) -> None:
        for word, count in words.items():
            if word and count:
                cells = self.missing.setdefault(word, [0, 0])
                cells[0] += count
                cells[1] += 1

    def sentences(self) -> tuple[str, ...]:
        """Everything there is to say."""
        counted = (
            f"{word!r} is taken for a missing value: {cells:,} {'cell' if cells == 1 else 'cells'} in {columns:,} "
            f"{'column' if columns == 1 else 'columns'}"
            for word, (cells, columns) in self.missing.items()
        )
        return (*self.notes, *counted)


def understand(
    columns: Mapping[str, Cells],
    reading: Reading,
    roles: Mapping[str, Role],
    *,
    usual_decimal: str = ".",
    typed: bool = False,
) -> tuple[tuple[Column, ...], Understood]:
    """The columns of a table of texts.

    Args:
        roles: what is known of columns by name.
        usual_decimal: the decimal mark where no column proves one.
        typed: whether whoever made the columns said that these are texts; then a mixture is one of categories.

    Raises:
        DataError: text among numbers, or among dates; a number that float32 cannot hold.
    """
    found, missing = Understood(), frozenset(reading.missing)
    proven = _proven_decimal(columns, missing)
    parsed = []
    for name, cells in columns.items():
        role = role_of(name, roles)
        decimal = reading.decimal or _MARKS.get(role.form if role else "", proven)
        parsed.append(_Column(name, cells, reading, role, decimal, usual_decimal, found, typed).parse())
    return tuple(parsed), found


def _proven_decimal(columns: Mapping[str, Cells], missing: frozenset[str]) -> str:
    """The decimal mark that some column of the file proves; a comma goes before a point, which is everywhere."""
    marks = set()
    for cells in columns.values():
        words = [word for word in cells.sample() if not is_missing(word, missing)]
        if words and ("," in words[0] or any("," in word for word in words)):
            marks.add(decimal_mark(words))
    return "," if "," in marks else "." if "." in marks else ""


class _Column:
    """One column on its way."""

    def __init__(
        self,
        name: str,
        cells: Cells,
        reading: Reading,
        role: Role | None,
        decimal: str,
        usual: str,
        found: Understood,
        typed: bool,
    ) -> None:
        self.name, self.cells, self.reading, self.role = name, cells, reading, role
        self.decimal, self.usual, self.found, self.typed = decimal, usual, found, typed
        self.lenient = role is not None and role.lenient

    def parse(self) -> Column:
        kind = self.role.kind if self.role else ""
        if kind in ("", "number") and (self.decimal != "," or not self._grouped_by_points()):
            plain = self.cells.plain_numbers(self.reading.missing)
            if plain is not None:
                self.found.count_missing(plain[1])
                return numeric_column(self.name, plain[0], lenient=self.lenient)
        return self._parse_distinct(kind)

    def _grouped_by_points(self) -> bool:
        """Whether 1.234 is to be looked at twice, for in this file a comma is the decimal mark."""
        return any("." in word for word in self.cells.sample())

    def _parse_distinct(self, kind: str) -> Column:
        distinct, codes = self.cells.distinct()
        missing = missing_words(distinct, self.reading.missing)
        words = [word for word in distinct if word not in missing]
        timed = self.role is not None and self.role.form == TIME_OF_DAY
        if kind != "category":
            column = self._numbers(distinct, codes, words, missing)
            if column is None and (kind != "number" or timed) and not are_truth_values(words):
                column = self._dates(distinct, codes, words, missing)
            if column is not None:
                return column
        if kind != "category" and not self.typed and not self.lenient and not are_truth_values(words):
            self._refuse_words_among_numbers(distinct, codes, words)
        return self._categories(distinct, codes, missing)

    def _numbers(
        self, distinct: Sequence[str], codes: Array, words: Sequence[str], missing: frozenset[str]
    ) -> Column | None:
        among = AMONG_NUMBERS.intersection(words)
        words = [word for word in words if word not in among] if among else words
        form = find_form(words[:_SAMPLE], self.decimal, self.usual)
        if form is not None and len(words) > _SAMPLE:
            form = find_form(words, self.decimal, self.usual)
        if form is None:
            return None if words else self._nothing(distinct, codes, missing)
        values = _spread(distinct, {word: form.value(word) for word in words})
        self._say_number(form, words)
        self._count(distinct, codes, missing | among)
        written = DECIMAL_COMMA if form.decimal == "," else DECIMAL_POINT if "," in form.grouping else ""
        return numeric_column(self.name, values[codes], form=written, lenient=self.lenient)

    def _nothing(self, distinct: Sequence[str], codes: Array, missing: frozenset[str]) -> Column:
        self._count(distinct, codes, missing)
        return numeric_column(self.name, np.full(len(codes), np.nan))

    def _say_number(self, form: NumberForm, words: Sequence[str]) -> None:
        unusual = [word for word in words if not PLAIN.fullmatch(word)]
        if self.decimal == "," and form.grouping:
            unusual = unusual or [word for word in words if "." in word]
        if unusual and (form != NumberForm(",") or self.usual != ","):
            self.found.notes.append(form.describe(self.name, max(unusual, key=len)))

    def _dates(
        self, distinct: Sequence[str], codes: Array, words: Sequence[str], missing: frozenset[str]
    ) -> Column | None:
        words = [word for word in words if not is_never(word)]
        told = self.role.form == DAY_FIRST if self.role and self.role.form else self.reading.day_first
        if not words or (dates := parse_dates(words, told)) is None:
            return None
        bad = [word for word, value in zip(words, dates.seconds, strict=True) if np.isnan(value)]
        if 2 * len(bad) >= len(words) or (bad and self.typed):
            return None
        if bad and self.lenient:
            return None
        if bad:
            raise self._mixed("dates", bad, distinct, codes)
        values = _spread(distinct, dict(zip(words, dates.seconds.tolist(), strict=True)))
        self._say_dates(dates, words[0])
        self._count(distinct, codes, missing)
        if dates.temporal == "time":
            return numeric_column(self.name, values[codes], form=TIME_OF_DAY)
        return Column(self.name, values[codes], temporal=dates.temporal, form=dates.form)

    def _say_dates(self, dates: Dates, sample: str) -> None:
        if dates.temporal == "time":
            self.found.notes.append(f"column {self.name!r}: times of day are read as seconds since midnight")
        elif dates.open and self.role is None:
            self.found.notes.append(
                f"column {self.name!r}: dates such as {sample!r} are read with the month first; if that is wrong, say "
                "that the day comes first"
            )
        elif dates.zoned:
            self.found.notes.append(f"column {self.name!r}: moments such as {sample!r} are counted in UTC")

    def _categories(self, distinct: Sequence[str], codes: Array, missing: frozenset[str]) -> Column:
        self._count(distinct, codes, missing)
        words = [word for word in distinct if word not in missing]
        names = self._one_spelling(words, distinct, codes) if are_truth_values(words) else {w: w for w in words}
        categories = sorted(set(names.values()))
        position = {category: i for i, category in enumerate(categories)}
        places = np.array([position[names[w]] if w in names else ABSENT for w in distinct], np.int32)
        return Column(self.name, places[codes], tuple(categories))

    def _one_spelling(self, words: Sequence[str], distinct: Sequence[str], codes: Array) -> dict[str, str]:
        """Yes, YES and y are one; true and false are always written so. The commonest spelling names it."""
        if {word.lower() for word in words} <= {"true", "false"}:
            return {word: word.lower() for word in words}
        count = dict(zip(distinct, np.bincount(codes, minlength=len(distinct)).tolist(), strict=True))
        named = [word for word in words if word not in ("0", "1")] or words
        best = {value: max((w for w in words if truth(w) is value), key=lambda w: (w in named, count[w], w))
                for value in (False, True)}  # fmt: skip
        if len(words) > 2:
            shown = ", ".join(map(repr, words))
            self.found.notes.append(f"column {self.name!r}: {shown} are read as {best[True]!r} and {best[False]!r}")
        return {word: best[bool(truth(word))] for word in words}

    def _count(self, distinct: Sequence[str], codes: Array, missing: frozenset[str]) -> None:
        if missing and missing != {""}:
            counts = np.bincount(codes, minlength=len(distinct)).tolist()
            self.found.count_missing({w: n for w, n in zip(distinct, counts, strict=True) if w in missing})

    def _refuse_words_among_numbers(self, distinct: Sequence[str], codes: Array, words: Sequence[str]) -> None:
        """Numbers throughout, or categories; numbers by majority with text among them are refused."""
        texts = [word for word in words if not PLAIN.fullmatch(word)]
        if not texts or len(texts) == len(words):
            return
        counts = dict(zip(distinct, np.bincount(codes, minlength=len(distinct)).tolist(), strict=True))
        numbers = sum(counts[word] for word in words) - sum(counts[word] for word in texts)
        if numbers > sum(counts[word] for word in texts):
            raise self._mixed("numbers", texts, distinct, codes)

    def _mixed(self, kind: str, texts: Sequence[str], distinct: Sequence[str], codes: Array) -> DataError:
        """Some cells are of a kind and these texts are not: say which is the first of them, and where."""
        others = np.isin(distinct, np.asarray(texts))[codes]
        filled = ~np.isin(distinct, [word for word in distinct if is_missing(word, self.reading.missing)])[codes]
        row, known = int(np.argmax(others)), int(filled.sum())
        return DataError(
            f"a column holds {kind} throughout, or categories",
            received=f"{distinct[int(codes[row])][:60]!r} in row {row + 1} of column {self.name!r}, "
            f"which has {kind} in {known - int(others.sum())} of its {known} filled rows",
            remedy="correct the cell, leave it empty if the value is unknown, name its word as a missing one, "
            "or read the column as categories",
        )


def _spread(distinct: Sequence[str], values: Mapping[str, float]) -> Array:
    return np.array([values.get(word, np.nan) for word in distinct], np.float64)
