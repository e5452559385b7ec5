# SPDX-License-Identifier: Apache-2.0
"""Who trains the trials of a round: this process, several, or a Ray cluster. The results are the same."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from edgeling.errors import EdgelingError, UnsupportedError
from edgeling.workflow.tuning.folds import Folds
from edgeling.workflow.tuning.space import Choice, SearchSpace
from edgeling.workflow.tuning.trainer import Pruning, Trainer, TrialResult

Job = tuple[Choice, Pruning]
Workers = Callable[[Sequence[Job]], Iterator[TrialResult]]
LOCAL = "local"


@contextmanager
def workers_for(folds: Folds, space: SearchSpace, processes: int | None, ray_address: str) -> Iterator[Workers]:
    """Whoever does the work, for as long as the block lasts: results come in the order of the jobs.

    Args:
        processes: how many; None: this one, or of a Ray cluster as many as it has CPUs.
        ray_address: of the cluster; "local" begins one here; empty: none.

    Raises:
        UnsupportedError: Ray is not installed.
        EdgelingError: a worker died, or there is no cluster.
    """
    if ray_address:
        with _cluster(folds, space, processes, ray_address) as workers:
            yield workers
    elif processes and processes > 1:
        with _processes(folds, space, processes) as workers:
            yield workers
    else:
        trainer = Trainer(folds, space)
        yield lambda jobs: (trainer(*job) for job in jobs)


@contextmanager
def _processes(folds: Folds, space: SearchSpace, count: int) -> Iterator[Workers]:
    # Forked where that is safe (nothing of ours keeps threads): no import again, and no guard in the caller's script.
    kind = "fork" if sys.platform == "linux" else "spawn"
    pool = ProcessPoolExecutor(count, multiprocessing.get_context(kind), _begin, (folds, space))
    try:
        yield lambda jobs: _gathered(pool, jobs)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _gathered(pool: ProcessPoolExecutor, jobs: Sequence[Job]) -> Iterator[TrialResult]:
    try:
        yield from pool.map(_work, jobs)
    except BrokenProcessPool as error:
        raise EdgelingError(
            "workers live until they are done", received="one that was killed, perhaps for want of memory",
            remedy="fewer workers; the same command goes on from the last round",
        ) from error  # fmt: skip


_trainer: Trainer | None = None


def _begin(folds: Folds, space: SearchSpace) -> None:
    """A worker: Ctrl-C is its parent's to hear, and its share of the machine is one core."""
    global _trainer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["EDGELING_THREADS"] = "1"
    _trainer = Trainer(folds, space)


def _work(job: Job) -> TrialResult:
    assert _trainer
    return _trainer(*job)


@contextmanager
def _cluster(folds: Folds, space: SearchSpace, count: int | None, address: str) -> Iterator[Workers]:
    ray = _ray()
    local = address == LOCAL
    how = {"num_cpus": count, "include_dashboard": False} if local else {"address": address}
    began = not ray.is_initialized()
    try:
        if began:
            ray.init(log_to_driver=False, logging_level="ERROR", **how)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise EdgelingError(
            "there is a Ray cluster at that address", received=f"{address!r}: {error}",
            remedy="ray start --head prints one; --ray local begins one here",
        ) from error  # fmt: skip
    try:
        seats = count or max(1, int(ray.cluster_resources().get("CPU", 1)))
        trainer = ray.remote(num_cpus=1, max_restarts=2, max_task_retries=2)(Trainer)
        shared = ray.put(folds)
        actors = [trainer.remote(shared, space) for _ in range(seats)]
        yield lambda jobs: _from_actors(ray, actors, jobs)
    finally:
        if began:
            ray.shutdown()


def _from_actors(ray: Any, actors: Sequence[Any], jobs: Sequence[Job]) -> Iterator[TrialResult]:
    """Each actor is handed its next job when it has done its last."""
    from ray.util import ActorPool

    try:
        yield from ActorPool(list(actors)).map(lambda actor, job: actor.__call__.remote(*job), list(jobs))
    except ray.exceptions.RayError as error:
        raise EdgelingError(
            "a Ray cluster trains every trial", received=str(error).strip().splitlines()[-1],
            remedy="the same Edgeling on every node; the same command goes on from the last round",
        ) from error  # fmt: skip


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise UnsupportedError(
            "trials run on a cluster by Ray, which is not installed", received=str(error),
            remedy="pip install 'edgeling[ray]'",
        ) from error  # fmt: skip
    return ray
