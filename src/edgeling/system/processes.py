# SPDX-License-Identifier: Apache-2.0
"""Programs started and waited for. None of them, and nothing they started, outlives the wait or this process, however
it ends.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, get_ident
from time import monotonic

from edgeling.system.interrupts import interrupts_held
from edgeling.system.watcher import watcher

Process = subprocess.Popen[bytes]
_running: dict[Process, int] = {}  # by which thread
_starting = Lock()  # while one is running and not yet among those
_STARTING_SECONDS = 5


@dataclass(frozen=True)
class Ended:
    """A program that came to its end: its exit status (negative: the signal it died of), and what it said."""

    status: int
    output: bytes
    errors: bytes


def run(
    commands: Sequence[Sequence[str]],
    *,
    timeout_seconds: float,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    given: bytes = b"",
) -> list[Ended]:
    """Runs programs side by side, each in a session of its own, to the end of the last.

    Args:
        given: what each reads from its standard input.

    Raises:
        OSError: one cannot be started.
        TimeoutError: they took longer together. Whatever is raised, Ctrl-C too: all are killed, with their children.
    """
    end, started = monotonic() + timeout_seconds, []
    try:
        with interrupts_held():  # between starting one and remembering it
            for command in commands:
                started.append(_start(command, folder, environment))  # noqa: PERF401
        return [_finish(process, given, max(0.0, end - monotonic())) for process in started]
    except BaseException as error:
        for process in started:
            _kill(process)
        if isinstance(error, subprocess.TimeoutExpired):
            raise TimeoutError(f"no end within {timeout_seconds:g} s") from error
        raise
    finally:
        with _starting:
            for process in started:
                _running.pop(process, None)
                watcher.ended(process.pid)


def kill_those_of(thread: int | None) -> None:
    """Kills what the thread of that number waits for; the wait tells how it ended."""
    for process, waiting in list(_running.items()):
        if waiting == thread and process.returncode is None:
            _end(process)


def with_own_path() -> dict[str, str]:
    """An environment in which a Python finds packages where this one finds them."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def _start(command: Sequence[str], folder: Path | None, environment: Mapping[str, str] | None) -> Process:
    pipe = subprocess.PIPE
    with _starting:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )
        _running[process] = get_ident()
        watcher.began(process.pid)
    return process


def _finish(process: Process, given: bytes, timeout_seconds: float) -> Ended:
    output, errors = process.communicate(given, timeout_seconds)
    return Ended(process.returncode, output, errors)


def _kill(process: Process) -> None:
    """Kills it and its whole group."""
    _end(process)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            with suppress(OSError):  # what is left to write has no reader
                stream.close()


def _end(process: Process) -> None:
    with suppress(OSError):  # gone already
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


@atexit.register
def _kill_all() -> None:
    """What daemon threads are still waiting for when Python ends."""
    held = _starting.acquire(timeout=_STARTING_SECONDS)
    for process in list(_running):
        _kill(process)
    if held:
        _starting.release()


def _forget() -> None:
    """A fork of this process has none of its own to end."""
    global _starting
    _starting = Lock()
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
