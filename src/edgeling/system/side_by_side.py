# SPDX-License-Identifier: Apache-2.0
"""Tasks that wait for programs, some at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from edgeling.system import processes

T = TypeVar("T")
_LOOK_SECONDS, _BETWEEN_SECONDS = 0.1, 0.02


def side_by_side(most: int, *tasks: Callable[[], T]) -> list[T]:
    """What the tasks give, in their order; ``most`` run at once, in threads that do not hold up the end of Python.

    Raises:
        BaseException: what the first that failed raised, or Ctrl-C. The others never begin, and the programs that are
            waited for are killed.
    """
    waiting: SimpleQueue[tuple[Callable[[], T], Future[T]]] = SimpleQueue()
    results: list[Future[T]] = [Future() for _ in tasks]
    for pair in zip(tasks, results, strict=True):
        waiting.put(pair)
    threads = [Thread(target=_work, args=(waiting,), daemon=True) for _ in range(min(most, len(tasks)))]
    try:
        for thread in threads:
            thread.start()
        left = set(results)
        while left:  # Ctrl-C that comes just before a wait without an end would be seen behind it
            done, left = wait(left, _LOOK_SECONDS, FIRST_EXCEPTION)
            for made in done:
                made.result()
        return [made.result() for made in results]
    except BaseException:
        for made in results:
            made.cancel()
        for thread in threads:
            _stop(thread)
        raise


def _work(waiting: SimpleQueue[tuple[Callable[[], T], Future[T]]]) -> None:
    while True:
        try:
            task, made = waiting.get_nowait()
        except Empty:
            return
        if made.set_running_or_notify_cancel():
            try:
                made.set_result(task())
            except BaseException as error:
                made.set_exception(error)


def _stop(thread: Thread) -> None:
    """Again and again: it may be about to start another program."""
    while thread.is_alive():
        processes.kill_those_of(thread.ident)
        thread.join(_BETWEEN_SECONDS)
