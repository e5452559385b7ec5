# SPDX-License-Identifier: Apache-2.0
"""Models of several inputs or outputs, or of outputs that are no vectors: what is compiled for each output, and rows of
all of them side by side in one matrix for ``x`` and one for ``y``, as the training loop takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from edgeling import losses
from edgeling.errors import DataError, UnsupportedError
from edgeling.graph.types import Array
from edgeling.models.arguments import leaves
from edgeling.models.linking import Structure, in_order
from edgeling.models.masking import masked_outputs, require_steps
from edgeling.models.reporting import Logs, Report, Reported
from edgeling.network.arrays import Rows, numbers, parts_of
from edgeling.training import arrays
from edgeling.training.engine import Kept, TrainingData
from edgeling.training.graphs import Objective, OutputObjective
from edgeling.written_losses import WrittenLoss


@dataclass(frozen=True)
class OutputPart:
    """What one output is compiled with.

    Attributes:
        label: what it goes by.
        row: the shape of one row of it.
        loss: None where nothing is asked of it.
        weight: of its loss in the sum.
        is_masked: some of its steps do not count.
    """

    label: str
    row: tuple[int, ...]
    loss: losses.Loss | None
    weight: float = 1.0
    metrics: tuple[Any, ...] = ()
    weighted_metrics: tuple[Any, ...] = ()
    is_masked: bool = False

    @property
    def target_width(self) -> int:
        """Numbers of a row's target."""
        return prod(self.row[:-1]) if self.loss is not None and self.loss.sparse else prod(self.row)

    @property
    def target_row(self) -> tuple[int, ...]:
        """The shape of a row's target, as losses and metrics see it."""
        return (*self.row[:-1], 1) if self.loss is not None and self.loss.sparse else self.row


def is_plain(input_rows: Sequence[Any], output_rows: Sequence[tuple[int, ...]]) -> bool:
    """Whether a model has one input, and one output of one dimension."""
    return len(input_rows) == len(output_rows) == 1 and len(output_rows[0]) == 1


def compiled_parts(model: Any, y: Any = None) -> list[OutputPart]:
    """What each output of a model is compiled with.

    Raises:
        UnsupportedError: losses, weights or metrics that do not fit the outputs; no loss at all.
    """
    labels, rows = model.output_labels, model.output_rows
    told = _each("losses", model.loss, model)
    weights = _each("loss_weights", model.loss_weights, model, default=1.0)
    plain = _each("metrics", model.metrics_told[0], model, lists=True)
    weighted = _each("weighted_metrics", model.metrics_told[1], model, lists=True)
    parts, masks = [], masked_outputs(model)
    columns = zip(labels, rows, told, weights, plain, weighted, masks, strict=True)
    for label, row, loss, weight, some, others, has_mask in columns:
        found = None if loss is None else losses.get(loss, row[-1])
        if isinstance(found, WrittenLoss):
            found = found.for_rows(row, row)
        share, masked = 1.0 if weight is None else float(weight), has_mask and found is not None
        if masked:
            require_steps(label, row)
        parts.append(OutputPart(label, row, found, share, tuple(leaves(some)), tuple(leaves(others)), masked))
    return parts


def _each(what: str, given: Any, model: Any, default: Any = None, lists: bool = False) -> list[Any]:
    """What is told of each output: one thing for all, a list with one for each, or some by name."""
    labels, names = model.output_labels, model.output_names
    if given is None:
        return [default] * len(labels)
    if isinstance(given, Mapping) and "class_name" not in given:
        unknown = [str(key) for key in given if key not in labels and key not in names]
        if unknown:
            raise UnsupportedError(f"{what} go by the outputs' names", received=", ".join(unknown), remedy=repr(labels))
        return [given.get(label, given.get(name, default)) for label, name in zip(labels, names, strict=True)]
    if isinstance(given, (list, tuple)):
        if len(labels) == 1:
            return [given] if lists else list(given)
        if len(given) != len(labels):
            raise UnsupportedError(
                f"{what} are one for each output, in a list of {len(labels)} or by name", received=f"{len(given)}",
                remedy=f"a mapping of names, {labels}",
            )  # fmt: skip
        return list(given)
    return [given] * len(labels)


