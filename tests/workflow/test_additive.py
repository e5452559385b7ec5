# SPDX-License-Identifier: Apache-2.0
"""A network that is a sum over columns: no two columns act together, and its curves are all there is to know."""

from __future__ import annotations

import numpy as np
import pytest

import edgeling
from edgeling.graph import run_rows
from edgeling.report.page import render
from edgeling.workflow.findings import told
from edgeling.workflow.summary import trained_content
from tests.support.rounding import row_bounds


def table(rows=200):
    """Numbers of one column each, and a category, added up."""
    rng = np.random.default_rng(4)
    a, b, kind = rng.uniform(-2, 2, rows), rng.uniform(-2, 2, rows), rng.integers(0, 3, rows)
    return {"a": a, "b": b, "kind": np.array(["x", "y", "z"])[kind], "y": a * a + np.abs(b) + kind}


@pytest.fixture(scope="module")
def trained():
    return edgeling.train(table(), "y", recipe="additive", targets=("cortex-m4",), epochs=150, name="sums")


def test_it_learns_what_is_a_sum(trained):
    assert trained.learned.deployed == "additive"
    assert trained.scores["float32"]["r2"] > 0.9  # a line reaches 0.4


def test_no_two_columns_act_together(trained):
    """f(a, b) + f(a', b') - f(a, b') - f(a', b) of a sum is nothing but rounding, whatever the other columns are."""
    graph = trained.pipeline.deployable.graphs["float32"]
    raw = trained.held_out[0][:12]
    for one in range(3):
        moved, other, both = (raw.copy() for _ in range(3))
        moved[:, one] = raw[::-1, one]
        for two in set(range(3)) - {one}:
            other[:] = raw
            other[:, two] = raw[::-1, two]
            both[:] = moved
            both[:, two] = raw[::-1, two]
            room = sum(row_bounds(graph, x)[0].tolerance for x in (raw, moved, other, both))
            left = [run_rows(graph, x)[0].astype(np.float64) for x in (raw, both, moved, other)]
            assert np.abs(left[0] + left[1] - left[2] - left[3]).max() <= room


def test_curves_of_a_rows_values_add_up_to_its_answer(trained):
    found = trained.columns
    assert found.exact
    assert {curve.name for curve in found.curves} == {"a", "b", "kind"}
    kind = next(curve for curve in found.curves if curve.name == "kind")
    predict, raw = told(trained.pipeline, "float32"), trained.held_out[0][:1]
    own = [predict(np.array([[raw[0, 0], raw[0, 1], code]], np.float32))[0, 0] for code in kind.dependence.grid]
    curve = kind.dependence.mean[:, 0]
    room = 16 * row_bounds(trained.pipeline.deployable.graphs["float32"], trained.held_out[0])[0].tolerance
    assert np.abs((own - own[0]) - (curve - curve[0])).max() <= room


def test_the_report_says_that_curves_are_exact(trained):
    page = render(trained_content(trained, "edgeling train"))
    assert "The network is a sum over columns" in page


def test_a_class_has_a_curve_in_log_odds():
    data = table()
    data["y"] = np.where(data["y"] > 2, "much", "little")
    trained = edgeling.train(data, "y", recipe="additive", targets=("native",), epochs=30)
    assert trained.columns.unit == "log-odds of much"
    assert set(trained.pipeline.deployable.graphs) == {"float32", "int8"}
