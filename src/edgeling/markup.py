# SPDX-License-Identifier: Apache-2.0
"""HTML and SVG from nested calls; whatever is not already markup is escaped."""

from __future__ import annotations

import html
import re

_VOID = frozenset({"meta", "br", "col"})
# What HTML forbids in text: control characters (white space aside), lone surrogates, non-characters; and what turns the
# direction of writing, which makes a text look like another (Trojan Source, CVE-2021-42574).
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def printable(text: str) -> str:
    """Text with a mark for every character that is not for showing; a terminal would obey some of them."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def escape(text: str) -> Markup:
    """Any text, hostile or not, as HTML that shows it."""
    return Markup(html.escape(printable(text)))


def join(*children: str | int | None) -> Markup:
    """Children one after another; None is nothing."""
    return Markup("".join(c if isinstance(c, Markup) else escape(str(c)) for c in children if c is not None))


def element(tag: str, *children: str | int | None, **attributes: str | float | None) -> Markup:
    """``<tag attribute="...">children</tag>``.

    An attribute that is None is left out; ``class_`` is ``class`` and other underscores are hyphens; numbers are
    rounded to hundredths, which is finer than a screen shows.
    """
    opening = "".join(f' {_name(key)}="{_value(value)}"' for key, value in attributes.items() if value is not None)
    if tag in _VOID:
        return Markup(f"<{tag}{opening}>")
    return Markup(f"<{tag}{opening}>{join(*children)}</{tag}>")


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
