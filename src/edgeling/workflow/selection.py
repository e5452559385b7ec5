# SPDX-License-Identifier: Apache-2.0
"""Which way of learning is right for a table: each is fitted several times, and judged on the rows left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from edgeling.data.correction import fit_correction
from edgeling.errors import TrainingError
from edgeling.graph import run_rows
from edgeling.graph.types import Array
from edgeling.models import Model
from edgeling.network.network import inference_graph
from edgeling.workflow.balancing import outputs_of, told_logits
from edgeling.workflow.category_embedding import WIDTH
from edgeling.workflow.diagnosing import Later, later_diagnosis
from edgeling.workflow.fitting import Fitted, fit_again, fit_network
from edgeling.workflow.folds import FOLDS, Fold
from edgeling.workflow.problem import Problem
from edgeling.workflow.progress import Progress
from edgeling.workflow.recipes import Recipe, Variants, network_for
from edgeling.workflow.reference import USUAL_STRENGTH, is_ahead, references, strengths_of
from edgeling.workflow.settings import AUTO, LINEAR, Settings
from edgeling.workflow.teacher import SYNTHETIC_SHARE

WORTH_FOLDS = 3  # so many recipes, the first ones, are tried on several folds before more are tried on fewer
WORTH_FOLDS_OF_MANY, MANY_ROWS = 5, 1000  # likewise of so many rows, of which fewer folds tell enough
WORTH_FITS = 60  # of work as the first fit's, all that is compared may take, within these bounds
LEAST_BUDGET_NS, BUDGET_NS = 3e8, 4e9
NARROW = 150  # columns as networks see them; of wider tables all else takes longer, so that comparing is to take less
LEAST_SHARE = 0.25  # of the budget, of a table that is very wide
SEEDS_WORTH = 1.5  # times what recipes are worth are recipes and seeds together, within the same bounds
STEP_NS, PRODUCT_NS = 4e3, 0.1  # what a step takes at the least, and more for each row and weight: forward and back
UPDATE_NS = 2.0  # of a number that is learned of a category: it is updated in each step, and in no product
EPOCH_NS, COMPILE_NS = 7e4, 1e8  # of an epoch that is watched; of a structure that is new
_LEAST_SHARE = 1e-7  # a probability of less is taken for this much, as Keras's crossentropy does


@dataclass(frozen=True, eq=False)
class Candidate:
    """One way to learn, judged on rows it had not seen.

    Attributes:
        name: a recipe's, behind it "-x4" where four seeds of it answer as one; or "linear".
        answers: float32 [rows, outputs] of the rows left out, in the order of ``Selection.rows``, without what balanced
            classes shift.
        logits: of classes, what these answers are the sigmoid or softmax of, float64; of numbers None.
        losses: of each of them: crossentropy, or the squared error in standard deviations of the target. Where rare
            classes count, of answers that are corrected as what is deployed will be.
        scores: of each of them: 1 where the class is right, else 0; of numbers the squared error, negative.
        networks: what learned from each fold.
        recipe: None of the reference.
        fitted: the training of the first; None of what is not trained.
        epochs: after which that was best; 0 of what is not trained.
        strength: of the reference: how strongly its weights are held to zero.
        diagnosis: what watched that training; None of the first recipe, of which it was said.
        seeds: of how many networks it is the mean.
    """

    name: str
    answers: Array
    logits: Array | None
    losses: Array
    scores: Array
    networks: Sequence[Model]
    recipe: Recipe | None = None
    fitted: Fitted | None = None
    epochs: int = 0
    strength: float | None = None
    diagnosis: Later | None = None
    seeds: int = 1

    @property
    def network(self) -> Model:
        """What learned from the first fold."""
        return self.networks[0]

    @property
    def loss(self) -> float:
        """The mean over the rows left out."""
        return float(np.mean(self.losses))


@dataclass(frozen=True, eq=False)
class Selection:
    """What was compared on rows left out, and which is deployed.

    Attributes:
        candidates: by name, the linear reference first.
        chosen: the name of the one that is deployed.
        folds: how many times each learned from the others and was judged on one.
        rows: positions of the rows left out, of all folds.
        truth: what was to be answered there.
        classes: how many; 0 for numbers.
    """

    candidates: Mapping[str, Candidate]
    chosen: str
    folds: int
    rows: Array
    truth: Array
    classes: int

    def score(self, name: str) -> float:
        """A candidate's accuracy or R² on the rows left out."""
        mean = float(np.mean(self.candidates[name].scores))
        return mean if self.classes else 1 + mean / max(float(np.var(self.truth)), 1e-30)

    def spread(self, name: str) -> float:
        """The standard error of :meth:`score`, as far as the rows were drawn at random."""
        scores = self.candidates[name].scores
        scale = 1.0 if self.classes else max(float(np.var(self.truth)), 1e-30)
        return float(np.std(scores) / np.sqrt(len(scores)) / scale)

    def replacing(self, candidate: Candidate, settings: Settings) -> Selection:
        """The same with another candidate in the place of the one of its name."""
        candidates = {**self.candidates, candidate.name: candidate}
        return replace(self, candidates=candidates, chosen=chosen_of(candidates, settings, self.truth))


