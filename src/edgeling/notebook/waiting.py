# SPDX-License-Identifier: Apache-2.0
"""What is said while somebody waits for more than a second: on a terminal one line of standard error, in a notebook one
output; both vanish when it is done. Where neither is, nothing is said."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, Thread, local
from time import monotonic, sleep

from edgeling.notebook.cards import card
from edgeling.notebook.live import LiveOutput, in_notebook

PATIENCE_SECONDS = 1.0
_BETWEEN_SECONDS = 0.25
_IDLE_SECONDS = 10.0  # after which whoever looks goes home


@dataclass(eq=False)
class _Wait:
    """A block that somebody waits for.

    Attributes:
        told: what is under way, the innermost last.
        began: when, by the clock.
        show: says something in the place of what it said before; None: nothing was said yet.
    """

    told: list[str]
    began: float
    show: Callable[[str], None] | None = None


class _Here(local):
    """Of each thread: what somebody tells of, the innermost last; or nobody is to, and nobody reads it."""

    told: list[str] | None = None


class _Watch:
    """One thread for all blocks, which looks four times a second: that a block begins and ends costs no thread."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, as a fork does, which has no threads but its own."""
        self._waits: list[_Wait] = []
        self._lock = Lock()
        self._looks = False

    def begin(self, wait: _Wait) -> None:
        """Look at this one too."""
        with self._lock:
            self._waits.append(wait)
            if not self._looks:
                Thread(target=self._look, daemon=True).start()
                self._looks = True

    def end(self, wait: _Wait) -> None:
        """It is done: what was said of it vanishes."""
        with self._lock:
            if wait in self._waits:  # not where it began before a fork
                self._waits.remove(wait)
            if wait.show is not None:
                wait.show("")

    def _look(self) -> None:
        last = monotonic()
        while True:
            sleep(min(_BETWEEN_SECONDS, PATIENCE_SECONDS))
            with self._lock:
                now = monotonic()
                last = now if self._waits else last
                if now - last > _IDLE_SECONDS:
                    self._looks = False
                    return
                for wait in self._waits[-1:]:
                    self._tell(wait, now)

    def _tell(self, wait: _Wait, now: float) -> None:
        if now - wait.began >= PATIENCE_SECONDS:
            wait.show = wait.show or (_in_output() if in_notebook() else _on_terminal)
            wait.show(f"{wait.told[-1]}  {now - wait.began:.0f} s")


_here, _watch = _Here(), _Watch()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_watch.forget)


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
    wait = _Wait([what], monotonic())
    _watch.begin(wait)
    try:
        with _telling(wait.told):
            yield
    finally:
        _watch.end(wait)


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


def _in_output() -> Callable[[str], None]:
    output = LiveOutput("")
    return lambda text: output.show(card("Edgeling", text) if text else "")


def _on_terminal(text: str) -> None:
    sys.stderr.write(f"\r\x1b[K{text}")
    sys.stderr.flush()
