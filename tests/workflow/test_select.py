# SPDX-License-Identifier: Apache-2.0
"""How few columns suffice: what is known to be needed is kept, and each step is measured."""

from __future__ import annotations

import json

import numpy as np
import pytest

import edgeling
from edgeling.errors import DataError, TargetError, UnsupportedError
from edgeling.explaining.selection import ColumnSelection, ColumnStep
from edgeling.report.content import Content
from edgeling.report.page import render
from edgeling.workflow.select import next_count
from tests.support.close import DOUBLE, require_close


def table(rows=150):
    """A number that two of four columns tell, by 10 to 1."""
    rng = np.random.default_rng(7)
    strong, weak, one, other = rng.normal(size=(4, rows))
    return {"one": one, "weak": weak, "strong": strong, "other": other, "y": 10 * strong + 3 * weak}


@pytest.fixture(scope="module")
def found():
    return edgeling.select(table(), "y", splits=2, hidden=6, device="cortex-m0plus")


def test_what_is_needed_stays_and_what_is_not_goes(found):
    assert [len(step.columns) for step in found.steps] == [1, 2, 3, 4]
    assert found.steps[0].columns == ("strong",)
    assert found.steps[1].columns == ("strong", "weak")
    assert set(found.recommended) >= {"strong", "weak"}
    assert found.steps[1].mean > 0.98 > found.steps[0].mean


def test_each_step_is_measured_where_it_is_to_run(found):
    flash = [step.flash_bytes for step in found.steps]
    assert flash[0] < flash[-1]
    assert all(step.instructions > 0 and step.ram_bytes > 0 for step in found.steps)
    assert found.target == "cortex-m0plus"


def test_the_page_and_plain_values_tell_the_same(found):
    page = render(Content(found.name, found.task, found.answer, selection=found))
    assert "How few columns suffice" in page
    assert "strong and weak" in page
    said = json.loads(json.dumps(found.to_json()))
    assert said["recommended"] == list(found.recommended)
    assert len(said["steps"][0]["scores"]) == 2


def selection(*scores):
    steps = tuple(ColumnStep(tuple("abcdef"[: i + 1]), np.array(s)) for i, s in enumerate(scores))
    return ColumnSelection("t", "binary", "y", steps, "accuracy", "native", "float32")


def test_one_standard_error_of_the_best_is_the_rule():
    picked = selection([0.7, 0.7, 0.7], [0.80, 0.86, 0.86], [0.84, 0.86, 0.88], [0.8, 0.9, 0.85])
    require_close(picked.steps[2].standard_error, 0.02 / np.sqrt(3), 16, of=1.0, unit=DOUBLE)
    assert (picked.best, picked.chosen) == (2, 2)
    spread = selection([0.7, 0.7, 0.7], [0.80, 0.86, 0.86], [0.80, 0.86, 0.92])
    assert (spread.best, spread.chosen, spread.recommended) == (2, 1, ("a", "b"))
    assert selection([0.9], [0.9]).chosen == 0


def test_very_many_columns_go_by_quarters_and_the_last_dozen_one_by_one():
    counts, left = [], 40
    while left > 1:
        left = next_count(left)
        counts.append(left)
    assert counts == [30, 22, 16, 12, *range(11, 0, -1)]


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"splits": 0}, UnsupportedError), ({"splits": True}, UnsupportedError),
        ({"precision": "int4"}, UnsupportedError), ({"device": "z80"}, TargetError),
        ({"columns": "none"}, DataError), ({"split": "time"}, UnsupportedError),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(how, error):
    with pytest.raises(error):
        edgeling.select(table(20), "y", **how)
    with pytest.raises(DataError, match="'z'"):
        edgeling.select(table(20), "z")
