# SPDX-License-Identifier: Apache-2.0
"""A contender in a process of its own: threads and Keras's backend are said before libraries load."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from benchmarks.comparison import CannotMeasureError, Measure

KERAS = {
    "Keras on JAX": ("keras", "jax"), "Keras on TensorFlow": ("keras", "tensorflow"),
    "Keras on PyTorch": ("keras", "torch"),
}  # fmt: skip
"""What Keras needs beside itself, which is the backend's name too."""

_CHILD = """
from importlib import import_module
from sys import argv, stdin
measure = import_module(argv[1]).measured(*argv[2:])
print("ready", flush=True)
for _ in stdin:
    print(f"figure {measure()}", flush=True)
"""


def apart(module: str, *arguments: str, threads: int, needs: Sequence[str] = (), backend: str = "jax") -> Measure:
    """What ``module.measured(*arguments)`` gives there, measured whenever it is asked for.

    Raises:
        ImportError: one of the libraries that it needs is not installed.
        CannotMeasureError: it does not run here.
    """
    for library in needs:
        if find_spec(library) is None:
            raise ImportError(f"No module named {library!r}")
    child = subprocess.Popen([sys.executable, "-c", _CHILD, module, *arguments], env=settings(threads, backend),
                             text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert child.stdin
    assert child.stdout
    given, taken = child.stdin, child.stdout

    def told(beginning: str) -> str:
        for line in taken:
            if line.startswith(beginning):
                return line.removeprefix(beginning)
        raise CannotMeasureError(f"{' '.join(arguments)}: the process ended before it was measured")

    def measure() -> float:
        given.write("\n")
        given.flush()
        return float(told("figure"))

    told("ready")
    return measure


def contender(module: str, who: str, *arguments: str, threads: int) -> Measure:
    """A contender of that name, Edgeling or a peer, that is told how many threads it has as its last argument.

    Raises:
        ImportError: a library that it needs is not installed.
        CannotMeasureError: it does not run here.
    """
    needs = KERAS.get(who) or ("torch" if who.startswith("PyTorch") else "edgeling",)
    backend = KERAS.get(who, ("keras", "jax"))[1]
    return apart(module, who, *arguments, str(threads), threads=threads, needs=needs, backend=backend)


def settings(threads: int, backend: str) -> dict[str, str]:
    """The environment of a contender."""
    libraries = ("OMP", "OPENBLAS", "MKL", "TF_NUM_INTEROP", "TF_NUM_INTRAOP")
    limits = {f"{library}_NUM_THREADS": str(threads) for library in libraries} | {"EDGELING_THREADS": str(threads)}
    return {**os.environ, **limits, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}


def keep_to(cores: int) -> None:
    """XLA's own threads do not ask how many they may be: a core each is all there are."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-cores:])