def packed_inputs(rows: Rows) -> Array:
    """Rows of all inputs side by side: float32 [rows, numbers]; of one, as it is."""
    parts = [part for part in parts_of(rows) if part is not None]
    return parts[0] if len(parts) == 1 else np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def packed(model: Any, x: Rows, y: Any, sample_weight: Any, parts: Sequence[OutputPart]) -> TrainingData:
    """Rows of a model of several inputs or outputs, as the training loop takes them.

    Raises:
        DataError: targets or weights that do not fit the outputs.
    """
    floats = packed_inputs(x)
    if y is None:
        raise DataError("training needs targets", received="y=None", remedy="fit(x, y)")
    targets = _targets_in_order(model, y, parts)
    columns, flats = [], []
    for part, target in zip(parts, targets, strict=True):
        flats.append(np.ndim(target) == 1)
        columns.append(_target(part, target, len(floats)))
    weights = _weights(model, sample_weight, len(floats), parts)
    several = weights is not None and len(weights) > 1
    if weights is not None and several:
        columns += [np.ones(len(floats), np.float32)[:, None] if w is None else w[:, None] for w in weights]
    data = arrays.gathered(floats, np.concatenate(columns, axis=1), weights[0] if weights and not several else None)
    return replace(data, flat=tuple(flats), weighed_apart=several)


def _targets_in_order(model: Any, y: Any, parts: Sequence[OutputPart]) -> list[Any]:
    """The target of each output; of those without a loss it may be left out."""
    wanted = [part.label for part in parts if part.loss is not None]
    if isinstance(y, (list, tuple)) and len(parts) > len(wanted) == len(y):
        y = dict(zip(wanted, y, strict=True))
    if isinstance(y, Mapping):
        names = dict(zip(model.output_names, model.output_labels, strict=True))
        given = {names.get(str(key), str(key)): value for key, value in y.items()}
        if not set(wanted) <= set(given) <= {part.label for part in parts}:
            raise DataError(
                f"targets go by the outputs' names, {', '.join(wanted)}", received=", ".join(given),
                remedy=f"a mapping of {', '.join(map(repr, wanted))}",
            )  # fmt: skip
        return [given.get(part.label) for part in parts]
    if len(parts) == 1:
        return [y]
    return in_order(y, Structure(list(range(len(parts)))), [part.label for part in parts], "targets")


def _target(part: OutputPart, target: Any, rows: int) -> Array:
    """One output's targets, float32 [rows, numbers]."""
    if part.loss is None:
        return np.zeros((rows, part.target_width), np.float32)
    if len(part.row) == 1:
        return arrays.targets(target, part.row[0], part.loss)
    floats = numbers(target, "y")
    shapes = {(len(floats), *part.target_row), (len(floats), *part.target_row[:-1])}
    if floats.shape not in shapes or floats.size != len(floats) * part.target_width:
        raise DataError(
            f"targets of {part.label!r} have rows of shape {part.target_row}", received=f"shape {floats.shape}",
            remedy=f"y.reshape({(-1, *part.target_row)})",
        )  # fmt: skip
    if part.loss.sparse:
        arrays.targets(floats.reshape(-1), part.row[-1], part.loss)
    return floats.reshape(len(floats), -1)


def _weights(model: Any, given: Any, rows: int, parts: Sequence[OutputPart]) -> list[Array | None] | None:
    """Weights of rows: one for all outputs, or one of each."""
    if given is None:
        return None
    marker = np.empty(rows, np.float32)
    if isinstance(given, Mapping) or (isinstance(given, (list, tuple)) and len(parts) > 1 and np.ndim(given[0]) > 0):
        if isinstance(given, Mapping):
            given = [
                given.get(part.label, given.get(name)) for part, name in zip(parts, model.output_names, strict=True)
            ]
        if len(given) != len(parts):
            raise DataError(
                f"sample_weight is one for all outputs, or {len(parts)}", received=f"{len(given)}",
                remedy=f"a list of {len(parts)}, None where rows count alike",
            )  # fmt: skip
        return [arrays.row_weights(marker, each) for each in given]
    return [arrays.row_weights(marker, given)]


