# SPDX-License-Identifier: Apache-2.0
"""Memory that training takes: the peak of a process that fits, beyond that of one that only imports and makes its rows.

Three epochs of the networks of ``train_peers``, batch 32, two threads, nothing compiled before. Compilers are processes
of their own, whose peak is told beside: it is not the training's, and comes once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import cache, partial
from importlib.util import find_spec

from benchmarks import sensor_networks
from benchmarks.comparison import Comparison, Contender, Measure
from benchmarks.own_process import settings

EPOCHS, THREADS = 3, 2
_CHILD = """
import json, resource, sys
from benchmarks import sensor_networks
who, name, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3])
x, y = sensor_networks.rows_of(name)
if who == "Edgeling":
    import edgeling.layers, edgeling.models
else:
    import keras
    keras.ops.zeros(1) + 1  # so that the library behind it is awake
if epochs:
    sensor_networks.compiled(who, name).fit(x, y, batch_size=32, epochs=epochs, verbose=0)
peaks = [resource.getrusage(of).ru_maxrss for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print("peaks " + json.dumps(peaks))
"""
# A process inherits the peak of the one that started it, so a small one starts what is measured.
_SMALL = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, *sys.argv[1:]]).returncode)"


def comparisons() -> list[Comparison]:
    """One a network: bytes beyond imports; and of the largest compiler."""
    return [compare for name in sensor_networks.NETWORKS for compare in _of(name)]


def _of(name: str) -> list[Comparison]:
    peer = Contender("Keras on JAX", partial(_measure, "Keras on JAX", name), 2)
    ours = Contender("Edgeling", partial(_measure, "Edgeling", name))
    compilers = Contender("Edgeling's compilers", lambda: lambda: float(_peaks("Edgeling", name, EPOCHS)[1]))
    return [Comparison(f"{name}, peak beyond imports", "bytes", ours, (peer,)),
            Comparison(f"{name}, largest process that is started", "bytes", compilers)]  # fmt: skip


def _measure(who: str, name: str) -> Measure:
    for needed in ("resource", *(("keras", "jax") if who != "Edgeling" else ())):
        if find_spec(needed) is None:
            raise ImportError(f"No module named {needed!r}")
    return lambda: float(_peaks(who, name, EPOCHS)[0] - _peaks(who, name, 0)[0])


@cache
def _peaks(who: str, name: str, epochs: int) -> tuple[int, int]:
    """Bytes: of the process, and of the largest that it started."""
    with tempfile.TemporaryDirectory() as folder:
        told = {**settings(THREADS, "jax"), "EDGELING_CACHE_DIR": folder}
        told["PYTHONPATH"] = os.pathsep.join(filter(None, ["", *sys.path]))
        command = [sys.executable, "-c", _SMALL, "-c", _CHILD, who, name, str(epochs)]
        said = subprocess.run(command, env=told, capture_output=True, text=True, check=True).stdout
    own, started = json.loads(said.rpartition("peaks ")[2])
    unit = 1 if sys.platform == "darwin" else 1024
    return own * unit, started * unit
