# SPDX-License-Identifier: Apache-2.0
"""A program that does not end leaves nothing running: not it, and not what it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeling.errors import ToolchainError
from edgeling.system import processes
from edgeling.system.side_by_side import side_by_side
from edgeling.toolchain import compilers, library
from tests.support.tiny_programs import dense

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

HANGING = """#!/bin/sh
sleep 300 &
echo $! $$ >> {pids}
wait
"""


@pytest.fixture
def hanging(tmp_path: Path) -> Path:
    """A compiler that starts another program, writes down both numbers, and waits."""
    path = tmp_path / "cc"
    path.write_text(HANGING.format(pids=tmp_path / "pids"))
    path.chmod(0o700)
    return path


def started(path: Path) -> list[int]:
    return [int(word) for word in (path.parent / "pids").read_text().split()]


def wait_until(condition: object, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def is_running(number: int) -> bool:
    try:
        os.kill(number, 0)
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"  # dead, and nobody has taken notice yet
    except (ProcessLookupError, FileNotFoundError):
        return False


def require_gone(path: Path, count: int) -> None:
    numbers = started(path)
    assert len(numbers) == count
    wait_until(lambda: not any(map(is_running, numbers)))


def test_programs_run_side_by_side_and_say_how_they_ended() -> None:
    done = processes.run([["cat"], ["sh", "-c", "cat >&2; exit 3"]], timeout_seconds=20, given=b"x" * 200_000)
    assert [(d.status, len(d.output), len(d.errors)) for d in done] == [(0, 200_000, 0), (3, 0, 200_000)]


def test_one_that_takes_too_long_is_killed_with_what_it_started(hanging: Path) -> None:
    with pytest.raises(TimeoutError, match=r"within 0\.5 s"):
        processes.run([[str(hanging)], [str(hanging)]], timeout_seconds=0.5)
    require_gone(hanging, 4)


def test_a_process_that_is_killed_outright_leaves_nothing(hanging: Path) -> None:
    """Also where the first program was started by a thread that ended."""
    code = (
        "import threading; from edgeling.system import processes\n"
        "early = threading.Thread(target=processes.run, args=([['true']],), kwargs={'timeout_seconds': 20})\n"
        "early.start(); early.join()\n"
        f"processes.run([[{str(hanging)!r}]], timeout_seconds=300)"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    wait_until(lambda: (hanging.parent / "pids").exists() and len(started(hanging)) == 2)
    process.kill()
    process.wait()
    require_gone(hanging, 2)


def test_what_ended_by_itself_is_never_killed_later() -> None:
    """Its number may be somebody else's by then."""
    code = (
        "import os, signal, subprocess; from edgeling.system import processes\n"
        "processes.run([['true'], ['sh', '-c', 'exit 3']], timeout_seconds=20)\n"
        "shell = processes.watcher._process\n"
        "print(shell.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=False)
    assert done.returncode == -signal.SIGKILL
    wait_until(lambda: not is_running(int(done.stdout)))


def test_one_that_cannot_be_started_takes_the_others_along(hanging: Path) -> None:
    with pytest.raises(FileNotFoundError):
        processes.run([[str(hanging)], ["/no/such/program"]], timeout_seconds=20)
    assert not processes._running
    if (hanging.parent / "pids").exists():  # it may have been too early for that
        wait_until(lambda: not any(map(is_running, started(hanging))))


def test_where_one_task_fails_what_the_others_wait_for_is_killed(hanging: Path) -> None:
    def fails() -> None:
        wait_until(lambda: (hanging.parent / "pids").exists() and len(started(hanging)) == 2)
        raise KeyError

    with pytest.raises(KeyError):
        side_by_side(2, fails, lambda: processes.run([[str(hanging)]], timeout_seconds=300))
    require_gone(hanging, 2)
    assert side_by_side(2, lambda: 1, lambda: 2, lambda: 3) == [1, 2, 3]


def test_a_compiler_that_hangs(hanging: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGELING_CC", str(hanging))
    monkeypatch.setenv("EDGELING_CACHE_DIR", str(hanging.parent / "cache"))
    monkeypatch.setattr(compilers, "_TIMEOUT_SECONDS", 0.5)
    with pytest.raises(ToolchainError, match=r"compiling dense must end.*0\.5 s"):
        library.compile_program(dense(), {"more.c": "int more;"})
    require_gone(hanging, 2)
    assert list((hanging.parent / "cache").iterdir()) == []


COMPILING = """
import sys, threading
from edgeling.toolchain import library
from tests.support.tiny_programs import dense
def compile(): library.compile_program(dense(), {"more.c": "int more;"})
"""
STOPPED = {
    "Ctrl-C": ("try: compile()\nexcept KeyboardInterrupt: sys.exit(7)", signal.SIGINT, 7),
    "the end of Python": (
        "threading.Thread(target=compile, daemon=True).start()\ntry: threading.Event().wait()\n"
        "except KeyboardInterrupt: sys.exit(7)", signal.SIGINT, 7,
    ),
    "termination of the command": (
        "from edgeling.cli import app, main\napp.app = compile\nmain()", signal.SIGTERM, 143,
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", STOPPED)
def test_whatever_stops_python_stops_its_compilers(hanging: Path, how: str) -> None:
    then, number, status = STOPPED[how]
    environment = {"EDGELING_CC": str(hanging), "EDGELING_CACHE_DIR": str(hanging.parent / "cache")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    process = subprocess.Popen([sys.executable, "-c", COMPILING + then], env=os.environ | environment)
    pids = hanging.parent / "pids"
    wait_until(lambda: pids.exists() and len(pids.read_text().splitlines()) == 1)
    process.send_signal(number)
    assert process.wait(60) == status
    require_gone(hanging, 2)
