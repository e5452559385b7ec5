# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a table or with what was learned from it: the findings of ``edgeling train``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from edgeling.callbacks import Diagnose
from edgeling.data import Column, Preparation
from edgeling.diagnosis import Finding, ranked, tables
from edgeling.errors import TrainingError
from edgeling.graph.types import Array
from edgeling.workflow.answering import Answering
from edgeling.workflow.division import Division
from edgeling.workflow.settings import Settings

_OF_ARRAYS = ("leaking_column", "duplicates_across", "unscaled_inputs", "unscaled_targets")
"""Told of the table itself, by its columns' names; scaled it is by the preparation."""


def network_diagnosis(labels: Sequence[str]) -> Diagnose:
    """The callback that watches the first fit of a network."""
    return Diagnose(verbose=0, class_names=labels)


def later_diagnosis(labels: Sequence[str]) -> Later:
    """The callback that watches the first fit of what is compared."""
    return Later(verbose=0, class_names=labels)


class Later(Diagnose):
    """Watches a fit, and says nothing of it before it is asked: of what is compared one alone is deployed. Nothing is
    tried again: that would take longer than the comparison, which was trying other ways already."""

    retries = False

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        pass

    def concluded(self) -> tuple[Finding, ...]:
        """What was found of the fit, which costs what it costs now."""
        super().on_train_end()
        return self.findings


def explained(error: TrainingError, asked: Diagnose) -> TrainingError:
    """An error of training with what was found of its cause."""
    if not asked.findings:
        return error
    first = asked.findings[0]
    return TrainingError(error.rule, received=f"{error.received}; {first.seen}", remedy=first.advice)


def run_findings(
    division: Division, preparation: Preparation, settings: Settings, of_network: Sequence[Finding], behind: Answering
) -> tuple[Finding, ...]:
    """Everything that is wrong, the worst cause first.

    Args:
        of_network: what was found of the fit, which is judged by the likelier class.
        behind: whose decision counts in its place, where one was asked for.
    """
    told_otherwise = {*_OF_ARRAYS, *(["class_imbalance"] if behind.chosen_by else [])}
    kept = [finding for finding in of_network if finding.name not in told_otherwise]
    if behind.chosen_by and behind.unseen is not None:
        labels = division.check.labels
        kept += tables.imbalance(behind.unseen.truth, behind.chosen, len(labels), labels)
    later = settings.division[0] == "time" or settings.test is not None  # rows that may be of another time
    with np.errstate(all="ignore"):
        return ranked([*_of_table(division, preparation, later), *kept])


def _of_table(division: Division, preparation: Preparation, later: bool) -> Iterator[Finding]:
    checked, parts = division.check, division.parts
    learned = np.concatenate([parts.train, parts.validation])
    truth = checked.table.column(checked.target).values if checked.codes is None else checked.codes
    names = [name for name in checked.features if name in preparation.names]
    columns = {name: _filled(checked.table.column(name)) for name in names}
    known = {name: values[learned] for name, values in columns.items()}
    yield from tables.giving_away(known, truth[learned], len(checked.labels))
    if not division.test.rows:
        return
    raw = preparation.transform(checked.table.take(learned)), preparation.transform(division.test)
    answers = preparation.encode_target(checked.table.take(learned)), preparation.encode_target(division.test)
    yield from tables.copies(raw[0], answers[0], raw[1], answers[1], "test")
    if later:
        numbers = [name for name in names if checked.table.column(name).categories is None]
        after = {name: _filled(division.test.column(name)) for name in numbers}
        yield from tables.drift(known, after, "test")


def _filled(column: Column) -> Array:
    """Its values, a missing one the mean; of a category one below the first."""
    values = np.array(column.values, np.float64)
    missing = np.asarray(column.missing)
    if missing.any():
        fill = -1.0 if column.categories is not None or missing.all() else float(values[~missing].mean())
        values[missing] = fill
    return values
