# SPDX-License-Identifier: Apache-2.0
"""A trained pipeline: raw columns in, named answers out, whatever precision it is deployed in."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from edgeling.codegen.interface import Decision, Interface
from edgeling.data import Preparation, Reading, ReadingOptions, Table, table_of
from edgeling.data.cells import TIME_OF_DAY
from edgeling.data.features import CategoricalFeature, DateFeature, Feature, NumericFeature
from edgeling.data.probabilities import log_losses
from edgeling.data.reading import OTHERS, Role
from edgeling.data.scores import classification_scores, r2_score, regression_scores
from edgeling.data.strange import Strange, answerable, strange
from edgeling.errors import DataError
from edgeling.graph import Graph, GraphBuilder
from edgeling.graph.random import permutation, random_uniform
from edgeling.graph.types import Array
from edgeling.passes.rewrite import rename
from edgeling.toolchain.predictor import Predictor, compiled
from edgeling.workflow.deploy import PROOF_ROWS, Deployable

if TYPE_CHECKING:
    from edgeling.explaining import PermutationImportance

_IMPORTANCE_ROWS = 20_000


@dataclass(frozen=True, eq=False)
class Predictions:
    """Answers for the rows of a table.

    Attributes:
        values: labels (text) or numbers in the target's unit, [rows]; of a row without an answer ``None`` or NaN.
        probabilities: float32 [rows, classes] in the labels' order; ``None`` for regression.
        labels: class names; empty for regression.
        reasons: object [rows], why a row has no answer; empty where it has one.
        strange: what in the rows answered was not so in training, by column.
    """

    values: Array
    probabilities: Array | None = None
    labels: tuple[str, ...] = ()
    reasons: Array = field(default_factory=lambda: np.empty(0, object))
    strange: Mapping[str, Strange] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        from edgeling.workflow.shown import predictions_card

        return predictions_card(self)

    @property
    def unanswered(self) -> Array:
        """int [n]: which rows have no answer."""
        return np.flatnonzero(self.reasons != "")

    def sentences(self) -> Iterator[str]:
        """What a person should know of these answers."""
        if len(self.unanswered):
            first = self.unanswered[0]
            rows = f"{len(self.unanswered):,} of {len(self.values):,} row{'s' * (len(self.values) != 1)}"
            yield f"{rows} without an answer, the first in row {first + 1}: {self.reasons[first]}"
        for name, each in self.strange.items():
            yield from each.sentences(name)


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a pipeline makes of rows whose answers are known.

    Attributes:
        rows: how many.
        metrics: every score, by the names ``--json`` uses.
        importance: how much of the main score is lost where a column is shuffled.
    """

    rows: int
    metrics: Mapping[str, Any]
    importance: PermutationImportance

    def _repr_html_(self) -> str:
        from edgeling.workflow.shown import explanation_card

        return explanation_card(self)


def _require_answerable(reasons: Array) -> None:
    if (reasons != "").any():
        row = int(np.argmax(reasons != ""))
        raise DataError(
            "every row can be answered",
            received=f"{np.count_nonzero(reasons)} that cannot, the first in row {row + 1}: {reasons[row]}",
            remedy="correct the rows; without --strict (strict=True) those that can be are answered",
        )


