# SPDX-License-Identifier: Apache-2.0
"""How few columns suffice: ``edgeling.select``. Each column left out is a sensor saved.

Columns are left out one after the other, the least important first, within each of several divisions of the rows: so
the rows that judge a set of columns had no part in choosing it (scikit-learn's ``RFECV``; Guyon et al., "Gene selection
for cancer classification", 2002).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePath
from typing import Any, Unpack

import numpy as np

from edgeling import targets
from edgeling.data import Preparation, Reading, ReadingOptions, TableCheck, Task, table_and_target, table_stem
from edgeling.data.scores import accuracy, r2_score
from edgeling.errors import DataError, UnsupportedError
from edgeling.explaining import permutation_importance
from edgeling.explaining.selection import ColumnSelection, ColumnStep
from edgeling.graph import Graph
from edgeling.graph.types import Array
from edgeling.network.network import inference_graph
from edgeling.report.parts import plural
from edgeling.targets import Target
from edgeling.toolchain.predictor import Predictor, compiled
from edgeling.toolchain.tools import require_tools
from edgeling.workflow.deploy import PROOF_ROWS, deployable, identifier
from edgeling.workflow.division import Division, asked_roles, divided
from edgeling.workflow.fitting import fit_network
from edgeling.workflow.notebook_progress import usual_progress
from edgeling.workflow.pipeline import interface_for, shares, whole_graph
from edgeling.workflow.problem import Problem
from edgeling.workflow.progress import Progress
from edgeling.workflow.recipes import recipes_for
from edgeling.workflow.settings import Settings

MOST_SPLITS = 50
_ONE_BY_ONE = 12  # from so many columns on down, one is left out at a time; above, a quarter
_REPEATS = 5
_LEAST_SHARE = 1e-7
PRECISIONS = ("float32", "int8")

Way = list[tuple[tuple[str, ...], float]]
"""Of one division: the columns left, the most important first, and their score; from all to one."""


def select(
    data: Any, target: Any, *, splits: int = 5, device: str = "cortex-m4", precision: str = "float32",
    task: Task | None = None, columns: Sequence[str] | str = (), drop: Sequence[str] | str = (),
    categorical: Sequence[str] | str = (), numeric: Sequence[str] | str = (), split: str = "random",
    hidden: Sequence[int] | int | None = None, seed: int = 0, progress: Progress | None = None,
    **reading: Unpack[ReadingOptions],
) -> ColumnSelection:  # fmt: skip
    """Find how few columns of a table suffice to predict one of them, and what each number of them takes on a device.

    Args:
        data: as :func:`edgeling.train` takes it.
        target: the column to predict.
        splits: divisions of the rows; over them the spread is told. Of rows divided by time there is one.
        device: one of ``edgeling targets``.
        precision: "float32" or "int8", of the programs measured.
        task, columns, drop, categorical, numeric, split, hidden, reading: as :func:`edgeling.train` takes them.
        seed: of the first division; the others count on from it.
        progress: is told of every stage.

    Returns:
        The score of each number of columns with its spread, flash and instructions, and the set recommended.

    Raises:
        DataError: the table cannot be learned from.
        UnsupportedError, TargetError: a setting of another kind, no such device.
        ToolchainError: the device's compiler or emulator is not installed (``edgeling[targets]``).

    Example:
        >>> edgeling.select("flowers.csv", "species").recommended  # doctest: +SKIP
    """
    if not isinstance(splits, int) or isinstance(splits, bool) or not 1 <= splits <= MOST_SPLITS:
        raise UnsupportedError(
            f"splits is a whole number between 1 and {MOST_SPLITS}", received=repr(splits), remedy="splits=10"
        )
    if precision not in PRECISIONS:
        raise UnsupportedError(
            f"precision is one of {', '.join(PRECISIONS)}", received=repr(precision),
            remedy=f"precision={PRECISIONS[0]!r}",
        )  # fmt: skip
    chip = targets.get(device)
    require_tools(chip)
    settings = Settings(
        task=task, hidden=hidden, seed=seed, targets=(), columns=columns, drop=drop,  # type: ignore[arg-type]
        categorical=categorical, numeric=numeric, split=split,  # type: ignore[arg-type]
    )  # fmt: skip
    name = identifier(table_stem(data) if isinstance(data, str | PurePath) else "model")
    how = Reading(**reading)  # type: ignore[arg-type]
    return _select(data, target, name, settings, how, chip, precision, splits, progress or usual_progress())


def _select(
    data: Any, target: Any, name: str, settings: Settings, reading: Reading, chip: Target, precision: str, splits: int,
    progress: Progress,
) -> ColumnSelection:  # fmt: skip
    with progress.stage("Reading the table") as stage:
        table, target = table_and_target(data, target, reading, asked_roles(settings))
        first = divided(table, target, settings, reading)
        stage.done(f"{plural(first.check.table.rows, 'row')}, {plural(len(first.check.features), 'column')}")
    seeds = [settings.seed] if settings.division[0] == "time" else range(settings.seed, settings.seed + splits)
    ways: list[Way] = []
    for seed in seeds:
        with progress.stage(f"Division {len(ways) + 1} of {len(seeds)}") as stage:
            own = replace(settings, seed=seed % 2**32)
            ways.append(_Elimination(divided(table, target, own, reading), own).run())
            stage.done(", ".join(f"{len(names)}: {_told(first.check, score)}" for names, score in ways[-1])[-60:])
    order = _order([dict.fromkeys(name for names, _ in reversed(way) for name in names) for way in ways])
    counts = sorted({len(names) for way in ways for names, _ in way})
    with progress.stage(f"Measuring on {chip.name}") as stage:
        steps = tuple(_step(order[:n], ways, first, settings, chip, precision, name) for n in counts)
        stage.done(plural(len(steps), "program"))
    metric = "accuracy" if first.check.labels else "r2"
    return ColumnSelection(
        name, first.check.task, first.check.target, steps, metric, chip.name, precision, first.check.warnings
    )


def _told(checked: TableCheck, score: float) -> str:
    return f"{score:.1%}" if checked.labels else f"{score:.3f}"


def _order(stays: Sequence[Mapping[str, None]]) -> tuple[str, ...]:
    """Columns by how long they stay, mean over the divisions; a column some division could not use counts as gone
    first."""
    names = list(dict.fromkeys(name for each in stays for name in each))
    places = [{name: at for at, name in enumerate(each)} for each in stays]
    mean = {name: np.mean([place.get(name, len(names)) for place in places]) for name in names}
    return tuple(sorted(names, key=lambda name: mean[name]))


def _step(
    names: tuple[str, ...], ways: Sequence[Way], first: Division, settings: Settings, chip: Target, precision: str,
    name: str,
) -> ColumnStep:  # fmt: skip
    scores = [score for way in ways for columns, score in way if len(columns) == len(names)]
    network = _Network(first, names, settings)
    costs = network.costs(chip, precision, name)
    return ColumnStep(names, np.array(scores), **costs)


class _Network:
    """A network of some of a table's columns, trained on the rows that learn."""

    def __init__(self, division: Division, names: Sequence[str], settings: Settings) -> None:
        checked = division.check
        kept = tuple(c if c.name in names else replace(c, dropped=c.dropped or "left out") for c in checked.columns)
        self.check, self._division = replace(checked, columns=kept), division
        self.preparation = Preparation.fit(self.check, division.parts.train)
        problem, parts = Problem.of(self.check, self.preparation, settings), division.parts
        fitted = fit_network(problem, recipes_for(problem)[0], parts.train, parts.validation, Progress())
        self._network: Graph = inference_graph(fitted.network)
        self.graph = whole_graph("selected", self.preparation, self._network)
        self.predict = Predictor(self.graph, partial(compiled, self.graph, "selected"))

    def rows(self, chosen: Array) -> tuple[Array, Array]:
        """Raw vectors and answers of some rows."""
        table = self.check.table.take(chosen)
        encoded = self.preparation.encode_target(table)
        target = self.preparation.target
        truth = encoded if target.labels else table.column(target.name).values.astype(np.float64)
        return self.preparation.transform(table), truth

    def score(self, chosen: Array) -> float:
        """Accuracy or R² on some rows."""
        raw, truth = self.rows(chosen)
        answers = self.predict(raw)
        return (
            accuracy(truth, self.preparation.target.decision.choose(answers))
            if self.check.labels
            else r2_score(truth, answers[:, 0])
        )

    def ranked(self) -> tuple[str, ...]:
        """Its columns by how much worse the loss gets where one is shuffled, on the rows that validate."""
        parts = self._division.parts
        raw, truth = self.rows(parts.validation if len(parts.validation) else parts.train)
        found = permutation_importance(
            self.predict, raw, truth, self.preparation.names, _gain(bool(self.check.labels)), repeats=_REPEATS
        )
        return tuple(found.feature_names[i] for i in found.ranking)

    def costs(self, chip: Target, precision: str, name: str) -> dict[str, int | None]:
        """What its program takes on a chip."""
        learned, _ = self.rows(self._division.parts.train)
        graph = whole_graph(name, self.preparation, self._network)
        rows, told = learned[:PROOF_ROWS], interface_for(self.preparation)
        deployed = deployable(name, graph, rows, learned[:1024], (precision,), told).for_target(chip)
        proof = deployed.for_emulation(precision, chip).prove(precision, chip)
        return {key: getattr(proof, key) for key in ("flash_bytes", "ram_bytes", "instructions")}


def _gain(classes: bool) -> Callable[[Array, Array], float]:
    def minus_log_loss(truth: Array, answers: Array) -> float:
        told = shares(answers)[np.arange(len(truth)), truth]
        return float(np.mean(np.log(np.maximum(told, _LEAST_SHARE))))

    return minus_log_loss if classes else lambda truth, answers: -float(np.mean(np.square(truth - answers[:, 0])))


class _Elimination:
    """Columns left out one after the other, within one division."""

    def __init__(self, division: Division, settings: Settings) -> None:
        self._division, self._settings = division, settings
        if not len(division.parts.test):
            raise DataError("some rows judge", received="none", remedy="more rows")

    def run(self) -> Way:
        names, found = tuple(self._division.check.features), []
        while True:
            network = _Network(self._division, names, self._settings)
            ranked = network.ranked()
            found.append((ranked, network.score(self._division.parts.test)))
            if len(ranked) == 1:
                return found
            names = ranked[: next_count(len(ranked))]


def next_count(columns: int) -> int:
    """How many columns are left after so many: one fewer, of very many a quarter fewer."""
    return columns - 1 if columns <= _ONE_BY_ONE else max(_ONE_BY_ONE, columns * 3 // 4)
