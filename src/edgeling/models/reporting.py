# SPDX-License-Identifier: Apache-2.0
"""From what the compiled code counts and keeps to what people read: the loss and every metric, by name.

Metrics that have a kernel and weigh all rows alike are means the compiled code gives. The others take in the
predictions that it keeps: of training those that each step made before it moved the weights, as in Keras.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeling import losses, metrics
from edgeling.errors import UnsupportedError
from edgeling.graph.types import Array
from edgeling.metrics.rows import LossMetric
from edgeling.metrics.written import WrittenMetric, compiled_metric
from edgeling.training.engine import Kept
from edgeling.training.graphs import Objective
from edgeling.training.masked import step_weights

Logs = dict[str, Any]
Shape = tuple[int, ...]
_MEANS = ("sum_over_batch_size", "mean")


@dataclass(frozen=True)
class Reported:
    """A metric as it is reported.

    Attributes:
        name: in the logs, where no other has it.
        weighted: by the weights of rows.
        native: what the compiled code gives the mean of; None: it takes in predictions.
    """

    name: str
    metric: metrics.Metric
    weighted: bool
    native: metrics.NativeMetric | WrittenMetric | None


@dataclass(frozen=True)
class Seen:
    """Rows of one length that were evaluated.

    Attributes:
        means: the loss, then what else the compiled code gives.
        rows: how many there were.
        kept: what was predicted of them, if that is asked for.
        meet: tells the report of their length.
    """

    means: Array
    rows: int
    kept: Kept | None
    meet: Callable[[], object]

    def and_then(self, others: Seen) -> Seen:
        """These, then others of that length."""
        rows = self.rows + others.rows
        means = (self.means * self.rows + others.means * others.rows) / rows
        return Seen(means, rows, _together(self.kept, others.kept), self.meet)


def mean_of(values: Iterable[Any], seen: Sequence[Seen]) -> Any:
    """The mean over rows of what each has for all of its rows."""
    return sum(value * one.rows for value, one in zip(values, seen, strict=True)) / sum(one.rows for one in seen)


class Report:
    """The loss and its metrics, over one epoch or evaluation at a time.

    Args:
        plain, weighted: identifiers of ``compile``'s metrics and weighted_metrics.
        width: columns of the model's output.
        has_weights: whether rows have weights.
        rows: the shapes of one row of the targets as they were given, and of the output; None: nobody asks.
        is_masked: some steps of the output do not count: the loss is then one of batches, metrics take in predictions.

    Raises:
        UnsupportedError: a metric that needs targets of another form than the loss's; a loss without a reduction.
    """

    def __init__(
        self,
        loss: losses.Loss,
        plain: Sequence[Any],
        weighted: Sequence[Any],
        width: int,
        has_weights: bool,
        rows: tuple[Shape, Shape] | None = None,
        is_masked: bool = False,
    ) -> None:
        if loss.reduction in ("none", None):
            raise UnsupportedError(
                "training makes one number small", received=f"reduction={loss.reduction!r}", remedy="reduction='sum'"
            )
        self.loss, self._is_masked = loss, is_masked
        self.is_of_batches = loss.reduction not in _MEANS or loss.mixes_rows or is_masked  # no mean over rows
        parts = [[metrics.get(m, width, loss.sparse) for m in part] for part in (plain, weighted)]
        metrics_of = [(metric, by_weight) for by_weight, part in enumerate(parts) for metric in part]
        self.reported = []
        for name, (metric, by_weight) in zip(unique_names(*parts), metrics_of, strict=True):
            _require_form(metric, loss, width)
            of_batches = is_masked or (by_weight and has_weights)
            native = None if of_batches else _compiled(metric, rows)
            self.reported.append(Reported(name, metric, bool(by_weight), native))
        self._native = [r.native for r in self.reported if r.native]
        self._streaming = [r for r in self.reported if not r.native]

    @property
    def streams(self) -> bool:
        """Whether a metric takes in predictions."""
        return bool(self._streaming)

    def objective(self, y: Array) -> Objective:
        """What the compiled code computes, for targets like these."""
        signed = self.loss.signed or any(m.signed for m in self._native)
        binary = signed and bool(np.isin(y, (-1, 0, 1)).all()) and not (np.isin(0, y) and np.isin(-1, y))
        keeps = self.streams or self.is_of_batches
        return Objective(self.loss, tuple(self._native), y.shape[1], binary, keeps)

    def begin(self) -> None:
        """Forget the epoch before."""
        for each in self._streaming:
            each.metric.reset_state()

    def add(self, kept: Kept | None, batch_size: int) -> None:
        """Take in rows that were seen in batches of this size."""
        for each in self._streaming:
            assert kept
            size = len(kept.y) if each.metric.additive else batch_size
            for start in range(0, len(kept.y), size):
                batch = kept[start : start + size]
                as_given = kept.target_row is not None and each.metric.as_given
                truth = batch.y.reshape(len(batch.y), *(kept.target_row or ())) if as_given else batch.y
                weights = batch.sample_weight if each.weighted else None
                if isinstance(each.metric, metrics.Mean):  # as in Keras; others see masked steps too
                    weights = step_weights(batch.mask, weights, "sum")
                each.metric.update_state(truth, batch.predictions, *(() if weights is None else (weights,)))

    def __call__(self, means: Sequence[float]) -> Logs:
        """Everything by name, the loss first."""
        rest = iter(means[1:])
        return {
            "loss": means[0],
            **{r.name: _of_mean(r, next(rest)) if r.native else _result(r) for r in self.reported},
        }

    def by_name(self, means: Array) -> dict[str, list[float]]:
        """The same of many epochs, float32 [epochs, 1 + metrics]: a list of each."""
        loss, *columns = means.T.tolist()
        named = zip(self.reported, columns, strict=True)
        return {"loss": loss, **{r.name: [_of_mean(r, mean) for mean in column] for r, column in named}}

    def evaluated(self, seen: Sequence[Seen], batch_size: int) -> Logs:
        """Everything by name, of rows taken in at once; the loss as of batches of this size."""
        self.begin()
        for one in seen:
            self.add(one.kept, batch_size)
        logs = self(mean_of((one.means for one in seen), seen).tolist())
        if self.is_of_batches:
            own = (self.batched(float(one.means[0]), one.kept, batch_size) for one in seen if one.kept)
            logs["loss"] = mean_of(own, seen)
        return logs

    def batched(self, mean: float, kept: Kept, batch_size: int) -> float:
        """The mean over batches, each weighing as many rows as it has, of their reduced losses; and the penalties."""
        count, total, penalties = len(kept.y), 0.0, mean  # what mixes rows or is masked was left out of the mean
        if not self.loss.mixes_rows and not self._is_masked:
            penalties -= self._reduced(kept, self.loss.rows, "sum_over_batch_size")
        for start in range(0, count, batch_size):
            part = kept[start : start + batch_size]
            total += self._of_batch(part) * len(part.y)
        return total / count + penalties

    def _of_batch(self, batch: Kept) -> float:
        """The reduced loss of one batch."""
        return self._reduced(batch, self.loss.each, self.loss.reduction)

    def _reduced(self, batch: Kept, values_of: Callable[[Array, Array], Array], reduction: str | None) -> float:
        """The losses of a batch, weighted and made one; of steps where these have weights or a mask."""
        weights = step_weights(batch.mask, batch.sample_weight, reduction)
        of_steps = weights is not None and weights.ndim > 1
        values = (self.loss.steps if of_steps else values_of)(batch.y, batch.predictions)
        if weights is not None and 1 == weights.ndim < values.ndim:
            weights = weights.reshape(len(weights), *(1 for _ in values.shape[1:]))
        return float(losses.reduced(values, weights, reduction))


def _together(before: Kept | None, after: Kept | None) -> Kept | None:
    if before is None or after is None:
        return after
    y, predictions = np.concatenate([before.y, after.y]), np.concatenate([before.predictions, after.predictions])
    weights = None
    if before.sample_weight is not None and after.sample_weight is not None:
        weights = np.concatenate([before.sample_weight, after.sample_weight])
    return Kept(y, predictions, weights, after.target_row)


def metric_directions(plain: Iterable[Any], weighted: Iterable[Any]) -> dict[str, str | None]:
    """Whether larger is better ("up"), smaller ("down") or nobody knows, of each metric by its name in the logs.

    Raises:
        UnsupportedError: no such metric.
    """
    parts = [[metrics.get(m, 1) for m in part] for part in (plain, weighted)]
    return dict(zip(unique_names(*parts), (m.direction for part in parts for m in part), strict=True))


def unique_names(plain: Iterable[metrics.Metric], weighted: Iterable[metrics.Metric]) -> list[str]:
    """Names by Keras's rule: the second ``auc`` is ``auc_1``, and a weighted one ``weighted_auc``."""
    seen: Counter[str] = Counter()

    def unused(name: str) -> str:
        seen[name] += 1
        return name if seen[name] == 1 else f"{name}_{seen[name] - 1}"

    names = [unused(str(m.name)) for m in plain]
    return names + [unused(str(m.name) if str(m.name) not in seen else f"weighted_{m.name}") for m in weighted]


