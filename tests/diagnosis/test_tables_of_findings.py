# SPDX-License-Identifier: Apache-2.0
"""What data tell by themselves, and `edgeling train` of tables with something wrong in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import edgeling
from edgeling.diagnosis import Finding, ranked, tables
from edgeling.diagnosis.relation import chance_of_no_relation, some, told_by_one
from edgeling.diagnosis.verdict import ALPHA
from edgeling.errors import TrainingError
from edgeling.workflow.diagnosing import explained, network_diagnosis

DICE = np.random.default_rng(11)


def test_a_relation_is_seen_and_none_is_not_invented() -> None:
    """Of 60 tables without a relation more than 8 are below 0.01 by chance: once in a million times."""
    low = 0
    for seed in range(60):
        dice = np.random.default_rng(seed)
        low += chance_of_no_relation(dice.normal(size=(80, 3)), dice.integers(0, 2, 80), 2) <= ALPHA
    assert low <= 8
    x = DICE.normal(size=(300, 3))
    for y, classes in ((x[:, 0] > 0, 2), (x[:, 0] * x[:, 1] > 0, 2), (np.sin(3 * x[:, 2]), 0)):
        assert chance_of_no_relation(x, np.asarray(y, float) if not classes else y.astype(int), classes) < 0.05


def test_what_one_column_tells_is_a_squared_correlation_or_an_accuracy() -> None:
    v = DICE.normal(size=400)
    y = v + DICE.normal(size=400)
    assert np.corrcoef(v, y)[0, 1] ** 2 <= told_by_one(v, y, 0) < 0.9
    coarse = np.round(v)  # whose values repeat: the correlation alone
    assert told_by_one(coarse, y, 0) == pytest.approx(np.corrcoef(coarse, y)[0, 1] ** 2, rel=64 * np.finfo(float).eps)
    assert told_by_one(v, np.exp(v), 0) > 0.999
    labels = DICE.integers(0, 3, 400)
    codes = np.array([5.0, 1.0, 3.0])[labels]
    assert told_by_one(codes, labels, 3) == 1
    wrong = np.where(np.arange(400) < 40, 5.0, codes)
    majority = sum(np.bincount(labels[wrong == value]).max() for value in np.unique(wrong)) / 400
    assert told_by_one(wrong, labels, 3) == majority
    assert told_by_one(np.arange(400.0), labels, 3) < 0.5  # a row's number is no answer


def test_some_rows_are_spread_over_all_of_them() -> None:
    chosen = some(10_000, 100)
    np.testing.assert_array_equal(chosen // 100, np.arange(100))
    assert len(set(chosen % 2)) == 2
    np.testing.assert_array_equal(some(5, 10), np.arange(5))


def test_tables_of_few_values_have_equal_rows_by_chance() -> None:
    x, y = DICE.integers(0, 2, (500, 4)), DICE.integers(0, 2, 500)
    assert not list(tables.copies(x[:400], y[:400], x[400:], y[400:], "test"))
    z = DICE.normal(size=(500, 4))
    held = np.concatenate([z[:20], z[400:480]])
    (found,) = tables.copies(z[:400], y[:400], held, np.concatenate([y[:20], y[400:480]]), "test")
    assert "20 of the 100 test rows" in found.seen


def test_the_worst_cause_comes_first_and_each_once() -> None:
    made = [Finding(n, s, "a", "b") for n, s in (("drift", "warning"), ("overfitting", "warning"),
            ("leaking_column", "error"), ("drift", "warning"))]  # fmt: skip
    assert [f.name for f in ranked(made)] == ["leaking_column", "overfitting", "drift"]


def _table(rows: int = 300) -> dict[str, Any]:
    x = DICE.normal(size=(rows, 3))
    answer = np.where(x[:, 0] + x[:, 1] + 0.5 * DICE.normal(size=rows) > 0, "yes", "no")
    return {**{f"c{i}": x[:, i] for i in range(3)}, "answer": list(answer)}


PLAIN: dict[str, Any] = {"hidden": (6,), "refit": False}


def _train(table: dict[str, Any], **how: Any) -> edgeling.workflow.train.Trained:
    return edgeling.train(table, "answer", recipe="plain", targets=("native",), importance=False, **how)


def test_train_tells_what_is_wrong_in_result_manifest_and_report(tmp_path) -> None:
    table = _table()
    table["copy"] = ["x" if answer == "yes" else "z" for answer in table["answer"]]
    trained = _train(table)
    assert trained.findings[0].name == "leaking_column"
    assert "'copy'" in trained.findings[0].seen
    edgeling.save(trained, tmp_path / "t.edgeling")
    (told,) = edgeling.load(tmp_path / "t.edgeling").details["findings"]
    assert told == trained.findings[0].to_json()
    page = (tmp_path / "t.edgeling" / "report.html").read_text()
    assert "What is wrong, and what to do" in page
    assert "gives the answer away" in page


def test_train_is_silent_about_a_healthy_table(tmp_path) -> None:
    trained = _train(_table())
    assert trained.findings == ()
    edgeling.save(trained, tmp_path / "t.edgeling")
    assert "What is wrong" not in (tmp_path / "t.edgeling" / "report.html").read_text()


def test_train_tells_copies_drift_and_a_rate() -> None:
    table = _table()
    twice = {name: [*column, *column] for name, column in table.items()}
    assert _train(twice).findings[0].name == "duplicates_across"
    late = {**table, "when": np.arange(300.0), "c2": table["c2"] + np.linspace(0, 4, 300)}
    assert [f.name for f in _train(late, split="time:when").findings] == ["drift"]
    assert _train(table, learning_rate=1e-6, epochs=60).findings[0].name == "learning_rate_too_small"


def test_a_rare_class_is_judged_by_the_decision_that_was_asked_for() -> None:
    """At one half it is hardly found; with a threshold of its share it is, and there is nothing to complain of."""
    dice = np.random.default_rng(4)
    x = dice.normal(size=(2500, 3))
    answer = np.where(x[:, 0] + x[:, 1] + dice.logistic(size=2500) > 4.5, "yes", "no")
    table = {**{f"c{i}": x[:, i] for i in range(3)}, "answer": list(answer)}
    at_half, asked = (_train(table, positive="yes", epochs=15, threshold=t, **PLAIN) for t in (None, "auto"))
    assert [f.name for f in at_half.findings] == ["class_imbalance"]
    assert "class_imbalance" not in [f.name for f in asked.findings]


def test_an_error_of_training_tells_its_cause() -> None:
    asked, error = network_diagnosis(("a", "b")), TrainingError("the loss stays finite", received="NaN", remedy="x")
    assert explained(error, asked) is error
    asked.findings = (Finding("learning_rate_too_large", "error", "the rate 3 is too large", "take 0.01"),)
    assert "received NaN; the rate 3 is too large. Try: take 0.01" in str(explained(error, asked))
