# SPDX-License-Identifier: Apache-2.0
"""Where an epoch's batches come from: rows in memory, or batches that somebody hands over one by one.

An epoch is a few *segments*: rows in the order in which they are trained on, cut into batches of one size, of which
only the last may be smaller. Each runs natively in one go.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np

from edgeling.errors import DataError
from edgeling.graph.random import permutation
from edgeling.models.ahead import batches_of
from edgeling.network.arrays import is_batch
from edgeling.training.engine import TrainingData

_END = object()
_SEGMENT_BYTES = 1 << 25  # of what is handed over batch by batch: so much is gathered before it is trained on


@dataclass(frozen=True)
class Segment:
    """Rows to train on, in this order."""

    data: TrainingData
    batch_size: int

    @property
    def batches(self) -> int:
        """How many there are."""
        return -(-len(self.data.x) // self.batch_size)


class RowFeed:
    """Rows in memory, shuffled anew every time all were seen.

    Args:
        first_pass: the number of the first time through the rows; with ``seed`` it decides their order.
        steps: batches an epoch; the next epoch goes on where the last one stopped. None: all there are.

    Attributes:
        steps: batches an epoch.
        whole: every epoch goes once through all rows.
    """

    def __init__(
        self, data: TrainingData, batch_size: int, shuffle: bool, seed: int, first_pass: int, steps: int | None
    ) -> None:
        self.data, self.batch_size, self.shuffle, self.seed = data, batch_size, shuffle, seed
        self._total = -(-len(data.x) // batch_size)
        self.steps, self.whole = steps or self._total, steps in (None, self._total)
        self._pass, self._at = first_pass, 0

    def begin_at(self, first_pass: int, seed: int) -> None:
        """Go on where an interrupted fit was: at this time through the rows, shuffled by this seed."""
        self._pass, self._at, self.seed = first_pass, 0, seed

    def epoch(self, at_most: int | None) -> Iterator[Segment]:
        """The next epoch's segments, of at most so many batches each."""
        rows, first = len(self.data.x), self._at
        order = permutation(rows, seed=self.seed, step=self._pass) if self.shuffle else np.arange(rows)
        last = min(first + self.steps, self._total)
        self._at = last % self._total
        self._pass += self._at == 0
        if last - first < self.steps:
            _ran_out(last - first, self.steps)
        for start in range(first, last, at_most or self.steps):
            end = min(start + (at_most or self.steps), last)
            chosen = order[start * self.batch_size : end * self.batch_size]
            yield Segment(self.data[chosen], self.batch_size)


class BatchFeed:
    """Batches that come one by one: from a generator, a list, or anything that can be iterated over or indexed.

    Args:
        source: gives ``(x, y)`` or ``(x, y, sample_weight)``.
        steps: batches an epoch; None: all there are.

    Attributes:
        prepare: from what ``source`` gives to rows of the model; to be set before the first epoch.
        seed: by it batches of what is only indexed (Keras's ``PyDataset``) come in another order every time all were
            seen, as in Keras; None: in theirs. What is iterated over orders its batches itself.
    """

    whole = False
    seed: int | None = None

    def __init__(self, source: Any, steps: int | None = None) -> None:
        self._source, self.steps = source, steps
        self._once = hasattr(source, "__next__")
        self._iterator: Iterator[Any] | None = None
        self._held: list[Any] = []
        self._pass, self._anew = 0, False
        self.prepare: Callable[[Sequence[Any]], TrainingData] = lambda batch: TrainingData(*batch)

    def first(self) -> Sequence[Any]:
        """The first batch, which is handed out again.

        Raises:
            DataError: there is none.
        """
        batch = self._next()
        if batch is None:
            raise self._empty()
        self._held = [batch]
        return as_batch(batch)

    def batches(self, limit: int | None = None) -> Iterator[Sequence[Any]]:
        """An epoch's batches as ``(x, y)`` or ``(x, y, sample_weight)``; so many, or all there are."""
        given = 0
        while limit is None or given < limit:
            batch = self._next()
            if batch is None and given == 0 and limit and not self._once:
                batch = self._next()  # all were seen in the epoch before
            if batch is None:
                return
            given += 1
            yield as_batch(batch)

    def epoch(self, at_most: int | None) -> Iterator[Segment]:
        """The next epoch's segments, of at most so many batches each."""
        group: list[TrainingData] = []
        given = 0
        if self._anew:
            self._iterator, self._held = None, []
        self._tell("on_epoch_begin")
        for batch in map(self.prepare, self.batches(self.steps)):
            given += 1
            if group and not _belongs(batch, group, at_most):
                yield _joined(group)
                group = []
            group.append(batch)
        if group:
            yield _joined(group)
        if given < (self.steps or 1):
            _ran_out(given, self.steps or 1)
        self._tell("on_epoch_end")

    def kept(self) -> BatchFeed:
        """The same batches again and again, from the first one on, as Keras validates: a generator without a number of
        steps is read to its end, and one with a number goes on where it was, for it cannot begin anew."""
        if not (self._once and self.steps is None):
            self._anew = not self._once
            return self
        feed = BatchFeed(list(self.batches()))
        feed.prepare = self.prepare
        return feed

    def _next(self) -> Any:
        """The next batch; None where none is left, whereupon all but a generator begin anew."""
        if self._held:
            return self._held.pop()
        if self._iterator is None:
            self._iterator = iter(self._each())
        batch = next(self._iterator, _END)
        if batch is _END and not self._once:
            self._iterator = None
        if batch is None:
            raise DataError("a batch is (x, y) or (x, y, sample_weight)", received="None", remedy="yield x, y")
        return None if batch is _END else batch

    def _each(self) -> Iterable[Any]:
        """What the source holds; one that is only indexed has ``num_batches`` or a length, or goes on for ever."""
        source = self._source
        if hasattr(source, "__iter__"):
            return source
        batches = getattr(source, "num_batches", None) if hasattr(source, "num_batches") else len(source)
        if batches is None:
            return batches_of(source, count())
        self._pass += 1
        order = range(batches) if self.seed is None else permutation(batches, seed=self.seed, step=self._pass).tolist()
        return batches_of(source, order)

    def close(self) -> None:
        """Let go of what is being read: threads that make batches end."""
        self._iterator = None

    def _tell(self, hook: str) -> None:
        """Tell the source of an epoch, if it wants to know."""
        if hasattr(self._source, hook):
            getattr(self._source, hook)()

    def _empty(self) -> DataError:
        return DataError(
            "there is at least one batch", received=f"none from a {type(self._source).__name__}",
            remedy="an iterable that can be begun anew, with a batch in it",
        )  # fmt: skip


