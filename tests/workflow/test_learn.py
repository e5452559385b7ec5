# SPDX-License-Identifier: Apache-2.0
"""What is deployed: the best on rows left out, the linear reference where no network is better, fitted to all rows."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeling.data import Split, from_data
from edgeling.errors import UnsupportedError
from edgeling.layers import Dense
from edgeling.workflow import learn as learning
from edgeling.workflow.folds import folds
from edgeling.workflow.progress import Progress, Stage
from edgeling.workflow.save import save
from edgeling.workflow.selection import losses_and_scores
from edgeling.workflow.store import command_of, load, manifest
from edgeling.workflow.train import Trained, train
from tests.support.close import DOUBLE, require_close

ROWS = 300
RNG = np.random.default_rng(7)
A, B = RNG.normal(size=(2, ROWS))
LINE = from_data({"a": A, "b": B, "y": 2 * A - B + 0.3 * RNG.normal(size=ROWS)})
CROSS = from_data({"a": A, "b": B, "y": np.where(A * B > 0, "same", "other")})


def run(table: Any, **how: Any) -> Trained:
    usual = {"targets": ("native",), "importance": False, "precision": "float32", "epochs": 60}
    return train(table, "y", **{**usual, **how})


@pytest.fixture(scope="module")
def line() -> Trained:
    return run(LINE)


@pytest.fixture(scope="module")
def cross() -> Trained:
    return run(CROSS)


def test_where_a_line_does_it_is_deployed(line: Trained) -> None:
    assert line.learned.deployed == "linear"
    (layer,) = line.fitted.network.layers
    kernel = layer.get_weights()[0][:, 0]
    assert kernel[0] > 0 > kernel[1]
    assert any("linear reference is deployed" in note for note in line.notes)


def test_where_it_does_not_a_network_is(cross: Trained) -> None:
    selection = cross.selection
    assert selection
    assert cross.learned.deployed != "linear"
    assert selection.score("linear") < 0.7
    assert selection.score(cross.learned.deployed) > 0.85
    assert not any("linear" in note for note in cross.notes)


def test_each_row_that_does_not_judge_is_left_out_once(cross: Trained) -> None:
    parts = cross.division.parts
    learned = np.concatenate([parts.train, parts.validation])
    assert cross.selection
    np.testing.assert_array_equal(np.sort(cross.selection.rows), np.sort(learned))
    assert not set(cross.selection.rows) & set(parts.test)


def test_what_is_deployed_learned_from_all_rows_but_those_that_judge(line: Trained) -> None:
    """Ridge on all of them, prepared as they say: not what the rows of training alone give."""
    alone = run(LINE, refit=False)
    assert line.learned.refitted
    assert not alone.learned.refitted
    parts = line.division.parts
    rows = np.concatenate([parts.train, parts.validation])
    assert line.pipeline.preparation.features[0].mean == np.float32(A[rows].mean())  # type: ignore[union-attr]
    assert alone.pipeline.preparation.features[0].mean == np.float32(A[parts.train].mean())  # type: ignore[union-attr]
    assert "--no-refit" in command_of(alone)
    assert "--no-refit" not in command_of(line)


def test_who_asks_for_one_thing_gets_it(line: Trained) -> None:
    network = run(LINE, recipe="plain", epochs=5)
    assert len(network.fitted.network.layers) > 1
    assert any("better than the network" in note for note in network.notes)
    assert "--recipe plain" in command_of(network)
    assert [
        each.units for each in run(LINE, hidden=(3,), epochs=5).fitted.network.layers if isinstance(each, Dense)
    ] == [3, 1]
    assert run(CROSS, recipe="linear", epochs=5).learned.deployed == "linear"
    with pytest.raises(UnsupportedError, match="recipe"):
        run(LINE, recipe="boosted")


def test_a_seed_repeats_what_is_chosen_and_its_bits(cross: Trained) -> None:
    again = run(CROSS)
    assert again.learned.deployed == cross.learned.deployed
    for mine, other in zip(again.fitted.network.get_weights(), cross.fitted.network.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_the_artifact_tells_what_was_compared(cross: Trained, tmp_path: Path) -> None:
    told = manifest(cross, "")["training"]
    assert told["recipe"] == cross.learned.deployed
    assert told["refitted"] is True
    candidates = told["compared"]["candidates"]
    assert candidates["linear"]["epochs"] == 0
    assert candidates[told["recipe"]]["accuracy"] > candidates["linear"]["accuracy"]
    assert load(save(cross, tmp_path / "m.edgeling")).details["training"]["compared"]["folds"] == 5


class StopsAt(Progress):
    """Ctrl-C in a stage; notes what it is told."""

    def __init__(self, begins: str) -> None:
        self.begins, self.notes = begins, []

    @contextmanager
    def stage(self, title: str) -> Any:
        yield Stage()
        if title.startswith(self.begins):
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.mark.parametrize("stage", ["Comparing", "Learning from all"])
def test_ctrl_c_after_the_first_training_goes_on_with_what_there_is(stage: str, tmp_path: Path) -> None:
    progress = StopsAt(stage)
    stopped = run(CROSS, progress=progress, keep_interrupted=True)
    assert stopped.fitted.stopped_by == "interrupt"
    assert not stopped.learned.refitted
    assert "Ctrl-C" in progress.notes[0]
    assert load(save(stopped, tmp_path / "m.edgeling")).details["training"]["stopped_by"] == "interrupt"
    with pytest.raises(KeyboardInterrupt):
        run(CROSS, progress=StopsAt(stage), epochs=3)


def test_of_a_class_of_two_rows_one_is_always_learned_from(cross: Trained) -> None:
    codes = np.array([0] * 40 + [1] * 3 + [2] * 2)
    problem = learning.Problem(np.zeros((45, 1)), codes, cross.pipeline.preparation, cross.settings)
    parts = Split(np.arange(1, 45), np.array([0]), np.array([], np.int64))
    cut = folds(problem, parts, 5)
    assert all(set(codes[train]) == {0, 1, 2} for train, _ in cut)
    assert all(not set(train) & set(left_out) for train, left_out in cut)


def test_losses_are_scikit_learns() -> None:
    from sklearn.metrics import log_loss

    shares = RNG.dirichlet([1, 1, 1], 20)
    truth = RNG.integers(0, 3, 20)
    losses, scores = losses_and_scores(shares, truth, 3)
    theirs = np.array([log_loss([t], [s], labels=[0, 1, 2]) for t, s in zip(truth, shares, strict=True)])
    # Shares are normalised once more there: each is off by a rounding or two, and its logarithm by as much and its own.
    require_close(losses, theirs, 4, of=1 + theirs, unit=DOUBLE)
    np.testing.assert_array_equal(scores, shares.argmax(axis=1) == truth)
