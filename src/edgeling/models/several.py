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
from edgeling.checking import number
from edgeling.errors import DataError, UnsupportedError
from edgeling.graph.types import Array
from edgeling.models.arguments import leaves
from edgeling.models.linking import Structure, in_order
from edgeling.models.masking import masked_outputs, require_steps
from edgeling.models.reporting import Logs, Report, Reported, Seen, mean_of
from edgeling.models.weighing import as_columns, weights_of_outputs
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
        given_row: the shape of one row of its targets as they were given; None: not known yet.
    """

    label: str
    row: tuple[int, ...]
    loss: losses.Loss | None
    weight: float = 1.0
    metrics: tuple[Any, ...] = ()
    weighted_metrics: tuple[Any, ...] = ()
    is_masked: bool = False
    given_row: tuple[int, ...] | None = None

    @property
    def target_width(self) -> int:
        """Numbers of a row's target."""
        return prod(self.target_row)

    @property
    def target_row(self) -> tuple[int, ...]:
        """The shape of a row's target, as losses and metrics see it."""
        if self.loss is not None and self.loss.is_written and self.given_row is not None:
            return self.given_row
        return (*self.row[:-1], 1) if self.loss is not None and self.loss.sparse else self.row


def is_plain(input_rows: Sequence[Any], output_rows: Sequence[tuple[int, ...]]) -> bool:
    """Whether a model has one input, and one output of one dimension."""
    return len(input_rows) == len(output_rows) == 1 and len(output_rows[0]) == 1


def compiled_parts(model: Any, target_rows: Sequence[tuple[int, ...]] = ()) -> list[OutputPart]:
    """What each output of a model is compiled with.

    Args:
        target_rows: of each output the shape of one row of its targets, where these are known.

    Raises:
        UnsupportedError: losses, weights or metrics that do not fit the outputs; no loss at all.
    """
    labels, rows = model.output_labels, model.output_rows
    told = _each("losses", model.loss, model)
    weights = _each("loss_weights", model.loss_weights, model, default=1.0)
    plain = _each("metrics", model.metrics_told[0], model, lists=True)
    weighted = _each("weighted_metrics", model.metrics_told[1], model, lists=True)
    parts, masks = [], masked_outputs(model)
    given: Sequence[Any] = target_rows or [None] * len(labels)
    columns = zip(labels, rows, told, weights, plain, weighted, masks, given, strict=True)
    for label, row, loss, weight, some, others, has_mask, target in columns:
        found = None if loss is None else losses.get(loss, row[-1])
        if isinstance(found, WrittenLoss) and target is not None:
            found = found.for_rows(target, row)
        share = 1.0 if weight is None else number("loss_weights", weight)
        masked = bool(has_mask) and found is not None
        if masked:
            require_steps(label, row, has_mask)
        parts.append(OutputPart(label, row, found, share, tuple(leaves(some)), tuple(leaves(others)), masked, target))
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
    wanted = [part.label for part in parts if part.loss is not None]
    if y is None and wanted:
        raise DataError("training needs targets", received="y=None", remedy="fit(x, y)")
    targets = _targets_in_order(model, y, parts) if wanted else [None] * len(parts)
    columns, given = [], tuple(() if target is None else tuple(np.shape(target)[1:]) for target in targets)
    for part, target in zip(parts, targets, strict=True):
        columns.append(_target(part, target, len(floats), part.label if len(parts) > 1 else ""))
        arrays.gathered(floats, columns[-1], None)
    names = [*zip((part.label for part in parts), model.output_names, strict=True)]
    weights = weights_of_outputs(sample_weight, len(floats), names, [part.row for part in parts])
    alike = len(weights) == 1 and weights[0].ndim == 1
    more, weight_rows = as_columns([] if alike else weights, len(floats))
    y = np.concatenate([*columns, *more], axis=1)
    data = arrays.gathered(floats, y, weights[0] if alike else None)
    return replace(data, target_rows=given, weight_rows=weight_rows)


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


def _target(part: OutputPart, target: Any, rows: int, name: str) -> Array:
    """One output's targets, float32 [rows, numbers]; ``name`` is the output's, where there are several."""
    if part.loss is None:
        return np.zeros((rows, part.target_width), np.float32)
    if part.loss.is_written:
        floats = numbers(target, "y")
        return floats.reshape(len(floats), -1)
    if len(part.row) == 1:
        return arrays.targets(target, part.row[0], part.loss, name)
    floats = numbers(target, "y")
    shapes = {(len(floats), *part.target_row), (len(floats), *part.target_row[:-1])}
    if floats.shape not in shapes or floats.size != len(floats) * part.target_width:
        raise DataError(
            f"targets of {part.label!r} have rows of shape {part.target_row}", received=f"shape {floats.shape}",
            remedy=f"y.reshape({(-1, *part.target_row)})",
        )  # fmt: skip
    if part.loss.sparse:
        arrays.targets(floats.reshape(-1), part.row[-1], part.loss, name)
    return floats.reshape(len(floats), -1)