@dataclass(frozen=True, eq=False)
class Pipeline:
    """Preparation and network as one.

    Attributes:
        preparation: how a table becomes the network's input.
        deployable: the graphs, preparation included, raw columns in.
        precision: the precision deployed.
        model_config: the network's layers, as Keras writes them.
        details: what else the artifact tells (metrics, seed, command...).
        shipped: the C in the artifact it was read from: by precision, path to content.
        explanations: of an artifact whose C explains itself, the graphs that do, by precision.
    """

    preparation: Preparation
    deployable: Deployable
    precision: str
    model_config: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    shipped: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    explanations: Mapping[str, Graph] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        from edgeling.workflow.shown import pipeline_card

        return pipeline_card(self)

    @property
    def name(self) -> str:
        """The program's name, a C identifier."""
        return self.deployable.name

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the network's order; empty for regression."""
        return self.preparation.target.labels

    @property
    def deciding(self) -> str:
        """How a class is chosen, if not as the likelier one; else empty."""
        return self.preparation.target.decision.sentence(self.labels)

    @cached_property
    def _predictors(self) -> dict[str, Predictor]:
        graphs = self.deployable.graphs
        return {p: Predictor(graph, partial(compiled, graph, self.name)) for p, graph in graphs.items()}

    def answers(self, raw: Array, precision: str | None = None) -> Array:
        """The network's outputs for raw vectors: float32 [rows, raw_size] -> float32 [rows, outputs].

        A row that has no answer, for a value is infinite or is missing where it may not be, gives NaN.
        """
        if raw.ndim != 2 or raw.shape[1] != self.preparation.raw_size:
            rule = f"the network takes rows of {self.preparation.raw_size} features"
            raise DataError(
                rule, received=f"an array of shape {raw.shape}", remedy="the raw columns of training, in their order"
            )
        found = self._predictors[precision or self.precision](raw)
        found[~self.deployable.answerable(raw)] = np.nan
        return found

    def predict(self, table: Any, *, strict: bool = False, **reading: Unpack[ReadingOptions]) -> Predictions:
        """Answers for a table: a file by its path, a pandas or polars DataFrame, a dict of columns, or an array.

        Columns are found by name, in any order; those of an array by their place among the columns of training.
        ``reading`` says how a file is written, as :func:`edgeling.train` takes it, besides what was said there. A row
        that cannot be answered is marked, and the others are answered.

        Args:
            strict: refuse a table with such a row.

        Raises:
            DataError: the table cannot be read, or lacks a column; or a row cannot be answered, if ``strict``.

        Warns:
            UserWarning: it has columns that were not there in training.
        """
        return self.answered(self.read(table, Reading(**reading)), strict=strict)  # type: ignore[arg-type]

    def answered(self, table: Table, *, strict: bool = False) -> Predictions:
        """As ``predict``, of a table that was read by ``read``."""
        table, reasons = answerable(self.preparation, table)
        known = table.take(reasons == "")
        answers = np.full((table.rows, max(1, len(self.labels) if len(self.labels) > 2 else 1)), np.nan, np.float32)
        if known.rows:
            answers[reasons == ""] = self.answers(self.preparation.transform(known))
        reasons[np.isnan(answers).any(axis=1) & (reasons == "")] = "the network's answer is not a number"
        if strict:
            _require_answerable(reasons)
        odd = strange(self.preparation, known) if known.rows else {}
        if not self.labels:
            return Predictions(answers[:, 0], reasons=reasons, strange=odd)
        chosen = np.asarray(self.labels, dtype=object)[self.decide(answers)]
        chosen[reasons != ""] = None
        return Predictions(chosen, shares(answers), self.labels, reasons, odd)

    def answerable_rows(self, table: Table, *, strict: bool = False) -> tuple[Array, Array]:
        """The raw vectors of the rows that can be answered, of a table that was read by ``read``; and of every row why
        it cannot be, empty where it can.

        Raises:
            DataError: no row can be answered, or, if ``strict``, one cannot.
        """
        table, reasons = answerable(self.preparation, table)
        if strict or (reasons != "").all():
            _require_answerable(reasons)
        return self.preparation.transform(table.take(reasons == "")), reasons

    def read(self, table: Any, reading: Reading | None = None, kept: Collection[str] = ()) -> Table:
        """A table, read as the one that was learned from: every column as what it held there, others as texts.

        Args:
            reading: what is known of how a file is written, besides what was known in training.
            kept: columns that were not there in training and are wanted all the same.
        """
        known = self.preparation
        whole = (reading or Reading()).over(known.reading)
        read = table_of(
            table, reading=whole, roles={OTHERS: Role("category"), **known.roles()}, names=known.columns or None
        )
        expected = {*known.columns, known.target.name, *kept}
        strangers = [name for name in read.names if name not in expected]
        if strangers and known.columns:
            shown = ", ".join(map(repr, strangers[:10])) + (", ..." if len(strangers) > 10 else "")
            warnings.warn(f"columns that were not there in training are ignored: {shown}", UserWarning, stacklevel=3)
        return read

    def explain(self, table: Any, seed: int = 0) -> Explanation:
        """Score answers on a table with known ones, and measure how much each column matters.

        Args:
            table: as ``predict`` takes it, with the target, best of rows not trained on.
            seed: of the orders in which columns are shuffled.

        Raises:
            DataError: the table cannot be read, or lacks the target or a column.
        """
        raw, truth = self.known_rows(self.read(table))
        return Explanation(len(raw), self.scores(raw, truth), self.importance(raw, truth, seed))

    def known_rows(self, table: Table) -> tuple[Array, Array]:
        """The raw vectors and the truth of those rows whose target is known.

        Raises:
            DataError: it is known in none.
        """
        table = table.take(~table.column(self.preparation.target.name).missing)  # as training does
        table, reasons = answerable(self.preparation, table)
        left_out = reasons[reasons != ""]
        if len(left_out) == table.rows:
            why = f"; {left_out[0]}" if len(left_out) else ""
            raise DataError(
                "the target must be known in some rows that can be answered", received=f"none{why}",
                remedy="another table",
            )  # fmt: skip
        if len(left_out):
            rows = f"{len(left_out):,} row{'s' * (len(left_out) != 1)}"
            warnings.warn(f"{rows} cannot be answered and are left out: {left_out[0]}", UserWarning, stacklevel=3)
        table = table.take(reasons == "")
        return self.preparation.transform(table), self.truth(table)

    def importance(self, raw: Array, truth: Array, seed: int = 0) -> PermutationImportance:
        """Permutation importance of the raw columns: how much log loss rises, or how much R² falls.

        Accuracy would be noise where a class is rare, for no answer changes. A probability that int8 tells as 0 counts
        as half its step, 1/512. Of more than 20,000 rows as many are drawn, by the seed: the shuffles of all columns
        would take longer than training, for standard errors that are small already.
        """
        from edgeling.explaining import permutation_importance, updated_first_layer

        if len(raw) > _IMPORTANCE_ROWS:
            drawn = np.sort(permutation(len(raw), seed=seed)[:_IMPORTANCE_ROWS])
            raw, truth = raw[drawn], truth[drawn]
        least = 0.0 if self.precision == "float32" else 1 / 512

        def score(y: Array, answers: Array) -> Any:
            return -log_losses(y, np.maximum(shares(answers), least)) if self.labels else r2_score(y, answers[:, 0])

        updated = updated_first_layer(self.deployable.graphs[self.precision], self.name, raw)
        names = self.preparation.names
        return permutation_importance(
            self.answers, raw, truth, names, score, seed=seed, shuffled=updated, classes=self.labels
        )

    def decide(self, answers: Array) -> Array:
        """The class chosen, int [rows], as the C's ``NAME_classify`` chooses it."""
        return self.preparation.target.decision.choose(answers)

    def truth(self, table: Table) -> Array:
        """The target of a table: label positions [rows], or numbers in the target's unit."""
        encoded = self.preparation.encode_target(table)
        return encoded if self.labels else table.column(self.preparation.target.name).values.astype(np.float64)

    def scores(self, raw: Array, truth: Array, precision: str | None = None) -> dict[str, Any]:
        """Every score on rows with known answers, by the names ``--json`` uses."""
        answers = self.answers(raw, precision)
        if not self.labels:
            return dict(regression_scores(truth, answers[:, 0]))
        return classification_scores(truth, self.decide(answers), self.labels, shares(answers))