def feed_of(x: Any, y: Any = None, steps: int | None = None) -> BatchFeed | None:
    """A feed, if ``x`` is not rows but batches: a generator, a list of tuples, a data loader, a dataset.

    Raises:
        DataError: targets beside batches.
    """
    if isinstance(x, (list, tuple)):
        found = bool(x) and all(isinstance(part, tuple) and is_batch(part) for part in x)
    else:
        rows = isinstance(x, (Sequence, Mapping, type)) or any(hasattr(x, name) for name in _ARRAYS)
        found = not rows and (hasattr(x, "__iter__") or hasattr(x, "__getitem__"))
    if found and y is not None:
        raise DataError("targets come with the batches", received="y beside them", remedy="yield (x, y)")
    return BatchFeed(x, steps) if found else None


_ARRAYS = ("__array__", "toarray", "to_numpy", "detach", "__dataframe__")


def as_batch(given: Any) -> Sequence[Any]:
    """``(x, y)`` or ``(x, y, sample_weight)``; x alone is ``(x, None)``.

    Raises:
        DataError: a tuple of another length.
    """
    if not isinstance(given, (tuple, list)):
        return given, None
    if not 1 <= len(given) <= 3:
        raise DataError(
            "a batch is (x, y) or (x, y, sample_weight)", received=f"{len(given)} parts", remedy="yield x, y"
        )
    return (*given, None) if len(given) == 1 else given


def _belongs(batch: TrainingData, group: Sequence[TrainingData], at_most: int | None) -> bool:
    """Whether a batch may follow those gathered so far: all but the last of a segment are of one size."""
    size, last = len(group[0].x), len(group[-1].x)
    small = len(group) * group[0].x.nbytes < _SEGMENT_BYTES and batch.rows == group[0].rows
    return small and len(group) != at_most and last == size and len(batch.x) <= size


def _joined(group: Sequence[TrainingData]) -> Segment:
    weighted = [part.sample_weight is not None or bool(part.weight_rows) for part in group]
    if any(weighted) and not all(weighted):
        raise DataError(
            "all batches have sample weights, or none has", received="some with, some without",
            remedy="yield x, y, sample_weight each time, or never",
        )  # fmt: skip
    held = [part.sample_weight for part in group if part.sample_weight is not None]
    weights = np.concatenate(held) if held else None
    x, y = np.concatenate([p.x for p in group]), np.concatenate([p.y for p in group])
    data = replace(group[0], x=x, y=y, sample_weight=weights)
    return Segment(data, len(group[0].x))


def _ran_out(count: int, steps: int) -> None:
    warnings.warn(
        f"the data ran out after {count} of {steps} batches of an epoch: the epoch is shorter",
        UserWarning,
        stacklevel=4,
    )
