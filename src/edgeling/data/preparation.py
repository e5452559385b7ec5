# SPDX-License-Identifier: Apache-2.0
"""From a table's columns to what the first layer sees: fitted on training rows, and made of graph nodes.

A table is first *encoded*: one float32 a column, numbers as they are (NaN where missing) and categories as their
position in the training rows' sorted categories (-1 where missing or never seen). That vector is what a deployed
network takes. The rest, imputing, standardising and one-hot encoding, is part of the network's graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from edgeling.data.check import TableCheck, Task, is_constant
from edgeling.data.table import ABSENT, Column, Table, distinct_values
from edgeling.errors import ArtifactError, DataError
from edgeling.graph import GraphBuilder
from edgeling.graph.types import LARGEST_FLOAT32, Array


@dataclass(frozen=True)
class NumericFeature:
    """A column of numbers: ``(x - mean) / scale``, after ``fill`` in place of a missing one.

    ``fill`` is the median, ``scale`` the standard deviation (of the population, as scikit-learn's
    ``StandardScaler``), both of the training rows.
    """

    name: str
    fill: float
    mean: float
    scale: float


@dataclass(frozen=True)
class CategoricalFeature:
    """A column of texts: one number for each category of the training rows, 1 where it is that one."""

    name: str
    categories: tuple[str, ...]


Feature = NumericFeature | CategoricalFeature


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Attributes:
        labels: class names in the network's order; empty for regression.
        mean, scale: a regression network is trained on ``(target - mean) / scale``.
    """

    name: str
    task: Task
    labels: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Preparation:
    """How a table becomes arrays.

    Attributes:
        features: one for each element of the raw vector, in the table's order.
        target: what is predicted.
        imputes: whether missing numbers are filled. Only if some were missing in the table learned from: otherwise
            the network has no node for it, and a missing number is an error.
    """

    features: tuple[Feature, ...]
    target: Target
    imputes: bool

    @classmethod
    def fit(cls, check: TableCheck, train: Array) -> Preparation:
        """Learn medians, means, deviations and categories from the training rows alone.

        Columns that are constant in those rows are left out.

        Args:
            check: of the whole table.
            train: positions of the training rows.

        Raises:
            DataError: every column is constant in the training rows.
        """
        table = check.table.select(check.features)
        columns = [column for column in table.take(train).columns if not is_constant(column)]
        if not columns:
            raise DataError("a table needs a column that differs among the training rows", remedy="add rows")
        imputes = any(column.is_numeric and bool(column.missing.any()) for column in table.columns)
        return cls(tuple(map(_fit_feature, columns)), _fit_target(check, train), imputes)

    @property
    def raw_size(self) -> int:
        """Length of the vector a deployed network takes."""
        return len(self.features)

    @property
    def prepared_size(self) -> int:
        """Length of the vector the first layer sees."""
        return len(self.numeric) + sum(len(feature.categories) for _, feature in self.categorical)

    @property
    def names(self) -> tuple[str, ...]:
        """Columns in the raw vector's order."""
        return tuple(feature.name for feature in self.features)

    @property
    def prepared_names(self) -> tuple[str, ...]:
        """What each number the first layer sees stands for: ``column`` or ``column=category``."""
        indicators = (f"{feature.name}={c}" for _, feature in self.categorical for c in feature.categories)
        return (*(feature.name for feature in self.numeric.values()), *indicators)

    @cached_property
    def numeric(self) -> dict[int, NumericFeature]:
        """The numeric features by their position in the raw vector."""
        return {i: f for i, f in enumerate(self.features) if isinstance(f, NumericFeature)}

    @cached_property
    def categorical(self) -> tuple[tuple[int, CategoricalFeature], ...]:
        """The categorical features, each with its position in the raw vector."""
        return tuple((i, f) for i, f in enumerate(self.features) if isinstance(f, CategoricalFeature))

    # -------------------------------------------------------------------------------------------------- encoding

    def transform(self, table: Table) -> Array:
        """The raw vectors of a table: float32 [rows, raw_size]. Columns are found by name; others are ignored.

        Raises:
            DataError: a column is not there, holds text instead of numbers, or lacks a number that is needed.
        """
        return np.stack([self._encode(feature, table.column(feature.name)) for feature in self.features], axis=1)

    def _encode(self, feature: Feature, column: Column) -> Array:
        if isinstance(feature, CategoricalFeature):
            return _positions(column, feature.categories).astype(np.float32)
        _require_numbers(column)
        if not self.imputes:
            _require_no_missing(column)
        return column.values.astype(np.float32)

    def encode_target(self, table: Table) -> Array:
        """What the network is to answer: int32 [rows] label positions, or float32 [rows] standardised numbers.

        Raises:
            DataError: a missing target, or a class that was not among the labels.
        """
        column = table.column(self.target.name)
        _require_no_missing(column)
        if self.target.task != "regression":
            return _require_known(_positions(column, self.target.labels), column, self.target.labels)
        _require_numbers(column)
        return ((column.values - self.target.mean) / self.target.scale).astype(np.float32)

    # ------------------------------------------------------------------------------------------------- preparing

    def prepare(self, raw: Array) -> Array:
        """What the first layer sees of raw vectors: float32 [rows, prepared_size], bit for bit as the graph does it."""
        numbers, parts = raw[:, list(self.numeric)], []
        if self.imputes:
            numbers = np.where(np.isnan(numbers), self._parameter("fill"), numbers)
        if self.numeric:
            parts.append((numbers - self._parameter("mean")) / self._parameter("scale"))
        parts += [raw[:, [i]] == np.arange(len(feature.categories)) for i, feature in self.categorical]
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def trace(self, builder: GraphBuilder, x: str) -> str:
        """Add the nodes that do what ``prepare`` does.

        Args:
            x: a float32 value [batch, raw_size].

        Returns:
            The name of the value [batch, prepared_size].
        """
        parts = [self._trace_numbers(builder, x)] if self.numeric else []
        for i, feature in self.categorical:
            code = builder.add("gather", x, indices=(i,))
            parts.append(builder.add("one_hot", code, depth=len(feature.categories)))
        return builder.add("concatenate", *parts) if len(parts) > 1 else parts[0]

    def _trace_numbers(self, builder: GraphBuilder, x: str) -> str:
        if self.categorical:
            x = builder.add("gather", x, indices=tuple(self.numeric))
        if self.imputes:
            x = builder.add("impute", x, builder.constant(self._parameter("fill"), name="fill"))
        mean = builder.constant(self._parameter("mean"), name="mean")
        return builder.add("standardize", x, mean, builder.constant(self._parameter("scale"), name="scale"))

    def trace_answer(self, builder: GraphBuilder, y: str) -> str:
        """Add the nodes that take a network's answer [batch, 1] back to the target's unit; none for classes."""
        if self.target.task != "regression":
            return y
        scaled = builder.add("multiply", y, builder.constant([self.target.scale], name="target_scale"))
        return builder.add("add", scaled, builder.constant([self.target.mean], name="target_mean"))

    def _parameter(self, name: str) -> Array:
        return np.array([getattr(feature, name) for feature in self.numeric.values()], np.float32)

    # ---------------------------------------------------------------------------------------------------- keeping

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``from_json`` reads them back to an equal preparation."""
        return {
            "features": [asdict(feature) for feature in self.features],
            "target": asdict(self.target),
            "imputes": self.imputes,
        }

    @classmethod
    def from_json(cls, value: Any) -> Preparation:
        """Read what ``to_json`` wrote, trusting nothing.

        Raises:
            ArtifactError: anything else.
        """
        try:
            features = tuple(_feature_from_json(feature) for feature in value["features"])
            target, imputes = _target_from_json(value["target"]), value["imputes"]
            _require(bool(features) and isinstance(imputes, bool))
            _require(len({feature.name for feature in features} | {target.name}) == len(features) + 1)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ArtifactError(
                "a preparation lists features and a target",
                received=f"one that is malformed ({error})",
                remedy="train again, or copy the folder again",
            ) from error
        return cls(features, target, imputes)


def _fit_feature(column: Column) -> Feature:
    if column.categories is not None:
        seen = distinct_values(column.present)
        return CategoricalFeature(column.name, tuple(column.categories[i] for i in seen))
    fill, mean, scale = map(_float32, _statistics(column.present))
    return NumericFeature(column.name, fill, mean, scale)


def _fit_target(check: TableCheck, train: Array) -> Target:
    if check.task != "regression":
        return Target(check.target, check.task, check.labels)
    column = check.table.take(train).column(check.target)
    _, mean, scale = map(_float32, _statistics(column.values))
    return Target(check.target, check.task, mean=mean, scale=1.0 if is_constant(column) else scale)


def _statistics(values: Array) -> tuple[float, float, float]:
    middle = np.sort(values)[(len(values) - 1) // 2 : len(values) // 2 + 1]  # np.median would load numpy.ma
    return float(middle.mean()), float(values.mean()), float(values.std())


def _float32(value: float) -> float:
    """Rounded as the device holds it, so that what is written down is what is used."""
    return float(np.float32(value))


def _positions(column: Column, categories: tuple[str, ...]) -> Array:
    """int32 [rows]: where each cell's text is in ``categories``, ``ABSENT`` where missing or not among them."""
    position = {category: i for i, category in enumerate(categories)}
    found = np.full(len(column.values), ABSENT, np.int32)
    distinct, codes = np.unique(column.present, return_inverse=True)
    found[~column.missing] = np.array([position.get(column.text(v), ABSENT) for v in distinct], np.int32)[codes]
    return found


