# SPDX-License-Identifier: Apache-2.0
"""Cutting text into cells: separators, comments and headers; and that both ways of cutting give the same cells."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from edgeling.data import Reading, Role, Table, read_table
from edgeling.data.delimited import cut_up
from edgeling.errors import DataError


def read(folder: Path, text: str, roles: dict[str, Role] | None = None, **reading: object) -> Table:
    (folder / "a.csv").write_text(text, "utf-8")
    return read_table(folder / "a.csv", reading=Reading(**reading), roles=roles)  # type: ignore[arg-type]


def texts(table: Table) -> list[list[str | None]]:
    return [list(table.names), *(column.texts() for column in table.columns)]


COMMENTED = {
    "above": "# made by a logger\n# in 2020\na,b\n1,x\n2,y\n",
    "above and among": "# made by a logger\na,b\n1,x\n# a pause, long\n2,y\n",
    "among alone": "a,b\n1,x\n# a pause\n2,y\n# end\n",
    "with quotes": '# don"t\na,b\n1,x\n2,y\n',
    "names in it": "#a,b\n1,x\n2,y\n",
    "names in the last": "# made by a logger\n# a, b\n1,2\n2,3\n",
    "Excel's own line": "sep=;\na;b\n1;x\n2;y\n",
    "blank lines": "\n\na,b\n\n1,x\n2,y\n\n",
}


@pytest.mark.parametrize("text", COMMENTED.values(), ids=COMMENTED)
def test_comments(tmp_path: Path, text: str) -> None:
    table = read(tmp_path, text)
    assert table.names == ("a", "b")
    assert table.column("a").values.tolist() == [1, 2]


def test_what_is_no_comment_stays(tmp_path: Path) -> None:
    table = read(tmp_path, "colour,n\n#ff0000,1\n#00ff00,2\n")
    assert table.column("colour").texts() == ["#ff0000", "#00ff00"]
    assert texts(read(tmp_path, 'a,b\n"x\n# y",1\nz,2\n'))[1] == ["x\n# y", "z"]


def test_comments_of_another_mark(tmp_path: Path) -> None:
    assert read(tmp_path, "% by hand\na,b\n% a pause, again\n1,2\n", comment="%").rows == 1


@pytest.mark.parametrize("name", ["|", "pipe", "\t", "tab", "^", "space", ":"])
def test_a_separator_that_is_named(tmp_path: Path, name: str) -> None:
    mark = {"pipe": "|", "tab": "\t", "space": " "}.get(name, name)
    assert texts(read(tmp_path, f"a{mark}b\n1{mark}x,y\n", separator=name)) == [["a", "b"], ["1"], ["x,y"]]


@pytest.mark.parametrize("options", [{"separator": ",,"}, {"separator": "\n"}, {"comment": "//"}, {"decimal": "'"}])
def test_options_that_cannot_be_meant(options: dict[str, str]) -> None:
    with pytest.raises(DataError):
        Reading(**options)  # type: ignore[arg-type]


def test_pipes_are_found(tmp_path: Path) -> None:
    assert read(tmp_path, "a|b|c\n1|x, y|2\n").names == ("a", "b", "c")


CELL = st.one_of(
    st.integers(-99, 99).map(str), st.floats(-1e6, 1e6).map(repr),
    st.sampled_from(["", " ", "NA", "a", "ß é", 'q"u', "x,y", "l\nm", "2020-01-02", "#", "1,5", " pad ", "yes"]),
)  # fmt: skip


@example([("", "", ""), ("#", "l\nm", "#")], csv.QUOTE_MINIMAL, "\n", ",")
@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=12),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([",", ";", "\t"]),
)
def test_both_ways_of_cutting_give_the_same_cells(
    rows: list[tuple[str, ...]], quoting: int, newline: str, separator: str
) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=quoting, lineterminator=newline, delimiter=separator)
    writer.writerows([("a", "b", "c"), *rows])
    with pytest.MonkeyPatch.context() as patch:
        carefully = cut_up("a", stream.getvalue(), separator).columns
        patch.setattr("edgeling.data.delimited.LARGE_CHARACTERS", 0)
        patch.setattr("edgeling.data.delimited.LARGE_ROWS", 0)
        quickly = cut_up("a", stream.getvalue(), separator).columns
    for name in "abc":
        slow, quick = carefully[name].distinct(), quickly[name].distinct()
        assert [slow[0][i] for i in slow[1]] == [quick[0][i] for i in quick[1]]
        one, other = carefully[name].plain_numbers(()), quickly[name].plain_numbers(())
        if one is not None and other is not None:
            np.testing.assert_array_equal(one[0], other[0])
            assert one[1] == other[1]


@settings(max_examples=80, deadline=None)
@given(st.text(' a1,"\n\r;', max_size=40))
def test_any_text_is_cut_alike_or_refused_alike(text: str) -> None:
    assume(text.strip())
    found = []
    for large in (10**9, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("edgeling.data.delimited.LARGE_CHARACTERS", large)
            patch.setattr("edgeling.data.delimited.LARGE_ROWS", 0)
            try:
                columns = cut_up("a", "p,q\n" + text, ",").columns
                found.append([[c.distinct()[0][i] for i in c.distinct()[1]] for c in columns.values()])
            except DataError as error:
                found.append(str(error))  # type: ignore[arg-type]
    assert found[0] == found[1]


def test_a_cell_of_many_digits_takes_no_longer_than_it_is(tmp_path: Path) -> None:
    """A quadratic pattern would take hours over these: the tests' own clock is the bound."""
    for cell in ("1" * 130_000, "1" * 130_000 + "x", "1." * 65_000, "1e" * 65_000, "(" * 130_000, "-" * 130_000):
        with pytest.raises(DataError):
            read(tmp_path, f"a,b\n{cell},1\n" + "2,0\n3,1\n" * 3)
        read(tmp_path, f"a,b\nx,1\n{cell},2\nz,3\n", roles={"a": Role("category")})


def test_many_columns(tmp_path: Path) -> None:
    """Tests of names against each other would be 200 million here."""
    names = [f"c{i}" for i in range(20_000)]
    table = read(tmp_path, ",".join(names) + "\n" + ",".join("12"[i % 2] for i in range(20_000)) + "\n")
    assert table.names == tuple(names)
    assert table.select(names).column("c19999").values.tolist() == [2]
