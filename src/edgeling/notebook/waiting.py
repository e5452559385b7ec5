# SPDX-License-Identifier: Apache-2.0
"""What is said while somebody waits for more than a second: on a terminal one line of standard error, in a notebook one
output; both vanish when it is done. Where neither is, nothing is said."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread, local
from time import monotonic

from edgeling.notebook.cards import card
from edgeling.notebook.live import LiveOutput, in_notebook

PATIENCE_SECONDS = 1.0
_BETWEEN_SECONDS = 0.25


class _Here(local):
    """Of each thread: what somebody tells of, the innermost last; or nobody is to, and nobody reads it."""

    told: list[str] | None = None


_here = _Here()


@contextmanager
def told_if_long(what: str) -> Iterator[None]:
    """Say what is under way, if the block lasts for more than a second; within another such block, in its place.

    Args:
        what: in a few words, such as ``"compiling network"``.
    """
    if _here.told is not None:
        _here.told.append(what)
        try:
            yield
        finally:
            _here.told.pop()
        return
    if not _has_watcher():
        yield
        return
    told, done = [what], Event()
    watch = Thread(target=_tell, args=(told, done), daemon=True)
    with _telling(told):
        watch.start()
        try:
            yield
        finally:
            done.set()
            watch.join()


@contextmanager
def untold() -> Iterator[None]:
    """Say nothing within the block: whoever runs it tells by itself, or was asked for silence."""
    with _telling([""]):
        yield


@contextmanager
def _telling(told: list[str]) -> Iterator[None]:
    before, _here.told = _here.told, told
    try:
        yield
    finally:
        _here.told = before


def _has_watcher() -> bool:
    is_terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return is_terminal or in_notebook()


def _tell(told: list[str], done: Event) -> None:
    began = monotonic()
    if done.wait(PATIENCE_SECONDS):
        return
    show = _in_output() if in_notebook() else _on_terminal
    while not done.is_set():
        show(f"{told[-1]}  {monotonic() - began:.0f} s")
        done.wait(_BETWEEN_SECONDS)
    show("")


def _in_output() -> Callable[[str], None]:
    output = LiveOutput("")
    return lambda text: output.show(card("Edgeling", text) if text else "")


def _on_terminal(text: str) -> None:
    sys.stderr.write(f"\r\x1b[K{text}")
    sys.stderr.flush()
