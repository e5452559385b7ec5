# SPDX-License-Identifier: Apache-2.0
"""How many threads work at once: what ``EDGELING_THREADS`` says, else the cores that this process may use."""

from __future__ import annotations

import os
import sys
from functools import cache as memoize
from pathlib import Path

from edgeling.errors import ToolchainError

MOST_THREADS = 16  # beyond which kernels of this size gain nothing
_LARGEST = 1024  # what is still a number of threads, and no slip
_SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
_QUOTA = "/sys/fs/cgroup/cpu.max"


def thread_count() -> int:
    """How many threads training and prediction use, this one included: 1 where the system has no POSIX threads.

    Raises:
        ToolchainError: ``EDGELING_THREADS`` is no whole number from 1 to 1024.
    """
    chosen = os.environ.get("EDGELING_THREADS", "").strip()
    wanted = _number(chosen) if chosen else _free_cores(_allowed())
    return min(wanted, MOST_THREADS) if os.name == "posix" and sys.platform != "emscripten" else 1


def processors() -> int:
    """How many compilers may run side by side, two threads of one core counted twice."""
    return len(_allowed())


def _number(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    if not 1 <= number <= _LARGEST:
        raise ToolchainError(
            f"EDGELING_THREADS is a whole number from 1 to {_LARGEST}",
            received=repr(text),
            remedy="unset the variable, and every core is used where it pays",
        )
    return number


def _allowed() -> frozenset[int]:
    """The processors that this process may run on."""
    return frozenset(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))


@memoize
def _free_cores(allowed: frozenset[int]) -> int:
    """Two threads of one core counted once, as far as a container's quota goes."""
    cores = {_text(_SIBLINGS.format(number)) or str(number) for number in allowed}
    return max(1, min(len(cores), _quota()))


def _quota() -> int:
    """The cores that a control group's quota comes to, rounded up."""
    share, _, period = _text(_QUOTA).partition(" ")
    return -(-int(share) // int(period)) if share.isdigit() and period.isdigit() and int(period) else MOST_THREADS


def _text(path: str) -> str:
    try:
        return Path(path).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
