# SPDX-License-Identifier: Apache-2.0
"""Which choices to try next, by a sampler of Optuna's.

The sampler is made anew for each round, of the trials so far and a seed of its own. So a search that was interrupted
goes on as if it had not been, and the number of workers changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Any

from edgeling.errors import UnsupportedError
from edgeling.graph.random import random_uniform
from edgeling.workflow.tuning.costs import Budget, ChipCost
from edgeling.workflow.tuning.front import front
from edgeling.workflow.tuning.space import ACTIVATIONS, LEARNING_RATES, WEIGHT_DECAYS, Choice, SearchSpace, rounded
from edgeling.workflow.tuning.trainer import Pruning, TrialResult

ROUND = 10  # trials that are proposed together
SAMPLERS = ("tpe", "random")
_STARTUP = 25  # trials before the sampler believes what it sees
_ATTEMPTS = 20  # proposals that are too large, before one that surely is not
_RIVALS = 5
_NEAR, _NEAR_FROM = 3, 40  # proposals of a round that are neighbours of the front, from so many trials on
_STREAM = 0x54554E45
_SLACK = 0.1  # by what share an estimate may exceed a limit: the program may yet keep it
_LOOK_MARGIN, _FOLD_MARGIN = 2.0, 1.25


@dataclass(frozen=True)
class TunedTrial:
    """A choice, what it scored, and what it was estimated to take."""

    number: int
    choice: Choice
    cost: ChipCost
    result: TrialResult


class Proposer:
    """Proposes choices that are estimated to keep the limits.

    Args:
        smallest: a choice that keeps them.
        first: to begin with.

    Raises:
        UnsupportedError: Optuna is not installed, or no such sampler.
    """

    def __init__(
        self, space: SearchSpace, costs: Callable[[Choice], ChipCost], budget: Budget, smallest: Choice,
        first: Sequence[Choice], sampler: str, seed: int,
    ) -> None:  # fmt: skip
        self._space, self._costs, self._budget, self._smallest = space, costs, budget, smallest
        self._first, self._sampler, self._seed = list(first), sampler, seed
        self._optuna = optuna()

    def round(self, number: int, done: Sequence[TunedTrial]) -> list[Choice]:
        """The choices of a round, in order; always the same for the same trials before it."""
        begun = self._first[number * ROUND : (number + 1) * ROUND]
        near = self._near(number, done) if len(done) >= _NEAR_FROM else []
        proposed = self._proposed(number, done)
        return [*begun, *near, *(next(proposed) for _ in range(ROUND - len(begun) - len(near)))]

    def _near(self, number: int, done: Sequence[TunedTrial]) -> list[Choice]:
        """Neighbours of what stands on the front, where a sampler of many dimensions seldom looks twice."""
        finished = [trial for trial in done if not trial.result.pruned]
        best = front(finished, lambda t: (t.result.score, t.cost.flash_bytes, t.cost.instructions))
        draws = random_uniform(_NEAR * 8, seed=self._seed, step=number, stream=_STREAM).reshape(_NEAR, 8).tolist()
        near = [neighbour(best[int(u[0] * len(best))].choice, self._space, u[1:]) for u in draws] if best else []
        return list(filter(self.keeps, near))

    def keeps(self, choice: Choice) -> bool:
        """Whether it is estimated to keep the limits, or nearly."""
        return self._budget.excess(self._costs(choice)) <= _SLACK

    def _proposed(self, number: int, done: Sequence[TunedTrial]) -> Iterator[Choice]:
        study, kinds = self._study(number, done), self._distributions()
        while True:
            asked = (self._space.choice(study.ask(kinds).params) for _ in range(_ATTEMPTS))
            yield next(filter(self.keeps, asked), self._smallest)

    def _study(self, number: int, done: Sequence[TunedTrial]) -> Any:
        seed = (self._seed * 1_000_003 + number) & 0xFFFFFFFF
        samplers = self._optuna.samplers
        sampler = (
            samplers.RandomSampler(seed=seed)
            if self._sampler == "random"
            else samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=_STARTUP)
        )
        study = self._optuna.create_study(directions=["minimize"] * 3, sampler=sampler)
        kinds = self._distributions()
        for trial in done:
            values = self._space.values(trial.choice)
            if values is not None:
                told = {"params": values, "distributions": kinds, "values": _objectives(trial)}
                study.add_trial(self._optuna.trial.create_trial(**told))
        return study

    def _distributions(self) -> dict[str, Any]:
        kinds = self._optuna.distributions
        make = {
            "int": kinds.IntDistribution,
            "log": lambda low, high: kinds.FloatDistribution(low, high, log=True),
            "one of": lambda *values: kinds.CategoricalDistribution(values),
        }
        return {name: make[kind](*limits) for name, (kind, *limits) in self._space.parameters.items()}


def neighbour(choice: Choice, space: SearchSpace, draws: Sequence[float]) -> Choice:
    """A choice like another: perhaps a step smaller, at a rate and a decay of the same order.

    Args:
        draws: seven numbers from 0 to 1.
    """
    place, smaller, rate, none, decay, other, which = draws
    hidden = list(choice.hidden)
    if hidden and smaller < 0.5:
        at = int(place * len(hidden))
        index = space.widths.index(hidden[at])
        hidden[at : at + 1] = space.widths[max(index - 1, 0) : index]
    low, high = LEARNING_RATES
    kept = 0.0 if none < 0.3 else min(max(choice.weight_decay, 1e-3) * 10 ** (2 * decay - 1), WEIGHT_DECAYS[1])
    return replace(
        choice, hidden=tuple(hidden), weight_decay=rounded(kept),
        learning_rate=rounded(min(max(choice.learning_rate * 3 ** (2 * rate - 1), low), high)),
        activation=ACTIVATIONS[int(which * len(ACTIVATIONS))] if other < 0.3 else choice.activation,
    )  # fmt: skip


def _objectives(trial: TunedTrial) -> tuple[float, float, float]:
    """To make small: what is wrong (equals by their loss), and the logarithms of what the program takes."""
    loss = min(trial.result.loss, 10.0)
    return -trial.result.score + 1e-3 * loss, log(trial.cost.flash_bytes), log(trial.cost.instructions)


def pruning_of(cost: ChipCost, done: Sequence[TunedTrial]) -> Pruning:
    """When to give up a choice: once five that take no more were clearly better at the same time."""
    rivals = [
        trial.result
        for trial in done
        if trial.cost.flash_bytes <= cost.flash_bytes
        and trial.cost.instructions <= cost.instructions
        and not trial.result.pruned
    ]
    if len(rivals) < _RIVALS:
        return Pruning()
    longest = max(len(rival.looks) for rival in rivals)
    looks = [sorted(min(rival.looks[: look + 1]) for rival in rivals)[_RIVALS - 1] for look in range(longest)]
    count = min(len(rival.folds) for rival in rivals)
    folds = [sorted(sum(rival.folds[: k + 1]) / (k + 1) for rival in rivals)[_RIVALS - 1] for k in range(count)]
    return Pruning(tuple(_LOOK_MARGIN * loss for loss in looks), tuple(_FOLD_MARGIN * loss for loss in folds))


def optuna() -> Any:
    """The package.

    Raises:
        UnsupportedError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise UnsupportedError(
            "tune searches with the samplers of Optuna, which is not installed", received=str(error),
            remedy="pip install 'edgeling[search]'",
        ) from error  # fmt: skip
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
