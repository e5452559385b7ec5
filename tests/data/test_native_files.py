# SPDX-License-Identifier: Apache-2.0
"""Files of columns and JSON lines: read as the CSV of them is, and measured before they are unpacked."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.data import IRIS, Reading, Table, read_table
from edgeling.data.native_files import read_native
from edgeling.data.parquet_size import unpacked_bytes
from edgeling.data.source import Source
from edgeling.errors import DataError, UnsupportedError

FRAME = pl.DataFrame(
    {
        "n": [1, None, 3],
        "s": ["b", None, "a"],
        "t": [True, None, False],
        "d": [date(2020, 1, 1), None, date(1969, 1, 1)],
    }
)
MEANT = [["1", None, "3"], ["b", None, "a"], ["true", None, "false"], ["2020-01-01", None, "1969-01-01"]]


def excel(frame: pl.DataFrame, path: Path) -> None:
    pytest.importorskip("fastexcel")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (frame.columns, *frame.rows()):
        book.active.append(row)
    book.create_sheet("second").append(["p", "q"])
    book["second"].append([1, 2])
    book.save(path)


def json_lines(frame: pl.DataFrame, path: Path) -> None:
    rows = ({key: str(v) if isinstance(v, date) else v for key, v in row.items()} for row in frame.to_dicts())
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "a.parquet": lambda frame, path: frame.write_parquet(path),
    "a.feather": lambda frame, path: frame.write_ipc(path, compression="lz4"),
    "a.arrow": lambda frame, path: frame.write_ipc(path, compression="zstd"),
    "a.arrows": lambda frame, path: frame.write_ipc_stream(path),
    "a.jsonl": json_lines,
    "a.json": lambda frame, path: frame.with_columns(pl.col("d").cast(pl.String)).write_json(path),
    "a.xlsx": excel,
    "a": lambda frame, path: frame.write_parquet(path),  # told from its first bytes
}


def read(path: Path, content: bytes) -> Table:
    path.write_bytes(content)
    return read_table(path)


@pytest.mark.parametrize("name", WRITERS)
def test_files_of_columns(tmp_path: Path, name: str) -> None:
    WRITERS[name](FRAME, tmp_path / name)
    table = read_table(tmp_path / name)
    assert table.names == ("n", "s", "t", "d")
    assert [column.texts() for column in table.columns] == MEANT
    assert table.column("d").temporal == "date"


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_they_read_as_the_csv_of_them_does(tmp_path: Path, name: str) -> None:
    WRITERS[name](pl.read_csv(IRIS), tmp_path / name)
    ours, theirs = read_table(IRIS), read_table(tmp_path / name)
    assert [c.texts() for c in ours.columns] == [c.texts() for c in theirs.columns]


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.arrows", "a.xlsx"])
def test_broken_ones_are_refused(tmp_path: Path, name: str) -> None:
    WRITERS[name](FRAME, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for broken in (whole[: 2 * len(whole) // 3], whole[:40] + b"\xff" * (len(whole) - 80) + whole[-40:]):
        with pytest.raises(DataError):
            read(tmp_path / name, broken)


def test_a_library_that_dies_takes_nothing_with_it(tmp_path: Path) -> None:
    """Dates beyond the calendar make polars panic, which is no exception."""
    path = tmp_path / "a.parquet"
    pl.DataFrame({"d": pl.Series([2**31 - 1, -(2**31)], dtype=pl.Int32).cast(pl.Date), "x": [1, 2]}).write_parquet(path)
    with pytest.raises(DataError, match=r"gave up|fit|finite"):
        read_table(path)


def parquet(frame: pl.DataFrame, **options: object) -> bytes:
    content = io.BytesIO()
    frame.write_parquet(content, **options)  # type: ignore[arg-type]
    return content.getvalue()


def arrow(frame: pl.DataFrame, compression: str) -> bytes:
    content = io.BytesIO()
    frame.write_ipc(content, compression=compression)  # type: ignore[arg-type]
    return content.getvalue()


LONG = pl.DataFrame({"a": ["x" * 3_000_000], "b": [1]})
REPEATED = pl.DataFrame({"a": pl.repeat("x" * 3_000, 1_000, eager=True), "b": pl.int_range(1_000, eager=True)})
ROWS = pl.DataFrame({"a": pl.repeat(1.0, 200_000, eager=True), "b": pl.repeat(1, 200_000, eager=True)})
BOMBS = {
    "one long text": parquet(LONG), "one long text, brotli": parquet(LONG, compression="brotli"),
    "a text said once": parquet(REPEATED), "many rows": parquet(ROWS),
    "one long text, zstd": arrow(LONG, "zstd"), "one long text, lz4": arrow(LONG, "lz4"),
    "many rows, zstd": arrow(ROWS, "zstd"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_what_a_small_file_unpacks_to_is_known_before(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a budget of 400 KB (four times SMALL_BYTES), each of these is refused; with the usual one it is read."""
    source, kind = Source("a", "", BOMBS[name]), "arrow" if BOMBS[name][:5] == b"ARROW" else "parquet"
    assert len(source.content) < 60_000
    assert read_native(source, kind)[0].height
    monkeypatch.setattr("edgeling.data.source.SMALL_BYTES", 100_000)
    monkeypatch.setattr("edgeling.data.source.LARGEST_RATIO", 1)
    with pytest.raises(DataError, match="at most"):
        read_native(source, kind)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux keeps account of a process's data")
