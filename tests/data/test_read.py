# SPDX-License-Identifier: Apache-2.0
"""Reading tables: what is understood, and what is refused with which words."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.data import IRIS, Table, read_table
from edgeling.errors import DataError


def read(folder: Path, text: str | bytes, name: str = "table.csv", **options: object) -> Table:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_table(path, **options)  # type: ignore[arg-type]


def refusal(folder: Path, text: str | bytes, name: str = "table.csv") -> DataError:
    with pytest.raises(DataError) as caught:
        read(folder, text, name)
    return caught.value


def texts(table: Table) -> list[list[str | None]]:
    return [column.texts() for column in table.columns]


def test_the_packaged_iris_is_scikit_learns() -> None:
    from sklearn.datasets import load_iris

    table, reference = read_table(IRIS), load_iris()
    np.testing.assert_array_equal(np.stack([c.values for c in table.columns[:4]], axis=1), reference.data)
    np.testing.assert_array_equal(table.column("species").values, reference.target)
    assert table.column("species").categories == tuple(reference.target_names)
    assert table.names[:1] == ("sepal_length_cm",)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_separators_marks_and_line_ends(tmp_path: Path, separator: str, bom: bytes, newline: str) -> None:
    lines = ["length;kind", "1.5; red", "2;'blue'", ""]
    text = newline.join(lines).replace(";", separator)
    table = read(tmp_path, bom + text.encode())
    assert table.names == ("length", "kind")
    assert texts(table) == [["1.5", "2"], ["red", "'blue'"]]


def test_separators_inside_quotes_are_not_separators(tmp_path: Path) -> None:
    table = read(tmp_path, 'a;"b, in m, from c";d\n1;"x;y";3\n')
    assert table.names == ("a", "b, in m, from c", "d")
    assert texts(table) == [["1"], ["x;y"], ["3"]]


def test_a_decimal_comma_is_understood_where_semicolons_separate(tmp_path: Path) -> None:
    assert read(tmp_path, "a;b\n1,5;x\n-2,25;y\n").column("a").values.tolist() == [1.5, -2.25]


@pytest.mark.parametrize("word", ["", "NA", "NaN", "nan", "null", "?", "  "])
def test_missing_values(tmp_path: Path, word: str) -> None:
    table = read(tmp_path, f"n,c\n1,x\n{word},{word}\n3,y\n")
    assert [column.missing.tolist() for column in table.columns] == [[False, True, False]] * 2
    assert texts(table) == [["1", None, "3"], ["x", None, "y"]]


def test_a_column_of_codes_can_be_read_as_categories(tmp_path: Path) -> None:
    table = read(tmp_path, "zip,n\n01,1\n02,2\n", categorical=["zip"])
    assert table.column("zip").categories == ("01", "02")


def test_mostly_texts_with_a_few_numbers_are_categories(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n1,1\nx,2\ny,3\n").column("a").categories == ("1", "x", "y")


@pytest.mark.parametrize("text", ["1_000", "0x10", "1e", "--1", "1.2.3", "nan1", "+nan"])
def test_what_python_may_call_a_number_is_text_here(tmp_path: Path, text: str) -> None:
    assert not read(tmp_path, f"a,b\n{text},1\n").column("a").is_numeric


def test_the_quick_answer_agrees_with_the_pattern(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cells = ["1", "-2.5", "+.5", "3.", "1e5", "1E-3", "٣", "0001", "1_0", "+nan", "e", "0x1", "-", ".", "1 2", "x"]
    for cell in cells:
        quick = read(tmp_path, f"a,b\n{cell},1\n").column("a").is_numeric
        with monkeypatch.context() as patch:
            patch.setattr("edgeling.data.delimited.TextCells.plain_numbers", lambda *_: None)
            assert read(tmp_path, f"a,b\n{cell},1\n").column("a").is_numeric == quick, cell


def test_text_among_numbers_names_column_row_and_value(tmp_path: Path) -> None:
    error = refusal(tmp_path, "a,b\n1,1\n2,2\n3,oops\n4,4\n")
    assert "'oops'" in error.received
    assert "row 3" in error.received
    assert "'b'" in error.received


@pytest.mark.parametrize("cell", ["inf", "-inf", "Infinity", "1e999", "1e39"])
def test_numbers_beyond_float32_are_refused_by_place(tmp_path: Path, cell: str) -> None:
    error = refusal(tmp_path, f"a,b\n1,1\n2,{cell}\n")
    assert "finite" in error.rule
    assert "'b', row 2" in error.received


def test_chunks_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeling.data.delimited._CHUNK_ROWS", 3)
    table = read(tmp_path, "a,b\n" + "".join(f"{i},k{i % 2}\n" for i in range(10)))
    assert table.column("a").values.tolist() == list(range(10))
    assert table.column("b").values.tolist() == [0, 1] * 5
    assert "row 10" in refusal(tmp_path, "a,b\n" + "1,1\n" * 9 + "1,2,3\n").received


REFUSED = {
    "empty": ("", "empty file"),
    "only spaces": ("  \n\n", "alone"),
    "header only": ("a,b\n", "alone"),
    "no header": ("5.1,3.5,setosa\n4.9,3.0,setosa\n", "5.1"),
    "no header of integers": ("6,148,72\n1,85,66\n", "148"),
    "ragged": ("a,b\n1,2\n1,2,3\n", "3 cells in row 2"),
    "ragged short": ("a,b\n1\n", "1 cells in row 1"),
    "repeated names": ("a,b,a\n1,2,3\n", "'a' more than once"),
    "NUL bytes": (b"a,b\n1,\x00\n", "NUL"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "table.csv"),
    "endless cell": ('a,b\n1,"' + "x" * 200_000, "field"),
}


@pytest.mark.parametrize(("text", "received"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(tmp_path: Path, text: str | bytes, received: str) -> None:
    error = refusal(tmp_path, text)
    assert received in error.received
    assert error.rule


def test_pandas_index_and_numbered_columns_are_headers(tmp_path: Path) -> None:
    assert read(tmp_path, ",a\n0,1\n1,2\n").names == ("column_1", "a")
    assert read(tmp_path, "0,1,2\n5,6,7\n").names == ("0", "1", "2")
    assert read(tmp_path, "country,2019,2020\nx,6,7\n").names == ("country", "2019", "2020")


def test_not_a_file(tmp_path: Path) -> None:
    for path, word in ((tmp_path, "folder"), (tmp_path / "none.csv", "none.csv"), (Path(os.devnull), os.devnull)):
        with pytest.raises(DataError, match=word):
            read_table(path)
    assert "parquet" in refusal(tmp_path, b"x\0", "table.png").rule


def test_too_large_a_table_is_refused_while_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeling.data.delimited.MAX_CELLS", 10)
    assert "10 cells" in refusal(tmp_path, "a,b\n" + "1,2\n" * 10).rule


def test_csv_loads_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys, edgeling.data as d; table = d.read_table(d.IRIS); c = d.check(table, 'species')\n"
        "parts = d.split(table.rows, c.codes); p = d.Preparation.fit(c, parts.train)\n"
        "from edgeling.graph import run_rows; run_rows(p.graph(), p.transform(table))\n"
        "heavy = ('polars', 'pandas', 'sklearn', 'scipy', 'rich', 'numpy.ma')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_a_data_error(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    folder = tmp_path_factory.mktemp("junk")
    with contextlib.suppress(DataError):
        assert read(folder, junk, "junk.csv").rows > 0
    with pytest.raises(DataError):
        read(folder, junk, "junk.parquet")


CELL = st.one_of(st.floats(-1e30, 1e30).map(repr), st.sampled_from(["", "NA", "a", "b c", 'q"u', "x,y", "l\nm"]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=12))
def test_what_csv_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    import csv
    import io

    stream = io.StringIO()
    csv.writer(stream).writerows([("left", "right"), *rows])
    try:
        table = read(tmp_path_factory.mktemp("csv"), stream.getvalue())
    except DataError as error:
        assert "throughout" in error.rule  # noqa: PT017
        return
    for column, cells in zip(table.columns, zip(*rows, strict=True), strict=True):
        known = [None if cell in ("", "NA") else cell for cell in cells]
        if column.is_numeric:
            assert [None if np.isnan(v) else v for v in column.values] == [c if c is None else float(c) for c in known]
        else:
            assert column.texts() == known


# ------------------------------------------------------------------------------------------------------ Parquet


def parquet(folder: Path, **columns: object) -> Path:
    import polars

    path = folder / "table.parquet"
    polars.DataFrame(columns).write_parquet(path)
    return path


def test_parquet(tmp_path: Path) -> None:
    from datetime import date

    path = parquet(
        tmp_path, i=[1, None, 3], f=[0.5, float("nan"), 2.0], s=["b", None, "a"], t=[True, False, None],
        d=[date(2020, 1, 1), None, date(2021, 1, 1)],
    )  # fmt: skip
    table = read_table(path)
    assert texts(table) == [
        ["1", None, "3"],
        ["0.5", None, "2"],
        ["b", None, "a"],
        ["true", "false", None],
        ["2020-01-01", None, "2021-01-01"],
    ]
    assert read_table(path, categorical=["i"]).column("i").categories == ("1", "3")


def test_parquet_reads_as_the_csv_of_it_does(tmp_path: Path) -> None:
    import polars

    path = tmp_path / "iris.parquet"
    polars.read_csv(IRIS).write_parquet(path)
    ours, theirs = read_table(IRIS), read_table(path)
    assert ours.names == theirs.names
    assert texts(ours) == texts(theirs)


def test_parquet_of_nested_columns_infinities_or_no_rows(tmp_path: Path) -> None:
    for columns, word in (
        ({"a": [[1], [2]], "b": [1, 2]}, "'a'"),
        ({"a": [1.0, float("inf")], "b": [1, 2]}, "'a', row 2"),
        ({"a": [], "b": []}, "without any"),
    ):
        with pytest.raises(DataError) as caught:
            read_table(parquet(tmp_path, **columns))
        assert word in caught.value.received


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    assert read_table("~/a.csv").names == ("x", "y")


def test_truth_values_are_the_same_however_they_are_written(tmp_path: Path) -> None:
    texts = [read(tmp_path, f"a,b\n{yes},1\n{no},2\n,3\n") for yes, no in
             (("True", "False"), ("TRUE", "FALSE"), ("true", "false"), ("TRUE", "false"))]  # fmt: skip
    texts.append(read_table(parquet(tmp_path, a=[True, False, None], b=[1, 2, 3])))
    assert [table.column("a").texts() for table in texts] == [["true", "false", None]] * 5
    assert read(tmp_path, "a,b\nTrue,1\nmaybe,2\n").column("a").categories == ("True", "maybe")


@pytest.mark.parametrize(
    ("name", "begins", "told"),
    [
        ("x.npz", b"PK\x03\x04", "arrays.*Try: read them in Python and model.fit"),
        ("rows", b"\x93NUMPY\x01\0", "arrays.*docs/tutorials/sensors.md"),
        ("x.png", b"\x89PNG\r\n", "a picture.*docs/tutorials/images.md"),
        ("x.raw", b"\xff\xd8\xff\xe0", "a picture"),
        ("x.wav", b"RIFF", "sound.*cut its samples into windows"),
        ("x.h5", b"\x89HDF\r\n", "a model.*edgeling build"),
        ("x.bin", b"\x01\x02", "'x.bin'.*export the table as CSV"),
    ],
)
def test_what_is_no_table_is_told_what_to_do_with(tmp_path, name, begins, told):
    (tmp_path / name).write_bytes(begins + b"\0" * 64)
    with pytest.raises(DataError, match=told):
        read_table(tmp_path / name)


def test_a_text_that_begins_like_sound_is_a_table(tmp_path):
    (tmp_path / "x.dat").write_text("ID3,RIFF\n1,2\n3,4\n")
    assert read_table(tmp_path / "x.dat").names == ("ID3", "RIFF")
