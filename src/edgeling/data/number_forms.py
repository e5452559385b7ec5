# SPDX-License-Identifier: Apache-2.0
"""Numbers as people and spreadsheets write them: 1,234.5 and 1.234,5 and 1 234, 12 %, $5, (3) for minus three.

Every pattern takes time proportional to the length of the text: no digit can be matched in two ways.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

PLAIN = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?inf(?:inity)?", re.IGNORECASE)
"""What a number looks like without any doubt."""

_SPACES = " '\N{RIGHT SINGLE QUOTATION MARK}\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}"
_SYMBOLS = ("US$", "R$", "CA$", "A$", "$", "€", "£", "¥", "₹", "₩", "₽", "₺", "₴", "%")
_CODES = ("USD", "EUR", "GBP", "CHF", "JPY", "CNY", "INR", "AUD", "CAD", "SEK", "NOK", "DKK", "PLN", "BRL", "kr", "zł")
AFFIXES = (*_SYMBOLS, *_CODES)
_MINUS = "-\N{MINUS SIGN}"
_LONGEST = 400  # characters; no number that a column can hold is longer


def _pattern(decimal: str, grouping: str) -> re.Pattern[str]:
    point, digits = re.escape(decimal), r"\d+"
    plain = rf"{digits}(?:{point}\d*)?|{point}\d+"
    grouped = rf"[1-9]\d{{0,2}}(?:[{re.escape(grouping)}]\d{{3}})+(?:{point}\d*)?|" if grouping else ""
    return re.compile(rf"[+-]?(?:{grouped}{plain})(?:[eE][+-]?\d+)?")


# (decimal mark, what groups thousands); the simplest first
_PATTERNS = {
    key: _pattern(*key) for key in ((".", ""), (",", ""), (".", ","), (",", "."), (".", _SPACES), (",", _SPACES))
}


@dataclass(frozen=True)
class NumberForm:
    """How the numbers of a column are written.

    Attributes:
        decimal: ``.`` or ``,``.
        grouping: characters between thousands, which mean nothing.
        affix: a unit before or after: a currency, or ``%``.
        open: whether the decimal mark could as well be the one that groups thousands.
    """

    decimal: str = "."
    grouping: str = ""
    affix: str = ""
    open: bool = False

    def value(self, word: str) -> float:
        """The number a word of this form stands for; ``12 %`` is 12."""
        text = _core(word)[0]
        for mark in self.grouping:
            text = text.replace(mark, "")
        return float(text.replace(self.decimal, "."))

    def describe(self, name: str, sample: str) -> str:
        """A sentence for the person."""
        shown = f"{self.value(sample):g}"
        doubt = "; if that is wrong, say which mark is decimal" if self.open else ""
        return f"column {name!r}: {sample!r} is read as the number {shown}{doubt}"


def find_form(words: Sequence[str], decimal: str = "", usual: str = ".") -> NumberForm | None:
    """The form in which every word is a number, or ``None``.

    Args:
        words: distinct, none missing.
        decimal: the decimal mark, where it is known.
        usual: the decimal mark where the words leave it open.
    """
    if not words or not _plausible(words[0]):
        return None
    cores = [_core(word) for word in words]
    affix = _one_affix(cores)
    if affix is None or all(bracketed for _, _, bracketed in cores):
        return None
    texts = [core for core, _, _ in cores]
    fitting = [key for key, pattern in _PATTERNS.items() if all(map(pattern.fullmatch, texts))]
    return _choose(fitting, texts, affix, decimal, usual)


def decimal_mark(words: Sequence[str]) -> str:
    """``,`` or ``.`` where these words are numbers that prove it; otherwise nothing."""
    form = find_form(words)
    return form.decimal if form and not form.open and any(form.decimal in _core(word)[0] for word in words) else ""


def _choose(
    fitting: Sequence[tuple[str, str]], texts: Sequence[str], affix: str, decimal: str, usual: str
) -> NumberForm | None:
    if not fitting:
        return None
    marks = {mark for mark, _ in fitting}
    used = any("," in text for text in texts) or (decimal == "," and any("." in text for text in texts))
    if len(marks) == 2 and used:
        mark = decimal or usual
        doubtful = not decimal
    else:
        mark, doubtful = fitting[0][0], False
    grouping = next(grouping for m, grouping in fitting if m == mark)
    return NumberForm(mark, grouping, affix, doubtful)


def _one_affix(cores: Sequence[tuple[str, str, bool]]) -> str | None:
    """The one affix of all words (a bare zero needs none); ``None`` if there are several, or only some have it."""
    found = {affix for _, affix, _ in cores}
    if len(found) == 2 and "" in found and all(affix or not core.strip("+-0.,") for core, affix, _ in cores):
        found.discard("")
    return found.pop() if len(found) == 1 else None


def _core(word: str) -> tuple[str, str, bool]:
    """(sign and digits, affix, whether in brackets, which mean minus)."""
    text, bracketed = word, len(word) > 2 and word[0] == "(" and word[-1] == ")"
    if bracketed:
        text = text[1:-1].strip()
    sign, text = _sign(text)
    text, affix = _without_affix(text)
    if affix and not sign:
        sign, text = _sign(text)
    return ("-" if bracketed else sign) + text, affix, bracketed


def _sign(text: str) -> tuple[str, str]:
    if text[:1] in _MINUS and text:
        return "-", text[1:].lstrip()
    return ("+", text[1:]) if text[:1] == "+" else ("", text)


def _without_affix(text: str) -> tuple[str, str]:
    for affix in AFFIXES:
        if text.startswith(affix):
            return text[len(affix) :].lstrip(), affix
        if text.endswith(affix):
            return text[: -len(affix)].rstrip(), affix
    return text, ""


def _plausible(word: str) -> bool:
    """The quick no for most texts: a number has a digit, and begins or ends with one or with a mark."""
    return len(word) <= _LONGEST and any(map(str.isdigit, word))
