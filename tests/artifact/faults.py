# SPDX-License-Identifier: Apache-2.0
"""Calls of the operating system that go wrong: the one of a given number fails, or is the last of the process.

Run as a program, with a folder and ``exchange`` or ``two steps``, it is a writer that is killed at every call and at
200 random moments, and looks after each time whether an old or a new artifact is there, whole.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from edgeling.artifact import read_artifact, write, write_artifact

# Whatever changes a file system, or asks it to be safe; through shutil and pathlib too, which call these.
CALLS = ("open", "write", "close", "fsync", "mkdir", "rename", "replace", "unlink", "rmdir")
NAMES = ("one.bin", "include/two.h", "three.bin")


@contextmanager
def watched(before: Callable[[str], None], after: Callable[[str], None] = lambda name: None) -> Iterator[None]:
    """Tells of every call, and of the exchange."""

    def around(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            before(name)
            result = real(*arguments, **options)
            after(name)
            return result

        return call

    originals = {name: getattr(os, name) for name in CALLS}
    exchange = write.exchange
    try:
        for name, real in originals.items():
            setattr(os, name, around(name, real))
        write.exchange = around("exchange", exchange)
        yield
    finally:
        for name, real in originals.items():
            setattr(os, name, real)
        write.exchange = exchange


class At:
    """Acts when told of a call for the ``number``-th time, from 0, and then no more; ``done`` says whether it has."""

    def __init__(self, number: int, act: Callable[[], None], besides: str = "") -> None:
        self.left, self.act, self.besides, self.done = number, act, besides, False

    def __call__(self, name: str) -> None:
        if name != self.besides:
            self.left -= 1
            if self.left == -1:
                self.done = True
                self.act()


def without_exchange() -> None:
    """As on a file system that has none."""
    write.exchange = lambda one, other: False


def contents(mark: int) -> dict[str, bytes]:
    return {f"{mark % 3}{name}": bytes([mark]) * 700 for name in NAMES}


def write_mark(path: Path, mark: int) -> None:
    write_artifact(path, {"mark": mark}, contents(mark))


def whole(path: Path, *marks: int) -> int:
    """Which of the marks is there, and all of it."""
    artifact = read_artifact(path)
    mark = int(artifact.manifest["mark"])
    assert mark in marks, mark
    assert artifact.files == contents(mark)
    return mark


def fork(act: Callable[[], None]) -> int:
    child = os.fork()
    if not child:
        with suppress(BaseException):
            act()
            os._exit(0)
        os._exit(1)
    return child


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at_every_call(path: Path) -> None:
    present = 0
    for mark in range(1, 250):
        number, when = mark // 2, ("before", "after")[mark % 2]

        def act(number: int = number, when: str = when, mark: int = mark) -> None:
            with watched(**{"before": lambda name: None, when: At(number, die)}):
                write_mark(path, mark)

        _, status = os.waitpid(fork(act), 0)
        present = whole(path, present, mark)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            assert number > 25, number
            return
        assert os.WTERMSIG(status) == signal.SIGKILL


def killed_at_random(path: Path, times: int) -> None:
    draw = random.Random(0)
    for _ in range(times):

        def act() -> None:
            for mark in itertools.count(1):
                write_mark(path, mark % 200)

        child = fork(act)
        time.sleep(draw.uniform(0, 0.025))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        whole(path, *range(200))


if __name__ == "__main__":
    folder, way = Path(sys.argv[1]), sys.argv[2]
    place = folder / "a.edgeling"
    os.fsync = lambda descriptor: None  # still a call among the others, but the random moments are not all in there
    if way == "two steps":
        without_exchange()
    write_mark(place, 0)
    killed_at_every_call(place)
    killed_at_random(place, 200)
    write_mark(place, 1)
    whole(place, 1)
    print(os.listdir(folder))
