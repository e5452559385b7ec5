# SPDX-License-Identifier: Apache-2.0
"""Numbers as people write them: what is understood, what is left open, and that no text takes long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeling.data.number_forms import PLAIN, NumberForm, decimal_mark, find_form

UNDERSTOOD = {
    "plain": (["1", "-2.5", "+.5", "3.", "1e5"], [1, -2.5, 0.5, 3, 1e5]),
    "decimal comma": (["1,5", "-0,25", "3"], [1.5, -0.25, 3]),
    "thousands": (["1,234", "12", "1,234,567.5"], [1234, 12, 1234567.5]),
    "thousands and decimal comma": (["1.234,5", "12", "1.234.567"], [1234.5, 12, 1234567]),
    "spaces": (["1 234", "1\N{NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567,5"], [1234, 1234567.5]),
    "Swiss": (["1'234.50", "12"], [1234.5, 12]),
    "percent": (["12%", "3.5 %", "0"], [12, 3.5, 0]),
    "dollars": (["$5", "-$1,234.50", "$-3", "($7.25)"], [5, -1234.5, -3, -7.25]),
    "euros": (["1.234,50 €", "€ 3,20"], [1234.5, 3.2]),
    "codes": (["USD 5", "6 USD"], [5, 6]),
    "minus sign": (["\N{MINUS SIGN}3", "4"], [-3, 4]),
    "brackets": (["(3)", "4"], [-3, 4]),
}
NONE = {
    "mixed currencies": ["$5", "€5"],
    "some without": ["$5", "6"],
    "words": ["1", "one"],
    "dates": ["1/2/2020"],
    "codes": ["1A", "2B"],
    "badly grouped": ["1,23,4"],
    "two marks": ["1.2.3"],
    "all in brackets": ["(1)", "(2)"],
    "no digit": ["-", "+"],
    "underscore": ["1_000"],
    "hexadecimal": ["0x10"],
    "both marks": ["1.5", "1,5"],
}


@pytest.mark.parametrize(("words", "values"), UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_understood(words: list[str], values: list[float]) -> None:
    form = find_form(words)
    assert form is not None
    assert [form.value(word) for word in words] == values


@pytest.mark.parametrize("words", NONE.values(), ids=NONE)
def test_no_numbers(words: list[str]) -> None:
    assert find_form(words) is None


def test_what_is_left_open_goes_by_what_is_known_then_by_what_is_usual() -> None:
    words = ["1,234", "2,500"]
    assert find_form(words) == NumberForm(".", ",", open=True)
    assert find_form(words, usual=",") == NumberForm(",", open=True)
    assert find_form(words, decimal=",") == NumberForm(",")
    assert find_form(["1.234", "2.500"], decimal=",") == NumberForm(",", ".")
    assert find_form(["1.234", "2.5"], decimal=",") == NumberForm(".")


@pytest.mark.parametrize(
    ("words", "mark"), [(["1,5"], ","), (["0,123"], ","), (["1,5", "x"], ""), (["1,234.5"], "."), (["7"], ""), ([], "")]
)
def test_which_mark_words_prove(words: list[str], mark: str) -> None:
    assert decimal_mark(words) == mark


@given(
    st.floats(-1e12, 1e12).map(lambda v: round(v, 2)), st.sampled_from([(",", "."), (".", ","), (" ", ","), ("'", ".")])
)
def test_what_is_written_in_a_form_is_read_back(value: float, marks: tuple[str, str]) -> None:
    grouping, decimal = marks
    text = f"{value:,.2f}".replace(",", "g").replace(".", decimal).replace("g", grouping)
    form = find_form([text], decimal=decimal)
    assert form is not None
    assert form.value(text) == value


@given(st.text("0123456789.,+-eE %$()' ", max_size=12))
def test_whatever_is_found_has_a_value(text: str) -> None:
    text = text.strip()
    form = find_form([text]) if text else None
    if form is not None:
        form.value(text)
    if PLAIN.fullmatch(text):
        assert form is not None
        assert form.value(text) == float(text)
