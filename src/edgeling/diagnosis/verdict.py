# SPDX-License-Identifier: Apache-2.0
"""From what a run left behind to its findings.

A run that learned what there is to learn is not questioned further. Of another, the cause is not guessed: the training
is tried again, on rows apart, with one thing changed (a rate ten times smaller, inputs scaled, more units...), and what
helps most is the cause. Each retry is as short as the run was, and at most ``MOST_STEPS`` long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from edgeling.diagnosis import layers, tables
from edgeling.diagnosis.finding import Finding, ranked
from edgeling.diagnosis.products import Products, products
from edgeling.diagnosis.relation import LEAST_ROWS, chance_of_no_relation, columns_of, explained_by_neighbours
from edgeling.diagnosis.skill import Skill
from edgeling.graph.types import Array

SURE = 3.0  # standard errors: by chance once in 700 runs
ALPHA = 0.01  # of the test for any relation at all
LEFT_OVER = 0.1  # of what a network leaves, told by the rows beside: as much as chance gives in about 500 rows
HALF = 0.5  # of what there is to learn
MORE = 10  # times the rate, or the epochs
WIDER = (4, 16)
RESTLESS = 0.05  # of the best constant answer's loss: what it takes away again from one epoch to the next
FEW, FEW_STEPS = 5, 500  # epochs: fewer show no curve; steps in which Adam's 0.001 moves a weight by its own size, 0.5
CLEARLY = 0.1  # of what there is to learn
SYMPTOMS = ("constant_predictions", "loss_not_moving")  # told where no cause was found


@dataclass(frozen=True)
class Alteration:
    """What is different in a retry.

    Attributes:
        rate, epochs: times what they were.
        scaled_inputs, scaled_targets: brought to mean 0 and deviation 1.
        fresh: weights drawn anew, by the layers' usual initialisers.
        rectified: relu in hidden layers.
        wider: times as many hidden units, and one hidden layer at least.
    """

    rate: float = 1.0
    epochs: int = 1
    scaled_inputs: bool = False
    scaled_targets: bool = False
    fresh: bool = False
    rectified: bool = False
    wider: int = 1


@dataclass(frozen=True, eq=False)
class Look:
    """How a network's layers stand.

    Attributes:
        began, now: activations before the first step and after the last.
        gradients: root mean squares of the first gradients by layer.
    """

    began: Sequence[layers.Activated]
    now: Sequence[layers.Activated]
    gradients: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a run left behind.

    Attributes:
        x, y: rows learned from, [rows, ...] and class numbers [rows] (or numbers [rows, k]).
        classes: how many; 0 of numbers.
        skill: on those rows; None where the loss was not finite or the losses are not to be compared.
        held: on the rows of validation, if there were some.
        best_held: the least validation loss of the history, and that of the weights there are; None without.
        residuals: [rows, k], truth minus prediction.
        chosen: the class predicted, [rows]; empty of numbers.
        steps, rate, usual_rate: steps done, the largest learning rate they had, and the optimizer's usual one.
        weights: how many numbers were learned.
        look: how the layers stand; asked of runs in doubt only.
        retry: the share of what there is to learn, on rows apart, that training anew with a change brings; None where
            that cannot be done.
        losses: of the epochs, where they are comparable with the skill's.
        held_rows: x and y of validation.
        scaled_inside: the network begins by scaling its inputs itself.
    """

    x: Array
    y: Array
    classes: int
    skill: Skill | None
    held: Skill | None
    best_held: tuple[float, float] | None
    residuals: Array
    chosen: Array
    steps: int
    rate: float
    usual_rate: float
    weights: int
    look: Callable[[], Look]
    retry: Callable[[Alteration], float | None]
    losses: Sequence[float] = ()
    held_rows: tuple[Array, Array] | None = None
    class_names: Sequence[str] = ()
    column_names: Sequence[str] = ()
    scaled_inside: bool = False

    @cached_property
    def missed_products(self) -> Products:
        """What products of two columns tell of what the run leaves."""
        return products(self.x, self.residuals)


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Everything that is wrong with a run, the worst cause first."""
    found = ranked(_found(evidence))
    return tuple(f for f in found if f.name not in SYMPTOMS) or found


def _found(e: Evidence) -> Iterator[Finding]:
    if not e.scaled_inside:
        yield from tables.scales(e.x, e.column_names)
    if e.held_rows is not None:
        yield from tables.copies(e.x, e.y, *e.held_rows, "validation")
    columns = e.x.reshape(len(e.x), -1)
    names = e.column_names if len(e.column_names) == columns.shape[1] else range(columns.shape[1])
    yield from tables.giving_away(dict(zip(map(str, names), columns.T, strict=True)), e.y, e.classes)
    if e.classes and len(e.chosen):
        yield from tables.imbalance(e.y.astype(int), e.chosen, e.classes, e.class_names)
    by_heart = list(_overfitting(e))
    yield from by_heart
    if _in_doubt(e):
        yield from _explained(e)
    elif by_heart and e.held is not None and e.held.sure < SURE and _unrelated(e):  # and nothing else was learned
        yield _shuffled()


def _in_doubt(e: Evidence) -> bool:
    """Whether a run may have learned less than there is: the loss was not finite, no better than the best constant
    answer, restless, of a rate far above the usual one, or what it leaves is told by neighbouring rows (a test for
    lack of fit)."""
    if e.skill is None or e.skill.sure < SURE or e.rate >= MORE * e.usual_rate or _restless(e):
        return True
    if len(e.losses) < FEW and e.skill.share < 1 - CLEARLY:
        return True
    bearable = _bearable(e)
    return explained_by_neighbours(e.x, e.residuals) > bearable or e.missed_products.share > bearable


def _bearable(e: Evidence) -> float:
    """Of what a network leaves, as much as may be told by rows beside or by products of columns."""
    return LEFT_OVER if e.skill is None or e.skill.share < HALF else HALF


def _restless(e: Evidence) -> bool:
    """Whether the loss of the second half of the epochs rises by much, again and again: a mark of large steps."""
    late = np.asarray(e.losses[len(e.losses) // 2 :], np.float64)
    rises = np.maximum(np.diff(late), 0.0)
    assert e.skill
    return len(rises) > 2 and float(rises.mean()) > RESTLESS * e.skill.baseline


def _explained(e: Evidence) -> Iterator[Finding]:
    learned_elsewhere = e.held is not None and e.held.sure >= SURE
    if e.skill is not None and not learned_elsewhere and _unrelated(e):
        yield _shuffled()
        return
    causes = list(_cause(e))
    yield from causes
    learned = e.skill is not None and e.skill.sure >= SURE
    if not causes and e.skill is None:
        yield Finding(
            "loss_not_finite", "error", "the loss became NaN or infinite",
            "take a smaller learning rate, clipnorm=1.0 in the optimizer, and check inputs and targets for huge values",
        )  # fmt: skip
    if not causes and e.skill is not None:
        yield from _of_products(e)
    if not causes and not learned and e.skill is not None:
        yield from _unexplained(e.skill)


def _shuffled() -> Finding:
    return Finding(
        "shuffled_labels", "error",
        "inputs and targets have nothing to do with each other that a test could see: targets in any other order "
        "would go with these rows as well, so labels look shuffled",
        "check that rows and targets are joined in the right order, then that the columns can know the answer",
    )  # fmt: skip


def _unrelated(e: Evidence) -> bool:
    """Whether no test sees a relation between inputs and targets."""
    if chance_of_no_relation(e.x, e.y, e.classes) <= ALPHA:
        return False
    return len(e.x) < LEAST_ROWS or products(e.x, columns_of(e.y, e.classes)).chance() > ALPHA


def _of_products(e: Evidence) -> Iterator[Finding]:
    """A lack of fit that is seen for certain, though no retry was long or large enough to mend it."""
    left = e.missed_products
    assert e.skill
    if (1 - e.skill.share) * left.share > CLEARLY:
        one, other = (repr(e.column_names[i]) if e.column_names else str(i) for i in left.pair)
        yield Finding(
            "network_too_small", "warning",
            f"the network has not learned how columns {one} and {other} act together: their product tells "
            f"{left.share:.0%} of what it leaves, on rows that did not choose it",
            "give it the product as a column of its own, or more hidden units, rows and epochs",
        )  # fmt: skip


def _unexplained(skill: Skill) -> Iterator[Finding]:
    yield Finding(
        "constant_predictions" if skill.constant else "loss_not_moving", "warning",
        ("predictions are the same for every row" if skill.constant else "the loss does not move")
        + f": {_beside(skill)}",
        "try another learning rate and more units, and check that the columns can know the answer",
    )  # fmt: skip


@dataclass(frozen=True)
class _Cause:
    """Something that may be wrong, the alteration that would mend it, and what is said if it does.

    Attributes:
        seen: it is there, whatever a retry says.
        takes_time: it is no fault of a run that has surely begun to learn.
    """

    alteration: Alteration
    said: Finding
    seen: bool = False
    takes_time: bool = False


def _cause(e: Evidence) -> Iterator[Finding]:
    """What keeps a run from learning: of what is seen to be wrong where nothing at all was learned, the first; else the
    first whose remedy helps."""
    candidates, learned = list(_candidates(e)), e.skill is not None and e.skill.sure >= SURE
    seen = [cause.said for cause in candidates if cause.seen]
    if seen and not learned:
        yield seen[0]
        return
    own = max(e.retry(Alteration()) or 0.0, _known_share(e) if learned else 0.0)
    helping = _helping(own, list(_tried(e, candidates, own)))
    if not helping or (learned and helping[0][1].takes_time):
        return
    same = [(share, cause.said) for share, cause in helping if cause.said.name == helping[0][1].said.name]
    share, said = max(same, key=lambda each: each[0])
    figure = f"; changed so, a retry learns {_share(share)} of what there is, where this run learned {_share(own)}"
    yield replace(said, seen=said.seen + figure)


def _tried(e: Evidence, candidates: Sequence[_Cause], own: float) -> Iterator[tuple[float, _Cause]]:
    """What each remedy brings; where some more units bring nothing, many more are not asked."""
    in_vain = False
    for cause in candidates:
        widens = cause.alteration.wider > 1
        if not (widens and in_vain):
            share = e.retry(cause.alteration) or 0.0
            in_vain = widens and share <= own
            yield share, cause


def _helping(own: float, tried: Sequence[tuple[float, _Cause]]) -> list[tuple[float, _Cause]]:
    """Of remedies and what they bring those that count: for what is seen a clear gain is enough; else it is at least
    half of what the best of them brings, to a run that has not half of that; of smaller steps see ``_calms``."""
    best = max((share for share, _ in tried), default=0.0)
    clear = [(share, cause) for share, cause in tried if cause.seen and share > own + CLEARLY]
    half = [(share, cause) for share, cause in tried if own < HALF * best and share >= own + HALF * (best - own)]
    return clear or half or [(share, c) for share, c in tried if 0 < c.alteration.rate < 1 and _calms(own, share)]


def _known_share(e: Evidence) -> float:
    judged = e.held or e.skill
    return judged.share if judged else 0.0


def _calms(own: float, share: float) -> bool:
    """Whether smaller steps, as many, leave less than half of what is left: healthy ones never do by much."""
    return share > own + CLEARLY and 1 - share < HALF * (1 - own)


def _share(value: float) -> str:
    return f"{max(value, 0.0):.0%}"


def _candidates(e: Evidence) -> Iterator[_Cause]:
    """In the order in which they are believed."""
    if not e.scaled_inside:
        for said in tables.scales(e.x, e.column_names):
            yield _Cause(Alteration(scaled_inputs=True), said, seen=True)
    if not e.classes:
        for said in tables.target_scale(e.y):
            yield _Cause(Alteration(scaled_targets=True), said, seen=True)
    yield from _of_the_beginning(e)
    yield from _other_rates(e)
    yield _Cause(Alteration(epochs=MORE), _too_few(e), takes_time=len(e.losses) >= FEW)
    stood_still = 0 < e.rate <= e.usual_rate / MORE  # weights that did say nothing of how many there should be
    for wider in () if stood_still else WIDER:
        yield _Cause(Alteration(wider=wider, epochs=2), _too_small(e))


def _other_rates(e: Evidence) -> Iterator[_Cause]:
    """Smaller rates than one from the usual one up, larger ones than one below; none where a schedule leads."""
    longer = MORE if e.steps < FEW_STEPS else 1  # in fewer no rate learns anything
    if min(e.rate, e.usual_rate) <= 0:
        return
    if e.rate >= e.usual_rate:
        for times in sorted({1 / MORE, 1 / MORE**2, e.usual_rate / e.rate} - {1.0}, reverse=True):
            yield _Cause(Alteration(rate=times, epochs=longer), _rate_too_large(e, times))
    else:
        near = e.rate > e.usual_rate / MORE
        for times in (MORE, e.usual_rate / e.rate):
            yield _Cause(Alteration(rate=times, epochs=longer), _rate_too_small(e, times), takes_time=near)


def _of_the_beginning(e: Evidence) -> Iterator[_Cause]:
    """What was wrong with the weights or activations before the first step."""
    look = e.look()
    for said in layers.of_units(look.began, look.began):
        yield _Cause(Alteration(fresh=True), said, seen=True)
    for said in layers.of_signals(look.began, look.gradients, e.x):
        yield _Cause(Alteration(fresh=True, rectified=said.name == "vanishing_gradients"), said, seen=True)


def _rate_too_large(e: Evidence, times: float) -> Finding:
    dead = [f.seen for f in layers.of_units(e.look().now, e.look().began)]
    ended = "the loss became NaN or infinite" if e.skill is None else f"the loss ended at {_beside(e.skill)}"
    return Finding(
        "learning_rate_too_large", "error",
        f"the learning rate {e.rate:g} is too large: {ended}" + "".join(f"; {one}" for one in dead[:1]),
        f"take a learning rate of about {e.rate * times:.1g}, or ask edgeling.find_learning_rate",
    )  # fmt: skip


def _rate_too_small(e: Evidence, times: float) -> Finding:
    loss = f": after {e.steps:,} steps the loss is {_beside(e.skill)}" if e.skill else ""
    return Finding(
        "learning_rate_too_small", "warning", f"the learning rate {e.rate:g} is too small{loss}",
        f"take a learning rate of about {e.rate * times:.1g}, or ask edgeling.find_learning_rate",
    )  # fmt: skip


def _too_few(e: Evidence) -> Finding:
    loss = f", and the loss, {e.skill.loss:.4g}, could still fall" if e.skill else ""
    return Finding(
        "epochs_too_few", "warning",
        f"training ended too early: {e.steps:,} steps in {len(e.losses)} epochs{loss}",
        "train for more epochs, and let EarlyStopping(restore_best_weights=True) say when to stop",
    )  # fmt: skip


def _too_small(e: Evidence) -> Finding:
    units = ", ".join(str(layer.units) for layer in e.look().began[:-1])
    size = f"hidden units: {units}" if units else "no hidden layer"
    return Finding(
        "network_too_small", "warning",
        f"the network is too small ({size}): what it leaves is still told by the rows beside",
        "use more hidden units (--hidden), or one more hidden layer",
    )  # fmt: skip


def _beside(skill: Skill) -> str:
    return f"{skill.loss:.4g}, where the best constant answer has {skill.baseline:.4g}"


def _overfitting(e: Evidence) -> Iterator[Finding]:
    """What was learned by heart: skill that rows of validation do not have, surely and by half of what there is."""
    if e.skill is None or e.held is None:
        return
    gap, error = e.skill.share - e.held.share, float(np.hypot(e.skill.loss_error, e.held.loss_error))
    worse = e.best_held is not None and e.best_held[1] - e.best_held[0] > SURE * e.held.loss_error
    risen = ""
    if worse and e.best_held:
        risen = f"; the validation loss was {e.best_held[0]:.4g} at its best and is {e.best_held[1]:.4g}"
    if e.held.loss - e.skill.loss > SURE * error and gap > CLEARLY and (gap > HALF * e.skill.share or worse):
        yield Finding(
            "overfitting", "warning",
            f"the network learns by heart: {_share(e.skill.share)} of what there is on the {len(e.x):,} rows learned "
            f"from, {_share(e.held.share)} on those of validation, with {e.weights:,} weights{risen}",
            "use fewer hidden units or more rows, kernel_regularizer='l2' or Dropout, and "
            "EarlyStopping(restore_best_weights=True)",
        )  # fmt: skip
