# SPDX-License-Identifier: Apache-2.0
"""The learning rate of a recipe beside the one that a range test finds on the table: the better is taken.

A range test sees a hundred steps; how a rate goes on, only rows left out tell. So what it suggests, within a few times
what the recipe has, is one more candidate of the comparison, and taken where it is ahead there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from edgeling.errors import TrainingError
from edgeling.utils import seeds_apart, set_random_seed
from edgeling.workflow.folds import Fold
from edgeling.workflow.learning_rate import find_learning_rate
from edgeling.workflow.problem import Problem
from edgeling.workflow.recipes import Recipe, network_for
from edgeling.workflow.reference import is_ahead
from edgeling.workflow.selection import Candidate, Selection, judged, judged_by, predicted_ns
from edgeling.workflow.settings import Settings

REACH = 4.0  # times the recipe's rate, or a part of it: recipes were made on many tables, a range test sees one
ALIKE = 1.25  # a rate nearer than that is the same
BUDGET_NS = 3e8  # that trying a rate may take; see selection.predicted_ns


@dataclass(frozen=True)
class RateChoice:
    """What was found about the learning rate.

    Attributes:
        recipe: whose network was asked: the best on rows left out.
        own: the rate that the recipe has.
        found: what the range test suggests; None: it found none.
        tried: that, within ``REACH`` of the recipe's; None where nothing was to be compared.
        used: the rate of the two that the network has.
        why: for people.
    """

    recipe: str
    own: float
    found: float | None
    tried: float | None
    used: float
    why: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @property
    def sentence(self) -> str:
        """For people."""
        found = "no rate found" if self.found is None else f"{self.found:.2g} found"
        return f"{found} for {self.recipe}, {self.used:.2g} used: {self.why}"


def with_found_rate(
    problem: Problem, recipe: Recipe, selection: Selection, cut: Sequence[Fold]
) -> tuple[Selection, Recipe, RateChoice]:
    """The comparison with its best recipe at the rate found, if that is better; the recipe so; what became of it.

    Args:
        problem: as the recipe learns it.
        recipe: the best of those compared.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    before = selection.candidates[recipe.name]
    own = recipe.learning_rate
    if recipe.skips:  # it begins where the linear reference ended: there is no fall for a range test to see
        return selection, recipe, RateChoice(recipe.name, own, None, None, own, "it begins at the linear reference")
    found = _found(problem, recipe, cut[0])
    rate = None if found is None else float(f"{np.clip(found, own / REACH, own * REACH):.2g}")
    told, why_not = RateChoice(recipe.name, own, found, None, own, ""), _why_not(problem, recipe, before, cut, rate)
    if why_not or rate is None:
        return selection, recipe, replace(told, why=why_not)
    told, changed = replace(told, tried=rate), replace(recipe, learning_rate=rate)
    try:
        candidate = judged(problem, changed, cut, selection.rows)
    except TrainingError:
        return selection, recipe, replace(told, why=f"at {rate:.2g} the loss is not finite")
    if not _is_better(candidate, before, problem.settings):
        return selection, recipe, replace(told, why=f"on rows left out {rate:.2g} is not better than {own:.2g}")
    told = replace(told, used=rate, why=f"on rows left out it is better than {own:.2g}")
    return selection.replacing(candidate, problem.settings), changed, told


def _why_not(problem: Problem, recipe: Recipe, known: Candidate, cut: Sequence[Fold], rate: float | None) -> str:
    """Why a rate is not tried; empty where it is."""
    own = recipe.learning_rate
    if rate is None:
        return "its loss is not finite"
    if max(rate / own, own / rate) < ALIKE:
        return f"what {recipe.name} has is as good"
    assert known.fitted
    takes_ns = len(cut) * predicted_ns(problem, recipe, known.fitted, len(cut[0][0]))
    return "to compare another on so large a table would take long" if takes_ns > BUDGET_NS else ""


def _found(problem: Problem, recipe: Recipe, fold: Fold) -> float | None:
    """What the range test suggests for the network as it begins, on the rows of a fold."""
    settings, rows, taught = problem.settings, problem.learned(fold[0]), problem.teacher is not None
    with seeds_apart():
        set_random_seed(settings.seed)
        network = network_for(problem.preparation, settings, len(rows.x), recipe)
        recipe.begin(network, problem, fold[0], rows.x)
        y = recipe.truth(rows.y, problem.classes, taught=taught)
        batch = min(settings.batch_size or recipe.batch_size, len(rows.x))
        try:
            told = find_learning_rate(network, rows.x, y, rows.weights, batch_size=batch, seed=settings.seed)
        except TrainingError:
            return None
    return told.suggestion


def _is_better(one: Candidate, other: Candidate, settings: Settings) -> bool:
    """Not worse in what is judged by, and in the loss by more than chance."""
    not_worse = np.mean(judged_by(one, settings)) >= np.mean(judged_by(other, settings))
    return bool(not_worse) and is_ahead(other.losses - one.losses)
