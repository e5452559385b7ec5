# SPDX-License-Identifier: Apache-2.0
"""Dates as a network takes them: one number, from which its graph computes the parts that Python's calendar has."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from edgeling.data import CategoricalFeature, DateFeature, NumericFeature, Preparation, Reading, Table, check, from_data
from edgeling.data.strange import strange
from edgeling.errors import ArtifactError, DataError
from edgeling.graph.types import Array
from tests.support.preparing import by_hand, prepare

RNG = np.random.default_rng(3)
MOMENTS = [datetime(1969, 6, 1) + timedelta(minutes=int(m)) for m in RNG.integers(0, 3_000_000, 60)]


def table(**columns: Any) -> Table:
    return from_data({**columns, "y": ["p", "q"] * 30})


def fitted(given: Table) -> Preparation:
    return Preparation.fit(check(given, "y"), np.arange(given.rows))


def unscaled(prepared: Preparation, values: Array, place: int = 0) -> dict[str, Array]:
    """The parts by name, standardising undone."""
    feature = prepared.features[place]
    assert isinstance(feature, DateFeature)
    first = len(prepared.numbers)
    columns = (values[:, first + i] for i in range(len(feature.parts)))
    return {
        part: np.round(column * feature.scale[i] + feature.mean[i])
        for i, (part, column) in enumerate(zip(feature.parts, columns, strict=True), 1)
    }


def test_the_parts_of_moments_are_pythons() -> None:
    given = table(when=MOMENTS)
    prepared = fitted(given)
    (feature,) = prepared.features
    assert isinstance(feature, DateFeature)
    assert (feature.unit, feature.epoch_days) == ("minute", (datetime(1972, 1, 1) - datetime(1970, 1, 1)).days)
    raw = prepared.transform(given)
    assert raw[:, 0].tolist() == [(m - datetime(1972, 1, 1)) // timedelta(minutes=1) for m in MOMENTS]
    parts = unscaled(prepared, prepare(prepared, raw))
    for name in ("year", "month", "day", "hour", "minute"):
        assert parts[name].tolist() == [getattr(moment, name) for moment in MOMENTS]
    assert parts["weekday"].tolist() == [moment.weekday() for moment in MOMENTS]


def test_days_have_no_time_and_parts_that_do_not_differ_are_left_out() -> None:
    days = [datetime(2024, 3, 1).date() + timedelta(days=i % 28) for i in range(60)]
    prepared = fitted(table(when=days))
    (feature,) = prepared.features
    assert isinstance(feature, DateFeature)
    assert (feature.unit, feature.epoch_days, feature.parts) == ("day", 0, ("day", "weekday"))
    assert prepared.prepared_names == ("when", "when.day", "when.weekday")
    assert prepared.transform(table(when=days))[0, 0] == 19783


@pytest.mark.parametrize("others", [{}, {"x": RNG.normal(size=60)}, {"c": ["r", "g", None] * 20}])
def test_the_graph_does_what_preparing_does(others: dict[str, Any]) -> None:
    holes = [None if i % 7 == 0 else moment for i, moment in enumerate(MOMENTS)]
    given = table(**others, when=holes, until=[m.date() for m in MOMENTS])
    prepared = fitted(given)
    raw = prepared.transform(given)
    assert np.isnan(raw).any()
    np.testing.assert_array_equal(prepare(prepared, raw), by_hand(prepared, raw))
    assert prepare(prepared, raw).shape == (60, prepared.prepared_size)


def test_what_is_written_is_read_back_and_nothing_else() -> None:
    given = table(when=MOMENTS, x=RNG.normal(size=60), c=["r", "g", "b"] * 20)
    prepared = Preparation.fit(check(given, "y"), np.arange(60), Reading(missing=("?!",), decimal=","), ("x", "z"))
    value = json.loads(json.dumps(prepared.to_json()))
    assert Preparation.from_json(value) == prepared
    for key, junk in [
        ("unit", "week"), ("epoch_days", 1e9), ("epoch_days", True), ("parts", ["year", "year"]), ("parts", ["era"]),
        ("fill", [0.0]), ("scale", [0.0] * 7), ("mean", [1e30] + [0.0] * 6), ("form", 3), ("name", None),
    ]:  # fmt: skip
        forged = json.loads(json.dumps(value))
        forged["features"][0][key] = junk
        with pytest.raises(ArtifactError):
            Preparation.from_json(forged)
    for junk in (
        {},
        {"missing": "x", "decimal": "", "day_first": None},
        {"missing": [], "decimal": ";", "day_first": None},
    ):
        with pytest.raises(ArtifactError):
            Preparation.from_json({**value, "reading": junk})


def test_a_column_holds_what_it_held() -> None:
    prepared = fitted(table(when=MOMENTS, x=RNG.normal(size=60), ok=["yes", "no"] * 30))
    for columns, said in [
        ({"when": [5.0], "x": [1.0]}, "holds dates; received numbers"),
        ({"when": ["soon"], "x": [1.0]}, "holds dates; received text"),
        ({"when": [MOMENTS[0]], "x": [MOMENTS[0]]}, "holds numbers; received dates"),
        ({"x": [1.0]}, "none named 'when', 'ok'"),
    ]:
        with pytest.raises(DataError, match=said):
            prepared.transform(from_data({"ok": ["yes"], **columns} if "when" in columns else columns))


def test_truth_values_are_known_by_any_word() -> None:
    prepared = fitted(table(ok=["yes", "no"] * 30, n=[0, 1, 1] * 20))
    words = ["on", "off", "T", "f", "yes", "no"]
    ok, n = prepared.transform(from_data({"ok": [True, False, "J", "nein", "1", "maybe"], "n": words})).T
    assert prepared.features[0] == CategoricalFeature("ok", ("no", "yes"))
    assert isinstance(prepared.features[1], NumericFeature)
    assert ok.tolist() == [1, 0, 1, 0, 1, -1]
    assert n.tolist() == [1, 0, 1, 0, 1, 0]


def test_of_many_categories_the_most_frequent_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeling.data.features.MAX_CATEGORIES", 256)
    texts = [f"k{i:03}" for i in range(300) for _ in range(2 + (i >= 100))]  # 200 of three rows, then 100 of two
    given = from_data({"k": texts, "y": ["p", "q"] * 400})
    prepared = fitted(given)
    kept = [f"k{i:03}" for i in (*range(56), *range(100, 300))]  # of equals the first in the alphabet
    assert prepared.features[0] == CategoricalFeature("k", tuple(kept), others=44)
    codes = prepared.transform(given)[:, 0]
    assert [code == -1 for code in codes] == [text not in kept for text in texts]
    raw = prepared.transform(given)
    np.testing.assert_array_equal(prepare(prepared, raw), by_hand(prepared, raw))
    assert "k" not in strange(prepared, given)  # none that may have been there is called unseen
    written = json.loads(json.dumps(prepared.to_json()))
    assert Preparation.from_json(written) == prepared
    del written["features"][0]["others"]
    assert Preparation.from_json(written).features[0] == CategoricalFeature("k", tuple(kept))
