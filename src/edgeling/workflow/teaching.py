# SPDX-License-Identifier: Apache-2.0
"""What a teacher was worth: networks that learned from it beside those that learned without it, and itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgeling.files.strict_json import finite
from edgeling.report import units
from edgeling.workflow.folds import Fold
from edgeling.workflow.problem import Problem
from edgeling.workflow.selection import Candidate, Selection, losses_and_scores


@dataclass(frozen=True)
class Lesson:
    """Accuracy or R², each of the best of its kind, on the rows left out.

    Attributes:
        teacher: its name.
        itself: the teacher's own score; None where it has seen those rows, or may have.
        with_it, taught: of the best network that learned from it, and which that is.
        without: of the best network that learned without it; None where none was tried.
        deployed: whether what is deployed learned from it.
    """

    metric: str
    teacher: str
    itself: float | None
    with_it: float
    taught: str
    without: float | None
    deployed: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return finite(asdict(self))

    @property
    def sentence(self) -> str:
        """For people."""
        itself, taught, alone = (
            "" if each is None else units.metric(self.metric, each)
            for each in (self.itself, self.with_it, self.without)
        )
        source = "it" if itself else self.teacher
        known = [f"{self.teacher} itself {itself}"] if itself else []
        known += [f"the best network that learned from {source} {taught}"]
        known += [f"the best without {alone}"] if alone else []
        end = "the lesson is deployed" if self.deployed else "what is deployed learned without it"
        return f"on rows left out, {', '.join(known)}: {end}"


def lesson_of(problem: Problem, selection: Selection, cut: Sequence[Fold]) -> Lesson | None:
    """What became of a teacher; None where there is none."""
    if problem.teacher is None:
        return None
    taught = [each for each in selection.candidates.values() if each.recipe and not each.recipe.alone]
    alone = [each for each in selection.candidates.values() if each.recipe and each.recipe.alone]
    best = _best(taught, selection)
    chosen = selection.candidates[selection.chosen].recipe
    return Lesson(
        "accuracy" if problem.classes else "r2", problem.teacher.name, _own_score(problem, selection, cut),
        selection.score(best), best, selection.score(_best(alone, selection)) if alone else None,
        chosen is not None and not chosen.alone,
    )  # fmt: skip


def _best(candidates: Iterable[Candidate], selection: Selection) -> str:
    return max((each.name for each in candidates), key=selection.score)


def _own_score(problem: Problem, selection: Selection, cut: Sequence[Fold]) -> float | None:
    """The teacher's, fitted to each fold's rows."""
    assert problem.teacher
    if not problem.teacher.is_fitted_here:
        return None
    told = [problem.teacher.answers(rows, problem.x[rows], problem.y[rows], problem.x[out]) for rows, out in cut]
    _, scores = losses_and_scores(np.concatenate(told), selection.truth, problem.classes)
    mean = float(np.mean(scores))
    return mean if problem.classes else 1 + mean / max(float(np.var(selection.truth)), 1e-30)