class SeveralReport:
    """The sum of the outputs' losses, each loss, and each output's metrics: see :class:`Report`."""

    def __init__(self, parts: Sequence[OutputPart], data: Sequence[TrainingData]) -> None:
        apart, has_weights = any(d.weighed_apart for d in data), any(d.sample_weight is not None for d in data)
        self._parts, self._apart = list(parts), apart
        flats = [any(d.flat[i] if isinstance(d.flat, tuple) else d.flat for d in data) for i in range(len(parts))]
        weighted = has_weights or apart
        self._reports = [
            Report(each.loss, each.metrics, each.weighted_metrics, each.row[-1], weighted, flat, each.is_masked)
            if each.loss is not None else None
            for each, flat in zip(parts, flats, strict=True)
        ]  # fmt: skip
        self._flats = flats
        found = [report for report in self._reports if report is not None]
        if not found:
            raise UnsupportedError(
                "a model that trains has a loss", received="none of any output", remedy="compile(optimizer, loss='mse')"
            )
        self.loss = found[0].loss
        self._has_losses = len(found) > 1

    @property
    def streams(self) -> bool:
        """Whether a metric takes in predictions."""
        return any(report.streams for _, report in self._told())

    @property
    def reported(self) -> list[Reported]:
        """Of each log but the loss its metric, by name."""
        logs = self._named([[0.0, *[0.0] * len(r.reported)] for _, r in self._told()], dry=True)
        return [Reported(name, None, False, False) for name in logs if name != "loss"]  # type: ignore[arg-type]

    def _told(self) -> Iterator[tuple[OutputPart, Report]]:
        for part, report in zip(self._parts, self._reports, strict=True):
            if report is not None:
                yield part, report

    def objective(self, y: Array) -> Objective:
        """What the compiled code computes, for targets like these."""
        outputs, start = [], 0
        keeps = False
        column = sum(part.target_width for part in self._parts)
        for place, (part, report) in enumerate(zip(self._parts, self._reports, strict=True)):
            own = None if report is None else report.objective(y[:, start : start + part.target_width])
            keeps = keeps or (own is not None and own.keeps_predictions)
            weights = column + place if self._apart else None
            outputs.append(OutputObjective(own, part.weight, start, part.target_width, part.row, weights))
            start += part.target_width
        first = next(o.objective for o in outputs if o.objective is not None)
        return Objective(first.loss, (), y.shape[1], False, keeps, tuple(outputs))

    def begin(self) -> None:
        """Forget the epoch before."""
        for _, report in self._told():
            report.begin()

    def add(self, kept: Kept | None, batch_size: int) -> None:
        """Take in rows that were seen in batches of this size."""
        if self.streams:
            for (_, report), own in zip(self._told(), self._split(kept), strict=True):
                report.add(own, batch_size)

    def _split(self, kept: Kept | None) -> list[Kept]:
        """What each output's report sees of the rows."""
        assert kept is not None
        found, start, at = [], 0, 0
        column = sum(part.target_width for part in self._parts)
        for place, (part, report) in enumerate(zip(self._parts, self._reports, strict=True)):
            y = kept.y[:, start : start + part.target_width].reshape(len(kept.y), *part.target_row)
            made = kept.predictions[:, at : at + prod(part.row)].reshape(len(kept.y), *part.row)
            weights = kept.y[:, column + place] if self._apart else kept.sample_weight
            start, at = start + part.target_width, at + prod(part.row)
            mask = kept.predictions[:, at : at + part.row[0]] if part.is_masked else None
            at += part.row[0] if part.is_masked else 0
            if report is not None:
                found.append(Kept(y, made, weights, self._flats[place], mask))
        return found

    def __call__(self, means: Sequence[float]) -> Logs:
        """Everything by name: the loss, each output's, then metrics by their names, as Keras lists them."""
        logs = self._named(self._split_means(means))
        return {"loss": means[0], **logs}

    def _split_means(self, means: Sequence[float]) -> list[list[float]]:
        """Of each output its loss and its compiled metrics."""
        rest = iter(means[1:])
        return [[next(rest), *(next(rest) for r in report.reported if r.native)] for _, report in self._told()]

    def _named(self, means: Sequence[Sequence[float]], dry: bool = False) -> Logs:
        own: Logs = {}
        metrics: Logs = {}
        for (part, report), values in zip(self._told(), means, strict=True):
            named = {r.name: 0.0 for r in report.reported} if dry else report(values)
            loss = values[0]
            named.pop("loss", None)
            if self._has_losses:
                own[f"{part.label}_loss"] = loss
            several = len(self._parts) > 1
            metrics |= {f"{part.label}_{name}" if several else name: value for name, value in named.items()}
        return {**own, **{name: metrics[name] for name in sorted(metrics)}}

    def by_name(self, means: Array) -> dict[str, list[float]]:
        """The same of many epochs, float32 [epochs, logs]: a list of each."""
        each = [self(row.tolist()) for row in means]
        return {name: [logs[name] for logs in each] for name in each[0]}

    def evaluated(self, means: Sequence[float], kept: Kept | None, batch_size: int) -> Logs:
        """Everything by name, of rows taken in at once; losses as of batches of this size."""
        self.begin()
        self.add(kept, batch_size)
        logs, found = self(means), list(self._told())
        for (part, report), place in zip(found, range(len(found)), strict=True):
            if not report.is_of_batches:
                continue
            before = self._split_means(means)[place][0]
            after = report.batched(before, self._split(kept)[place], batch_size)
            logs["loss"] += part.weight * (after - before)
            if self._has_losses:
                logs[f"{part.label}_loss"] = after
        return logs


AnyReport = Report | SeveralReport
