# SPDX-License-Identifier: Apache-2.0
"""What threads are worth: an epoch of the two wide networks with all cores, and with one. No peers: it is a ratio."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

from benchmarks import widths
from benchmarks.comparison import Comparison, Contender, Measure
from benchmarks.train_networks import BATCHES

_CHILD = """
from sys import argv, stdin
from benchmarks.train_networks import _measured, edgeling
measure = _measured(edgeling, argv[1], int(argv[2]))
for _ in stdin:
    print(measure(), flush=True)
"""


def comparisons() -> list[Comparison]:
    """One a network and batch size: seconds of a call of some epochs."""
    return [_comparison(name, batch) for name in widths.WIDE for batch in BATCHES]


def _comparison(name: str, batch: int) -> Comparison:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    goal = 1.7 if cores == 2 else None
    one = Contender("one thread", partial(_in_a_process, name, batch, "1"), goal)
    ours = Contender(f"{cores} threads", partial(_in_a_process, name, batch, str(cores)))
    return Comparison(f"training {name} in batches of {batch}", "s", ours, (one,), repetitions=9)


def _in_a_process(name: str, batch: int, threads: str) -> Measure:
    """A process that measures whenever it is told to: how many threads there are is said before it starts."""
    settings = {**os.environ, "EDGELING_THREADS": threads}
    child = subprocess.Popen([sys.executable, "-c", _CHILD, name, str(batch)], env=settings, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert child.stdin
    assert child.stdout
    given, taken = child.stdin, child.stdout

    def measure() -> float:
        given.write("\n")
        given.flush()
        return float(taken.readline())

    return measure
