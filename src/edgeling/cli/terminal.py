# SPDX-License-Identifier: Apache-2.0
"""The terminal: what it can show, and the small drawings made of characters."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import isfinite
from typing import IO, TYPE_CHECKING, cast

from edgeling.markup import printable

if TYPE_CHECKING:
    from rich.console import Console

_ASCII = str.maketrans(
    {
        "✓": "+", "✗": "x", "!": "!", "█": "#", "±": "~", "²": "2", "µ": "u", "→": ">", "·": ".", "…": ".",
        "\N{EN DASH}": "-", "\N{MINUS SIGN}": "-", "\N{MULTIPLICATION SIGN}": "x", "\N{REPLACEMENT CHARACTER}": "?",
        **dict(zip("▁▂▃▄▅▆▇", "__..--=", strict=True)), **dict.fromkeys("▏▎▍▌▋▊▉", ""),
    }
)  # fmt: skip
_LEVELS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉"


class _AsciiStream:
    """A stream whose encoding knows no more than ASCII: our drawings in characters it has."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.translate(_ASCII))

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def console(stream: IO[str] | None = None) -> Console:
    """A console, by default on standard error, that takes names for what they are: no markup, no emoji codes."""
    from rich.console import Console

    file = stream or sys.stderr
    known = (getattr(file, "encoding", None) or "utf-8").lower().startswith("utf")
    drawn = file if known else cast("IO[str]", _AsciiStream(file))
    return Console(file=drawn, markup=False, emoji=False, highlight=False)


def one_line(text: str) -> str:
    """Text of any origin on one line, without a character that a terminal would obey."""
    return " ".join(printable(" ".join(text.split())).split())


def sparkline(values: Sequence[float], width: int) -> str:
    """A curve one character high, at most ``width`` wide; values that are not finite are left out."""
    finite = [v for v in values if isfinite(v)]
    if not finite:
        return ""
    cells = min(width, len(finite))
    largest = max(map(abs, finite)) or 1.0  # divided out, so that no sum or difference overflows
    buckets = (finite[i * len(finite) // cells : (i + 1) * len(finite) // cells] for i in range(cells))
    means = [sum(v / largest for v in bucket) / len(bucket) for bucket in buckets]
    low, high = min(means), max(means)
    return "".join(_LEVELS[round(7 * (v - low) / (high - low))] if high - low > 1e-9 else _LEVELS[0] for v in means)


def bar(share: float, width: int) -> str:
    """A bar as long as ``share`` (0 to 1) of ``width`` characters, to an eighth of a character."""
    eighths = round(8 * width * min(max(share, 0.0), 1.0)) if isfinite(share) else 0
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
