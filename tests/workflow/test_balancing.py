# SPDX-License-Identifier: Apache-2.0
"""Rare classes, from the table to the C: what is told on average, how a class is chosen, and that people are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeling import load, save
from edgeling.data import from_arrays
from edgeling.data.probabilities import probability_scores
from edgeling.errors import ArtifactError, DataError, UnsupportedError
from edgeling.report.page import render
from edgeling.workflow.store import manifest
from edgeling.workflow.summary import trained_content
from edgeling.workflow.train import Trained, train

RNG = np.random.default_rng(0)
ROWS = 1200
X = RNG.normal(size=(ROWS, 3))
P = 1 / (1 + np.exp(4.2 - 1.5 * X[:, 0] - X[:, 1] * X[:, 2]))
TABLE = from_arrays(X, np.where(RNG.random(ROWS) < P, "yes", "no"))
THREE = from_arrays(X, np.where(X[:, 0] > 1.6, "c", np.where(X[:, 1] > 0.5, "b", "a")))


def run(table: Any = TABLE, **settings: Any) -> Trained:
    usual = {"targets": ("native",), "importance": False, "precision": "float32", "recipe": "plain", "epochs": 30}
    return train(table, "target", **{**usual, **settings})


@pytest.mark.parametrize("how", ["weights", "oversample", "noise", "mixup", "smote"])
def test_what_is_told_on_average_is_the_share(how: str) -> None:
    """Of rows left out; the held-out rows' share is their own chance, and their standard error is that of its rows."""
    trained = run(balance=how)
    unseen, after = trained.answering.unseen, trained.answering.after
    assert unseen is not None
    share = float(np.mean(unseen.truth))
    assert abs(after[:, 1].mean() - share) < 1 / len(unseen.truth) * (
        1 + sum(map(abs, trained.answering.correction.shift))
    )
    told = trained.pipeline.answers(trained.held_out[0])[:, 0]
    error = np.sqrt(np.sum(told * (1 - told)) + 1) / len(told) + np.sqrt(share / len(unseen.truth))
    assert abs(told.mean() - np.mean(trained.held_out[1])) < 4 * error
    assert trained.answering.before[:, 1].mean() > 3 * share  # uncorrected it would have been far off


def test_a_temperature_and_a_shift_cost_nothing_in_the_c() -> None:
    trained = run()
    before = [
        node.operation for node in run(hidden=trained.settings.hidden).pipeline.deployable.graphs["float32"].nodes
    ]
    assert trained.answering.correction
    assert before.count("multiply") == 0


@pytest.mark.parametrize("precision", ["float32", "int8", "int16x8"])
@pytest.mark.parametrize("choice", [0.2, "auto", "cost=20:1"])
def test_the_threshold_is_in_the_c_and_in_every_answer(choice: Any, precision: str) -> None:
    trained = run(threshold=choice, precision=precision, hidden=4)
    pipeline, raw = trained.pipeline, trained.held_out[0]
    threshold = pipeline.preparation.target.decision.threshold
    assert 0 < threshold < 0.5
    assert f"THRESHOLD {threshold:.3g}"[:12] in pipeline.deployable.program(precision).files["model.h"]
    answers = pipeline.answers(raw)
    expected = np.where(answers[:, 0] > np.float32(threshold), "yes", "no")
    columns = {name: raw[:, i] for i, name in enumerate(pipeline.preparation.names)}
    np.testing.assert_array_equal(pipeline.predict(columns).values, expected)
    assert trained.scores[precision]["accuracy"] == np.mean(expected == np.array(["no", "yes"])[trained.held_out[1]])


def test_costs_make_a_threshold_of_theory_or_one_that_rows_left_out_support() -> None:
    found = manifest(run(threshold="cost=10:1"), "")["decision"]
    assert "10" in found["chosen_by"]
    assert 0 < found["threshold"] < 0.5


def test_several_classes_are_weighed() -> None:
    trained = run(THREE, threshold="auto")
    decision = trained.pipeline.preparation.target.decision
    assert decision.counts[2] == 32767
    answers = trained.pipeline.answers(trained.held_out[0])
    weighted = answers.astype(np.float64) * np.array(decision.counts)
    np.testing.assert_array_equal(decision.choose(answers), weighted.argmax(axis=1))
    header = trained.pipeline.deployable.program("float32").files
    assert "edgeling_class_of_weighted(" in header["model.c"]


def test_auto_tries_and_says_what_it_tried() -> None:
    trained = run(balance="auto", epochs=5)
    told = manifest(trained, "")["balance"]
    assert {"none", "weights", "oversample", "noise", "mixup"} <= set(told["tried"])
    assert told["method"] in told["tried"]
    assert any("ways to balance tried" in note for note in trained.notes)
    assert trained.answering.chosen_by == "for the best balanced accuracy"


def test_the_page_shows_before_and_after() -> None:
    trained = run(balance="weights")
    evaluation = trained_content(trained, "").evaluation
    assert evaluation is not None
    assert evaluation.before is not None
    truth, told = trained.held_out[1], trained.uncorrected
    assert told is not None
    scores = probability_scores(truth, np.concatenate([1 - told, told], axis=1))
    assert evaluation.before.metrics["log_loss"] == scores["log_loss"]
    assert sum(each.chosen for each in evaluation.thresholds) == 1
    page = render(trained_content(trained, ""))
    assert "Probabilities and decisions" in page
    assert "What other thresholds" in page


def test_an_artifact_keeps_its_decision_and_refuses_another_kind(tmp_path: Path) -> None:
    folder = save(run(threshold=0.2), tmp_path / "m.edgeling")
    assert load(folder).preparation.target.decision.threshold == np.float32(0.2)
    from edgeling.data import Preparation

    known = load(folder).preparation.to_json()
    for bad in ({"threshold": 0.0, "counts": []}, {"threshold": 0.5, "counts": [1]}, {"threshold": 0.1, "counts": []}):
        with pytest.raises(ArtifactError):
            Preparation.from_json({**known, "target": {**known["target"], "decision": bad}})


def test_numbers_have_neither() -> None:
    table = from_arrays(X, X[:, 0])
    for settings in ({"balance": "weights"}, {"threshold": 0.3}, {"class_weight": {"1": 2}}):
        with pytest.raises(DataError, match="target of classes"):
            run(table, **settings)
    with pytest.raises(DataError, match="two classes"):
        run(THREE, threshold=0.3)


def test_without_imbalanced_learn_smote_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "imblearn", None)
    with pytest.raises(UnsupportedError, match="imbalanced-learn"):
        run(balance="smote")
