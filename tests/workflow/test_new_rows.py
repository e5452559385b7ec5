# SPDX-License-Identifier: Apache-2.0
"""Rows that are not like those learned from: marked where they cannot be answered, counted where they are strange."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

import edgeling
from edgeling.data import from_data
from edgeling.errors import DataError
from edgeling.workflow.pipeline import Pipeline

ROWS = 160
RNG = np.random.default_rng(5)
AGE = RNG.uniform(20, 60, ROWS).round(2)
COLOR = np.array(["red", "green", "blue"])[np.arange(ROWS) % 3]
DAY = np.datetime64("2024-01-01") + np.arange(ROWS) % 90
HOW = {"targets": ("native",), "epochs": 3, "precision": "float32", "importance": False, "hidden": 4}


def write(path: Path, *, gaps: tuple[int, ...] = (), target: bool = True) -> Path:
    """A table of which some rows lack age and answer."""
    lines = ["id,age,day,color" + (",y" if target else "")]
    for i in range(ROWS):
        age, answer = ("", "") if i in gaps else (AGE[i], "yes" if AGE[i] > 40 else "no")
        lines.append(f"A{i:03d},{age},{DAY[i]},{COLOR[i]}" + (f",{answer}" if target else ""))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained on a table where ages are missing only where the answer is."""
    place = tmp_path_factory.mktemp("rows")
    trained = edgeling.train(write(place / "t.csv", gaps=(5, 50)), "y", **HOW)
    return edgeling.save(trained, place / "t.edgeling")


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Pipeline:
    return edgeling.load(folder)


def test_the_table_it_was_trained_on_is_answered_but_for_the_rows_that_cannot_be(folder: Path, pipeline) -> None:
    found = pipeline.predict(folder.parent / "t.csv")
    assert found.unanswered.tolist() == [5, 50]
    assert found.values[5] is None
    assert np.isnan(found.probabilities[5]).all()
    assert "'age' has no value" in found.reasons[5]
    others = np.delete(np.arange(ROWS), [5, 50])
    whole = pipeline.predict(from_data({"age": AGE, "day": DAY, "color": COLOR}).take(others))
    np.testing.assert_array_equal(found.probabilities[others], whole.probabilities)
    assert not len(whole.unanswered)


def test_strict_refuses(folder: Path, pipeline) -> None:
    with pytest.raises(DataError, match=r"2 that cannot, the first in row 6: 'age' has no value"):
        pipeline.predict(folder.parent / "t.csv", strict=True)


ODD = """id,age,day,color
007,oops,2024-01-05,red
008,41,2024-01-05,purple
009,1e39,2024-01-05,red
010,9999,2031-02-01,
011,41,soon,teal
"""


def test_each_cell_that_is_not_what_it_was_is_told(tmp_path: Path, pipeline) -> None:
    (tmp_path / "odd.csv").write_text(ODD)
    found = pipeline.predict(tmp_path / "odd.csv")
    assert found.reasons.tolist() == [
        "'age' is no number: 'oops'", "", "'age' is infinite or too large", "", "'day' is no date: 'soon'"
    ]  # fmt: skip
    told = {name: each.to_json() for name, each in found.strange.items()}
    assert told["color"] == {"unseen": 1, "examples": ["purple"], "filled": 1}
    assert told["age"]["far_outside"] == told["day"]["far_outside"] == 1
    assert told["day"]["low"].startswith("2024-01")
    assert set(told) == {"age", "color", "day"}
    plain = {"age": [41.0, np.inf, np.nan], "day": DAY[:3], "color": COLOR[:3]}
    assert pipeline.predict(plain).unanswered.tolist() == [1, 2]


def test_far_is_half_the_range_further_than_the_range(pipeline) -> None:
    (low, high) = next((f.low, f.high) for f in pipeline.preparation.features if f.name == "age")
    assert (low, high) == (pytest.approx(AGE.min(), abs=2), pytest.approx(AGE.max(), abs=2))
    room = (high - low) / 2
    ages = np.array([low - room - 1, low - room + 1, high + room - 1, high + room + 1])
    found = pipeline.predict({"age": ages, "day": DAY[:4], "color": COLOR[:4]})
    assert found.strange["age"].far_outside == 2


