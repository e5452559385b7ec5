# SPDX-License-Identifier: Apache-2.0
"""The rate that ``train`` finds: taken where rows left out say so, told either way, never asked where one is given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgeling.data import Preparation, Reading, Split, from_arrays
from edgeling.report.page import render
from edgeling.workflow import rate_choice
from edgeling.workflow.division import divided
from edgeling.workflow.fitting import fit_network
from edgeling.workflow.folds import folds
from edgeling.workflow.problem import Problem
from edgeling.workflow.progress import Progress
from edgeling.workflow.rate_choice import ALIKE, REACH, with_found_rate
from edgeling.workflow.recipes import PLAIN, RARE, Recipe, Variants
from edgeling.workflow.selection import compare
from edgeling.workflow.settings import Settings
from edgeling.workflow.store import manifest
from edgeling.workflow.summary import trained_content
from edgeling.workflow.train import Trained, train

SMALL, GIVEN = 0.0005, 0.003  # rates
RNG = np.random.default_rng(5)
X = RNG.normal(size=(300, 3))
TABLE = from_arrays(X, np.where(X[:, 0] * X[:, 1] > 0, "a", "b"))


def run(**settings: Any) -> Trained:
    usual = {"targets": ("native",), "importance": False, "precision": "float32", "recipe": "plain", "epochs": 15}
    return train(TABLE, "target", **{**usual, **settings})


def problem_of(**settings: Any) -> tuple[Problem, Split]:
    division = divided(TABLE, "target", Settings(**settings), Reading())
    preparation = Preparation.fit(division.check, division.parts.train, Reading(), ())
    return Problem.of(division.check, preparation, Settings(**settings)), division.parts


def chosen(recipe: Recipe, **settings: Any) -> Any:
    """What becomes of a recipe's rate; the epochs are few, so that a rate that is too small has learned too little."""
    problem, parts = problem_of(epochs=12, **settings)
    first = fit_network(problem, recipe, parts.train, parts.validation, Progress())
    cut = folds(problem, parts, 3)
    selection = compare(Variants(problem), [recipe], cut, first, lambda _: None)
    return selection, *with_found_rate(problem, recipe, selection, cut)


def test_a_recipe_that_begins_at_the_linear_reference_is_not_asked_for_its_rate() -> None:
    """Its loss has fallen already: a range test would tell it to stand still."""
    before, after, recipe, told = chosen(replace(PLAIN, skips=True))
    assert after is before
    assert told.found is told.tried is None
    assert told.used == recipe.learning_rate == PLAIN.learning_rate


def test_a_rate_far_too_small_gives_way_to_the_one_found() -> None:
    before, after, recipe, told = chosen(replace(PLAIN, learning_rate=SMALL))
    assert told.used == told.tried == recipe.learning_rate > SMALL * ALIKE
    assert told.used <= REACH * SMALL < told.found
    assert after.candidates["plain"].loss < before.candidates["plain"].loss
    assert after.candidates["linear"] is before.candidates["linear"]
    assert f"better than {SMALL:.2g}" in told.sentence


def test_a_good_rate_stays() -> None:
    before, after, recipe, told = chosen(PLAIN)
    if told.tried is not None:
        found = before.candidates["plain"].losses.mean() - after.candidates["plain"].losses.mean()
        assert (found > 0) == (told.used != told.own)
    assert recipe.learning_rate == told.used
    assert told.sentence.startswith(f"{told.found:.2g} found for plain, {told.used:.2g} used")


def test_nothing_is_compared_that_would_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_choice, "BUDGET_NS", 1.0)
    _, _, recipe, told = chosen(replace(PLAIN, learning_rate=SMALL))
    assert (told.tried, told.used, recipe.learning_rate) == (None, SMALL, SMALL)
    assert "long" in told.why
    assert told.found > SMALL


def test_rows_that_count_differently_count_so_in_the_range_test() -> None:
    """Weights reach it: with them the losses, and so what is found, are others than without."""
    weighted, plain = (chosen(RARE, balance=how)[-1].found for how in ("weights", "none"))
    assert weighted > 0
    assert plain > 0


def test_train_tells_what_was_found_and_used() -> None:
    trained = run()
    told = trained.learned.rate
    assert told is not None
    assert trained.settings.learning_rate == told.used
    assert manifest(trained, "")["training"]["learning_rate"] == told.to_json()
    page = render(trained_content(trained, ""))
    assert f"The learning rate of plain: {told.found:.2g} found" in page


def test_a_rate_that_is_given_is_taken() -> None:
    trained = run(learning_rate=GIVEN)
    assert trained.settings.learning_rate == GIVEN
    assert trained.learned.rate is None
    assert manifest(trained, "")["training"]["learning_rate"] is None
    assert "The learning rate of" not in render(trained_content(trained, ""))


def test_a_seed_repeats_the_rate() -> None:
    assert run(seed=3).learned.rate == run(seed=3).learned.rate
