# SPDX-License-Identifier: Apache-2.0
"""Any table at all, from text to what the first layer sees: it works without a warning, or is refused."""

from __future__ import annotations

import csv
import io
import warnings

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgeling.data import Preparation, check, from_arrays, read_table, split
from edgeling.errors import DataError
from tests.support.close import allowed
from tests.support.preparing import by_hand, prepare

NUMBERS = st.one_of(st.integers(-3, 3).map(str), st.floats(-1e18, 1e18).map(repr), st.just(""))
TEXTS = st.sampled_from(["red", "green", "blue", "", "?", "1"])
ROWS = st.integers(1, 24)


@st.composite
def tables(draw: st.DrawFn) -> str:
    """CSV text of one to four columns, named ``c0``, ``c1``, ..."""
    rows, kinds = draw(ROWS), draw(st.lists(st.sampled_from([NUMBERS, TEXTS]), min_size=2, max_size=4))
    columns = [draw(st.lists(kind, min_size=rows, max_size=rows)) for kind in kinds]
    stream = io.StringIO()
    csv.writer(stream).writerows([[f"c{i}" for i in range(len(kinds))], *zip(*columns, strict=True)])
    return stream.getvalue()


@settings(max_examples=300, deadline=None)
@given(text=tables(), task=st.sampled_from([None, None, "binary", "multiclass", "regression"]), seed=st.integers(0, 99))
def test_any_table(tmp_path_factory: pytest.TempPathFactory, text: str, task: str | None, seed: int) -> None:
    path = tmp_path_factory.mktemp("table") / "table.csv"
    path.write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = check(read_table(path), "c0", task=task)  # type: ignore[arg-type]
            parts = split(found.table.rows, found.codes, seed=seed)
            prepared = Preparation.fit(found, parts.train)
        except DataError as error:
            event(f"refused: {error.rule[:40]}")
            return
        event(f"learned: {found.task}")
        raw, answer = prepared.transform(found.table), prepared.encode_target(found.table)
        ready = prepare(prepared, raw)
    assert np.isfinite(ready).all()
    assert np.isfinite(answer).all()
    assert ready.shape == (found.table.rows, prepared.prepared_size)
    if found.labels:
        assert set(answer[parts.train]) == set(answer[parts.test]) == set(range(len(found.labels)))
    np.testing.assert_array_equal(ready, by_hand(prepared, raw))


@settings(deadline=None)
@given(arrays.arrays(np.float32, (20, 3), elements=st.floats(-1e6, 1e6, width=32)), st.floats(-1e3, 1e3))
def test_standardised_numbers_have_mean_zero_and_deviation_one(values: np.ndarray, offset: float) -> None:
    try:
        found = check(from_arrays(values + np.float32(offset), np.arange(20) % 2), "target")
        prepared = Preparation.fit(found, np.arange(20))
    except DataError:
        return
    ready = prepare(prepared, prepared.transform(found.table)).astype(np.float64)
    for i, feature in prepared.numeric.items():
        # The mean, its difference, the scale and the quotient are rounded, the first two by what they are themselves.
        error = allowed(0, 5, of=2 * abs(feature.mean) / feature.scale + np.abs(ready[:, i]))
        assert abs(ready[:, i].mean()) <= error.mean()
        assert abs(ready[:, i].std() - 1) <= np.sqrt(np.mean(error**2))
