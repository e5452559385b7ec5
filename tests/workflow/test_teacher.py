# SPDX-License-Identifier: Apache-2.0
"""A network learns to answer like an estimator of scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeling.data import Preparation, check, from_data
from edgeling.errors import DataError, UnsupportedError
from edgeling.workflow.folds import folds
from edgeling.workflow.problem import Problem
from edgeling.workflow.settings import Settings
from edgeling.workflow.store import command_of, manifest
from edgeling.workflow.teacher import SYNTHETIC_SHARE, TRUTH, estimator_named
from edgeling.workflow.train import Trained, train

ROWS = 160
RNG = np.random.default_rng(5)
A, B = RNG.normal(size=(2, ROWS))
WORDS = np.array(["low", "mid", "high"])[np.digitize(A + B, [-0.7, 0.7])]
TABLE = from_data({"a": A, "b": B, "y": WORDS})
NUMBERS = from_data({"a": A, "b": B, "y": A * B})


def run(table: Any, **how: Any) -> Trained:
    usual = {"targets": ("native",), "importance": False, "precision": "float32", "recipe": "plain"}
    return train(table, "y", **{**usual, **how})


class Oracle:
    """Fitted elsewhere: knows the classes by their names, in an order of its own; is sure."""

    classes_ = np.array(["mid", "low", "high"])

    def predict(self, rows: np.ndarray) -> np.ndarray:
        raise AssertionError

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        codes = np.digitize(rows[:, 0] + rows[:, 1], [-0.7, 0.7])
        return np.eye(3)[np.array([1, 0, 2])[codes]]


@pytest.mark.parametrize("table", [TABLE, NUMBERS], ids=["classes", "numbers"])
def test_a_named_teacher_is_fitted_here(table: Any) -> None:
    trained = run(table, teacher="nearest-neighbors", epochs=20)
    scores = trained.scores["float32"]
    assert scores.get("accuracy", scores.get("r2")) > 0.5
    assert "--teacher nearest-neighbors" in command_of(trained)
    assert manifest(trained, "")["settings"]["teacher"] == "nearest-neighbors"


def test_a_fitted_teacher_is_asked_by_the_names_of_its_classes() -> None:
    trained = run(TABLE, teacher=Oracle(), epochs=40)
    assert trained.scores["float32"]["accuracy"] > 0.8
    assert trained.learned.deployed == "taught-plain"
    assert manifest(trained, "")["settings"]["teacher"] == "a fitted Oracle"
    assert any("fitted elsewhere" in note for note in trained.notes)


class Liar(Oracle):
    """Says of every row the next class."""

    classes_ = np.array(["high", "mid", "low"])


def test_a_teacher_that_knows_less_than_the_table_is_not_learned_from_and_what_it_is_worth_is_told() -> None:
    trained = run(TABLE, teacher=Liar(), epochs=40)
    assert trained.learned.deployed == "plain"
    told = manifest(trained, "")["training"]["teacher"]
    scores = {name: trained.selection.score(name) for name in ("taught-plain", "plain")}
    assert told == {
        "metric": "accuracy", "teacher": "Liar", "itself": None, "with_it": scores["taught-plain"],
        "taught": "taught-plain", "without": scores["plain"], "deployed": False,
    }  # fmt: skip
    assert any("what is deployed learned without it" in note for note in trained.notes)


@pytest.mark.parametrize("table", [TABLE, NUMBERS], ids=["classes", "numbers"])
def test_the_teachers_own_score_is_that_of_rows_it_was_not_fitted_to(table: Any) -> None:
    from sklearn.metrics import accuracy_score, r2_score
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    trained = run(table, teacher="nearest-neighbors", epochs=2)
    problem = Problem.of(trained.check, trained.pipeline.preparation, trained.settings)
    cut = folds(problem, trained.division.parts, trained.selection.folds)
    kind = KNeighborsRegressor if table is NUMBERS else KNeighborsClassifier
    fitted = [kind().fit(problem.x[rows], problem.y[rows]) for rows, _ in cut]
    answers = np.concatenate([each.predict(problem.x[out]) for each, (_, out) in zip(fitted, cut, strict=True)])
    truth = problem.y[np.concatenate([out for _, out in cut])]
    score = r2_score if table is NUMBERS else accuracy_score
    assert trained.learned.lesson.itself == pytest.approx(score(truth, answers), rel=2.0**-20)  # told in float32


def test_a_lesson_mixes_truth_with_what_the_teacher_says_and_adds_rows_of_cells_that_are_there() -> None:
    checked = check(TABLE, "y")
    preparation = Preparation.fit(checked, np.arange(ROWS))
    problem = Problem.of(checked, preparation, Settings(teacher=Oracle()))
    rows = np.arange(0, ROWS, 2)
    x, told = problem.learned(rows).parts
    assert x.shape == (len(rows) * (1 + SYNTHETIC_SHARE), 2)
    np.testing.assert_array_equal(x[: len(rows)], problem.x[rows])
    assert all(np.isin(x[:, column], problem.x[rows, column]).all() for column in (0, 1))
    truth = np.eye(3, dtype=np.float32)[problem.y[rows]]
    oracle = np.float32(TRUTH) * truth + np.float32(1 - TRUTH) * truth  # the oracle says the truth
    np.testing.assert_allclose(told[: len(rows)], oracle, rtol=4 * np.finfo(np.float32).eps)
    again, _ = problem.learned(rows).parts
    np.testing.assert_array_equal(again, x)


def test_teachers_that_are_none_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="boosted-trees"):
        run(TABLE, teacher="gradient descent", epochs=1)
    with pytest.raises(UnsupportedError, match="probabilities"):
        estimator_named("LinearSVC", True)
    with pytest.raises(UnsupportedError, match="teacher"):
        run(TABLE, teacher=3)
    with pytest.raises(UnsupportedError, match="teacher"):
        run(TABLE, teacher="random-forest", balance="weights", epochs=1)
    half = Oracle()
    half.classes_ = np.array(["mid", "low", "no"])
    with pytest.raises(DataError, match="'high'"):
        run(TABLE, teacher=half, epochs=1)


@pytest.mark.parametrize("kind", ["text", "category", "numbers"])
@pytest.mark.parametrize("classes", [True, False])
def test_an_estimator_of_a_frame_is_asked_by_the_categories_it_knows(kind: str, classes: bool) -> None:
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    place = np.array(["north", "south", "west"])[RNG.integers(0, 3, ROWS)]
    score = np.where(place == "west", 3 * A, -3 * A)
    y = np.where(score > 0, "up", "down") if classes else score
    frame = pd.DataFrame({"place": place, "a": A})
    trees = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    seen = frame.astype({"place": "category"}) if kind == "category" else frame.copy()
    if kind == "numbers":
        seen["place"] = np.unique(place, return_inverse=True)[1]
    estimator = trees(max_iter=20, categorical_features="from_dtype") if kind == "category" else trees(max_iter=20)
    if kind == "text":
        estimator = make_pipeline(make_column_transformer((OneHotEncoder(sparse_output=False), ["place"]),
                                                          remainder="passthrough"), estimator)  # fmt: skip
    estimator.fit(seen, y)
    checked = check(from_data(frame.assign(y=y)), "y")
    preparation = Preparation.fit(checked, np.arange(ROWS))
    problem = Problem.of(checked, preparation, Settings(teacher=estimator))
    _, told = problem.learned(np.arange(ROWS)).parts
    theirs = estimator.predict_proba(seen)[:, 1:] if classes else preparation.target.encoded(estimator.predict(seen))
    mixed = (1 - TRUTH) * np.reshape(theirs, (-1, 1)) + TRUTH * problem.y[:, None]
    np.testing.assert_allclose(
        told[:ROWS], mixed, rtol=0, atol=16 * np.finfo(np.float32).eps * (1 + np.abs(mixed).max())
    )