def test_a_column_that_holds_nothing_of_what_it_held_is_refused_as_a_whole(pipeline) -> None:
    with pytest.raises(DataError, match="'age'"):
        pipeline.predict({"age": ["old", "young"], "day": DAY[:2], "color": COLOR[:2]})


def test_columns_nobody_learned_from_may_hold_anything(tmp_path: Path, pipeline) -> None:
    path = tmp_path / "mixed.csv"
    path.write_text("age,day,color,other,y\n41,2024-01-05,red,1,1\n42,2024-01-05,red,2,2\n43,2024-01-05,red,x,?\n")
    with pytest.warns(UserWarning, match="other"):
        assert not len(pipeline.predict(path).unanswered)


def test_regression_marks_rows_with_nan(tmp_path: Path) -> None:
    table = from_data({"a": AGE, "b": AGE % 7, "y": AGE * 2})
    pipeline = edgeling.train(table, "y", **HOW).pipeline
    found = pipeline.predict({"a": [30.0, np.nan, 40.0], "b": [1.0, 2.0, 3.0]})
    assert np.isnan(found.values).tolist() == [False, True, False]
    assert found.probabilities is None


def test_rows_that_cannot_be_answered_do_not_judge_either(tmp_path: Path, folder: Path) -> None:
    test = write(tmp_path / "later.csv")
    test.write_text(test.read_text() + "A999,,2024-01-05,red,yes\n")
    trained = edgeling.train(folder.parent / "t.csv", "y", test=test, **HOW)
    assert trained.held_out[0].shape[0] == ROWS
    assert any("1 row of the test table left out" in note for note in trained.notes)
    with pytest.warns(UserWarning, match="1 row cannot be answered"):
        assert edgeling.load(folder).explain(test).rows == ROWS


# ------------------------------------------------------------------------------------------------- the command line


def said(folder: Path, *arguments: str) -> tuple[str, str, int]:
    from typer.testing import CliRunner

    from edgeling.cli.app import app

    done = CliRunner().invoke(app, ["predict", str(folder), *arguments])
    return done.stdout, done.stderr, done.exit_code


def test_the_command_marks_counts_and_keeps(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "odd.csv").write_text(ODD)
    out, err, code = said(folder, str(tmp_path / "odd.csv"), "--keep", "id")
    rows = list(csv.reader(io.StringIO(out)))
    assert code == 0
    assert rows[0] == ["id", "y", "probability_no", "probability_yes", "reason"]
    assert [row[0] for row in rows[1:]] == ["007", "008", "009", "010", "011"]
    assert rows[1][1:] == ["", "", "", "'age' is no number: 'oops'".replace("'", "'")]
    assert rows[2][4] == ""
    assert "3 of 5 rows without an answer, the first in row 1" in err
    assert "column 'color': 1 row with a category never seen in training ('purple')" in err
    assert "column 'age': 1 row far outside" in err
    plain = json.loads(said(folder, str(tmp_path / "odd.csv"), "--json", "--keep", "id")[0])
    assert plain["predictions"][0] is None
    assert plain["unanswered"][0] == {"row": 1, "reason": "'age' is no number: 'oops'"}
    assert plain["strange"]["color"]["unseen"] == 1
    assert plain["kept"]["id"][0] == "007"
    assert said(folder, str(tmp_path / "odd.csv"), "--strict")[2] == 1


def test_what_is_answered_whole_has_no_column_of_reasons(tmp_path: Path, folder: Path) -> None:
    out, _, _ = said(folder, str(write(tmp_path / "new.csv", target=False)))
    assert out.splitlines()[0] == "y,probability_no,probability_yes"
    out, _, _ = said(folder, str(write(tmp_path / "known.csv")), "--keep", "all")
    assert out.splitlines()[0] == "id,age,day,color,y,predicted_y,probability_no,probability_yes"
    assert "'idd'" in said(folder, str(tmp_path / "known.csv"), "--keep", "idd")[1]