@dataclass(frozen=True)
class WorthDoing:
    """What is worth the work.

    Attributes:
        folds: how many.
        recipes: how many of them, the first ones.
        left_ns: for several seeds of the best.
    """

    folds: int
    recipes: int
    left_ns: float


def planned(problem: Problem, recipes: Sequence[Recipe], first: Fitted, rows: int) -> WorthDoing:
    """How much is worth the work: of a small table's, little.

    Never asks the clock: a seed repeats its choice on any machine.
    """
    fits = [predicted_ns(problem, each, first, rows) for each in recipes]
    watched = [EPOCH_NS * _epochs(each, first, problem.settings) for each in recipes]
    worth = max(WORTH_FITS * fits[0], LEAST_BUDGET_NS)
    most = BUDGET_NS * float(np.clip(NARROW / problem.x.shape[1], LEAST_SHARE, 1))
    # One fold of a table with a rare class has a handful of its rows, which tell nothing.
    budget = most if problem.settings.minds_rare_classes else min(worth, most)
    seen = [each.structure for each in recipes]
    once = [COMPILE_NS * (form not in seen[:i] and i > 0) for i, form in enumerate(seen)]
    first_ones = min(len(recipes), WORTH_FOLDS_OF_MANY if rows >= MANY_ROWS else WORTH_FOLDS)
    for count in (FOLDS, 3, 1):
        fitting = np.cumsum([count * f + w for f, w in zip(fits, watched, strict=True)])  # one fit is watched
        if count == 1 or fitting[first_ones - 1] <= budget:
            break
    work = fitting + np.cumsum(once)
    tried = max(1, int(np.searchsorted(work, budget, side="right")))
    return WorthDoing(count, tried, min(SEEDS_WORTH * worth, most) - float(work[tried - 1]))


def _epochs(recipe: Recipe, first: Fitted, settings: Settings) -> int:
    return recipe.most_epochs(settings) if recipe.epochs else first.epochs