def _require_numbers(column: Column) -> None:
    if column.categories:
        raise DataError(
            "a column that held numbers in training holds numbers",
            received=f"text in column {column.name!r}, such as {column.categories[0]!r}",
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


def _feature_from_json(value: Mapping[str, Any]) -> Feature:
    if "categories" in value:
        return CategoricalFeature(_text(value["name"]), _texts(value["categories"]))
    scale = _finite(value["scale"])
    _require(scale > 0)
    return NumericFeature(_text(value["name"]), _finite(value["fill"]), _finite(value["mean"]), scale)


def _target_from_json(value: Mapping[str, Any]) -> Target:
    task, labels, scale = value["task"], _texts(value["labels"]), _finite(value["scale"])
    _require(task in ("binary", "multiclass", "regression") and scale > 0)
    _require(not labels if task == "regression" else len(labels) >= 2)
    return Target(_text(value["name"]), task, labels, _finite(value["mean"]), scale)


def _text(value: Any) -> str:
    _require(isinstance(value, str))
    value.encode()  # half a surrogate pair is no text
    return str(value)


def _texts(values: Any) -> tuple[str, ...]:
    _require(isinstance(values, list | tuple) and len(set(values)) == len(values))
    return tuple(map(_text, values))


def _finite(value: Any) -> float:
    _require(isinstance(value, int | float) and abs(value) <= LARGEST_FLOAT32)
    return float(value)


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError("a value of the wrong kind")
