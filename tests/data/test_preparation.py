# SPDX-License-Identifier: Apache-2.0
"""What is fitted, that the graph does the same as NumPy, and that what is kept is read back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgeling.data import (
    CategoricalFeature,
    NumericFeature,
    Preparation,
    Table,
    TargetColumn,
    check,
    from_arrays,
    from_data,
)
from edgeling.errors import ArtifactError, DataError
from edgeling.graph import GraphBuilder, run
from edgeling.graph.types import Array
from tests.support.close import require_close
from tests.support.preparing import by_hand, prepare


def table(**columns: object) -> Table:
    return from_data(columns)


FLOWERS = table(
    width=[1.0, 2.0, np.nan, 4.0, 9.0, 1.0],
    colour=["red", "blue", "", "red", "green", "white"],
    height=[10.0, 20.0, 30.0, 40.0, 50.0, 60.0],
    kind=["a", "b", "a", "b", "a", "b"],
)
TRAIN = np.arange(5)


def fitted(given_table: Table = FLOWERS, target: str = "kind", train: Array = TRAIN) -> Preparation:
    return Preparation.fit(check(given_table, target), train)


def traced(preparation: Preparation, raw: Array) -> Array:
    """The prepared vectors as the interpreted graph makes them."""
    builder = GraphBuilder("preparation")
    x = builder.input("x", raw.shape)
    return run(builder.build([preparation.trace(builder, x)]), [raw]).outputs[0]


def test_fitted_on_training_rows_alone() -> None:
    prepared = fitted()
    width, colour, height = prepared.features
    assert isinstance(width, NumericFeature)
    assert (width.fill, width.mean) == (3.0, 4.0)
    require_close(width.scale, np.std([1, 2, 4, 9]), 1)
    assert colour == CategoricalFeature("colour", ("blue", "green", "red"))
    assert height.name == "height"
    assert prepared.target == TargetColumn("kind", "binary", ("a", "b"))
    assert (prepared.raw_size, prepared.prepared_size) == (3, 5)
    assert prepared.names == ("width", "colour", "height")
    assert prepared.prepared_names == ("width", "height", "colour=blue", "colour=green", "colour=red")


def test_transform_and_prepare() -> None:
    prepared = fitted()
    raw = prepared.transform(FLOWERS)
    assert raw.dtype == np.float32
    np.testing.assert_array_equal(raw[:, 1], [2, 0, -1, 2, 1, -1])
    np.testing.assert_array_equal(raw[:, 0], FLOWERS.column("width").values)
    ready = prepare(prepared, raw)
    np.testing.assert_array_equal(ready[:, 2:], [[0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0]])
    require_close(ready[2, 0], (3 - 4) / np.std([1, 2, 4, 9]), 2)
    np.testing.assert_array_equal(ready, by_hand(prepared, raw))


def test_numbers_alone_are_standardised_as_by_scikit_learn() -> None:
    from sklearn.preprocessing import StandardScaler

    values = np.random.default_rng(3).normal(5, [1, 10, 100], (40, 3))
    prepared = fitted(from_arrays(values, np.arange(40) % 2), "target", np.arange(30))
    ready = prepare(prepared, prepared.transform(from_arrays(values, np.zeros(40))))
    scaler = StandardScaler().fit(values[:30])
    magnitude = (np.abs(values) + np.abs(scaler.mean_)) / scaler.scale_
    require_close(ready, scaler.transform(values), 5, of=magnitude)  # number, mean, difference, scale, quotient
    builder = GraphBuilder("preparation")
    prepared.trace(builder, builder.input("x", (1, 3)))
    assert [node.operation for node in builder.build(["standardize"]).nodes] == ["standardize"]


NUMBER = st.floats(-1e6, 1e6, width=32)


@settings(deadline=None)
@given(st.data(), st.lists(st.sampled_from("nc"), min_size=1, max_size=5), st.booleans())
def test_the_graph_does_what_prepare_does(data: st.DataObject, kinds: list[str], imputes: bool) -> None:
    features = tuple(
        NumericFeature(f"f{i}", data.draw(NUMBER), data.draw(NUMBER), data.draw(st.floats(2**-7, 1024, width=32)))
        if kind == "n"
        else CategoricalFeature(f"f{i}", tuple("abcd"[: data.draw(st.integers(1, 4))]))
        for i, kind in enumerate(kinds)
    )
    prepared = Preparation(features, TargetColumn("y", "binary", ("a", "b")), imputes)
    elements = st.one_of(st.integers(-1, 5), NUMBER, st.just(float("nan")) if imputes else st.just(0))
    raw = data.draw(arrays.arrays(np.float32, (4, len(kinds)), elements=elements))
    ready = prepare(prepared, raw)
    np.testing.assert_array_equal(ready, by_hand(prepared, raw))
    assert ready.shape == (4, prepared.prepared_size)
    assert ready.dtype == np.float32
    assert len(prepared.prepared_names) == prepared.prepared_size
    assert Preparation.from_json(json.loads(json.dumps(prepared.to_json()))) == prepared


def test_columns_constant_in_the_training_rows_are_left_out() -> None:
    given_table = table(x=np.arange(20.0) ** 2, z=[1.0] * 15 + [2.0] * 5, y=["a", "b"] * 10)
    assert fitted(given_table, "y", np.arange(15)).names == ("x",)
    with pytest.raises(DataError, match="differs"):
        fitted(given_table.select(["z", "y"]), "y", np.arange(15))


def test_without_missing_numbers_there_is_no_node_for_them_and_they_are_refused_later() -> None:
    whole = table(x=[3.0, 1.0, 2.0, 5.0], c=["u", "v", "u", "v"], y=["a", "b", "a", "b"])
    prepared = fitted(whole, "y", np.arange(4))
    assert not prepared.imputes
    with pytest.raises(DataError, match=r"'x' without a value in row 2"):
        prepared.transform(table(x=[1.0, np.nan], c=["u", ""]))
    assert prepared.transform(table(c=["w", ""], x=[1.0, 2.0])).tolist() == [[1, -1], [2, -1]]


def test_missing_numbers_outside_the_training_rows_count() -> None:
    late = table(x=[3.0, 1.0, 2.0, np.nan], y=["a", "b", "a", "b"])
    prepared = fitted(late, "y", np.arange(3))
    assert prepared.imputes
    assert prepare(prepared, prepared.transform(late))[3, 0] == 0  # the median is the mean here


def test_columns_of_another_table_are_found_by_name() -> None:
    prepared = fitted()
    swapped = FLOWERS.select(["height", "colour", "width"])
    np.testing.assert_array_equal(prepared.transform(swapped), prepared.transform(FLOWERS))
    with pytest.raises(DataError, match="'height'"):
        prepared.transform(FLOWERS.select(["width", "colour"]))
    with pytest.raises(DataError, match="'tall'"):
        prepared.transform(table(width=[1.0], colour=["red"], height=["tall"]))


def test_categories_written_as_numbers_are_still_found() -> None:
    given_table = table(c=["1", "2", "x", "1", "2", "x"], y=["a", "b"] * 3)
    prepared = fitted(given_table, "y", np.arange(6))
    assert prepared.transform(table(c=[2.0, 1.0, 7.0])).ravel().tolist() == [1, 0, -1]


def test_class_targets() -> None:
    prepared = fitted()
    codes = prepared.encode_target(FLOWERS)
    assert codes.dtype == np.int32
    assert codes.tolist() == [0, 1, 0, 1, 0, 1]
    assert prepared.encode_target(table(kind=["b"])).tolist() == [1]
    with pytest.raises(DataError, match=r"'c' in row 2"):
        prepared.encode_target(table(kind=["b", "c"]))
    with pytest.raises(DataError, match="row 1"):
        prepared.encode_target(table(kind=["", "a"]))


def test_regression_targets_are_standardised_and_the_graph_takes_them_back() -> None:
    price = np.array([100.0, 250.0, 175.0, 900.0, 320.0, 55.5, 123.25])
    given_table = table(x=np.arange(7.0) ** 2, price=price)
    prepared = fitted(given_table, "price", np.arange(5))
    answer = prepared.encode_target(given_table)
    assert answer.dtype == np.float32
    mean, deviation = price[:5].mean(), price[:5].std()
    require_close(answer, (price - mean) / deviation, 2)  # in double, and rounded at the end
    builder = GraphBuilder("answer")
    y = builder.input("y", (7, 1))
    graph = builder.build([prepared.trace_answer(builder, y)])
    found = run(graph, [answer[:, None]]).outputs[0].ravel()
    require_close(found, price, 5, of=np.abs(price - mean) + mean)  # answer, deviation, product, mean, sum


def test_class_answers_are_left_alone() -> None:
    builder = GraphBuilder("answer")
    assert fitted().trace_answer(builder, builder.input("y", (1, 2))) == "y"


# ---------------------------------------------------------------------------------------------------- hostile JSON

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def mutated(value: Any, path: list[int], new: Any) -> Any:
    """``value`` with the element that ``path`` leads to replaced."""
    if not path or not isinstance(value, dict | list | tuple) or not value:
        return new
    keys = list(value) if isinstance(value, dict) else range(len(value))
    chosen = keys[path[0] % len(keys)]
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[chosen] = mutated(value[chosen], path[1:], new)  # type: ignore[index]
    return copy


@given(st.lists(st.integers(0, 9), max_size=4), JSON)
def test_any_json_is_a_preparation_or_an_artifact_error(path: list[int], new: Any) -> None:
    value = mutated(json.loads(json.dumps(fitted().to_json())), path, new)
    try:
        prepared = Preparation.from_json(value)
    except ArtifactError:
        return
    builder = GraphBuilder("preparation")
    prepared.trace(builder, builder.input("x", (1, prepared.raw_size)))


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ([0], []),
        ([0, 0, 3], 0.0),
        ([0, 0, 1], float("nan")),
        ([0, 0, 1], "3"),
        ([0, 0, 0], 3),
        ([0, 1, 1], ["a", "a"]),
        ([0, 1, 0], "kind"),
        ([1, 1], "clustering"),
        ([1, 2], ["a"]),
        ([1, 1], "regression"),
        ([2], 1),
    ],
)
def test_each_lie_is_noticed(path: list[int], new: Any) -> None:
    with pytest.raises(ArtifactError):
        Preparation.from_json(mutated(fitted().to_json(), path, new))