def _compiled(metric: metrics.Metric, rows: tuple[Shape, Shape] | None) -> metrics.NativeMetric | WrittenMetric | None:
    """What the compiled code gives the mean of, if it can."""
    if isinstance(metric, metrics.NativeMetric) and _is_native(metric):
        return None if rows and rows[0] == () and _pairs(metric) else metric
    return compiled_metric(metric, *rows) if rows else None


def _is_native(metric: metrics.NativeMetric) -> bool:
    """Of our own classes, for a subclass or somebody's object may override what the kernel computes."""
    return type(metric) in metrics.CLASSES and not vars(metric).keys() & {
        "update_state",
        "result",
        "values",
        "reset_state",
    }


def _pairs(metric: metrics.Metric) -> bool:
    """Whether it pairs each target with every output where targets are given as [rows]: Keras's rule."""
    return isinstance(metric, LossMetric) and metric.as_given and not metric.loss.aligns


def _require_form(metric: metrics.Metric, loss: losses.Loss, width: int) -> None:
    if metric.sparse is not None and metric.sparse != loss.sparse and width > 1:
        form = "class numbers" if metric.sparse else "one column a class"
        raise UnsupportedError(
            f"the metric {metric.name!r} takes {form}", received=f"loss={loss.name!r}", remedy="metrics=['accuracy']"
        )


def _of_mean(reported: Reported, mean: float) -> float:
    return reported.native.of_mean(mean) if isinstance(reported.native, metrics.NativeMetric) else mean


def _result(reported: Reported) -> Any:
    """A number, or an array."""
    result = reported.metric.result()
    return float(result) if np.ndim(result) == 0 else np.asarray(result)
