# SPDX-License-Identifier: Apache-2.0
"""What a search compares by, and what its trials learn from where classes are balanced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import edgeling
from edgeling.data import Reading, from_arrays
from edgeling.data.balance import balanced_rows
from edgeling.errors import UnsupportedError
from edgeling.workflow.problem import layout_of
from edgeling.workflow.settings import Settings
from edgeling.workflow.tune import _folds
from edgeling.workflow.tuning.folds import Folds
from edgeling.workflow.tuning.judging import METRICS, metric_for, scored
from edgeling.workflow.tuning.space import Choice, SearchSpace
from edgeling.workflow.tuning.trainer import Trainer
from tests.support.close import DOUBLE, require_close

RNG = np.random.default_rng(8)
X = RNG.normal(size=(400, 4))
RARE = from_arrays(X, np.where(X[:, 0] + X[:, 1] * X[:, 2] + RNG.normal(size=400) > 2.6, "yes", "no"))
NUMBERS = from_arrays(X, X[:, 0] - X[:, 1])
SPACE = SearchSpace((4, 8), (16, 32), ("float32", "int8"))
CHOICE = Choice((8,), "relu", 0.02, 32, 0.0, "float32")


def folds(table: Any = RARE, metric: str = "auto", **settings: Any) -> Folds:
    return _folds(table, "target", Settings(**settings), Reading(), metric)[0]


def test_rare_classes_are_judged_by_average_precision_unless_told() -> None:
    for settings in ({"balance": "weights"}, {"threshold": "auto"}, {"class_weight": {"yes": 9}}):
        assert folds(**settings).metric == "average_precision"
    assert folds(balance="weights", metric="accuracy").metric == "accuracy"
    assert (folds().metric, folds(NUMBERS).metric) == ("accuracy", "r2")


@pytest.mark.parametrize(("table", "metric"), [(RARE, "r2"), (NUMBERS, "log_loss"), (NUMBERS, "accuracy")])
def test_a_metric_that_the_target_has_not_is_refused(table: Any, metric: str) -> None:
    with pytest.raises(UnsupportedError, match="a target of"):
        folds(table, metric)
    with pytest.raises(UnsupportedError, match="metric is one of"):
        edgeling.tune(table, "target", metric="roc")


def test_scores_are_scikit_learns() -> None:
    """Log loss is that of probabilities corrected by two numbers, and so never above what was told, nor below the rows'
    own entropy by chance alone."""
    metrics = pytest.importorskip("sklearn.metrics")
    preparation = folds().preparation
    truth, told = RNG.integers(0, 2, 200), RNG.uniform(0.01, 0.99, (200, 1)).astype(np.float32)
    expected = metrics.average_precision_score(truth, told[:, 0])
    require_close(scored("average_precision", preparation, truth, told), expected, 400, of=1.0, unit=DOUBLE)
    assert scored("accuracy", preparation, truth, told) == metrics.accuracy_score(truth, told[:, 0] > 0.5)
    corrected = scored("log_loss", preparation, truth, told)
    assert -metrics.log_loss(truth, told[:, 0]) < corrected < 0


def test_a_trial_scores_in_the_metric_in_every_precision() -> None:
    result = Trainer(folds(balance="weights"), SPACE)(CHOICE)
    assert not result.pruned
    assert dict(result.scores).keys() == {"float32", "int8"}
    assert result.score == dict(result.scores)["float32"]
    share = np.mean(folds().y)
    assert share < result.score <= 1
    by_accuracy = Trainer(folds(balance="weights", metric="accuracy"), SPACE)(CHOICE)
    assert by_accuracy.folds == result.folds  # what was learned is the same
    assert by_accuracy.score != result.score


@pytest.mark.parametrize("how", ["oversample", "noise", "mixup"])
def test_trials_learn_from_the_rows_that_the_balance_makes(how: Any) -> None:
    found = folds(balance=how)
    (learn, judge), lesson = found.parts[0], found.lessons[0]
    made = balanced_rows(how, found.x[learn], found.y[learn], 2, layout_of(found.preparation), seed=0)
    np.testing.assert_array_equal(lesson.x, made.x)
    np.testing.assert_array_equal(lesson.y, made.y)
    assert len(lesson.x) > len(learn)
    assert Trainer(found, replace(SPACE, precisions=("float32",)))(CHOICE).score > np.mean(found.y[judge])


def test_a_balance_that_is_left_to_choose_is_chosen_once_and_handed_on() -> None:
    found = edgeling.tune(RARE, "target", balance="auto", trials=4, importance=False)
    assert found.trained.settings.balance in ("none", "weights", "oversample", "noise", "mixup", "smote")
    assert found.summary.metric == "average_precision"
    assert not found.trained.learned.balancing.tried


def test_every_metric_is_known() -> None:
    for metric in METRICS:
        table = NUMBERS if metric == "r2" else RARE
        known = folds(table)
        assert metric_for(metric, known.preparation, known.settings) in METRICS[1:]
