"""What a newcomer waits for: a cold ``edgeling demo``, beside the mere import of Keras; its memory; our own import."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

from benchmarks.comparison import Comparison, Contender, Measure

_DEMO = "import sys; from edgeling.cli import main; sys.argv = ['edgeling', 'demo']; main()"
_IMPORT = "import numpy, time; start = time.perf_counter(); import edgeling; print(time.perf_counter() - start)"
_MEMORY_LIMIT_BYTES = 300_000_000


def comparisons() -> list[Comparison]:
    """Three: wall time of the demo, its peak memory, wall time of our import."""
    keras = Contender("python -c 'import keras'", keras_import, 1)
    return [
        Comparison("cold edgeling demo", "s", Contender("Edgeling", demo_seconds), (keras,), repetitions=5),
        Comparison("peak memory of a cold edgeling demo (its largest process)", "bytes",
                   Contender("Edgeling", demo_bytes), (Contender("python -c 'import keras'", keras_bytes),),
                   limit=_MEMORY_LIMIT_BYTES),
        Comparison("import edgeling, beyond import numpy", "s", Contender("Edgeling", own_import),
                   limit=0.3, repetitions=9),
    ]  # fmt: skip


def demo_seconds() -> Measure:
    _require("edgeling.workflow.train")
    return lambda: _demo()[0]


def demo_bytes() -> Measure:
    _require("edgeling.workflow.train")
    return lambda: _demo()[1]


def keras_import() -> Measure:
    _require("keras")
    return lambda: _python("import keras")[0]


def keras_bytes() -> Measure:
    _require("keras")
    return lambda: _python("import keras")[1]


def own_import() -> Measure:
    """Timed inside a new process, once NumPy is there."""

    def measure() -> float:
        done = subprocess.run([sys.executable, "-c", _IMPORT], check=True, capture_output=True, env=_environment())
        return float(done.stdout)

    return measure


def _demo() -> tuple[float, float]:
    """With nothing compiled before, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return _python(_DEMO, Path(folder), EDGELING_CACHE_DIR=str(Path(folder, "cache")))


def _python(program: str, folder: Path | None = None, **environment: str) -> tuple[float, float]:
    """Wall seconds, and the peak bytes of the largest process among it and its children."""
    command = [sys.executable, "-c", program]
    with tempfile.TemporaryFile() as output:
        start = perf_counter()
        child = subprocess.Popen(command, cwd=folder, env=_environment(**environment), stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)  # so that Popen does not wait again
        if child.returncode:
            output.seek(0)
            raise RuntimeError(output.read().decode(errors="replace"))
    return seconds, float(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def _environment(**more: str) -> dict[str, str]:
    """This process's, importing from the same places."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **more}


@cache
def _require(module: str) -> None:
    if find_spec(module) is None:
        raise ImportError(f"No module named {module!r}")
