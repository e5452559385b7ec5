# SPDX-License-Identifier: Apache-2.0
"""Several seeds of a recipe beside one: their mean is taken where it answers rows left out better, and has room."""

from __future__ import annotations

from collections.abc import Sequence

from edgeling.graph.types import Array
from edgeling.workflow.fitting import fit_several
from edgeling.workflow.folds import Fold
from edgeling.workflow.problem import Problem
from edgeling.workflow.reference import is_ahead
from edgeling.workflow.room import too_large
from edgeling.workflow.selection import Candidate, judged_by, left_out_answers, predicted_ns
from edgeling.workflow.settings import AUTO, Settings

USUAL_SEEDS = 4


def seeds_worth(problem: Problem, single: Candidate, cut: Sequence[Fold], left_ns: float) -> int:
    """How many networks are to answer as one, with the one there is: as many as were asked for; else those that are
    usual, if there is time, room on every target, and nobody asked for one network."""
    settings, recipe = problem.settings, single.recipe
    if recipe is None or single.fitted is None or recipe.additive or len(single.network.layers_within()) < 2:
        return 1
    if recipe.skips and problem.preparation.embedded:
        return 1  # what their last layers see of categories differs
    if isinstance(settings.seeds, int):
        return settings.seeds
    if settings.recipe != AUTO or settings.hidden is not None:
        return 1
    fit_ns = predicted_ns(problem, recipe, single.fitted, len(cut[0][0]))
    in_time = (USUAL_SEEDS - 1) * (len(cut) + 1) * fit_ns <= left_ns  # each fold, and once more
    has_room = too_large(USUAL_SEEDS * single.network.count_params(), settings) is None
    return USUAL_SEEDS if in_time and has_room else 1


def several_of(problem: Problem, single: Candidate, cut: Sequence[Fold], rows: Array, seeds: int) -> Candidate:
    """So many seeds of a candidate on every fold, the one there is among them.

    Args:
        rows: that are left out, of all folds.

    Raises:
        TargetError: their weights alone do not fit a target.
    """
    recipe = single.recipe
    assert recipe
    networks = [
        fit_several(problem, recipe, train, single.epochs, seeds, first)
        for first, (train, _) in zip(single.networks, cut, strict=True)
    ]
    told = left_out_answers(problem, cut, rows, networks)
    return Candidate(
        f"{single.name}-x{seeds}", *told, networks, recipe, single.fitted, single.epochs,
        diagnosis=single.diagnosis, seeds=seeds,
    )  # fmt: skip


def is_better(several: Candidate, single: Candidate, settings: Settings) -> bool:
    """Whether several seeds are worth their size: ahead by more than chance."""
    return is_ahead(judged_by(several, settings) - judged_by(single, settings))