def predicted_ns(problem: Problem, recipe: Recipe, first: Fitted, rows: int) -> float:
    """What a fit of so many rows will take, of a recipe whose epochs are not known as many as the first fit took."""
    settings = problem.settings
    rows *= 1 + SYNTHETIC_SHARE if problem.teacher and not recipe.alone else 1
    batch = min(settings.batch_size or recipe.batch_size, rows)
    weights = network_for(problem.preparation, settings, rows, recipe).count_params()
    looked_up = WIDTH * sum(len(feature.categories) for _, feature in problem.preparation.embedded)
    step_ns = STEP_NS + batch * (weights - looked_up) * PRODUCT_NS + looked_up * UPDATE_NS
    return _epochs(recipe, first, settings) * -(-rows // batch) * step_ns


def compare(
    variants: Variants, recipes: Sequence[Recipe], cut: Sequence[Fold], first: Fitted, tell: Callable[[str], None]
) -> Selection:
    """Judge the reference and each recipe on the rows left out.

    Args:
        variants: of the problem.
        cut: the folds.
        first: what the first recipe made of the first fold.
        tell: is told of what is under way.
    """
    problem, rows = variants.problem, np.concatenate([left_out for _, left_out in cut])
    tell(LINEAR)
    found = {LINEAR: _reference(problem, cut, rows)}
    for recipe in recipes:
        tell(recipe.name)
        with suppress(TrainingError):  # one that diverges is none to choose; of the first it was said
            known = first if recipe is recipes[0] else None
            found[recipe.name] = judged(variants.learned_by(recipe), recipe, cut, rows, known)
    chosen = chosen_of(found, problem.settings, problem.y[rows])
    return Selection(found, chosen, len(cut), rows, problem.y[rows], problem.classes)


def judged(
    problem: Problem, recipe: Recipe, cut: Sequence[Fold], rows: Array, first: Fitted | None = None
) -> Candidate:  # fmt: skip
    """A recipe on every fold; only the first is watched, and tells the others when to end.

    To end each where its own rows left out say so would judge it by rows that it was chosen on.

    Args:
        rows: that are left out, of all folds.
        first: what it made of the first fold, if that is known.

    Raises:
        TrainingError: the loss was not finite.
    """
    asked = None if first else later_diagnosis(problem.preparation.target.labels)
    first = first or fit_network(problem, recipe, *cut[0], Progress(), watched_by=[asked] if asked else [])
    networks = [first.network, *(fit_again(problem, recipe, train, first.best_epoch) for train, _ in cut[1:])]
    told = left_out_answers(problem, cut, rows, networks)
    return Candidate(recipe.name, *told, networks, recipe, first, first.best_epoch, diagnosis=asked)


def _reference(problem: Problem, cut: Sequence[Fold], rows: Array) -> Candidate:
    """The linear reference, of the usual strength unless another is better on the rows left out by more than chance."""
    found = {}
    strengths = strengths_of(problem)
    of_folds = [references(problem, train, strengths) for train, _ in cut]
    for strength, *networks in zip(strengths, *of_folds, strict=True):
        judged = left_out_answers(problem, cut, rows, networks)
        found[strength] = Candidate(LINEAR, *judged, networks, strength=strength)
    usual, best = found[USUAL_STRENGTH], max(found.values(), key=lambda each: float(np.mean(each.scores)))
    return best if is_ahead(best.scores - usual.scores, len(found)) else usual


def left_out_answers(
    problem: Problem, cut: Sequence[Fold], rows: Array, networks: Sequence[Model]
) -> tuple[Array, Array | None, Array, Array]:
    """Answers, logits, losses and scores of the rows left out."""
    told = np.concatenate([
        told_logits(problem, network, train, left_out) if problem.classes
        else problem.unbent(run_rows(inference_graph(network), problem.x[left_out])[0])
        for network, (train, left_out) in zip(networks, cut, strict=True)
    ])  # fmt: skip
    answers = outputs_of(told) if problem.classes else told
    truth = (problem.straight or problem).y[rows]
    losses, scores = losses_and_scores(answers, truth, problem.classes)
    if problem.settings.minds_rare_classes and np.isfinite(told).all():
        losses, _ = losses_and_scores(fit_correction(told, truth).probabilities(told), truth, problem.classes)
    return answers, told if problem.classes else None, losses, scores


def losses_and_scores(answers: Array, truth: Array, classes: int) -> tuple[Array, Array]:
    """Of each row, as :class:`Candidate` has them."""
    if not classes:
        squares = np.square(answers[:, 0].astype(np.float64) - truth)
        return squares, -squares
    shares = np.concatenate([1 - answers, answers], axis=1) if answers.shape[1] == 1 else answers
    told = np.take_along_axis(shares, truth[:, None].astype(np.int64), axis=1)[:, 0].astype(np.float64)
    return -np.log(np.clip(told, _LEAST_SHARE, 1)), (shares.argmax(axis=1) == truth).astype(np.float64)


def chosen_of(found: Mapping[str, Candidate], settings: Settings, truth: Array) -> str:
    """The recipe with the best score, of equals the one with the least loss; the reference if that does as well.

    It does where the best recipe is ahead by no more than chance, and the reference is smaller. Who asked for one thing
    gets it.
    """
    linear = found[LINEAR]
    best = found[best_network(found, settings)]
    if settings.recipe != AUTO or settings.hidden is not None:
        return LINEAR if settings.recipe == LINEAR else best.name
    gains = judged_by(best, settings) - judged_by(linear, settings)
    if settings.minds_rare_classes:  # few rows tell by how much a network is better: a margin would keep every one out
        return best.name if float(np.mean(gains)) > 0 else LINEAR
    tried = len(found) - 1
    ahead = is_ahead(gains, tried) or (np.mean(gains) >= 0 and _tells_more(best, linear, truth, tried))
    return best.name if ahead else LINEAR


def _tells_more(best: Candidate, linear: Candidate, truth: Array, tried: int) -> bool:
    """Whether a network is ahead of the reference by more than chance in what more rows tell of than of the score.

    Of classes, where they overlap, that is how true probabilities are, once corrected; of numbers, whose squared errors
    are a few rows' where tails are long, how large errors are.
    """
    if linear.logits is None:
        return is_ahead(np.sqrt(linear.losses) - np.sqrt(best.losses), tried)
    if best.logits is None or linear.scores.all():  # never wrong: nothing overlaps
        return False
    if not np.isfinite(best.logits).all() or not np.isfinite(linear.logits).all():
        return False
    ours, theirs = (_corrected_losses(each, truth) for each in (best.logits, linear.logits))
    return is_ahead(theirs - ours, tried)


def _corrected_losses(logits: Array, truth: Array) -> Array:
    """The crossentropy of each row, of logits corrected as they would be deployed."""
    classes = max(2, logits.shape[1])
    shares = fit_correction(logits, truth, (0.0,) * classes).probabilities(logits)
    return losses_and_scores(shares, truth, classes)[0]


def best_network(found: Mapping[str, Candidate], settings: Settings) -> str:
    """The recipe with the best score, of equals the one with the least loss."""
    networks = {name: (float(np.mean(judged_by(each, settings))), -each.loss) for name, each in found.items()}
    return max((name for name in networks if name != LINEAR), key=networks.__getitem__)


def judged_by(candidate: Candidate, settings: Settings) -> Array:
    """Of each row: its score; where rare classes count, how likely its class was told, for accuracy is noise there."""
    return -candidate.losses if settings.minds_rare_classes else candidate.scores
