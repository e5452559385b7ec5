# SPDX-License-Identifier: Apache-2.0
"""From a prepared table to the network that is deployed: trained, compared on rows left out, learned from every row."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from edgeling.data import Preparation, Split
from edgeling.diagnosis import Finding
from edgeling.errors import TrainingError, UnsupportedError
from edgeling.graph.types import Array
from edgeling.models import Model
from edgeling.report import units
from edgeling.workflow.balance_choice import WAYS, choose_balance
from edgeling.workflow.balancing import Balancing, Unseen, balanced_by, require_classes, told_logits, unseen_of
from edgeling.workflow.diagnosing import explained, network_diagnosis
from edgeling.workflow.fitting import Fitted, fit_network, fit_several
from edgeling.workflow.folds import Fold, Units, folds
from edgeling.workflow.problem import Problem
from edgeling.workflow.progress import Progress
from edgeling.workflow.rate_choice import RateChoice, with_found_rate
from edgeling.workflow.recipes import TAUGHT, Recipe, Variants, recipes_for
from edgeling.workflow.reference import reference
from edgeling.workflow.seeds_choice import is_better, seeds_worth, several_of
from edgeling.workflow.selection import Selection, best_network, compare, planned
from edgeling.workflow.settings import AUTO, LINEAR
from edgeling.workflow.teaching import Lesson, lesson_of

BALANCED_WITH = 2  # recipes, the first ones, with which ways to balance are tried
LEAST_REFIT = 0.03  # of the rows learned from: for fewer, learning once more changes nothing


@dataclass(frozen=True, eq=False)
class Learned:
    """What is deployed, and how it was found.

    Attributes:
        fitted: the training of the recipe that is deployed, or of the first where the linear reference is; its network
            is what is deployed.
        selection: what was compared; None where there were no rows to compare on.
        recipe: that of the training.
        deployed: the name of what is deployed: a candidate's of the selection.
        preparation: what prepares for what is deployed.
        refitted: whether it learned once more, from the rows left out too.
        balancing: what was done about rare classes.
        unseen: what was told of rows left out; None of a target of numbers, or where there were no such rows.
        findings: what is wrong with the training.
        rate: what was found about the learning rate; None where one was given, or nothing could be compared.
        lesson: what a teacher was worth; None where there is none, or nothing could be compared.
    """

    fitted: Fitted
    selection: Selection | None
    recipe: Recipe
    deployed: str
    preparation: Preparation
    refitted: bool
    balancing: Balancing = field(default_factory=Balancing)
    unseen: Unseen | None = None
    findings: tuple[Finding, ...] = ()
    rate: RateChoice | None = None
    lesson: Lesson | None = None

    @property
    def asked(self) -> str:
        """The recipe to ask for who wants the same again."""
        return LINEAR if self.deployed == LINEAR else self.recipe.name.removeprefix(TAUGHT)

    @property
    def seeds(self) -> int:
        """How many networks answer as one."""
        return self.selection.candidates[self.deployed].seeds if self.selection else 1


def learn(
    problem: Problem, parts: Split, progress: Progress, *, units: Units | None = None, keep_interrupted: bool = False
) -> Learned:
    """Train the first recipe; compare it with the others and the linear reference; fit the best again on all rows.

    Args:
        parts: positions of rows; those to test on are not looked at.
        units: what is left out as a whole; None: any rows.

    Raises:
        TrainingError: the loss of the first recipe was not finite.
        TargetError: the network's weights alone do not fit a target.
        KeyboardInterrupt: Ctrl-C, unless what is interrupted is to be kept and there is something.
    """
    require_classes(problem.settings, problem.preparation)
    if problem.teacher and problem.balances:
        raise UnsupportedError(
            "a teacher tells how much each class counts", received="weights or balance beside a teacher",
            remedy="one of the two",
        )  # fmt: skip
    problem, tried = balanced_problem(problem, parts, progress, units)
    learned = _learned(problem, parts, progress, units, keep_interrupted)
    rows = np.concatenate([parts.train, parts.validation]) if learned.refitted else parts.train
    unseen = _unseen(problem, parts, learned, rows) if problem.classes else None
    return replace(learned, balancing=balanced_by(problem, rows, tried), unseen=unseen)


def balanced_problem(
    problem: Problem, parts: Split, progress: Progress, units: Units | None
) -> tuple[Problem, Balancing | None]:
    """The problem with a way to balance, where it was left to choose, and what was tried."""
    if problem.settings.balance != "auto":
        return problem, None
    plain = problem.balanced("none")
    recipes = recipes_for(plain)[:BALANCED_WITH]
    if not len(parts.validation):
        return plain, None
    with progress.stage("Balancing the classes") as stage:
        first = fit_network(plain, recipes[0], parts.train, parts.validation, Progress())
        plan = planned(plain, recipes[:1] * len(WAYS), first, len(parts.train))
        chosen, tried = choose_balance(plain, recipes, folds(plain, parts, plan.folds, units), stage.at)
        stage.done(f"{tried.how}, of {len(tried.tried)} ways tried")
    return chosen, tried


def _unseen(problem: Problem, parts: Split, learned: Learned, rows: Array) -> Unseen | None:
    """What was told of the rows left out, as the network that is deployed would."""
    selection = learned.selection
    if selection is not None:
        told = selection.candidates[learned.deployed].logits
        assert told is not None
        return unseen_of(problem, told, selection.truth, rows, selection.folds)
    if not len(parts.validation):
        return None
    told = told_logits(problem, learned.fitted.network, parts.train, parts.validation)
    return unseen_of(problem, told, problem.y[parts.validation], rows, 1)


def _learned(
    problem: Problem, parts: Split, progress: Progress, units: Units | None, keep_interrupted: bool
) -> Learned:
    variants = Variants.of(problem, parts.train)
    recipes = recipes_for(problem, skewed=variants.bent is not None)
    first = variants.learned_by(recipes[0])
    asked = network_diagnosis(problem.preparation.target.labels)
    try:
        fitted = fit_network(first, recipes[0], parts.train, parts.validation, progress, keep_interrupted, [asked])
    except TrainingError as error:
        raise explained(error, asked) from None
    alone = Learned(fitted, None, recipes[0], recipes[0].name, first.preparation, False, findings=asked.findings)
    if fitted.stopped_by == "interrupt" or not len(parts.validation):
        return alone
    kept = alone
    try:
        plan = planned(problem, recipes, fitted, len(parts.train))
        cut = folds(problem, parts, plan.folds, units)
        selection = _compared(variants, cut, recipes[: plan.recipes], fitted, progress)
        kept = _chosen(selection, recipes, alone)
        if problem.settings.learning_rate is None:
            kept = _with_rate(variants, recipes, kept, cut, progress)
        kept = replace(kept, findings=_findings(kept))
        own = variants.learned_by(kept.recipe)
        kept = _with_seeds(own, kept, cut, plan.left_ns, progress)
        assert kept.selection
        own = problem if kept.deployed == LINEAR else own
        kept = replace(kept, preparation=own.preparation, lesson=lesson_of(problem, kept.selection, cut))
        return _again(own, parts, kept, progress)
    except KeyboardInterrupt:
        if not keep_interrupted:
            raise
        progress.note("Stopped by Ctrl-C: going on with what learned from fewer rows. Ctrl-C again gives up.")
        return replace(kept, fitted=replace(kept.fitted, stopped_by="interrupt"))


def _compared(
    variants: Variants, cut: list[Fold], recipes: tuple[Recipe, ...], fitted: Fitted, progress: Progress
) -> Selection:
    """The best of what is worth trying."""
    with progress.stage("Comparing on rows left out") as stage:
        selection = compare(variants, recipes, cut, fitted, stage.at)
        names = sorted(selection.candidates, key=selection.score, reverse=True)[:3]
        metric = units.headline_metric(variants.problem.preparation.target.task)
        told = ", ".join(f"{name} {units.metric(metric, selection.score(name))}" for name in names)
        stage.done(f"{told}: {selection.chosen}")
    return selection


def _with_seeds(problem: Problem, learned: Learned, cut: list[Fold], left_ns: float, progress: Progress) -> Learned:
    """Several seeds of the network that is to be deployed, where those are better."""
    selection, settings = learned.selection, problem.settings
    assert selection
    single = selection.candidates[learned.deployed]
    seeds = seeds_worth(problem, single, cut, left_ns)
    if seeds == 1:
        return learned
    with progress.stage(f"Trying {seeds} seeds") as stage:
        several = several_of(problem, single, cut, selection.rows, seeds)
        taken = settings.seeds != AUTO or is_better(several, single, settings)
        told = {**selection.candidates, several.name: several}
        selection = replace(selection, candidates=told, chosen=several.name if taken else single.name)
        stage.done(f"{selection.chosen} is deployed")
    fitted = replace(learned.fitted, network=several.network) if taken else learned.fitted
    return replace(learned, selection=selection, deployed=selection.chosen, fitted=fitted)


def _with_rate(
    variants: Variants, recipes: tuple[Recipe, ...], learned: Learned, cut: list[Fold], progress: Progress
) -> Learned:
    """The best network at the rate that a range test finds, where that is better still."""
    selection = learned.selection
    assert selection
    name = best_network(selection.candidates, variants.problem.settings)
    recipe = next(each for each in recipes if each.name == name)
    with progress.stage("Finding a learning rate") as stage:
        selection, changed, rate = with_found_rate(variants.learned_by(recipe), recipe, selection, cut)
        stage.done(rate.sentence)
    kept = tuple(changed if each is recipe else each for each in recipes)
    return replace(_chosen(selection, kept, learned), rate=rate)


def _findings(learned: Learned) -> tuple[Finding, ...]:
    """What is wrong with the training of what is deployed; where that is the reference, of the first."""
    assert learned.selection
    best = learned.selection.candidates[learned.deployed]
    return best.diagnosis.concluded() if best.diagnosis else learned.findings


def _chosen(selection: Selection, recipes: tuple[Recipe, ...], alone: Learned) -> Learned:
    """What was chosen, as it learned from the rows of the first fold."""
    best = selection.candidates[selection.chosen]
    fitted, recipe = best.fitted or replace(alone.fitted, network=best.network), best.recipe or recipes[0]
    return Learned(fitted, selection, recipe, best.name, alone.preparation, False, findings=alone.findings)


def _again(problem: Problem, parts: Split, learned: Learned, progress: Progress) -> Learned:
    """Fitted once more, to all rows but those to test on."""
    rows = np.concatenate([parts.train, parts.validation])
    if not problem.settings.refit or len(parts.validation) < LEAST_REFIT * len(rows):
        return learned
    assert learned.selection
    best = learned.selection.candidates[learned.deployed]
    with progress.stage(f"Learning from all {len(rows):,} rows") as stage:
        if learned.deployed == LINEAR:
            network: Model = reference(problem, rows, best.strength)
        else:
            network = fit_several(problem, learned.recipe, rows, best.epochs, best.seeds)
        several = f", {best.seeds} networks" if best.seeds > 1 else ""
        stage.done(f"{best.epochs:,} epochs{several}" if best.epochs else "in closed form")
    return replace(learned, fitted=replace(learned.fitted, network=network), refitted=True)
