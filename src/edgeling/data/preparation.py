# SPDX-License-Identifier: Apache-2.0
"""From a table's columns to what the first layer sees: fitted on training rows, and made of graph nodes.

A table is first *encoded*: one float32 a column, numbers as they are (NaN where missing), dates as a count of days or
minutes, and categories as their position in the training rows' sorted categories (-1 where missing or never seen). That
vector is what a deployed network takes. The rest, the parts of dates, imputing, standardising and one-hot encoding, is
part of the network's graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from edgeling.data.check import TableCheck, Task, is_constant
from edgeling.data.decision import LARGEST_COUNT, Decision
from edgeling.data.features import (
    MAX_INDICATORS,
    CategoricalFeature,
    DateFeature,
    Feature,
    NumericFeature,
    feature_from_json,
    finite,
    fit_feature,
    float32,
    numbers_of,
    require,
    statistics,
    text,
    texts,
)
from edgeling.data.reading import Reading, Role
from edgeling.data.table import ABSENT, Column, Table
from edgeling.data.target_curve import TargetCurve
from edgeling.data.words import are_truth_values, truth
from edgeling.errors import ArtifactError, DataError
from edgeling.graph import Graph, GraphBuilder
from edgeling.graph.types import Array


@dataclass(frozen=True)
class TargetColumn:
    """What is predicted.

    Attributes:
        labels: class names in the network's order; empty for regression.
        mean, scale: a regression network is trained on ``(target - mean) / scale``.
        decision: how probabilities choose a class.
        curve: bends the target before that.
    """

    name: str
    task: Task
    labels: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0
    decision: Decision = field(default_factory=Decision)
    curve: TargetCurve | None = None

    def encoded(self, values: Array) -> Array:
        """Numbers as the network is to answer them, float32."""
        bent = values if self.curve is None else self.curve.bent(values)
        return ((bent - self.mean) / self.scale).astype(np.float32)

    def decoded(self, answers: Array) -> Array:
        """A network's answers in the target's unit, float64."""
        bent = answers.astype(np.float64) * self.scale + self.mean
        return bent if self.curve is None else self.curve.straight(bent)

    def bent(self, curve: TargetCurve, values: Array) -> TargetColumn:
        """The same target, learned through a curve.

        Args:
            values: of the rows learned from.
        """
        _, mean, scale = map(float32, statistics(curve.bent(values)))
        return replace(self, curve=curve, mean=mean, scale=scale)


@dataclass(frozen=True)
class Preparation:
    """How a table becomes arrays.

    Attributes:
        features: one for each element of the raw vector, in the table's order.
        target: what is predicted.
        imputes: whether missing numbers are filled. Only if some were missing in the table learned from: otherwise
            the network has no node for it, and a missing number is an error.
        columns: every column of the table learned from but the target, which is what an array without names holds.
        reading: how cells were understood, for new tables to be read alike.
    """

    features: tuple[Feature, ...]
    target: TargetColumn
    imputes: bool
    columns: tuple[str, ...] = ()
    reading: Reading = field(default_factory=Reading)

    @classmethod
    def fit(
        cls, check: TableCheck, train: Array, reading: Reading | None = None, columns: tuple[str, ...] = ()
    ) -> Preparation:
        """Learn medians, means, deviations and categories from the training rows alone.

        Columns that are constant in those rows are left out.

        Args:
            check: of the whole table.
            train: positions of the training rows.
            reading: how the table was read.
            columns: of the table but the target, those that were not checked too; by default those that were.

        Raises:
            DataError: every column is constant in the training rows.
        """
        table = check.table.select(check.features)
        learned = [column for column in table.take(train).columns if not is_constant(column)]
        if not learned:
            raise DataError("a table needs a column that differs among the training rows", remedy="add rows")
        imputes = any(column.is_numeric and bool(column.missing.any()) for column in table.columns)
        others = columns or tuple(column.name for column in check.columns)
        return cls(tuple(map(fit_feature, learned)), _fit_target(check, train), imputes, others, reading or Reading())

    @property
    def raw_size(self) -> int:
        """Length of the vector a deployed network takes."""
        return len(self.features)

    @property
    def prepared_size(self) -> int:
        """Length of the vector the first layer sees."""
        return len(self.prepared_names)

    @property
    def names(self) -> tuple[str, ...]:
        """Columns in the raw vector's order."""
        return tuple(feature.name for feature in self.features)

    @property
    def prepared_names(self) -> tuple[str, ...]:
        """What each number the network sees stands for: ``column``, ``column.part`` or ``column=category``.

        The codes of columns with many categories, which the network is to embed, come last.
        """
        parts = (f"{feature.name}.{part}" for _, feature in self.dates for part in feature.parts)
        indicators = (f"{feature.name}={c}" for _, feature in self.indicated for c in feature.categories)
        codes = (feature.name for _, feature in self.embedded)
        return (*(self.features[i].name for i in self.numbers), *parts, *indicators, *codes)

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """Where in the raw vector the numbers and the counts of dates are."""
        return tuple(i for i, f in enumerate(self.features) if not isinstance(f, CategoricalFeature))

    @cached_property
    def dates(self) -> tuple[tuple[int, DateFeature], ...]:
        """The dates of which the calendar tells more than their count, each with its position in the raw vector."""
        return tuple((i, f) for i, f in enumerate(self.features) if isinstance(f, DateFeature) and f.parts)

    @cached_property
    def numeric(self) -> dict[int, NumericFeature]:
        """The numeric features by their position in the raw vector."""
        return {i: f for i, f in enumerate(self.features) if isinstance(f, NumericFeature)}

    @cached_property
    def categorical(self) -> tuple[tuple[int, CategoricalFeature], ...]:
        """The categorical features, each with its position in the raw vector."""
        return tuple((i, f) for i, f in enumerate(self.features) if isinstance(f, CategoricalFeature))

    @property
    def indicated(self) -> tuple[tuple[int, CategoricalFeature], ...]:
        """Those of few categories, each of which has a number of its own."""
        return tuple((i, f) for i, f in self.categorical if len(f.categories) <= MAX_INDICATORS)

    @property
    def embedded(self) -> tuple[tuple[int, CategoricalFeature], ...]:
        """Those of many, for which the network learns a few numbers each."""
        return tuple((i, f) for i, f in self.categorical if len(f.categories) > MAX_INDICATORS)

    # -------------------------------------------------------------------------------------------------- encoding

    def transform(self, table: Table) -> Array:
        """The raw vectors of a table: float32 [rows, raw_size]. Columns are found by name; others are ignored.

        Raises:
            DataError: a column is not there, holds text instead of numbers, or lacks a number that is needed.
        """
        require_columns(table, self.names)
        return np.stack([self._encode(feature, table.column(feature.name)) for feature in self.features], axis=1)

    def _encode(self, feature: Feature, column: Column) -> Array:
        if isinstance(feature, CategoricalFeature):
            return positions(column, feature.categories).astype(np.float32)
        column = _as_numbers(column)
        _require_kind(column, date=isinstance(feature, DateFeature))
        if not self.imputes:
            _require_no_missing(column)
        if isinstance(feature, DateFeature):
            return feature.encode(column.values)
        return column.values.astype(np.float32)

    def encode_target(self, table: Table) -> Array:
        """What the network is to answer: int32 [rows] label positions, or float32 [rows] standardised numbers.

        Raises:
            DataError: a missing target, or a class that was not among the labels.
        """
        column = table.column(self.target.name)
        _require_no_missing(column)
        if self.target.task != "regression":
            return _require_known(positions(column, self.target.labels), column, self.target.labels)
        _require_kind(column, date=False)
        return self.target.encoded(column.values)

    # ------------------------------------------------------------------------------------------------- preparing

    def graph(self) -> Graph:
        """From one raw vector [1, raw_size] to what the network sees of it, [1, prepared_size]."""
        builder = GraphBuilder("preparation")
        return builder.build([self.trace(builder, builder.input("raw", (1, self.raw_size)))])

    def trace(self, builder: GraphBuilder, x: str) -> str:
        """Add the nodes that prepare.

        Args:
            x: a float32 value [batch, raw_size].

        Returns:
            The name of the value [batch, prepared_size].
        """
        parts = [self._trace_numbers(builder, x)] if self.numbers else []
        for i, feature in self.indicated:
            code = builder.add("gather", x, indices=(i,))
            parts.append(builder.add("one_hot", code, depth=len(feature.categories)))
        if self.embedded:
            parts.append(builder.add("gather", x, indices=tuple(i for i, _ in self.embedded)))
        return builder.add("concatenate", *parts) if len(parts) > 1 else parts[0]

    def _trace_numbers(self, builder: GraphBuilder, x: str) -> str:
        raw = x
        if self.categorical:
            x = builder.add("gather", x, indices=self.numbers)
        if self.dates:
            x = builder.add("concatenate", x, *(self._trace_date(builder, raw, i, f) for i, f in self.dates))
        if self.imputes:
            x = builder.add("impute", x, builder.constant(self._parameter("fill"), name="fill"))
        mean = builder.constant(self._parameter("mean"), name="mean")
        return builder.add("standardize", x, mean, builder.constant(self._parameter("scale"), name="scale"))

    def _trace_date(self, builder: GraphBuilder, x: str, place: int, feature: DateFeature) -> str:
        count = builder.add("gather", x, indices=(place,)) if self.raw_size > 1 else x
        units, epoch = feature.units_per_day, feature.epoch_days
        return builder.add("calendar", count, parts=feature.part_codes, units_per_day=units, epoch_days=epoch)

    def trace_answer(self, builder: GraphBuilder, y: str) -> str:
        """Add the nodes that take a network's answer [batch, 1] back to the target's unit; none for classes."""
        if self.target.task != "regression":
            return y
        scaled = builder.add("multiply", y, builder.constant([self.target.scale], name="target_scale"))
        answer = builder.add("add", scaled, builder.constant([self.target.mean], name="target_mean"))
        return self.target.curve.trace(builder, answer) if self.target.curve else answer

    def _parameter(self, name: str) -> Array:
        return numbers_of(self.features, name)

    # ---------------------------------------------------------------------------------------------------- keeping

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``from_json`` reads them back to an equal preparation."""
        return {
            "features": [asdict(feature) for feature in self.features],
            "target": asdict(self.target),
            "imputes": self.imputes,
            "columns": list(self.columns),
            "reading": self.reading.to_json(),
        }

    def roles(self) -> dict[str, Role]:
        """What the columns of a new table are known to be; a cell that is not so does not spoil the others."""
        kinds: dict[type, Literal["number", "category", "date"]] = {
            NumericFeature: "number", CategoricalFeature: "category", DateFeature: "date"
        }  # fmt: skip
        known = {f.name: Role(kinds[type(f)], getattr(f, "form", ""), lenient=True) for f in self.features}
        return {**known, self.target.name: Role("category" if self.target.labels else "number", lenient=True)}

    @classmethod
    def from_json(cls, value: Any) -> Preparation:
        """Read what ``to_json`` wrote, trusting nothing.

        Raises:
            ArtifactError: anything else.
        """
        try:
            features = tuple(feature_from_json(feature) for feature in value["features"])
            target, imputes = _target_from_json(value["target"]), value["imputes"]
            require(bool(features) and isinstance(imputes, bool))
            require(len({feature.name for feature in features} | {target.name}) == len(features) + 1)
            columns, reading = texts(value["columns"]), Reading.from_json(value["reading"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ArtifactError(
                "a preparation lists features and a target",
                received=f"one that is malformed ({error})",
                remedy="train again, or copy the folder again",
            ) from error
        return cls(features, target, imputes, columns, reading)


def _fit_target(check: TableCheck, train: Array) -> TargetColumn:
    if check.task != "regression":
        return TargetColumn(check.target, check.task, check.labels)
    column = check.table.take(train).column(check.target)
    _, mean, scale = map(float32, statistics(column.values))
    return TargetColumn(check.target, check.task, mean=mean, scale=1.0 if is_constant(column) else scale)


def positions(column: Column, categories: tuple[str, ...]) -> Array:
    """int32 [rows]: where each cell's text is in ``categories``, ``ABSENT`` where missing or not among them.

    Where the categories say yes and no, any word for it does.
    """
    position = {category: i for i, category in enumerate(categories)}
    by_truth = {truth(c): i for c, i in position.items()} if are_truth_values(categories) else {}
    found = np.full(len(column.values), ABSENT, np.int32)
    distinct, codes = np.unique(column.present, return_inverse=True)
    texts = (column.text(value) for value in distinct)
    places = [position.get(text, by_truth.get(truth(text), ABSENT) if by_truth else ABSENT) for text in texts]
    found[~column.missing] = np.array(places, np.int32)[codes]
    return found


def _as_numbers(column: Column) -> Column:
    """Words for yes and no as 1 and 0, where numbers are asked for."""
    said = [truth(category) for category in column.categories or ()]
    if not said or None in said:
        return column
    return Column(column.name, np.where(column.missing, np.nan, np.array(said, np.float64)[column.values]))


def require_columns(table: Table, names: tuple[str, ...]) -> None:
    """Every column that was learned from, told at once."""
    gone = [name for name in names if name not in table]
    if len(gone) > 1:
        shown = ", ".join(map(repr, gone[:10])) + (f" and {len(gone) - 10} more" if len(gone) > 10 else "")
        there = ", ".join(map(repr, table.names[:10])) + (", ..." if len(table.names) > 10 else "")
        raise DataError(
            f"a table has the columns that were learned from; there is none named {shown}",
            received=f"the columns {there}",
            remedy="name the columns as in training",
        )


def _require_kind(column: Column, *, date: bool) -> None:
    if column.categories:
        raise DataError(
            f"a column that held {'dates' if date else 'numbers'} in training holds {'dates' if date else 'numbers'}",
            received=f"text in column {column.name!r}, such as {column.categories[0]!r}",
            remedy="correct the column",
        )
    if bool(column.temporal) != date and not column.missing.all():
        held, holds = ("dates", "numbers") if date else ("numbers", "dates")
        raise DataError(
            f"a column that held {held} in training holds {held}",
            received=f"{holds} in column {column.name!r}, such as {column.text(column.present[0])}",
            remedy="correct the column",
        )


def _require_no_missing(column: Column) -> None:
    if column.missing.any():
        raise DataError(
            "a number cannot be missing where none was in training",
            received=f"column {column.name!r} without a value in row {int(np.argmax(column.missing)) + 1}",
            remedy="fill the cell, leave the row out, or train on a table with missing values",
        )


def _require_known(codes: Array, column: Column, labels: tuple[str, ...]) -> Array:
    unknown = np.flatnonzero(codes == ABSENT)
    if unknown.size:
        raise DataError(
            "every class must have been there in training",
            received=f"{column.text(column.values[unknown[0]])!r} in row {unknown[0] + 1} of {column.name!r}",
            remedy=f"one of {', '.join(labels[:10])}",
        )
    return codes


def _target_from_json(value: Mapping[str, Any]) -> TargetColumn:
    task, labels, scale = value["task"], texts(value["labels"]), finite(value["scale"])
    require(task in ("binary", "multiclass", "regression") and scale > 0)
    require(not labels if task == "regression" else len(labels) >= 2)
    curve = value["curve"] and TargetCurve.from_json(value["curve"])
    decision = _decision_from_json(value["decision"], labels)
    return TargetColumn(text(value["name"]), task, labels, finite(value["mean"]), scale, decision, curve or None)


def _decision_from_json(value: Mapping[str, Any], labels: tuple[str, ...]) -> Decision:
    threshold, counts = finite(value["threshold"]), tuple(value["counts"])
    require(0 < threshold < 1 and threshold == float(np.float32(threshold)))
    require(all(type(count) is int and 1 <= count <= LARGEST_COUNT for count in counts))
    require(len(counts) in (0, len(labels)))
    return Decision(threshold, counts)
