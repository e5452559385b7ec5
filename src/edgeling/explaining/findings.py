# SPDX-License-Identifier: Apache-2.0
"""What was found out about a network, in the words and units of its table: what reports and terminals show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeling.explaining.dependence import Dependence
from edgeling.graph.types import Array


@dataclass(frozen=True)
class Change:
    """A change of one or two columns that changes the answer.

    Attributes:
        columns: by name, from and to.
        answer: the class then, or the number, as text.
        value: the probability of that class, or the number.
        distance: in standard deviations; a category counts one.
    """

    columns: Mapping[str, tuple[str, str]]
    answer: str
    value: float
    distance: float


@dataclass(frozen=True, eq=False)
class RowFindings:
    """Why a row is answered as it is.

    Attributes:
        row: its number in the table, from 1.
        names: of the columns.
        given: each column's value, as text.
        answer: the class, or the number as text.
        explained: what the figures are of: "probability of virginica", or the target's name.
        base: its mean over the rows compared with.
        value: for this row.
        values: float64 [columns], what each column adds: ``base + values.sum()`` is ``value``.
        by_class: of each class the same; empty for regression.
        standard_errors: float64 [columns] where orders were sampled; None where values are exact.
        integrated: float64 [columns], integrated gradients from the mean row; None where there are none.
        why_not_integrated: why there are none.
        background_rows: how many rows were compared with.
        changes: the nearest changes of the answer, nearest first.
        wanted: what the changes lead to, as a sentence's end: "another class", "virginica", "at least 200".
        percent: whether the figures are probabilities.
        model_output: "probability", or "raw": the figures are of scores.
    """

    row: int
    names: tuple[str, ...]
    given: tuple[str, ...]
    answer: str
    explained: str
    base: float
    value: float
    values: Array
    by_class: Mapping[str, Array] = field(default_factory=dict)
    standard_errors: Array | None = None
    integrated: Array | None = None
    why_not_integrated: str = ""
    background_rows: int = 0
    changes: tuple[Change, ...] = ()
    wanted: str = "another answer"
    percent: bool = False
    model_output: str = "probability"

    @property
    def ranking(self) -> tuple[int, ...]:
        """Column indices, what pushes most first, whichever way."""
        return tuple(int(i) for i in np.argsort(-np.abs(self.values), kind="stable"))

    def to_json(self) -> dict[str, Any]:
        """Plain values by name."""

        def named(values: Array | None) -> dict[str, float] | None:
            return None if values is None else dict(zip(self.names, map(float, values), strict=True))

        return {
            "row": self.row,
            "given": dict(zip(self.names, self.given, strict=True)),
            "answer": self.answer,
            "explained": self.explained,
            "model_output": self.model_output,
            "base": self.base,
            "value": self.value,
            "shapley": named(self.values),
            "shapley_by_class": {label: named(values) for label, values in self.by_class.items()},
            "standard_errors": named(self.standard_errors),
            "integrated_gradients": named(self.integrated),
            "background_rows": self.background_rows,
            "changes": [
                {"columns": {name: {"from": a, "to": b} for name, (a, b) in change.columns.items()},
                 "answer": change.answer, "value": change.value, "distance": change.distance}
                for change in self.changes
            ],
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class ColumnCurve:
    """How answers change with one column.

    Attributes:
        name: of the column.
        points: each value tried, as text.
        is_category: whether there is nothing between two values.
        dependence: its answers, in the unit of what is explained, one output a class.
        axis: what its numbers count, where they are no plain ones.
    """

    name: str
    points: tuple[str, ...]
    is_category: bool
    dependence: Dependence
    axis: str = ""


@dataclass(frozen=True)
class Together:
    """Two columns that act together: see :class:`edgeling.explaining.dependence.Interaction`.

    Attributes:
        by_class: of each of several classes its own strength and size.
    """

    names: tuple[str, str]
    strength: float
    size: float
    by_class: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values by name."""
        own = {label: {"strength": share, "size": size} for label, (share, size) in self.by_class.items()}
        plain = {"columns": list(self.names), "strength": self.strength, "size": self.size}
        return {**plain, **({"by_class": own} if own else {})}


@dataclass(frozen=True)
class PrecisionShift:
    """How far integers change explanations.

    Attributes:
        precision: of the integers.
        correlation: Spearman's, between what columns add in float32 and in integers: the mean over rows.
        same_first: the share of rows in which the column that pushes most is the same.
        rows: how many.
    """

    precision: str
    correlation: float
    same_first: float
    rows: int


@dataclass(frozen=True, eq=False)
class ColumnFindings:
    """What answers depend on, column by column.

    Attributes:
        curves: of the most important columns.
        labels: the outputs of the curves; empty for one.
        unit: what the curves show: "probability of yes", "probability", or the target's name.
        together: the pairs that act together most.
        shifts: how far int8 changes explanations.
        exact: whether each curve is all that its column does: the network is a sum over columns.
    """

    curves: tuple[ColumnCurve, ...]
    labels: tuple[str, ...]
    unit: str
    together: tuple[Together, ...] = ()
    shifts: tuple[PrecisionShift, ...] = ()
    percent: bool = False
    exact: bool = False

    def to_json(self, *, individual: bool = False) -> dict[str, Any]:
        """Plain values by name.

        Args:
            individual: also the curve of each row (ICE): ``individual``, [rows][points], of several classes by class.
        """

        def by_class(values: Array) -> Any:
            """[..., outputs] as lists, of several outputs by label."""
            if not self.labels:
                return values[..., 0].tolist()
            return {label: values[..., i].tolist() for i, label in enumerate(self.labels)}

        return {
            "exact": self.exact,
            "dependence": {
                curve.name: {
                    "values": [str(p) for p in curve.points] if curve.is_category else curve.dependence.grid.tolist(),
                    "mean": by_class(curve.dependence.mean),
                    **({"individual": by_class(curve.dependence.curves)} if individual else {}),
                }
                for curve in self.curves
            },
            "interactions": [each.to_json() for each in self.together],
            "precisions": {
                each.precision: {"rank_correlation": each.correlation, "same_first": each.same_first, "rows": each.rows}
                for each in self.shifts
            },
        }  # fmt: skip


def rank_correlation(a: Array, b: Array) -> float:
    """Spearman's, of two vectors; equals share their ranks, and where all are equal it is 1 if both are so, else 0."""
    x, y = (_ranks(v) - (len(v) - 1) / 2 for v in (a, b))
    size = float(np.sqrt(np.sum(x * x) * np.sum(y * y)))
    if size == 0:
        return 1.0 if not np.any(x) and not np.any(y) else 0.0
    return float(np.sum(x * y)) / size


def _ranks(values: Array) -> Array:
    below = (values[None, :] < values[:, None]).sum(axis=1)
    same = (values[None, :] == values[:, None]).sum(axis=1)
    ranks: Array = below + (same - 1) / 2
    return ranks