def test_a_reader_that_grows_beyond_its_bound_is_ended(tmp_path: Path) -> None:
    program = (
        "import numpy as np; from edgeling.data.native_reader import _bound_memory\n"
        "_bound_memory(2**28); np.ones(2**24); print('held'); np.ones(2**26)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode != 0) == ("held\n", True)
    assert "MemoryError" in done.stderr


@pytest.mark.parametrize("compression", ["uncompressed", "snappy", "zstd", "gzip"])
def test_the_size_of_a_parquet_file_is_what_arrow_says(compression: str) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=5000), "k": rng.choice(["a", "b"], 5000), "i": np.arange(5000)})
    content = parquet(frame, compression=compression, row_group_size=1500)
    groups = pq.ParquetFile(io.BytesIO(content)).metadata
    columns = [groups.row_group(i).column(j) for i in range(groups.num_row_groups) for j in range(3)]
    stated = sum(column.total_uncompressed_size for column in columns)  # with the headers of pages, some 30 bytes each
    assert 0.9 * stated < unpacked_bytes(content) <= stated


@settings(max_examples=150, deadline=None)
@given(st.integers(0), st.binary(min_size=1, max_size=4))
def test_a_broken_description_is_a_value_error_or_a_size(place: int, junk: bytes) -> None:
    content = BOMBS["many rows"]
    place %= len(content) - 8
    with contextlib.suppress(ValueError):
        assert unpacked_bytes(content[:place] + junk + content[place + len(junk) :]) >= 0


def test_sheets_of_a_workbook(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    excel(FRAME, path)
    assert "'second'" in " ".join(read_table(path).notes)
    assert read_table(path, reading=Reading(sheet="second")).names == ("p", "q")
    with pytest.raises(DataError, match="no sheet is named 'third'"):
        read_table(path, reading=Reading(sheet="third"))


def test_a_workbook_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'edgeling\[excel\]'"):
        read_native(Source("a.xlsx", ".xlsx", b"PK\x03\x04"), "excel")


def test_a_workbook_is_unpacked_to_nothing_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeling.data.source.SMALL_BYTES", 300_000)
    monkeypatch.setattr("edgeling.data.source.LARGEST_RATIO", 1)
    for rows, fits in ((5, True), (20, False)):
        excel(pl.DataFrame({"a": ["x" * 30_000] * rows, "b": [1] * rows}), tmp_path / "a.xlsx")
        source = Source("a.xlsx", ".xlsx", (tmp_path / "a.xlsx").read_bytes())
        with contextlib.nullcontext() if fits else pytest.raises(DataError, match="at most"):
            assert read_native(source, "excel")[0].height == rows


NOT_JSON = [
    b"{", b"[1, 2]", b"5\n", b'{"a": {"b": 1}}', b"[]", b'{"a": ' + b"[" * 100_000,
    b'{"a": ' + b"1" * 5_000 + b"}", b'{"a": 1}\nno\n', b"{}\n", b'{"a": Infinity}',
]  # fmt: skip


@pytest.mark.parametrize("content", NOT_JSON)
def test_what_is_no_table_in_json(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError):
        read(tmp_path / "a.jsonl", content)


def test_an_object_of_columns(tmp_path: Path) -> None:
    table = read(tmp_path / "a.json", b'{"a": [1, null],\n "b": ["x", "y"]}')
    assert [c.texts() for c in table.columns] == [["1", None], ["x", "y"]]


def test_rows_of_json_may_lack_names(tmp_path: Path) -> None:
    table = read(tmp_path / "a.jsonl", b'{"a": 1}\n\n{"b": "x", "a": NaN}\n{"c": "NA"}\n')
    assert [c.texts() for c in table.columns] == [["1", None, None], [None, "x", None], [None, None, None]]
