# SPDX-License-Identifier: Apache-2.0
"""Columns of many categories in the linear reference: as if each category had a column of 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeling.data import Preparation, check, from_data
from edgeling.network.network import inference_graph
from edgeling.utils import set_random_seed
from edgeling.workflow.design import Design, ridge_of
from edgeling.workflow.problem import Problem
from edgeling.workflow.recipes import EMBEDDING, network_for
from edgeling.workflow.reference import STEEPEST, category_sizes, logistic, reference
from edgeling.workflow.settings import Settings
from edgeling.workflow.train import train
from tests.support.close import DOUBLE, require_close
from tests.support.rounding import row_bounds

RNG = np.random.default_rng(4)
ROWS, SIZES = 400, (70, 90)
NUMBERS = RNG.normal(size=(ROWS, 2))
CODES = np.stack([RNG.integers(-1, size + 1, ROWS) for size in SIZES], axis=1)  # some are of no category
X = np.column_stack([NUMBERS, CODES])
ONE_HOT = np.column_stack([NUMBERS, *(c[:, None] == np.arange(size) for c, size in zip(CODES.T, SIZES, strict=True))])
WIDE = np.column_stack([ONE_HOT, np.ones(ROWS)])
DESIGN = Design.of(X, SIZES)
EFFECT = RNG.normal(size=(3, WIDE.shape[1]))
SCORES = (WIDE @ EFFECT.T) + RNG.normal(size=(ROWS, 3))


def test_it_multiplies_as_the_matrix_it_stands_for() -> None:
    w, r = RNG.normal(size=(WIDE.shape[1], 3)), RNG.normal(size=(ROWS, 3))
    require_close(DESIGN.times(w), WIDE @ w, 8, of=np.abs(WIDE) @ np.abs(w), unit=DOUBLE)
    require_close(DESIGN.back(r), WIDE.T @ r, ROWS, of=np.abs(WIDE).T @ np.abs(r) + 1, unit=DOUBLE)
    require_close(DESIGN.squares(), np.square(WIDE).sum(axis=0), ROWS, unit=DOUBLE)


@pytest.mark.parametrize("strength", [0.1, 1.0, 10.0])
def test_ridge_is_scikit_learns_on_columns_of_0_and_1(strength: float) -> None:
    from sklearn.linear_model import Ridge

    w = ridge_of(DESIGN, SCORES[:, 0], strength)
    theirs = Ridge(alpha=strength, solver="cholesky").fit(ONE_HOT, SCORES[:, 0])
    other = np.append(theirs.coef_, theirs.intercept_)[:, None]

    def loss(w: Any) -> float:
        return float(np.sum((WIDE @ w - SCORES[:, :1]) ** 2) + strength * np.sum(w[:-1] ** 2))

    # What is left of the slope in the end is 1e-8 of what there was, in a norm that the diagonal scales.
    condition = np.linalg.cond(WIDE.T @ WIDE + strength * np.eye(WIDE.shape[1]))
    assert loss(w) - loss(other) <= condition * 1e-16 * np.sum(SCORES[:, 0] ** 2) + ROWS * DOUBLE * loss(other)


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_regression_is_that_of_columns_of_0_and_1(classes: int) -> None:
    codes = (SCORES[:, 0] > 0).astype(int) if classes == 2 else SCORES.argmax(axis=1)
    sparse, dense = logistic(DESIGN, codes, classes, 1.0), logistic(ONE_HOT, codes, classes, 1.0)
    # Either ends where no slope is above what it is content with; between them the loss is convex, and bends by 1.
    assert np.abs(sparse - dense).max() <= 2 * STEEPEST * ROWS


def table(y: Any) -> Any:
    names = {f"c{i}": np.array([f"n{code:03d}" for code in np.clip(c, 0, None)]) for i, c in enumerate(CODES.T)}
    return from_data({"a": NUMBERS[:, 0], **names, "y": y})


def problem(y: Any) -> Problem:
    checked = check(table(y), "y")
    return Problem.of(checked, Preparation.fit(checked, np.arange(ROWS)), Settings())


ANSWERS = {"numbers": SCORES[:, 0], "two": np.where(SCORES[:, 0] > 0, "yes", "no"),
           "three": np.array(["u", "v", "w"])[SCORES.argmax(axis=1)]}  # fmt: skip


@pytest.mark.parametrize("y", ANSWERS.values(), ids=ANSWERS)
def test_a_residual_network_begins_at_that_reference(y: Any) -> None:
    known, whole = problem(y), np.arange(ROWS)
    assert len(category_sizes(known)) == 2
    recipe = next(each for each in EMBEDDING if each.skips)
    set_random_seed(0)
    network = network_for(known.preparation, known.settings, ROWS, recipe)
    recipe.begin(network, known, whole, known.x)
    bound = row_bounds(inference_graph(reference(known, whole)), known.x)[0]
    bound.require(row_bounds(inference_graph(network), known.x)[0].exact.astype(np.float32))


def test_it_is_deployed_and_proven() -> None:
    how = {"recipe": "linear", "targets": ("native", "cortex-m4"), "importance": False}
    trained = train(table(ANSWERS["two"]), "y", **how)
    assert trained.fitted.network.get_weights()[0].shape[1] == 1
    assert all(proof.matches for proofs in trained.proofs.values() for proof in proofs.values())
