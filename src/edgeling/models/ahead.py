# SPDX-License-Identifier: Apache-2.0
"""Batches of what is indexed, asked for ahead of time by threads: Keras's ``workers`` of a PyDataset."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


def batches_of(source: Any, order: Iterable[int]) -> Iterator[Any]:
    """The batches of these numbers, in this order; with ``source.workers`` above 1 up to ``source.max_queue_size`` of
    them are made while others are trained on. Whoever stops reading leaves no thread behind but those that are at a
    batch, which end with it."""
    workers = int(getattr(source, "workers", None) or 1)
    if workers < 2:
        return (source[i] for i in order)
    return _by_threads(source, order, workers, max(1, int(getattr(source, "max_queue_size", None) or workers)))


def _by_threads(source: Any, order: Iterable[int], workers: int, at_most: int) -> Iterator[Any]:
    pool = ThreadPoolExecutor(workers, thread_name_prefix="edgeling-batches")
    waiting: deque[Future[Any]] = deque()
    try:
        for i in order:
            waiting.append(pool.submit(source.__getitem__, i))
            if len(waiting) >= at_most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
