# SPDX-License-Identifier: Apache-2.0
"""What cells are understood as: missing values, truth values, numbers in other forms, dates; and that it is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeling.data import Reading, Role, Table, check, read_table
from edgeling.errors import DataError


def read(folder: Path, text: str, roles: dict[str, Role] | None = None, **reading: object) -> Table:
    (folder / "a.csv").write_text(text, "utf-8")
    return read_table(folder / "a.csv", reading=Reading(**reading), roles=roles)  # type: ignore[arg-type]


def column(folder: Path, *cells: str, **options: object) -> list[str | None]:
    quoted = "".join(f'"{cell}",1\n' for cell in cells)
    return read(folder, "a,b\n" + quoted, **options).column("a").texts()  # type: ignore[arg-type]


MISSING = [
    "",
    "nil",
    "NIL",
    "-",
    "#N/A",
    "None",
    "<NA>",
    "?",
    "NULL",
    "null",
    "n/a",
    "NaN",
    "nan",
    "NA",
    "NaT",
    "#DIV/0!",
]


@pytest.mark.parametrize("word", MISSING)
def test_the_usual_words_for_a_missing_value(tmp_path: Path, word: str) -> None:
    assert column(tmp_path, "1", word, "3.5") == ["1", None, "3.5"]
    assert column(tmp_path, "red", word, "green") == ["red", None, "green"]
    assert column(tmp_path, "yes", word, "no") == ["yes", None, "no"]
    assert column(tmp_path, "2020-01-31", word, "2020-02-01") == ["2020-01-31", None, "2020-02-01"]


def test_a_word_of_ones_own(tmp_path: Path) -> None:
    assert column(tmp_path, "1", "unknown", "3", missing=["unknown"]) == ["1", None, "3"]
    assert column(tmp_path, "red", "unknown", missing="unknown") == ["red", None]
    table = read(tmp_path, "a,b\n-999,1\n-999.0,2\n3,-999\n", missing=["-999"])
    assert [c.missing.tolist() for c in table.columns] == [[True, True, False], [False, False, True]]
    assert "'-999' is taken for a missing value: 3 cells in 2 columns" in table.notes


def test_what_is_taken_for_missing_is_counted_and_said(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b,c\n1,x,NA\nNA,-,5\nnil,y,\n")
    assert sorted(table.notes) == [
        "'-' is taken for a missing value: 1 cell in 1 column",
        "'NA' is taken for a missing value: 2 cells in 2 columns",
        "'nil' is taken for a missing value: 1 cell in 1 column",
    ]


def test_minus_beside_plus_is_a_category(tmp_path: Path) -> None:
    assert column(tmp_path, "+", "-", "?", "-") == ["+", "-", None, "-"]


def test_points_and_dashes_among_numbers_are_missing_and_elsewhere_are_not(tmp_path: Path) -> None:
    assert column(tmp_path, "1", ".", "..", "\N{EN DASH}", "2") == ["1", None, None, None, "2"]
    assert column(tmp_path, "x", ".") == ["x", "."]


@pytest.mark.parametrize(
    "cells",
    [("yes", "no"), ("Yes", "NO", "yes"), ("Y", "n"), ("true", "FALSE"), ("T", "F"), ("on", "off"), ("ja", "nein")],
)
def test_words_for_yes_and_no(tmp_path: Path, cells: tuple[str, ...]) -> None:
    table = read(tmp_path, "a,b\n" + "".join(f"{cell},{i}\n" for i, cell in enumerate(cells * 20)))
    assert len(table.column("a").categories or ()) == 2
    (found,) = check(table, "b", task="regression").columns
    assert found.kind == "boolean"


def test_truth_values_in_several_spellings_are_one_and_said(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\nyes,1\nYes,2\nno,3\nyes,4\n0,5\n")
    assert table.column("a").texts() == ["yes", "yes", "no", "yes", "no"]
    assert any("'0', 'Yes', 'no', 'yes' are read as 'yes' and 'no'" in note for note in table.notes)
    assert column(tmp_path, "0", "1") == ["0", "1"]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (("1,234", "2,345,678"), [1234, 2345678]), (("12%", "5 %"), [12, 5]), (("$1,200.50", "$3"), [1200.5, 3]),
        (("1.234,5", "12"), [1234.5, 12]), (("(3)", "4"), [-3, 4]),
    ],
)  # fmt: skip
def test_numbers_in_other_forms_are_read_and_said(tmp_path: Path, cells: tuple[str, ...], values: list[float]) -> None:
    table = read(tmp_path, "a,b\n" + "".join(f'"{cell}",1\n' for cell in cells))
    assert table.column("a").values.tolist() == values
    assert any("column 'a'" in note and "is read as the number" in note for note in table.notes)


def test_one_column_proves_the_decimal_mark_of_a_file(tmp_path: Path) -> None:
    german = read(tmp_path, "a;b;c\n1,5;1.234;1,234\n2,5;2.000;2,000\n")
    assert [c.values.tolist() for c in german.columns] == [[1.5, 2.5], [1234, 2000], [1.234, 2]]
    american = read(tmp_path, "a;b\n1,234.5;1,234\n2.5;2,000\n")
    assert [c.values.tolist() for c in american.columns] == [[1234.5, 2.5], [1234, 2000]]
    assert read(tmp_path, "a;b\n1,234;1\n2,000;2\n").column("a").values.tolist() == [1.234, 2]
    assert read(tmp_path, "a;b\n1,234;1\n2,000;2\n", decimal=".").column("a").values.tolist() == [1234, 2000]


def test_dates_are_seconds_and_the_doubtful_ones_said(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n03/04/2020,2020-01-01 10:00\n05/06/2020,\n")
    assert table.column("a").texts() == ["2020-03-04", "2020-05-06"]
    assert table.column("b").texts() == ["2020-01-01 10:00:00", None]
    assert any("month first" in note for note in table.notes)
    assert read(tmp_path, "a,b\n03/04/2020,1\n", day_first=True).column("a").texts() == ["2020-04-03"]
    known = {"a": Role("date", "day first")}
    assert read(tmp_path, "a,b\n03/04/2020,1\n", known).column("a").texts() == ["2020-04-03"]


def test_what_a_column_was_written_like_is_kept_for_the_next_table(tmp_path: Path) -> None:
    """One row alone leaves open what the whole table proved."""
    first = read(tmp_path, "a;b;c;d\n1,5;1,234.5;30/4/2020;14:30\n1,250;2,500;3/4/2020;9:05\n")
    roles = {c.name: Role("date" if c.temporal else "number", c.form) for c in first.columns}
    table = read(tmp_path, "a;b;c;d\n1,250;2,500;3/4/2020;9:05\n", roles)
    assert [c.texts() for c in table.columns] == [["1.25"], ["2500"], ["2020-04-03"], ["32700"]]


def test_a_word_among_dates_is_refused_by_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'soon' in row 2 of column 'a', which has dates in 2 of its 3"):
        read(tmp_path, "a,b\n2020-01-01,1\nsoon,2\n2020-01-03,3\n")


def test_dates_may_be_categories_but_no_target(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n" + "2020-01-01,1\n2020-01-02,2\n" * 5)
    with pytest.raises(DataError, match="dates in 'a'"):
        check(table, "a")
    assert read(tmp_path, "a,b\n2020-01-01,1\n", {"a": Role("category")}).column("a").categories == ("2020-01-01",)


def test_many_distinct_words_among_many_numbers_take_one_pass(tmp_path: Path) -> None:
    """Each word looked up in a list of all would be 400 million comparisons."""
    cells = [f"{i}" for i in range(25_000)] + [f"w{i}" for i in range(20_000)]
    with pytest.raises(DataError, match="'w0' in row 25001"):
        read(tmp_path, "a,b\n" + "".join(f"{cell},1\n" for cell in cells))


def test_empty_columns_are_numbers(tmp_path: Path) -> None:
    assert np.isnan(read(tmp_path, "a,b\n,1\nNA,2\n").column("a").values).all()
