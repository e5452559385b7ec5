# SPDX-License-Identifier: Apache-2.0
"""What a newcomer waits for: a cold ``edgeling demo``, beside the mere import of Keras; its memory; our own import."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

from benchmarks.comparison import Comparison, Contender, Measure

_DEMO = "import sys; from edgeling.cli import main; sys.argv = ['edgeling', 'demo']; main()"
_KERAS = "import keras"
_IMPORT = "import numpy, time; start = time.perf_counter(); import edgeling; print(time.perf_counter() - start)"
# A process inherits the peak of the one that started it, so a small one starts what is measured.
_PEAK = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
_MEMORY_LIMIT_BYTES = 300_000_000


def comparisons() -> list[Comparison]:
    """Three: wall time of the demo, its peak memory, wall time of our import."""
    keras = Contender("python -c 'import keras'", keras_seconds, 1)
    return [
        Comparison("cold edgeling demo", "s", Contender("Edgeling", demo_seconds), (keras,), repetitions=5),
        Comparison("peak memory of a cold edgeling demo (its largest process)", "bytes",
                   Contender("Edgeling", demo_bytes), (Contender("python -c 'import keras'", keras_bytes),),
                   limit=_MEMORY_LIMIT_BYTES),
        Comparison("import edgeling, beyond import numpy", "s", Contender("Edgeling", own_import),
                   limit=0.3, repetitions=9),
    ]  # fmt: skip


def demo_seconds() -> Measure:
    return lambda: _in_new_folder(_seconds)


def demo_bytes() -> Measure:
    _require("resource")
    return lambda: _in_new_folder(_peak_bytes)


def keras_seconds() -> Measure:
    _require("keras")
    return lambda: _seconds(_KERAS)


def keras_bytes() -> Measure:
    _require("keras")
    _require("resource")
    return lambda: _peak_bytes(_KERAS)


def own_import() -> Measure:
    """Timed inside a new process, once NumPy is there."""
    return lambda: float(_output(_IMPORT))


def _in_new_folder(measure: Callable[..., float]) -> float:
    """The demo, with nothing compiled before."""
    with tempfile.TemporaryDirectory() as folder:
        return measure(_DEMO, cwd=folder, EDGELING_CACHE_DIR=str(Path(folder, "cache")))


def _seconds(program: str, **how: str) -> float:
    start = perf_counter()
    _output(program, **how)
    return perf_counter() - start


def _peak_bytes(program: str, **how: str) -> float:
    """Of the largest process among the program and those it starts."""
    return float(_output(_PEAK, program, **how)) * (1 if sys.platform == "darwin" else 1024)


def _output(program: str, *arguments: str, cwd: str | None = None, **environment: str) -> str:
    """What a new Python prints that imports from the same places as this one."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def _require(module: str) -> None:
    if find_spec(module) is None:
        raise ImportError(f"No module named {module!r}")
