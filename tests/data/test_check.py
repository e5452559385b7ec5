# SPDX-License-Identifier: Apache-2.0
"""What each column is taken for, and which tables cannot be learned from."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgeling.data import IRIS, Table, check, from_arrays, from_data, infer_task, read_table
from edgeling.data.check import check_column, is_constant
from edgeling.data.table import distinct_values
from edgeling.errors import DataError
from edgeling.graph.types import Array

ROWS = 60


def table(**columns: object) -> Table:
    return from_data(columns)


def cycle(*values: object, rows: int = ROWS) -> Array:
    return np.array([values[i % len(values)] for i in range(rows)])


def noise(rows: int = ROWS) -> Array:
    return np.random.default_rng(1).normal(size=rows)


def refusal(given: Table, target: str = "y", **options: object) -> DataError:
    with pytest.raises(DataError) as caught:
        check(given, target, **options)  # type: ignore[arg-type]
    return caught.value


def test_two_classes_are_binary_however_the_task_was_called() -> None:
    assert check(table(x=noise(), y=cycle("a", "b")), "y", task="multiclass").task == "binary"


def test_iris() -> None:
    found = check(read_table(IRIS), "species")
    assert found.task == "multiclass"
    assert found.labels == ("setosa", "versicolor", "virginica")
    assert found.class_counts == dict.fromkeys(found.labels, 50)
    assert found.features == found.table.names[:4]
    assert [column.kind for column in found.columns] == ["numeric"] * 4
    assert not found.warnings
    assert json.loads(json.dumps(found.to_json()))["task"] == "multiclass"


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (cycle("yes", "no"), "binary"),
        (cycle("a", "b", "c"), "multiclass"),
        (cycle(0, 1), "binary"),
        (cycle(0.5, 1.5), "binary"),
        (cycle(True, False), "binary"),
        (cycle(1.0, 2.0, np.nan), "binary"),
        (cycle(0, 1, 2), "multiclass"),
        (cycle(0, 1, 2.5), "regression"),
        (cycle(*range(12)), "multiclass"),
        (cycle(*range(13)), "regression"),  # fewer than five rows each
        (cycle(*range(20), rows=1000), "multiclass"),
        (cycle(*range(21), rows=1000), "regression"),
        (noise(), "regression"),
        (cycle(*(f"k{i}" for i in range(40))), "multiclass"),
    ],
)
def test_infer_task(values: Array, task: str) -> None:
    assert infer_task(from_data({"y": values}).column("y")) == task


def test_the_task_can_be_forced() -> None:
    given = table(x=noise(), y=cycle(0, 1, 2))
    assert check(given, "y", task="regression").task == "regression"
    assert check(given, "y", task="regression").labels == ()
    assert "two classes" in refusal(given, task="binary").rule
    assert "'a'" in refusal(table(x=noise(), y=cycle("a", "b")), task="regression").received
    forced = check(table(x=noise(), y=cycle(*(i / 2 for i in range(15)))), "y", task="multiclass")
    assert forced.labels[:3] == ("0", "0.5", "1")


def test_labels_of_numbers_are_in_the_order_of_numbers() -> None:
    found = check(table(x=noise(), y=cycle(10, 9, -1)), "y")
    assert found.labels == ("-1", "9", "10")
    assert found.codes is not None
    assert found.codes[:3].tolist() == [2, 1, 0]


def test_columns_not_worth_learning_from_are_left_out_and_said_so() -> None:
    found = check(
        table(
            id=np.arange(ROWS),
            one=np.full(ROWS, 7.0),
            sometimes=cycle(3.0, np.nan),
            never=np.full(ROWS, np.nan),
            word=cycle("same"),
            name=[f"person {i}" for i in range(ROWS)],
            rounding=1e6 + 1e-4 * np.arange(ROWS),
            x=noise(),
            colour=cycle("red", "green"),
            y=cycle("a", "b"),
        ),
        "y",
    )
    kinds = {column.name: column.kind for column in found.columns}
    assert kinds == {
        "id": "identifier", "one": "constant", "sometimes": "constant", "never": "constant", "word": "constant",
        "name": "identifier", "rounding": "constant", "x": "numeric", "colour": "categorical",
    }  # fmt: skip
    assert found.features == ("x", "colour")
    for name in set(kinds) - set(found.features):
        assert any(repr(name) in warning for warning in found.warnings)
    assert {c.name: c.missing for c in found.columns}["sometimes"] == ROWS // 2


def test_hundreds_of_categories_that_repeat_are_learned() -> None:
    texts = [f"k{i % 300}" for i in range(1200)]
    found = check(table(k=texts, x=noise(1200), y=cycle("a", "b", rows=1200)), "y")
    assert (found.columns[0].kind, found.columns[0].dropped) == ("categorical", "")
    assert not any("'k'" in warning for warning in found.warnings)


def test_of_thousands_the_most_frequent_are_learned_and_that_is_said() -> None:
    texts = [f"k{i % 4100}" for i in range(9000)]
    found = check(table(k=texts, x=noise(9000), y=cycle("a", "b", rows=9000)), "y")
    assert any("'k' has 4,100 different texts: the 4096 most frequent" in warning for warning in found.warnings)


def test_hundreds_of_texts_that_hardly_repeat_are_none_unless_asked_for() -> None:
    columns = table(k=[f"k{i % 700}" for i in range(1200)], x=noise(1200), y=cycle("a", "b", rows=1200))
    assert check(columns, "y").columns[0].kind == "identifier"
    assert check(columns, "y", wanted=["k"]).columns[0].kind == "categorical"


def test_rows_without_a_target_are_left_out_and_said_so() -> None:
    found = check(table(x=noise(), y=cycle("a", "b", "")), "y")
    assert (found.table.rows, found.rows_without_target) == (40, 20)
    assert any("20 rows" in warning for warning in found.warnings)
    assert found.labels == ("a", "b")


def test_unbalanced_classes_and_few_rows_are_warned_of() -> None:
    found = check(table(x=noise(33), y=["a"] * 30 + ["b"] * 3), "y")
    assert any("30 rows of 'a' to 3 of 'b'" in warning for warning in found.warnings)
    assert any("few" in warning for warning in found.warnings)


REFUSED = [
    (table(y=cycle("a", "b")), "y", "only the column 'y'"),
    (table(x=noise(), y=cycle("a")), "y", "only 'a'"),
    (table(x=noise(), y=np.full(ROWS, np.nan)), "y", "without any value"),
    (table(x=noise(5), y=list("abcde")), "y", "5 rows and 5 classes"),
    (table(x=noise(31), y=["a"] * 15 + ["b"] * 15 + ["c"]), "y", "1 of class 'c'"),
    (table(x=np.full(ROWS, 1.0), y=cycle("a", "b")), "y", "'x': every row has the same value"),
    (table(x=noise(4), y=[1.5, 2.5, 3.5, 4.5]), "y", "4 rows"),
]


@pytest.mark.parametrize(("given", "target", "received"), REFUSED)
def test_refused(given: Table, target: str, received: str) -> None:
    assert received in refusal(given, target).received


def test_a_misspelt_target_is_offered_the_nearest_name() -> None:
    error = refusal(read_table(IRIS), "specis")
    assert error.remedy == "'species'"
    assert "sepal_length_cm" in error.received
    assert "above" in refusal(read_table(IRIS), "qqq").remedy


def test_constant_regression_targets_are_refused() -> None:
    assert "differs" in refusal(table(x=noise(), y=np.full(ROWS, 2.5)), task="regression").rule


def test_numbers_too_small_for_float32_are_constant() -> None:
    assert is_constant(from_data({"x": np.arange(9) * 1e-46}).column("x"))
    assert not is_constant(from_data({"x": np.arange(9) * 1e-30}).column("x"))


# -------------------------------------------------------------------------------------------------- from_arrays


def test_from_arrays() -> None:
    made = from_arrays([[1, 2.5], [3, 4]], ["no", "yes"], ["a", "b"])
    assert made.names == ("a", "b", "target")
    assert made.column("b").values.tolist() == [2.5, 4]
    assert made.column("target").categories == ("no", "yes")
    assert from_arrays(np.zeros((3, 2)), np.zeros((3, 1)), target="t").names == ("feature_0", "feature_1", "t")
    mixed = from_arrays(np.array([[1, "x"], [None, None]], dtype=object), [0, 1])
    assert mixed.column("feature_1").texts() == ["x", None]


@pytest.mark.parametrize(
    ("features", "target", "names"),
    [
        (np.zeros(3), np.zeros(3), None),
        (np.zeros((3, 2)), np.zeros(4), None),
        (np.zeros((3, 2)), np.zeros((3, 2)), None),
        (np.float64(1), np.float64(1), None),
        (np.zeros((3, 2)), np.zeros(3), ["a"]),
        (np.zeros((3, 2)), np.zeros(3), ["a", "a"]),
        (np.full((3, 2), np.inf), np.zeros(3), None),
    ],
)
def test_from_arrays_refuses(features: Array, target: Array, names: list[str] | None) -> None:
    with pytest.raises(DataError):
        from_arrays(features, target, names)


@given(arrays.arrays(st.sampled_from([np.float64, np.int32]), st.integers(0, 30), elements=st.integers(-5, 5)))
def test_distinct_values(values: Array) -> None:
    np.testing.assert_array_equal(distinct_values(values), np.unique(values))


def test_values_that_float32_cannot_tell_apart_are_not_called_the_same() -> None:
    stamps = 1_700_000_000 + np.arange(1200.0)
    found = check_column(table(t=stamps).column("t"))
    assert found.distinct == 1200
    assert "same value" not in found.dropped
    assert "its 1,200 values differ too little for float32" in found.dropped
    assert "subtract 1700000000" in found.dropped
    assert not check_column(table(t=stamps - 1_700_000_000 + 5).column("t")).dropped
    assert "smaller unit" in check_column(table(t=np.arange(1200.0) * 1e-45).column("t")).dropped


def test_a_count_of_rows_is_known_where_some_have_no_target() -> None:
    y = np.array(["a", "b"])[np.arange(40) % 2].astype(object)
    y[[3, 20]] = None
    found = check(table(id=np.arange(40.0), x=np.arange(40.0) ** 2, y=y), "y")
    assert found.features == ("x",)
    assert check(table(id=np.arange(40.0), x=np.arange(40.0) ** 2, y=y), "y", wanted=("id",)).features == ("id", "x")


def test_taking_every_row_copies_nothing() -> None:
    given = table(x=noise(), y=cycle("a", "b"))
    assert given.take(np.ones(ROWS, bool)) is given
    assert given.column("x").present is given.column("x").values
    assert given.take(np.arange(ROWS) > 0).rows == ROWS - 1
