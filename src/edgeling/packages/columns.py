# SPDX-License-Identifier: Apache-2.0
"""What a person feeds a deployed network: its columns by name, and what each holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Held = Literal["number", "category", "days", "minutes", "time"]
MOST_NAMED = 256  # columns that a device or a form knows by their names; more are samples or pixels


@dataclass(frozen=True)
class InputColumn:
    """One value of a row.

    Attributes:
        held: ``days`` and ``minutes`` are of a date, counted from ``epoch_days`` after 1970-01-01; ``time`` is a time
            of day, in seconds since midnight.
        categories: what the codes 0, 1... stand for.
        has_others: whether texts besides were there in training, which are not told apart.
        may_be_missing: whether NaN stands for a value that is not known; of categories -1 always does.
        decimal_comma, day_first: how numbers and dates are written.
        typical: a value that was usual in training.
    """

    name: str
    held: Held = "number"
    categories: tuple[str, ...] = ()
    has_others: bool = False
    may_be_missing: bool = False
    decimal_comma: bool = False
    day_first: bool = False
    epoch_days: int = 0
    typical: float = 0.0

    @property
    def sentence(self) -> str:
        """What to write there, in a few words."""
        if self.held == "category":
            shown = ", ".join(self.categories[:6]) + (", ..." if len(self.categories) > 6 else "")
            return f"one of {shown}"
        told = {
            "number": "a number", "days": "a date, 2024-05-31", "minutes": "a moment, 2024-05-31 17:30",
            "time": "a time, 17:30",
        }[self.held]  # fmt: skip
        return f"{told}, or nothing" if self.may_be_missing else told


def words_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Texts of categories and names; a zero byte, which C ends texts with, is left out."""
    return tuple(text.replace("\0", "") for text in texts)
