# SPDX-License-Identifier: Apache-2.0
"""From bytes to text: the encoding as told, or as the bytes themselves show it."""

from __future__ import annotations

import codecs

from edgeling.errors import DataError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WESTERN = "cp1252"  # what Windows calls ANSI; where a byte has no meaning there, it is not text of that kind
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\x1a"))
_REMEDY = "export the table as CSV in UTF-8, or say which encoding it has, such as latin-1 or utf-16"


def decode(name: str, content: bytes, encoding: str = "") -> tuple[str, str]:
    """The text of a file, and a sentence about its encoding if that was guessed.

    A byte order mark decides; then UTF-8, if it is legal UTF-8; then UTF-16, if every second byte of most letters is
    zero; then Windows-1252, of which Latin-1 is the printable part.

    Raises:
        DataError: it is not text in that encoding, or in any of these.
    """
    if encoding:
        return _decode(name, content, encoding), ""
    for mark, by_mark in _MARKS:
        if content.startswith(mark):
            return _decode(name, content, by_mark), ""
    if b"\0" in content[:4096] and (wide := _wide(content[:4096])):
        return _decode(name, content, wide), f"the file is read as {wide.upper()}"
    if b"\0" in content:
        raise _not_text(name, "NUL bytes, so it is not text")
    try:
        return content.decode("utf-8"), ""
    except UnicodeDecodeError as error:
        return _western(name, content, error)


def _decode(name: str, content: bytes, encoding: str) -> str:
    try:
        text = content.decode("utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding)
    except (UnicodeError, ValueError) as error:
        raise _not_text(name, f"bytes that are not {encoding}: {error}") from error
    if "\0" in text:
        raise _not_text(name, f"NUL characters as {encoding}")
    return text.removeprefix("\ufeff")


def _western(name: str, content: bytes, error: UnicodeDecodeError) -> tuple[str, str]:
    _require_no_controls(name, content)
    letters = sum(byte >= 0xA0 for byte in content if byte >= 0x80)
    beyond = sum(byte >= 0x80 for byte in content)
    if 10 * letters < 9 * beyond:
        raise _not_text(name, f"bytes that are not utf-8: {error}") from error
    try:
        text = content.decode(_WESTERN)
    except UnicodeDecodeError:
        raise _not_text(name, f"bytes that are not utf-8: {error}") from error
    sample = next((word for word in text.split() if not word.isascii()), "")[:30]
    return text, f"the file is not UTF-8: it is read as Windows-1252 (Latin-1), in which it says {sample!r}"


def _wide(start: bytes) -> str:
    """UTF-16 without a byte order mark: of ordinary text one byte in two is zero, always the same one."""
    even, odd = start[0::2].count(0), start[1::2].count(0)
    half = len(start) // 2
    if odd > 0.7 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 * half and odd < 0.05 * half else ""


def _require_no_controls(name: str, content: bytes) -> None:
    if len(content.translate(None, _CONTROL)) < len(content):
        found = next(byte for byte in content if byte in _CONTROL)
        raise _not_text(name, f"the control character {found:#04x} and bytes that are not utf-8")


def _not_text(name: str, why: str) -> DataError:
    return DataError(
        "a table of text has a header and rows, in an encoding that can be told",
        received=f"{name!r}: {why}",
        remedy=_REMEDY,
    )
