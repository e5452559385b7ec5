# SPDX-License-Identifier: Apache-2.0
"""A callback that says what is wrong with a fit and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import numpy as np

from edgeling.callbacks.core import Callback, Logs
from edgeling.callbacks.outputs import FitOutput, inputs_of, outputs_of
from edgeling.callbacks.rates_used import RatesUsed
from edgeling.callbacks.retrying import Retries, some_of
from edgeling.diagnosis import Finding, layers
from edgeling.diagnosis.fitting_loss import NUMBERS, Output, of_output, of_targets
from edgeling.diagnosis.relation import some
from edgeling.diagnosis.skill import Skill, constants_for, decided, labels_of, skill
from edgeling.diagnosis.verdict import Alteration, Evidence, Look, findings
from edgeling.errors import UnsupportedError
from edgeling.graph import run, run_rows
from edgeling.graph.types import Array, Graph
from edgeling.training.engine import TrainingData
from edgeling.training.graphs import Objective, backward

MOST_ROWS = 2000  # looked at after a fit
LOOKED_AT = 256  # rows whose way through the layers is looked at
_OF_INPUTS = {"unscaled_inputs", "duplicates_across"}  # whatever the output


@dataclass(frozen=True, eq=False)
class FitRows:
    """What ``fit`` was given: for callbacks that have ``set_rows``.

    Attributes:
        rows: those learned from; of batches that come one by one, the first.
        validation: rows, or None (also of batches).
    """

    rows: TrainingData
    validation: Any
    batch_size: int
    objective: Objective
    loss: Any


class Diagnose(Callback):
    """Says after a fit what is wrong with it and what to do: see docs/diagnosis.md.

    Nothing is computed before the fit has ended, and after a healthy one little: predictions of at most 2,000 rows. One
    that learned less than it may have is tried again, shortly, with one thing changed at a time; the model, and what
    random seeds come next, are left as they are.

    Of several outputs each is looked at by itself, and a finding says of which it is; sequences and pictures are left
    alone.

    Args:
        verbose: 1 prints the findings on standard error, 0 nothing.
        column_names, class_names: for the sentences; positions by default.

    Attributes:
        findings: the worst cause first; none where nothing was found. Of the last fit.
    """

    retries: ClassVar[bool] = True

    def __init__(
        self, verbose: int = 1, column_names: Sequence[str] = (), class_names: Sequence[str] = ()
    ) -> None:  # fmt: skip
        super().__init__()
        self.verbose = verbose
        self.column_names, self.class_names = _texts("column_names", column_names), _texts("class_names", class_names)
        self.findings: tuple[Finding, ...] = ()
        self._given: FitRows | None = None

    def set_rows(self, given: FitRows) -> None:
        """Called by ``fit`` before training begins."""
        self._given = given

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.findings, self._first = (), self.model.get_weights()
        self._rates = RatesUsed()
        self._losses: list[float] = []
        self._trained: list[float] = []
        self._steps_before = self.model.optimizer.iterations

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._trained.append(float((logs or {}).get("loss", np.nan)))
        if logs and "val_loss" in logs:
            self._losses.append(float(logs["val_loss"]))

    def on_rates(self, rates: Array, batches: int) -> None:
        """Called by ``fit`` with the learning rates of the batches that come next."""
        self._rates.add(rates, batches)

    def on_divergence(self, epoch: int) -> None:
        """Called by ``fit`` when a loss is not finite, before it says so."""
        self._conclude(finite=False)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if not self.findings:
            self._conclude(finite=True)

    def _conclude(self, *, finite: bool) -> None:
        given, self._given = self._given, None
        if given is None:
            return
        with np.errstate(all="ignore"):
            each = {
                output.label: _Examined(self, given, finite, output).findings()
                for output in outputs_of(self.model, given.objective, given.loss)
            }
        self.findings = _together(each)
        if self.verbose and self.findings:
            print("\n".join(f"{f.severity}: {f}" for f in self.findings), file=sys.stderr)


def _together(found: Mapping[str, Sequence[Finding]]) -> tuple[Finding, ...]:
    """What was found of each output, by what it goes by (errors first); of inputs once."""
    told: dict[Any, Finding] = {}
    for label, those in found.items():
        for finding in those:
            of_inputs = finding.name in _OF_INPUTS or not label
            named = finding if of_inputs else replace(finding, seen=f"output {label!r}: {finding.seen}")
            told.setdefault(finding.name if of_inputs else (label, finding.name), named)
    return tuple(sorted(told.values(), key=lambda finding: finding.severity != "error"))


class _Examined:
    """One output of a fit, looked at."""

    def __init__(self, asked: Diagnose, given: FitRows, finite: bool, output: FitOutput) -> None:
        self._asked, self._given, self._finite = asked, given, finite
        self._model = asked.model._made_for(given.rows)
        self._network, self._of = self._model._as_network(), output
        self._graph = output.graph(self._model)
        self._first = dict(zip(self._network.names.values(), asked._first, strict=True))
        self._rows = output.rows(some_of(given.rows, MOST_ROWS))
        self._loss = output.loss
        self._logits = bool(getattr(self._loss, "from_logits", False))
        self._output = Output.of(self._graph, self._loss)
        self._classes = self._count_classes()

    def findings(self) -> tuple[Finding, ...]:
        held = self._given.validation
        alike = isinstance(held, TrainingData) and held.rows == self._given.rows.rows
        kept = self._of.rows(some_of(held, MOST_ROWS)) if isinstance(held, TrainingData) and alike else None
        misfits = [*of_output(self._output), *of_targets(self._output, self._rows.y)]
        if misfits:
            return tuple(misfits[:1])
        return findings(self._evidence(kept))

    def _evidence(self, held: TrainingData | None) -> Evidence:
        asked, optimizer = self._asked, self._model.optimizer
        answers = self._answers(self._rows.x)
        truth = self._truth(self._rows.y)
        at_end = None if held is None or not self._finite else self._skill(held)
        done = optimizer.iterations - asked._steps_before
        per_epoch = -(-len(self._given.rows.x) // self._given.batch_size)
        asked_for = per_epoch * int(asked.params.get("epochs", 1))  # of one that ended at once, what it was to do
        steps = max(done if self._finite else asked_for, per_epoch)
        apart = some_of(self._given.validation, MOST_ROWS) if held is not None else None
        judge = (self._skill_of, self._of)
        retries = Retries(self._model, self._given, apart, asked._first, steps, asked._rates, *judge)
        return Evidence(
            x=self._rows.x, y=truth, classes=self._classes,
            skill=self._skill(self._rows, answers) if self._finite else None, held=at_end,
            best_held=(min(asked._losses), at_end.loss) if at_end and asked._losses else None,
            residuals=self._residuals(truth, answers), chosen=self._chosen(answers),
            steps=done, rate=asked._rates.largest, usual_rate=_usual_rate(optimizer),
            weights=self._model.count_params(), look=cache(self._look),
            retry=cache(retries) if asked.retries else _never,
            losses=asked._trained, held_rows=None if held is None else (held.x, self._truth(held.y)),
            class_names=asked.class_names, column_names=asked.column_names, scaled_inside=self._is_scaled_inside(),
        )  # fmt: skip

    def _count_classes(self) -> int:
        """Of targets that are classes; 0 of numbers, and of several yes or no answers a row."""
        y, units = self._of.rows(self._given.rows).y, self._output.units
        if self._loss.sparse:
            return units
        ones = np.isin(y, (0, 1)).all()
        if units == 1:
            return 2 if ones and self._loss.function not in NUMBERS else 0
        return units if ones and (y.sum(axis=1) == 1).all() else 0

    def _truth(self, y: Array) -> Array:
        return labels_of(y) if self._classes else y

    def _chosen(self, answers: Array) -> Array:
        return decided(answers, self._logits) if self._classes else np.empty(0, int)

    def _residuals(self, truth: Array, answers: Array) -> Array:
        if not self._classes:
            return np.asarray(truth, np.float64) - answers
        return (decided(answers, self._logits) != truth)[:, None] if self._logits else (
            np.eye(max(2, self._classes))[truth][:, -answers.shape[1]:] - answers
        )  # fmt: skip

    def _answers(self, x: Array, graph: Graph | None = None) -> Array:
        return run_rows(graph or self._graph, *inputs_of(self._model, x))[0].reshape(len(x), -1)

    def _skill_of(self, data: TrainingData, model: Any) -> Skill:
        """Of another model's answers, of the same outputs."""
        return self._skill(self._of.rows(data), self._answers(data.x, self._of.graph(model)))

    def _skill(self, rows: TrainingData, answers: Array | None = None) -> Skill:
        """Of the model's answers on rows with this output's targets."""
        if answers is None:
            answers = self._answers(rows.x)
        constants = constants_for(rows.y, answers.shape[1], self._loss.sparse, self._logits)
        return skill(self._loss.rows, rows.y, answers, constants, self._classes, self._logits)

    def _look(self) -> Look:
        x = self._rows.x[some(len(self._rows.x), LOOKED_AT)]
        given = inputs_of(self._model, x)
        began = layers.activated(self._graph, given, self._first)
        now = layers.activated(self._graph, given)
        return Look(began, now, self._gradients())

    def _gradients(self) -> Mapping[str, float]:
        """Root mean squares of the gradients of matrices, in the order of the layers, before the first step."""
        chosen = some(len(self._rows.x), LOOKED_AT)
        builder, _, gradients = backward(self._network, self._given.objective, len(chosen), False)
        matrices = {name: gradient for name, gradient in gradients.items() if self._first[name].ndim == 2}
        graph = builder.graph([*matrices.values()])
        y = some_of(self._given.rows, MOST_ROWS).y[chosen]
        given: dict[str, Any] = {"x": self._rows.x[chosen], "y": y, "seed": np.uint32(0)}
        outputs = run(graph, {name: given[name] for name in graph.inputs}, self._first).outputs
        return {name: _size(g) for name, g in zip(matrices, outputs, strict=True)}

    def _is_scaled_inside(self) -> bool:
        first = next((x for x in self._model.layers if x.weights), None)
        return any(kind in type(first).__name__.lower() for kind in ("normalization", "embedding"))


def _never(_: Alteration) -> None:
    """Nothing is tried."""


def _texts(name: str, given: Any) -> tuple[str, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str) or not all(isinstance(text, str) for text in given):
        raise UnsupportedError(
            f"Diagnose: {name} is a list of texts", received=repr(given)[:100],
            remedy="a list such as ['length', 'width']",
        )  # fmt: skip
    return tuple(given)


def _size(array: Array) -> float:
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))


def _usual_rate(optimizer: Any) -> float:
    """What the optimizer has by default; of one that has none, its own."""
    try:
        return float(type(optimizer)().learning_rate)
    except TypeError:
        return float(optimizer.learning_rate)
