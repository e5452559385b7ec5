# SPDX-License-Identifier: Apache-2.0
"""Tables in memory: whatever holds the columns of a CSV file means what the file means."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from edgeling.data import Role, Table, from_data
from edgeling.data.frames import with_target
from edgeling.errors import DataError

COLUMNS: dict[str, list[Any]] = {
    "n": [1, None, 3],
    "x": [0.5, float("nan"), 2.0],
    "s": ["b", None, "a"],
    "t": [True, False, None],
    "d": [date(2020, 1, 1), None, date(2021, 1, 1)],
    "m": [datetime(2020, 1, 1, 10, 30), None, datetime(1969, 12, 31)],
    "i": ["01", "02", "01"],
}
MEANT = [
    ["1", None, "3"], ["0.5", None, "2"], ["b", None, "a"], ["true", "false", None],
    ["2020-01-01", None, "2021-01-01"], ["2020-01-01 10:30:00", None, "1969-12-31 00:00:00"], ["01", "02", "01"],
]  # fmt: skip


def pandas(columns: dict[str, list[Any]]) -> Any:
    return pytest.importorskip("pandas").DataFrame(columns, index=[5, 5, 9])


def pandas_nullable(columns: dict[str, list[Any]]) -> Any:
    return pandas(columns).convert_dtypes()


def pandas_categories(columns: dict[str, list[Any]]) -> Any:
    return pandas(columns).astype({"s": "category", "t": "category", "i": "category"})


def arrow(columns: dict[str, list[Any]]) -> Any:
    return pytest.importorskip("pyarrow").table(columns)


HOLDERS: list[Callable[[dict[str, list[Any]]], Any]] = [
    dict,
    pl.DataFrame,
    lambda columns: pl.DataFrame(columns).lazy(),
    lambda columns: pl.DataFrame(columns).with_columns(pl.col("s", "i").cast(pl.Categorical)),
    lambda columns: [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)],
    lambda columns: {name: np.array(values, dtype=object) for name, values in columns.items()},
    pandas, pandas_nullable, pandas_categories, arrow,
]  # fmt: skip


@pytest.mark.parametrize("holder", HOLDERS)
def test_all_holders_mean_the_same(holder: Callable[[dict[str, list[Any]]], Any]) -> None:
    table = from_data(holder(COLUMNS), roles={"i": Role("category")})
    assert table.names == tuple(COLUMNS)
    assert [column.texts() for column in table.columns] == MEANT
    assert [column.temporal for column in table.columns] == ["", "", "", "", "date", "timestamp", ""]


def test_not_available_in_a_column_of_text_is_missing() -> None:
    pd = pytest.importorskip("pandas")
    for gone in (None, float("nan"), pd.NA, pd.NaT):
        frame = pd.DataFrame({"s": pd.Series(["b", gone, "a"], dtype=object)})
        assert from_data(frame).column("s").texts() == ["b", None, "a"]


def test_moments_with_a_zone_are_counted_in_utc() -> None:
    pd = pytest.importorskip("pandas")
    moment = datetime(2020, 6, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    series = pd.Series(pd.to_datetime(["2020-06-01 12:00"])).dt.tz_localize("Europe/Berlin")
    for values in ([moment], series, pl.Series([moment])):
        assert from_data({"m": values}).column("m").texts() == ["2020-06-01 10:00:00"]


def test_durations_and_times_of_day_are_seconds() -> None:
    pd = pytest.importorskip("pandas")
    spans = [timedelta(days=1, seconds=1.5), None]
    for values in (spans, pl.Series(spans), pd.Series(spans), np.array(spans, "timedelta64[ms]")):
        assert from_data({"m": values}).column("m").texts() == ["86401.5", None]
    for values in ([time(1, 0, 0, 500_000)], pl.Series([time(1, 0, 0, 500_000)])):
        assert from_data({"m": values}).column("m").texts() == ["3600.5"]


def test_numbers_of_all_kinds_and_texts_that_are_numbers() -> None:
    table = from_data(
        {"a": [Decimal("1.5"), 2], "b": ["1.5", "2"], "c": [np.float32(1.5), np.int8(2)], "d": ["1", "x"]}
    )
    assert [column.texts() for column in table.columns] == [["1.5", "2"]] * 3 + [["1", "x"]]


def test_a_dict_of_single_values_is_one_row() -> None:
    assert [c.texts() for c in from_data({"a": 1.5, "b": "x", "c": None}).columns] == [["1.5"], ["x"], [None]]


def test_arrays() -> None:
    assert from_data(np.eye(2)).names == ("feature_0", "feature_1")
    assert from_data([[1, "a"], [2, "b"]], names=["n", "s"]).column("s").texts() == ["a", "b"]
    assert from_data([[1, "a"], [2, "b"]]).column("feature_0").is_numeric
    structured = np.array([(1, 2.5)], dtype=[("i", "i4"), ("x", "f8")])
    assert from_data(structured).names == ("i", "x")


NOT_TABLES: list[Any] = [
    3, "text", None, [1, 2], np.zeros(3), np.zeros((2, 2, 2)), {}, {"a": []}, {"a": [1], "b": [1, 2]},
    {"a": 5, "b": [1]},
    {"a": [[1], [2]]}, {"a": [b"x", b"y"]}, {"a": [1j, 2]}, {"a": [float("inf")]}, {"a": [10**400]}, [[1], [1, 2]],
    {"a": np.zeros((2, 2))}, {1: [1], "1": [2]}, np.zeros((0, 2)), pl.DataFrame({"a": [[1]]}),
]  # fmt: skip


@pytest.mark.parametrize("data", NOT_TABLES, ids=repr)
def test_what_is_no_table(data: Any) -> None:
    with pytest.raises(DataError):
        from_data(data)


def test_names_in_levels_are_refused_and_others_become_text() -> None:
    pd = pytest.importorskip("pandas")
    assert from_data(pd.DataFrame(np.eye(2))).names == ("0", "1")
    with pytest.raises(DataError, match="levels"):
        from_data(pd.DataFrame(np.eye(2), columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])))
    with pytest.raises(DataError, match="more than once"):
        from_data(pd.DataFrame(np.eye(2), columns=["a", "a"]))


def test_a_target_given_by_its_values() -> None:
    table = from_data({"x": [1, 2, 3]})
    for y, name in ((pl.Series("kind", ["a", "b", "a"]), "kind"), (np.array(["a", "b", "a"]), "target")):
        both, called = with_target(table, y)
        assert called == name
        assert both.column(name).texts() == ["a", "b", "a"]
    assert with_target(table, np.zeros((3, 1)))[0].column("target").values.tolist() == [0, 0, 0]
    for y in (np.zeros(2), np.zeros((3, 2)), 5, pl.Series("x", [1, 2, 3])):
        with pytest.raises(DataError):
            with_target(table, y)


def test_a_table_of_many_columns_is_built_in_one_pass() -> None:
    table = from_data({f"c{i}": [i] for i in range(20_000)})
    assert isinstance(table, Table)
    assert table.column("c19999").values.tolist() == [19999]
