# SPDX-License-Identifier: Apache-2.0
"""Which way of making up for rare classes is best for a table: each is tried on rows left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgeling.data.balance import Balance, has_imblearn
from edgeling.data.correction import fit_correction
from edgeling.data.probabilities import average_precision, log_loss
from edgeling.graph.types import Array
from edgeling.workflow.balancing import Balancing, told_logits
from edgeling.workflow.fitting import fit_network
from edgeling.workflow.folds import Fold
from edgeling.workflow.problem import Problem
from edgeling.workflow.progress import Progress
from edgeling.workflow.recipes import Recipe

STANDARD_ERRORS = 2.0
RIVALS = 3  # ways that are tried with every recipe
WAYS: tuple[Balance, ...] = ("none", "weights", "oversample", "noise", "mixup", "smote")  # the simpler ones first

_Told = tuple[float, float, Array]


def choose_balance(
    problem: Problem, recipes: Sequence[Recipe], cut: Sequence[Fold], tell: Callable[[str], None]
) -> tuple[Problem, Balancing]:
    """Try each way on rows left out in turn: with the first recipe, and the best of them with the others too.

    The best average precision (of several classes their mean) wins, but nothing is taken for better than a simpler way
    that is within two standard errors, as the folds tell it: of six ways one is ahead by one on most tables. A way is
    as good as the best recipe with it.
    """
    ways = [way for way in WAYS if way != "smote" or has_imblearn()]
    missing = "smote, for imbalanced-learn is not installed (pip install 'edgeling[balance]')"
    found: dict[Balance, _Told] = {}
    for way in ways:
        tell(way)
        found[way] = _tried(problem.balanced(way), recipes[0], cut)
    for way in sorted(ways, key=lambda way: -found[way][0])[:RIVALS]:
        for recipe in recipes[1:]:
            tell(f"{way}, {recipe.name}")
            found[way] = max(found[way], _tried(problem.balanced(way), recipe, cut), key=lambda each: each[0])
    best = max(ways, key=lambda way: found[way][0])
    for way in ways:
        gain = found[best][2] - found[way][2]
        error = np.std(gain, ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else 0.0
        if np.mean(gain) <= STANDARD_ERRORS * error:
            best = way
            break
    tried: dict[str, tuple[float, float]] = {way: (precision, loss) for way, (precision, loss, _) in found.items()}
    return problem.balanced(best), Balancing(best, {}, tried, () if "smote" in ways else (missing,))


def _tried(problem: Problem, recipe: Recipe, cut: Sequence[Fold]) -> _Told:
    """Average precision and log loss of all rows left out, probabilities corrected; average precision of each fold."""
    told = []
    for train, left_out in cut:
        network = fit_network(problem, recipe, train, left_out, Progress()).network
        told.append(told_logits(problem, network, train, left_out))
    truth = problem.y[np.concatenate([left_out for _, left_out in cut])]
    logits = np.concatenate(told)
    shares = fit_correction(logits, truth).probabilities(logits)
    each = np.split(shares, np.cumsum([len(left_out) for _, left_out in cut])[:-1])
    folds = [_precision(part, problem.y[left_out]) for part, (_, left_out) in zip(each, cut, strict=True)]
    return _precision(shares, truth), log_loss(truth, shares), np.array(folds)


def _precision(told: Array, truth: Array) -> float:
    classes = (1,) if told.shape[1] == 2 else range(told.shape[1])
    found = np.array([average_precision(truth == c, told[:, c]) for c in classes])
    return float(np.mean(found[np.isfinite(found)])) if np.isfinite(found).any() else 0.0
