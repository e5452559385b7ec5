# SPDX-License-Identifier: Apache-2.0
"""What a person can say about how a table is to be read, and what is remembered of it with a trained network."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypedDict

from edgeling.errors import DataError

SEPARATOR_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


class ReadingOptions(TypedDict, total=False):
    """The keyword arguments of :func:`edgeling.train` that say how a file is read; see :class:`Reading`."""

    encoding: str
    separator: str
    comment: str
    decimal: str
    missing: tuple[str, ...] | list[str] | str
    day_first: bool | None
    sheet: str


@dataclass(frozen=True)
class Reading:
    """How a table is read; what is left empty is told from the file.

    Attributes:
        encoding: of text, by Python's name (``utf-8``, ``utf-16``, ``latin-1``, ``cp1252``...).
        separator: of cells, one character, or ``tab``, ``comma``, ``semicolon``, ``pipe``, ``space``.
        comment: one character; lines that begin with it are left out.
        decimal: ``.`` or ``,``, for numbers that could be read either way (1,234).
        missing: words for a missing value, besides the usual ones.
        day_first: whether 03/04/2024 is the third of April, where a column leaves it open.
        sheet: of a workbook; by default the first.

    Raises:
        DataError: a value that cannot be meant.
    """

    encoding: str = ""
    separator: str = ""
    comment: str = ""
    decimal: str = ""
    missing: tuple[str, ...] = ()
    day_first: bool | None = None
    sheet: str = ""

    def __post_init__(self) -> None:
        words = (self.missing,) if isinstance(self.missing, str) else tuple(self.missing)
        object.__setattr__(self, "missing", tuple(str(word).strip() for word in words))
        object.__setattr__(self, "separator", SEPARATOR_NAMES.get(self.separator, self.separator))
        if len(self.separator) > 1 or self.separator in ('"', "\n", "\r"):
            raise DataError(
                "a separator is one character", received=repr(self.separator),
                remedy=f"the character itself, or {', '.join(n for n in SEPARATOR_NAMES if n.isalpha())}",
            )  # fmt: skip
        if len(self.comment) > 1 or self.comment in ('"', "\n", "\r"):
            raise DataError("comments begin with one character", received=repr(self.comment), remedy="#")
        if self.decimal not in ("", ".", ","):
            raise DataError("a decimal mark is . or ,", received=repr(self.decimal), remedy="decimal='.'")
        if self.encoding:
            _require_encoding(self.encoding)

    def over(self, other: Reading) -> Reading:
        """What is said here, and where nothing is said, what is said there."""
        return Reading(
            self.encoding or other.encoding,
            self.separator or other.separator,
            self.comment or other.comment,
            self.decimal or other.decimal,
            tuple(dict.fromkeys((*other.missing, *self.missing))),
            other.day_first if self.day_first is None else self.day_first,
            self.sheet or other.sheet,
        )

    def to_json(self) -> dict[str, Any]:
        """What predicting has to know again; the rest is told anew from each file."""
        return {name: value for name, value in asdict(self).items() if name in ("missing", "decimal", "day_first")}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Reading:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError, KeyError, TypeError: anything else.
        """
        missing, decimal, day_first = value["missing"], value["decimal"], value["day_first"]
        if not isinstance(missing, list | tuple) or not all(isinstance(word, str) for word in missing):
            raise ValueError("words for a missing value are texts")
        if day_first is not None and not isinstance(day_first, bool):
            raise ValueError("day_first is a truth value")
        return cls(missing=tuple(missing), decimal=decimal, day_first=day_first)


@dataclass(frozen=True)
class Role:
    """What a column is known to be before it is read.

    Attributes:
        kind: what it holds.
        form: how its cells were written, where that cannot always be told from them (``Column.form``).
        lenient: numbers may be beyond float32, and a column in which other cells stand too is one of texts.
    """

    kind: Literal["number", "category", "date"]
    form: str = ""
    lenient: bool = False


OTHERS = ""
"""In place of a column's name: what all columns are that are not named."""


def role_of(name: str, roles: Mapping[str, Role]) -> Role | None:
    """What is known of a column before it is read."""
    return roles.get(name, roles.get(OTHERS))


def _require_encoding(name: str) -> None:
    try:
        known = codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        known = False
    if not known:
        raise DataError("an encoding is one that Python knows", received=repr(name), remedy="utf-8, utf-16 or latin-1")
