# SPDX-License-Identifier: Apache-2.0
"""``NAME_text.c``: columns by their names and values from text, on any chip."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.resources import files

from edgeling.codegen.facts import c_string
from edgeling.codegen.text import LINE
from edgeling.data.words import TRUTH, are_truth_values, truth
from edgeling.packages.columns import InputColumn, words_of
from edgeling.packages.shipment import Shipment

_KINDS = {"number": "NUMBER", "category": "CATEGORY", "days": "DAYS", "minutes": "MINUTES", "time": "TIME_OF_DAY"}
_LONGEST_LITERAL = 4000  # bytes; C99 promises 4095


def template(name: str, values: Mapping[str, str]) -> str:
    """A file of ``c/`` or ``web/`` with ``@KEY@`` filled in, once each: what is filled in is not looked at again."""
    text = files("edgeling.packages").joinpath(*name.split("/")).read_text("utf-8")
    return re.sub("@([A-Z_]+)@", lambda found: values[found[1]], text)


def text_files(shipment: Shipment) -> dict[str, str]:
    """``NAME_text.h`` and ``NAME_text.c``."""
    values = {"NAME": shipment.name, "UPPER": shipment.upper, "COLUMNS": str(len(shipment.columns))}
    header = template("c/text.h", values)
    source = template("c/text.c", {**values, "TABLES": _tables(shipment)})
    return {f"{shipment.name}_text.h": header, f"{shipment.name}_text.c": source}


class _Texts:
    """Texts one after the other, each ended by a zero byte."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.bytes = 0

    def add(self, words: Iterable[str]) -> int:
        """Where the first of them begins."""
        begin = self.bytes
        for word in words_of(list(words)):
            self.words.append(word)
            self.bytes += len(word.encode("utf-8", "replace")) + 1
        return begin

    def source(self) -> str:
        """The array: as literals, or byte by byte where there are more than a compiler need take."""
        if self.bytes < _LONGEST_LITERAL:
            lines = "".join(f'\n    {c_string(word)[:-1]}\\0"' for word in self.words)
            return f"static const char texts[] TEXT_IN_FLASH ={lines};\n"
        codes = [str(b if b < 128 else b - 256) for b in self._encoded()]
        lines = "".join(f"\n    {', '.join(codes[i : i + 20])}," for i in range(0, len(codes), 20))
        return f"static const signed char texts[] TEXT_IN_FLASH = {{{lines.rstrip(',')}}};\n"

    def _encoded(self) -> bytes:
        return b"".join(word.encode("utf-8", "replace") + b"\0" for word in self.words)


def _tables(shipment: Shipment) -> str:
    texts = _Texts()
    rows = [_row(column, texts) for column in shipment.columns]
    lists = {"MISSING": shipment.missing_words, "YES": _said(True), "NO": _said(False), "LABEL": shipment.labels}
    used = {name: (texts.add(words), len(words)) for name, words in lists.items()}
    places = "".join(
        f"#define {name}_WORDS {at}u\n" + (f"#define {name}_COUNT {count}\n" if name != "LABEL" else "")
        for name, (at, count) in used.items()
    )
    table = ",\n".join(f"    {row}" for row in rows)
    return f"{texts.source()}\nstatic const text_column columns[] TEXT_IN_FLASH = {{\n{table},\n}};\n\n{places}"


def _row(column: InputColumn, texts: _Texts) -> str:
    name, words = texts.add([column.name]), texts.add(column.categories)
    says = column.held == "category" and are_truth_values(column.categories)
    flags = {
        "MAY_BE_MISSING": column.may_be_missing, "DECIMAL_COMMA": column.decimal_comma, "DAY_FIRST": column.day_first,
        "HAS_OTHERS": column.has_others, "SAYS_YES_AND_NO": says,
        "YES_COMES_FIRST": says and bool(truth(column.categories[0])),
    }  # fmt: skip
    told = " | ".join(flag for flag, holds in flags.items() if holds) or "0"
    row = f"{{{name}u, {words}u, {len(column.categories)}, {column.epoch_days}, {_KINDS[column.held]}, {told}}}"
    assert len(row) < LINE
    return row


def _said(yes: bool) -> list[str]:
    """Words for yes or no; letters beyond ASCII, which C does not fold, in capitals too."""
    words = [word for word, said in TRUTH.items() if said is yes] + ["1" if yes else "0"]
    return list(dict.fromkeys(form for word in words for form in _forms(word)))


def _forms(word: str) -> tuple[str, ...]:
    return (word,) if word.isascii() else (word, word.capitalize(), word.upper())
