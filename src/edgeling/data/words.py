# SPDX-License-Identifier: Apache-2.0
"""Words with a meaning of their own: those for a missing value, and those for yes and no."""

from __future__ import annotations

from collections.abc import Collection, Sequence

MISSING = frozenset(
    {
        "", "?", "-", "NA", "na", "N/A", "#N/A", "#NA", "#N/A N/A", "None", "<NA>", "NaT", "N.A.", "n.a.",
        "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "-NaN", "-nan",
        "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
    }
)  # fmt: skip
"""Cells that mean "not known": the usual ones of spreadsheets, R, pandas, SQL and the UCI repository."""

FOLDED = frozenset({"nan", "null", "nil", "n/a", "#n/a", "<na>", "nat"})  # in capitals or not
AMONG_NUMBERS = frozenset({".", "..", "--", "\N{EN DASH}", "\N{EM DASH}"})
"""What SAS, Stata, the World Bank and typists write for a missing number; elsewhere these may be categories."""

_PAIRS = (
    ("no", "yes"), ("n", "y"), ("n", "j"), ("false", "true"), ("f", "t"), ("off", "on"), ("nein", "ja"), ("non", "oui"),
    ("no", "si"), ("no", "sí"), ("não", "sim"), ("nee", "ja"), ("nej", "ja"), ("нет", "да"),
)  # fmt: skip
TRUTH = {word: bool(i) for pair in _PAIRS for i, word in enumerate(pair)}
"""By lower-case word. 0 and 1 are numbers, and are understood where a column is known to hold truth values."""


def is_missing(word: str, extra: Collection[str] = ()) -> bool:
    """Whether a cell, without spaces around it, means "not known"."""
    return word in MISSING or word in extra or (len(word) <= 4 and word.lower() in FOLDED)


def missing_words(words: Sequence[str], extra: Collection[str] = ()) -> frozenset[str]:
    """Those of a column's distinct words that mean "not known"; ``-`` beside ``+`` is a category."""
    found = {word for word in words if is_missing(word, extra)}
    if "-" in found and "-" not in extra and {word for word in words if word not in found} == {"+"}:
        found.discard("-")
    return frozenset(found)


def truth(word: str) -> bool | None:
    """Whether a word says yes or no, 1 and 0 included; ``None`` for any other."""
    return {"0": False, "1": True}.get(word, TRUTH.get(word.lower()))


def are_truth_values(words: Collection[str]) -> bool:
    """Whether a column of these words says yes or no: both, and nothing else, in words and not in numbers alone."""
    said = {truth(word) for word in words}
    return said == {False, True} and any(word.lower() in TRUTH for word in words)
