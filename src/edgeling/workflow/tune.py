# SPDX-License-Identifier: Apache-2.0
"""``edgeling.tune``: search for the networks that are worth having on a device, and train the best of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path, PurePath
from time import monotonic
from typing import Any, Unpack

import numpy as np

from edgeling.data import Preparation, Reading, ReadingOptions, Table, Task, table_and_target, table_stem
from edgeling.data.balance import Balance
from edgeling.errors import GraphError, TargetError, UnsupportedError
from edgeling.report.parts import plural
from edgeling.report.tuning import SearchPoint, SearchSummary, SettingWorth
from edgeling.toolchain.tools import require_tools
from edgeling.workflow.balancing import require_classes
from edgeling.workflow.deploy import AUTO, identifier
from edgeling.workflow.division import Division, asked_roles, divided
from edgeling.workflow.learn import balanced_problem
from edgeling.workflow.notebook_progress import usual_progress
from edgeling.workflow.problem import Problem
from edgeling.workflow.progress import Progress
from edgeling.workflow.recipes import hidden_sizes
from edgeling.workflow.settings import ClassWeight, PrecisionChoice, Settings, Threshold
from edgeling.workflow.train import Trained, train
from edgeling.workflow.tuning.costs import Budget, ChipCost, Costs
from edgeling.workflow.tuning.folds import Folds, folded
from edgeling.workflow.tuning.front import worth
from edgeling.workflow.tuning.journal import TuneJournal, about
from edgeling.workflow.tuning.options import TuneOptions
from edgeling.workflow.tuning.proposals import Proposer, TunedTrial, optuna
from edgeling.workflow.tuning.search import Finalist, Search, smallest
from edgeling.workflow.tuning.space import BATCHES, WIDTHS, Choice, SearchSpace
from edgeling.workflow.tuning.workers import workers_for

_UNENDING = 1 << 31
_MOST_TRAININGS = 3  # until what was trained keeps the limits that its twin of the search kept


class TunedSettings(ReadingOptions, total=False):
    """What :func:`edgeling.tune` hands on to :func:`edgeling.train`: its settings but those that are searched."""

    task: Task | None
    precision: PrecisionChoice
    seed: int
    balance: Balance
    class_weight: ClassWeight
    threshold: Threshold
    positive: str | None
    drop: Sequence[str] | str
    columns: Sequence[str] | str
    categorical: Sequence[str] | str
    numeric: Sequence[str] | str
    split: str
    test: Any
    importance: bool
    compiler: str
    recipe: str
    refit: bool


@dataclass(frozen=True, eq=False)
class Tuned:
    """What a search found.

    Attributes:
        trained: the chosen network, trained and proven as :func:`edgeling.train` does it; ``edgeling.save`` writes it.
        chosen: which of the front that is.
        front: networks that no other beats in score, flash and instructions at once, best score first: all built, run
            on the target, and within the limits.
        trials: all of them, in order.
        budget: the limits.
        interrupted: Ctrl-C ended the search.
        journal: the file that the search can go on from; None if none was kept.
    """

    trained: Trained
    chosen: Finalist
    front: tuple[Finalist, ...]
    trials: tuple[TunedTrial, ...]
    budget: Budget
    interrupted: bool
    journal: Path | None

    def _repr_html_(self) -> str:
        from edgeling.workflow.shown import tuned_card

        return tuned_card(self)

    @property
    def summary(self) -> SearchSummary:
        """For people and the report."""
        assert self.trained.search
        return self.trained.search

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        numbers = {"interrupted": self.interrupted, "journal": self.journal}
        return {**self.summary.to_json(), "budget": dict(vars(self.budget)), **numbers}


def tune(
    data: Any, target: Any, *,
    targets: str | Sequence[str] = "cortex-m4", flash_bytes: int | None = None, ram_bytes: int | None = None,
    instructions: int | None = None, trials: int | None = None, seconds: float | None = None, sampler: str = "tpe",
    workers: int | None = None, ray: str = "", journal: str | Path | None = None, restart: bool = False,
    metric: str = "auto",
    name: str = "", progress: Progress | None = None, keep_interrupted: bool = False,
    **how: Unpack[TunedSettings],
) -> Tuned:  # fmt: skip
    """Search widths, depth, activation, learning rate, batch, weight decay and precision under a device's limits.

    Choices are compared by cross-validation on the rows that learn and validate; the network of the best score within
    the limits is then trained as :func:`edgeling.train` does it, and judged on the other rows.

    Args:
        data, target: as for :func:`edgeling.train`.
        targets: the chip; one whose costs are counted.
        flash_bytes, ram_bytes, instructions: the limits: of the program, of its RAM without the stack, of one
            inference. None: the chip's own memory, any number.
        trials, seconds: when to stop searching, whichever comes first; by default after 100 trials.
        sampler: of Optuna's, "tpe" or "random".
        workers: processes that train trials, by default this one; of a Ray cluster by default as many as it has CPUs.
        ray: the address of a Ray cluster that trains them instead, or "local".
        journal: a file that keeps the trials; if it is there, the search goes on from it.
        restart: begin anew, whatever the journal holds.
        metric: what networks are compared by: "accuracy", "average_precision" or "log_loss" of classes, "r2" of
            numbers; "auto": accuracy or R², and where rare classes count (``balance``, ``class_weight``, a threshold
            that is chosen) average precision.
        name, progress: as for :func:`edgeling.train`.
        keep_interrupted: after Ctrl-C in the search, go on with the best so far, if there is one.
        how: the other arguments of :func:`edgeling.train`. ``precision="auto"`` searches float32 and int8; ``seed``
            repeats a search, whatever the number of workers.

    Raises:
        TargetError: no network keeps the limits; the message has the smallest figures that were reached.
        UnsupportedError: Optuna (or Ray) is not installed; a setting of another kind, or out of range.
        ArtifactError: the journal is of another search.
        ToolchainError: the chip's compiler or emulator is not installed (``edgeling[targets]``).
        DataError, TrainingError, CompilerNotFoundError, KeyboardInterrupt: as :func:`edgeling.train`.
    """
    options = TuneOptions(
        targets, flash_bytes, ram_bytes, instructions, trials, seconds, sampler, workers, ray, journal, restart, metric
    )
    require_tools(options.chip)
    return _tune(data, target, name, options, dict(how), progress or usual_progress(), keep_interrupted)


def _tune(
    data: Any, target: Any, name: str, options: TuneOptions, how: dict[str, Any], progress: Progress, keep: bool
) -> Tuned:
    ends = options.ends(monotonic())
    optuna()
    known = {field.name for field in fields(Settings)}
    reading = {key: how.pop(key) for key in list(how) if key not in known}
    settings = Settings(**{**how, "targets": ("native", options.chip.name), "kernels": options.chip.name})
    with progress.stage("Reading the table") as stage:
        table, target = table_and_target(data, target, Reading(**reading), asked_roles(settings))
        folds, shape = _folds(table, target, settings, Reading(**reading), options.metric)
        stage.done(shape)
    if settings.balance == "auto":
        progress.note(f"Classes are balanced by {folds.settings.balance!r}, as rows left out say.")
        how = {**how, "balance": folds.settings.balance, "threshold": folds.settings.threshold}
    search, costs = _searched(folds, options, ends, progress)
    if search.interrupted and not keep:
        raise KeyboardInterrupt
    front = _front(search, progress)
    is_file = isinstance(data, str | PurePath)
    label = identifier(name or (table_stem(data) if is_file else "model"))
    given = {
        **how,
        "targets": settings.targets,
        "kernels": settings.kernels,
        "name": label,
        "progress": progress,
        "keep_interrupted": keep,
    }
    chosen, trained = _trained(table, target, front, options.budget, {**given, **reading})
    summary = _summary(search, front, chosen, folds, options, costs.error())
    trained = replace(trained, source=str(data) if is_file else trained.source, search=summary)
    journal = None if options.journal is None else Path(options.journal)
    return Tuned(
        trained, chosen, tuple(front), tuple(search.done), options.budget, search.interrupted, journal
    )  # fmt: skip


def _folds(
    table: Table, target: str, settings: Settings, reading: Reading, metric: str = "auto"
) -> tuple[Folds, str]:  # fmt: skip
    """The rows to search on, and for people what they are."""
    division = divided(table, target, settings, reading)
    checked = division.check
    others = tuple(column for column in table.names if column != target)
    parts = [division.parts.train, division.parts.validation] if settings.refit else [division.parts.train]
    preparation = Preparation.fit(checked, np.concatenate(parts), reading, others)
    if settings.balance == "auto":
        settings = _balanced(Problem.of(checked, preparation, settings), division)
    shape = f"{plural(checked.table.rows, 'row')}, {plural(len(checked.features), 'column')}, {checked.task}"
    return folded(division, preparation, settings, metric), shape


def _balanced(problem: Problem, division: Division) -> Settings:
    """The settings with the way to balance that rows left out tell, and the threshold that goes with it."""
    require_classes(problem.settings, problem.preparation)
    chosen, _ = balanced_problem(problem, division.parts, Progress(), division.units)
    return chosen.settings


def _searched(folds: Folds, options: TuneOptions, ends: float, progress: Progress) -> tuple[Search, Costs]:
    """Measure where costs begin, then search."""
    costs, budget = Costs(folds, options.chip), options.budget
    path = None if options.journal is None else Path(options.journal)
    journal = TuneJournal(path, about(folds, options.chip, budget, options.sampler), options.restart)
    with progress.stage(f"Measuring on {options.chip.name}") as stage:
        space, least = _space(folds, costs, budget)
        stage.done(f"{plural(len(costs.proofs), 'program')} built and run, to estimate the others by")
    first = [
        choice
        for choice in space.ladder(folds.recipes[0].learning_rate, 2 * _usual_width(folds))
        if _nearly(costs, budget, choice)
    ]
    with workers_for(folds, space, options.workers, options.ray) as workers:
        proposer = Proposer(space, costs, budget, least, first, options.sampler, folds.settings.seed)
        search = Search(proposer, costs, budget, journal, workers, [])
        with progress.searching(options.most_trials) as line:
            search.run(options.most_trials or _UNENDING, ends, line)
    if search.interrupted:
        told = f"{plural(len(search.done), 'trial')} kept"
        again = "; the same command goes on from there" if options.journal else ""
        progress.note(f"Stopped by Ctrl-C: {told}{again}. Going on with the best of them; Ctrl-C again gives up.")
    return search, costs


def _usual_width(folds: Folds) -> int:
    return max(hidden_sizes(folds.preparation, len(folds.y)))


def _nearly(costs: Costs, budget: Budget, choice: Choice) -> bool:
    return budget.excess(costs(choice)) <= 0


def _space(folds: Folds, costs: Costs, budget: Budget) -> tuple[SearchSpace, Choice]:
    """What is searched for these rows and limits, and a choice that keeps them."""
    usual = folds.settings
    batch, wide = folds.recipes[0].batch_size, _usual_width(folds)
    batch = batch if len(folds.y) < 2000 else max(batch, 64)
    precisions = AUTO if usual.precision == "auto" else (usual.precision,)
    recipes = tuple(dict.fromkeys(each.name for each in folds.recipes))
    space = SearchSpace(WIDTHS, tuple(batch * factor for factor in BATCHES), precisions, recipes)
    begun = [Choice(hidden, "relu", 0.01, batch, 0.0, p) for p in precisions for hidden in ((), (1,), (wide,))]
    try:
        costs.measure(begun)
    except (GraphError, UnsupportedError):  # numbers near the ends of float32 have no int8 scale
        if usual.precision != "auto":
            raise
        space, begun = replace(space, precisions=("float32",)), [c for c in begun if c.precision == "float32"]
        costs.measure(begun)
    least = smallest(costs, budget, begun)
    widths = tuple(width for width in WIDTHS if width <= max(2 * wide, 32) and _some_fits(costs, budget, space, width))
    return replace(space, widths=widths), least


def _some_fits(costs: Costs, budget: Budget, space: SearchSpace, width: int) -> bool:
    layer = Choice((width,), "relu", 0.01, space.batches[0], 0.0, "float32")
    return any(budget.excess(costs(replace(layer, precision=p))) <= 0 for p in space.precisions)


def _front(search: Search, progress: Progress) -> list[Finalist]:
    with progress.stage("Building the finalists") as stage:
        built = 0

        def count(number: int) -> None:
            nonlocal built
            built = number

        front = search.candidates(count)
        stage.done(f"{plural(built, 'program')} built and run; {len(front)} on the front")
    return front


def _trained(
    table: Table, target: str, front: Sequence[Finalist], budget: Budget, how: Mapping[str, Any]
) -> tuple[Finalist, Trained]:
    """Train the best of the front; where what came out exceeds a limit that its twin kept, the next.

    Raises:
        TargetError: neither of the first keeps the limits.
    """
    excess = ""
    for candidate in front[:_MOST_TRAININGS]:
        trained = train(table, target, **{**how, **vars(candidate.trial.choice)})
        proof = trained.proofs[trained.pipeline.precision][how["targets"][-1]]
        taken = ChipCost(proof.flash_bytes or 0, proof.ram_bytes or 0, proof.instructions or 0, measured=True)
        if budget.excess(taken) <= 0:
            return candidate, trained
        excess = (
            f"{taken.flash_bytes:,} bytes flash, {taken.ram_bytes:,} bytes RAM, {taken.instructions:,} instructions"
        )
    raise TargetError(
        f"the trained network keeps the limits ({budget})",
        received=excess,
        remedy="slightly wider limits, or --restart",
    )


def _summary(
    search: Search, front: Sequence[Finalist], chosen: Finalist, folds: Folds, options: TuneOptions,
    error: float | None,
) -> SearchSummary:  # fmt: skip
    finished = search.finished()
    standing = {(each.trial.number, each.trial.choice.precision) for each in front}
    others = [Finalist(t, search.costs(t.choice)) for t in finished if (t.number, t.choice.precision) not in standing]
    given = replace(options.budget) if any((options.flash_bytes, options.ram_bytes, options.instructions)) else None
    return SearchSummary(
        metric="neg_log_loss" if folds.metric == "log_loss" else folds.metric,
        target=options.chip.name,
        limits=str(given) if given else "",
        trials=len(search.done),
        pruned=sum(trial.result.pruned for trial in search.done),
        front=tuple(_point(each, each is chosen) for each in front),
        others=tuple(map(_point, others)),
        worth=tuple(_worth(finished)),
        estimate_error=error,
    )


def _point(candidate: Finalist, chosen: bool = False) -> SearchPoint:
    result = candidate.trial.result
    settings = candidate.trial.choice.to_json()
    return SearchPoint(settings, result.score, result.spread, **vars(candidate.cost), chosen=chosen)


def _worth(finished: Sequence[TunedTrial]) -> Iterator[SettingWorth]:
    settings = [_settings_of(trial.choice) for trial in finished]
    for each in worth(settings, [trial.result.score for trial in finished]):
        yield SettingWorth(each.name, each.share, each.levels)


def _settings_of(choice: Choice) -> dict[str, Any]:
    """What was chosen, in terms that stand for themselves."""
    return {
        "layers": len(choice.hidden),
        "units": sum(choice.hidden),
        "activation": choice.activation if choice.hidden else "no hidden layer",
        "learning rate": choice.learning_rate,
        "batch size": choice.batch_size,
        "weight decay": choice.weight_decay,
        "precision": choice.precision,
        "recipe": choice.recipe,
    }
