# SPDX-License-Identifier: Apache-2.0
"""The search itself: rounds of trials until there are enough of them, time is up, or somebody presses Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from edgeling.errors import TargetError, TrainingError
from edgeling.toolchain.prove import Proof
from edgeling.workflow.progress import SearchLine
from edgeling.workflow.tuning.costs import Budget, ChipCost, Costs, Structure
from edgeling.workflow.tuning.front import Values, front
from edgeling.workflow.tuning.journal import TuneJournal
from edgeling.workflow.tuning.proposals import ROUND, Proposer, TunedTrial, pruning_of
from edgeling.workflow.tuning.space import Choice
from edgeling.workflow.tuning.trainer import TrialResult
from edgeling.workflow.tuning.workers import Job, Workers

MOST_BUILDS = 24  # beside those that begin the search
BUILDS_A_TIME = 6


@dataclass(frozen=True)
class Finalist:
    """A trial whose program was built and run on the target."""

    trial: TunedTrial
    cost: ChipCost

    @property
    def values(self) -> Values:
        """Score, flash, instructions."""
        return self.trial.result.score, self.cost.flash_bytes, self.cost.instructions


@dataclass
class Search:
    """Trials done so far, in order of their numbers.

    Attributes:
        interrupted: Ctrl-C ended it.
    """

    proposer: Proposer
    costs: Costs
    budget: Budget
    journal: TuneJournal
    workers: Workers
    done: list[TunedTrial]
    interrupted: bool = False

    def run(self, trials: int, ends: float, line: SearchLine) -> None:
        """Go on until there are ``trials`` trials, or the clock (``time.monotonic``) says ``ends``; at least one.

        Raises:
            KeyboardInterrupt: Ctrl-C before there was any trial.
        """
        try:
            while len(self.done) < trials and (not self.done or monotonic() < ends):
                self._round(trials, ends, line)
        except KeyboardInterrupt:
            if not self.done:
                raise
            self.interrupted = True
        finally:
            self.journal.keep([(trial.choice, trial.result) for trial in self.done])

    def _round(self, trials: int, ends: float, line: SearchLine) -> None:
        """What is left of the round that is under way."""
        number, before = len(self.done) // ROUND, len(self.done) // ROUND * ROUND
        known = self.done[:before]
        choices = self.proposer.round(number, known)[: trials - before][len(self.done) - before :]
        jobs = [(choice, pruning_of(self.costs(choice), known)) for choice in choices]
        for choice, result in zip(choices, self._results(jobs), strict=False):
            self.done.append(TunedTrial(len(self.done), choice, self.costs(choice), result))
            line.tell(len(self.done), self.best())
            if monotonic() >= ends:
                break
        self.journal.keep([(trial.choice, trial.result) for trial in self.done])

    def _results(self, jobs: Sequence[Job]) -> Iterator[TrialResult]:
        """Of each job: from the journal as far as it goes, else from the workers."""
        kept = self.journal.results
        first = len(self.done)
        count = next((i for i, job in enumerate(jobs) if kept.get(first + i, (None,))[0] != job[0]), len(jobs))
        yield from (kept[first + i][1] for i in range(count))
        yield from self.workers(jobs[count:])

    def best(self) -> TunedTrial | None:
        """The best so far among those estimated to keep the limits."""
        kept = [trial for trial in self.finished() if self.budget.excess(self.costs(trial.choice)) <= 0]
        return max(kept, key=lambda trial: (trial.result.score, -trial.cost.flash_bytes), default=None)

    def finished(self) -> list[TunedTrial]:
        """Trials that were not given up, each in every precision that what it learned was scored in."""
        return [
            replace(trial, choice=replace(trial.choice, precision=p), result=replace(trial.result, score=score))
            for trial in self.done
            for p, score in trial.result.scores
        ]

    def candidates(self, told: Callable[[int], None]) -> list[Finalist]:
        """The front, best first: build and run whatever stands on it by its estimate, until all was measured.

        Args:
            told: how many programs were built so far.

        Raises:
            TargetError: nothing keeps the limits.
            TrainingError: every trial was given up.
        """
        finished, before = self.finished(), len(self.costs.proofs)
        if not finished:
            raise TrainingError(
                "some trial is trained to its end", received="a loss that is not finite in each of them",
                remedy="more trials or time, and a look at the table: edgeling train says what is odd in it",
            )  # fmt: skip
        while True:
            known = [Finalist(trial, self.costs(trial.choice)) for trial in finished]
            kept = [each for each in known if self.budget.excess(each.cost) <= 0]
            found = front(kept, lambda each: each.values)
            todo = [each.trial.choice for each in found if not each.cost.measured][:BUILDS_A_TIME]
            built = len(self.costs.proofs) - before
            told(built)
            if not todo or built >= MOST_BUILDS:
                break
            self.costs.measure(todo)
        measured = front([each for each in kept if each.cost.measured], lambda each: each.values)
        if not measured:
            raise impossible(self.budget, self.costs)
        return measured


def impossible(budget: Budget, costs: Costs) -> TargetError:
    """Nothing keeps the limits; what the smallest programs take."""
    reached = "; ".join(
        f"as {precision} {proof.flash_bytes:,} bytes flash, {proof.ram_bytes:,} bytes RAM and {proof.instructions:,} "
        f"instructions (hidden layers: {','.join(map(str, hidden)) or 'none'})"
        for (hidden, _, precision), proof in _smallest(costs).items()
    )
    return TargetError(
        f"some network keeps the limits ({budget})",
        received=f"the smallest figures that were reached: {reached}",
        remedy="wider limits, fewer columns (drop, --drop), or another chip (--for)",
    )


def _smallest(costs: Costs) -> dict[Structure, Proof]:
    """Of each precision, the measured program that takes the least flash, and the one of the fewest instructions."""
    found = {}
    for precision in dict.fromkeys(structure[2] for structure in costs.proofs):
        own = {s: proof for s, proof in costs.proofs.items() if s[2] == precision}
        for figure in ("flash_bytes", "instructions"):
            least = min(own, key=lambda s: getattr(own[s], figure))
            found[least] = own[least]
    return found


def smallest(costs: Costs, budget: Budget, choices: Sequence[Choice]) -> Choice:
    """The first of these, all measured, that keeps the limits.

    Raises:
        TargetError: none does.
    """
    for choice in choices:
        if budget.excess(costs(choice)) <= 0:
            return choice
    raise impossible(budget, costs)
