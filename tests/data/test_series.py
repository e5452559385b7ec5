# SPDX-License-Identifier: Apache-2.0
"""Numbers read by polars in one pass: how often a text is cut, and that odd cells far below are what they were."""

from __future__ import annotations

import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.data.delimited import cut_up
from edgeling.errors import DataError

ODD = st.sampled_from(
    ["", " ", "NA", "nan", "inf", " 7", "7 ", "1_0", "+2", "0x10", "1e3", "abc", "-", ".5", "5.", "\N{NO-BREAK SPACE}1"]
)
NUMBERS = [str(i) for i in range(320)]  # more than the rows that decide


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """The row limit of every call of polars that cuts a text."""
    made: list[int | None] = []
    original = polars.read_csv

    def counted(*args, **options):
        made.append(options.get("n_rows"))
        return original(*args, **options)

    monkeypatch.setattr(polars, "read_csv", counted)
    monkeypatch.setattr("edgeling.data.delimited.LARGE_CHARACTERS", 0)
    monkeypatch.setattr("edgeling.data.delimited.LARGE_ROWS", 0)
    return made


def read(columns):
    return [cells.plain_numbers(()) for cells in columns.values()]


def table(first: list[str], last: list[str]) -> str:
    return "a,b\n" + "".join(f"{one},{other}\n" for one, other in zip(first, last, strict=True))


def test_a_text_of_numbers_is_cut_once(passes: list[int | None]) -> None:
    first, _ = read(cut_up("t", table(NUMBERS, NUMBERS)).columns)
    assert first[0].tolist() == list(range(320))
    assert [rows for rows in passes if rows is None] == [None]


def test_a_text_from_windows_is_cut_once(passes: list[int | None]) -> None:
    first, last = read(cut_up("t", table(NUMBERS, NUMBERS).replace("\n", "\r\n")).columns)
    assert first[0].tolist() == last[0].tolist() == list(range(320))
    assert [rows for rows in passes if rows is None] == [None]


def test_columns_with_gaps_are_cut_once_more_together(passes: list[int | None]) -> None:
    gaps = [*NUMBERS[:-1], ""]
    read(cut_up("t", "a,b,c\n" + "".join(f"{one},{one},1\n" for one in gaps)).columns)
    assert [rows for rows in passes if rows is None] == [None, None]


@settings(max_examples=60, deadline=None)
@given(st.lists(ODD, max_size=3), st.lists(ODD, max_size=3), st.booleans())
def test_cells_below_the_first_are_read_as_they_are_with_care(first: list[str], last: list[str], quote: bool) -> None:
    rows = max(len(first), len(last))
    padded = [column + ["1"] * (rows - len(column)) for column in (first, last)]
    last_cells = NUMBERS + [f'"{cell}"' if quote else cell for cell in padded[1]]
    text = table(NUMBERS + padded[0], last_cells)
    carefully = cut_up("t", text).columns
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgeling.data.delimited.LARGE_CHARACTERS", 0)
        patch.setattr("edgeling.data.delimited.LARGE_ROWS", 0)
        quickly = cut_up("t", text).columns
    for one, other in zip(read(carefully), read(quickly), strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert repr(one[0].tolist()) == repr(other[0].tolist())
            assert one[1] == other[1]


@pytest.mark.parametrize("row", ["1", "1,2,3"])
def test_a_row_of_another_width_is_refused_by_number(row: str, passes: list[int | None]) -> None:
    with pytest.raises(DataError, match="cells in row 321"):
        cut_up("t", table(NUMBERS, NUMBERS) + row + "\n")