def shares(answers: Array) -> Array:
    """The probability of every class, [rows, classes], of a network's outputs [rows, 1 or classes]."""
    return np.concatenate([1 - answers, answers], axis=1) if answers.shape[1] == 1 else answers


def interface_for(preparation: Preparation) -> Interface:
    """What the header of a pipeline's C tells. A category that is missing is an unknown one."""
    target = preparation.target
    decision: Decision = "largest" if len(target.labels) > 2 else "threshold" if target.labels else ""
    categories = {i: f.categories for i, f in enumerate(preparation.features) if isinstance(f, CategoricalFeature)}
    return Interface(
        decision=decision,
        threshold=target.decision.threshold,
        counts=target.decision.counts,
        labels=target.labels,
        input_names=preparation.names,
        categories=categories,
        may_be_missing=tuple(preparation.imputes or i in categories for i in range(preparation.raw_size)),
    )


def main_metric(scores: Mapping[str, Any]) -> tuple[str, float]:
    """The one score a person asks for first: accuracy, or R²."""
    name = "accuracy" if "accuracy" in scores else "r2"
    return name, float(scores[name])


def whole_graph(name: str, preparation: Preparation, network: Graph) -> Graph:
    """Preparation, network and answer in one graph: raw columns in, probabilities or the target's unit out."""
    builder = GraphBuilder(name)
    raw = builder.input("input", (1, preparation.raw_size))
    (answer,) = builder.inline(network, preparation.trace(builder, raw))
    target = preparation.target
    builder.describe(
        task=target.task,
        description=f"Predicts {target.name} from {len(preparation.names)} columns.",
        input_names=list(preparation.names),
        input_units=[_codes(feature) for feature in preparation.features],
        labels=list(target.labels),
    )
    if len(target.labels) <= 2:
        builder.describe(output_names=[f"probability of {target.labels[1]}" if target.labels else target.name])
    answer = preparation.trace_answer(builder, answer)
    return rename(builder.build([answer]), answer, "probabilities" if target.labels else "answer")


def _codes(feature: Feature) -> str:
    """What a number means where it stands for a category or a moment; nothing for a column of plain numbers."""
    if isinstance(feature, DateFeature):
        return feature.description
    if isinstance(feature, NumericFeature) and feature.form == TIME_OF_DAY:
        return "seconds since midnight"
    if not isinstance(feature, CategoricalFeature):
        return ""
    return ", ".join(f"{code} = {name}" for code, name in enumerate(feature.categories)) + (
        ", -1 = any other" if feature.others else ", -1 = unknown"
    )


def synthetic_rows(preparation: Preparation) -> Array:
    """Raw vectors like those learned from, made of the preparation's statistics: no row of anybody's data.

    Numbers are uniform within three standard deviations of the mean; categories uniform, unknown ones included.
    """
    drawn = random_uniform(PROOF_ROWS * preparation.raw_size, seed=0).reshape(PROOF_ROWS, -1)
    rows = np.empty_like(drawn)
    for i, feature in enumerate(preparation.features):
        if isinstance(feature, CategoricalFeature):
            rows[:, i] = np.floor(drawn[:, i] * (len(feature.categories) + 1)) - 1
        elif isinstance(feature, DateFeature):
            rows[:, i] = np.floor(feature.mean[0] + (6 * drawn[:, i] - 3) * feature.scale[0])
        else:
            with np.errstate(over="ignore"):  # of scales near the end of float32
                rows[:, i] = feature.mean + (6 * drawn[:, i] - 3) * feature.scale
    return rows