def _report_of(part: OutputPart, weighted: bool) -> Report | None:
    if part.loss is None:
        return None
    rows = None if part.given_row is None else (part.given_row, part.row)
    return Report(part.loss, part.metrics, part.weighted_metrics, part.row[-1], weighted, rows, part.is_masked)


class SeveralReport:
    """The sum of the outputs' losses, each loss, and each output's metrics: see :class:`Report`.

    Attributes:
        parts: what each output is compiled with, for rows of the length that is seen now.
    """

    def __init__(self, parts: Sequence[OutputPart], data: Sequence[TrainingData]) -> None:
        self.parts, self._apart = list(parts), next((d.weight_rows for d in data if d.weight_rows), ())
        weighted = any(d.sample_weight is not None for d in data) or bool(self._apart)
        self._reports = [_report_of(each, weighted) for each in parts]
        found = [report for report in self._reports if report is not None]
        self.loss = found[0].loss if found else None
        self._has_losses = len(found) > 1

    @property
    def streams(self) -> bool:
        """Whether a metric takes in predictions."""
        return any(report.streams for _, report in self._told())

    @property
    def reported(self) -> list[Reported]:
        """Of each log but the loss its metric, by name."""
        logs = self._named([[0.0, *[0.0] * len(r.reported)] for _, r in self._told()], dry=True)
        return [Reported(name, None, False, None) for name in logs if name != "loss"]  # type: ignore[arg-type]

    def _told(self) -> Iterator[tuple[OutputPart, Report]]:
        for part, report in zip(self.parts, self._reports, strict=True):
            if report is not None:
                yield part, report

    def objective(self, y: Array) -> Objective:
        """What the compiled code computes, for targets like these."""
        outputs, start = [], 0
        keeps = False
        column = sum(part.target_width for part in self.parts)
        for place, (part, report) in enumerate(zip(self.parts, self._reports, strict=True)):
            own = None if report is None else report.objective(y[:, start : start + part.target_width])
            keeps = keeps or (own is not None and own.keeps_predictions)
            weights = (column, self._apart[place]) if self._apart else (None, ())
            outputs.append(OutputObjective(own, part.weight, start, part.target_width, part.row, *weights))
            start += part.target_width
            column += prod(weights[1])
        said = self.loss or losses.MeanSquaredError()  # which says nothing where there are several
        return Objective(said, (), y.shape[1], False, keeps, tuple(outputs))

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
        column = sum(part.target_width for part in self.parts)
        for place, (part, report) in enumerate(zip(self.parts, self._reports, strict=True)):
            y = kept.y[:, start : start + part.target_width].reshape(len(kept.y), *part.target_row)
            made = kept.predictions[:, at : at + prod(part.row)].reshape(len(kept.y), *part.row)
            weights = kept.sample_weight
            if self._apart:
                row = self._apart[place]
                weights = kept.y[:, column : column + prod(row)].reshape(len(kept.y), *row)
                column += prod(row)
            start, at = start + part.target_width, at + prod(part.row)
            steps = prod(part.row[:-1]) if part.is_masked else 0
            mask = kept.predictions[:, at : at + steps].reshape(len(kept.y), *part.row[:-1]) if steps else None
            at += steps
            if report is not None:
                found.append(Kept(y, made, weights, part.given_row, mask))
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
            several = len(self.parts) > 1
            metrics |= {f"{part.label}_{name}" if several else name: value for name, value in named.items()}
        return {**own, **{name: metrics[name] for name in sorted(metrics)}}

    def by_name(self, means: Array) -> dict[str, list[float]]:
        """The same of many epochs, float32 [epochs, logs]: a list of each."""
        each = [self(row.tolist()) for row in means]
        return {name: [logs[name] for logs in each] for name in each[0]}

    def evaluated(self, seen: Sequence[Seen], batch_size: int) -> Logs:
        """Everything by name, of rows taken in at once; losses as of batches of this size."""
        self.begin()
        for one in seen:
            one.meet()
            self.add(one.kept, batch_size)
        means = mean_of((one.means for one in seen), seen).tolist()
        logs = self(means)
        for place, (part, report) in enumerate(self._told()):
            if not report.is_of_batches:
                continue
            before = self._split_means(means)[place][0]
            after = mean_of((self._batched(one, place, report, batch_size) for one in seen), seen)
            logs["loss"] += part.weight * (after - before)
            if self._has_losses:
                logs[f"{part.label}_loss"] = after
        return logs

    def _batched(self, seen: Seen, place: int, report: Report, batch_size: int) -> float:
        seen.meet()
        mean = self._split_means(seen.means.tolist())[place][0]
        return report.batched(mean, self._split(seen.kept)[place], batch_size)


AnyReport = Report | SeveralReport
