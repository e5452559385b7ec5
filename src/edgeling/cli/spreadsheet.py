# SPDX-License-Identifier: Apache-2.0
"""Cells of the CSV files we write: names and labels come from people's tables, and spreadsheets run what they open."""

from __future__ import annotations

from edgeling.markup import printable

_WIDE = ("\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}", "\N{FULLWIDTH HYPHEN-MINUS}")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\N{FULLWIDTH COMMERCIAL AT}", *_WIDE)


def cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula and no terminal obeys.

    What begins like a formula, and is more than a sign and no number, gets an apostrophe in front, which spreadsheets
    take for "this is text" (OWASP, "CSV Injection"); control characters become a mark.
    """
    shown = printable(text)
    begins = shown.lstrip(" \n")[:1]
    return f"'{shown}" if begins in _FORMULA and len(shown) > 1 and not _is_number(shown) else shown


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
