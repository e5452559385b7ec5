# SPDX-License-Identifier: Apache-2.0
"""The rows that trials learn from and are compared on: prepared once, divided once, the same for all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from edgeling.data import Preparation
from edgeling.data.balance import Balanced, balanced_rows
from edgeling.data.decision import Decision
from edgeling.data.split import random_order
from edgeling.errors import UnsupportedError
from edgeling.graph.types import Array
from edgeling.workflow.division import Division
from edgeling.workflow.problem import Problem, layout_of
from edgeling.workflow.recipes import ANNEALED, Recipe, recipes_for
from edgeling.workflow.settings import AUTO as BY_COMPARISON
from edgeling.workflow.settings import Settings
from edgeling.workflow.tuning.judging import AUTO, BY_LOOKING, metric_for

FIVE_FOLDS, THREE_FOLDS = 1000, 4000  # up to so many rows; with more, one part of them judges
MOST_ROWS = 20_000
"""A trial learns from no more: which choice is better shows on them too."""
LEAST_STEPS = 300  # of a schedule
_FOLD_SEED = 0x464F4C44


@dataclass(frozen=True, eq=False)
class Folds:
    """Rows to compare choices on; the rows that judge in the end are not among them.

    Attributes:
        raw, x, y: what the deployed program takes, what the network sees of it, and the target, by row.
        weights: what rows weigh where classes are balanced: in learning, or where they are made up for in another way
            in what judges when to stop.
        parts: for each fold the rows that learn and those that are scored.
        preparation, settings: of the whole run.
        recipes: ways to train that are worth trying.
        metric: what choices are compared by; more is better.
    """

    raw: Array
    x: Array
    y: Array
    weights: Array | None
    parts: tuple[tuple[Array, Array], ...]
    preparation: Preparation
    settings: Settings
    recipes: tuple[Recipe, ...]
    metric: str = "accuracy"

    @cached_property
    def lessons(self) -> tuple[Balanced, ...]:
        """For each fold what is learned from: its rows, weighted or with others beside them as the balance asks."""
        return tuple(self._lesson(learn) for learn, _ in self.parts)

    def _lesson(self, rows: Array) -> Balanced:
        x, y, how = self.x[rows], self.y[rows], self.settings.balance
        if how in ("none", "weights", "auto"):
            return Balanced(x, y, None if self.weights is None else self.weights[rows])
        classes, layout = len(self.preparation.target.labels), layout_of(self.preparation)
        made = balanced_rows(how, x, y, classes, layout, seed=self.settings.seed)
        return made if made.weights is not None else replace(made, weights=np.ones(len(made.y), np.float32))

    def recipe(self, name: str) -> Recipe:
        """The one of that name; else the first."""
        return next((each for each in self.recipes if each.name == name), self.recipes[0])


def folded(division: Division, preparation: Preparation, settings: Settings, metric: str = AUTO) -> Folds:
    """The rows of a division that learn and validate, for cross-validation.

    Rows that are divided by time or by group, and large tables, keep the one division they have.
    """
    parts, checked = division.parts, division.check
    problem = Problem.of(checked, preparation, settings)
    learn, held = parts.train[:MOST_ROWS], parts.validation
    rows = np.concatenate([learn, held])
    weights = problem.counted(learn)[problem.y[rows]].astype(np.float32) if problem.balances else None
    raw, x, y = preparation.transform(checked.table.take(rows)), problem.x[rows], problem.y[rows]
    classes = y if checked.labels else np.zeros(len(y), np.int32)
    one = (np.arange(len(learn)), np.arange(len(learn), len(y)) if len(held) else np.arange(len(learn)))
    count = 1 if settings.division[0] != "random" else 5 if len(y) <= FIVE_FOLDS else 3 if len(y) <= THREE_FOLDS else 1
    divided = _divided(classes, count) if count > 1 else (one,)
    recipes, known = searched_recipes(problem, len(divided[0][0])), metric_for(metric, preparation, settings)
    if known not in BY_LOOKING and len(checked.labels) == 2:
        # As it will be deployed: with a threshold that is not one half, and so with probabilities told finely.
        share = float(np.float32(np.clip(np.mean(y), 1e-6, 1 - 1e-6)))
        preparation = replace(preparation, target=replace(preparation.target, decision=Decision(share)))
    return Folds(raw, x, y, weights, divided, preparation, settings, recipes, known)


def searched_recipes(problem: Problem, rows: int) -> tuple[Recipe, ...]:
    """Recipes that differ in how the learning rate goes alone, so that losses can be compared, and that leave time.

    Args:
        rows: that a trial learns from.

    Raises:
        UnsupportedError: one was asked for that is not among them.
    """
    plain = Recipe("", "")
    same = ("weight_decay", "label_smoothing", "clips", "bends", "skips", "initializer", "beta_2")
    known = recipes_for(problem)
    if problem.settings.recipe == BY_COMPARISON and not problem.preparation.embedded:
        known = tuple(dict.fromkeys((*known, *ANNEALED)))
    found = tuple(each for each in known if all(getattr(each, name) == getattr(plain, name) for name in same))
    long = tuple(each for each in found if not each.epochs or each.epochs * rows >= LEAST_STEPS * each.batch_size)
    if not found:
        raise UnsupportedError(
            "tune searches recipes that differ in how the learning rate goes", received=repr(known[0].name),
            remedy="recipe='auto' or 'plain' (--recipe)",
        )  # fmt: skip
    return long or found[:1]


def _divided(classes: Array, count: int) -> tuple[tuple[Array, Array], ...]:
    """Every row is scored in one fold; each class is dealt out to the folds in turn."""
    order = random_order(len(classes), _FOLD_SEED)
    dealt = order[np.argsort(classes[order], kind="stable")]
    fold = np.empty(len(classes), np.int64)
    fold[dealt] = np.arange(len(classes)) % count
    return tuple((np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(count))
