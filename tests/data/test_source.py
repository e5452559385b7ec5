# SPDX-License-Identifier: Apache-2.0
"""Packed tables, standard input and encodings; and that what a small file unpacks to has a bound."""

from __future__ import annotations

import codecs
import gzip
import io
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.data import Reading, Table, read_table
from edgeling.data.source import table_stem
from edgeling.errors import DataError

TEXT = "länge,art\n1.5,rot\n2,grün\n"


def zipped(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def read(folder: Path, name: str, content: bytes, **reading: object) -> Table:
    (folder / name).write_bytes(content)
    return read_table(folder / name, reading=Reading(**reading))  # type: ignore[arg-type]


def texts(table: Table) -> list[list[str | None]]:
    return [list(table.names), *(column.texts() for column in table.columns)]


EXPECTED = [["länge", "art"], ["1.5", "2"], ["rot", "grün"]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", gzip.compress(TEXT.encode(), mtime=0)),
        ("a.gz", gzip.compress(TEXT.encode(), mtime=0)),
        ("a.csv", gzip.compress(TEXT.encode(), mtime=0)),  # whatever it is called
        ("a.zip", zipped(**{"folder/a.csv": TEXT.encode(), "__MACOSX/folder/a.csv": b"x", "folder/.DS_Store": b"x"})),
        ("a.csv.zip", zipped(**{"a.txt": TEXT.encode("utf-16")})),
        ("table", TEXT.encode()),
        ("a.data", TEXT.encode()),
    ],
)
def test_packed(tmp_path: Path, name: str, content: bytes) -> None:
    assert texts(read(tmp_path, name, content)) == EXPECTED


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (gzip.compress(TEXT.encode(), mtime=0)[:-9], "whole"),
        (gzip.compress(b"", mtime=0), "empty"),
        (zipped(a=b"x,y\n1,2\n", b=b"x,y\n1,2\n"), "2 files"),
        (zipped(), "0 files"),
        (zipped(**{"a.csv": TEXT.encode()})[:-30], "whole"),
    ],
)
def test_broken_archives(tmp_path: Path, content: bytes, word: str) -> None:
    with pytest.raises(DataError, match=word):
        read(tmp_path, "a.zip", content)


@pytest.mark.parametrize("pack", [gzip.compress, lambda text: zipped(**{"a.csv": text})], ids=["gzip", "zip"])
def test_what_a_small_file_unpacks_to_is_counted_while_unpacking(
    tmp_path: Path, pack: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeling.data.source.SMALL_BYTES", 100_000)
    text = b"a,b\n" + b"1,2\n" * 50_000
    with pytest.raises(DataError, match="at most"):
        read(tmp_path, "a.zip", pack(text))  # type: ignore[operator]
    assert read(tmp_path, "a.zip", pack(text[:100_000])).rows == 24_999  # type: ignore[operator]


def test_an_honest_archive_may_unpack_to_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeling.data.source.SMALL_BYTES", 1000)
    text = "a,b\n" + "".join(f"{i},{i * 7 % 13}\n" for i in range(2000))
    assert read(tmp_path, "a.csv.gz", gzip.compress(text.encode(), mtime=0)).rows == 2000


JSON = '{"länge": 1.5, "art": "rot"}'


@pytest.mark.parametrize("content", [TEXT.encode(), gzip.compress(TEXT.encode(), mtime=0), JSON.encode()])
def test_standard_input(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert read_table("-").names == ("länge", "art")


@pytest.mark.parametrize(
    ("path", "stem"),
    [("a/flowers.csv", "flowers"), ("flowers.csv.gz", "flowers"), ("my.flowers.tsv", "my.flowers"), ("-", "table")],
)
def test_the_name_of_a_table(path: str, stem: str) -> None:
    assert table_stem(path) == stem


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(), codecs.BOM_UTF8 + TEXT.encode(), TEXT.encode("utf-16"), TEXT.encode("utf-32"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), (TEXT * 1).encode("utf-16-le"), TEXT.encode("utf-16-be"),
        TEXT.encode("cp1252"),
    ],
)  # fmt: skip
def test_encodings_are_told_from_the_bytes(tmp_path: Path, content: bytes) -> None:
    table = read(tmp_path, "a.csv", content)
    assert texts(table) == EXPECTED
    assert ("Windows-1252" in " ".join(table.notes)) == (content == TEXT.encode("cp1252"))


def test_an_encoding_that_is_named_is_used_and_one_that_is_not_there_refused(tmp_path: Path) -> None:
    assert texts(read(tmp_path, "a.csv", TEXT.encode("cp437"), encoding="cp437")) == EXPECTED
    with pytest.raises(DataError, match="not utf-8"):
        read(tmp_path, "a.csv", TEXT.encode("latin-1"), encoding="utf-8")
    for name in ("klingon", "rot13", "base64", "a\0b"):
        with pytest.raises(DataError, match="encoding"):
            Reading(encoding=name)


@pytest.mark.parametrize(
    "content", [b"a,b\n1,\x00\n", b"a,b\n1,\x07\xe4\n", bytes(range(256)), b"a,b\n\x81\x8d\x8f,1\n"]
)
def test_what_is_no_text(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match="text"):
        read(tmp_path, "a.csv", content)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([gzip.compress(TEXT.encode(), mtime=0), zipped(**{"a.csv": TEXT.encode()})]), st.data())
def test_damaged_archives_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, data: st.DataObject
) -> None:
    place = data.draw(st.integers(2, len(content) - 1))
    damaged = content[:place] + bytes([data.draw(st.integers(0, 255))]) + content[place + 1 :]
    folder = tmp_path_factory.mktemp("damaged")
    try:
        table = read(folder, "a.zip", damaged)
    except DataError:
        return
    assert table.rows > 0
