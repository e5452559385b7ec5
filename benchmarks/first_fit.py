# SPDX-License-Identifier: Apache-2.0
"""What a first fit costs beside training: CPU seconds of this process and of the compilers it starts. No peers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks.comparison import Comparison, Contender, Measure

# Each case in a process of its own, with a cache that the cases before it have filled.
_CHILD = """
import json, resource, sys
import numpy as np
from edgeling import layers, models
from edgeling.layers import Dense, Input
from edgeling.models import Sequential

def cpu():
    uses = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)

x = np.random.default_rng(0).normal(size=(211, 8)).astype(np.float32)
y = (x[:, :1] > 0).astype(np.float32)

def fit(units, rows=211):
    start = cpu()
    model = Sequential([Input((8,)), *(Dense(n, activation="relu") for n in units), Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    model.fit(x[:rows], y[:rows], batch_size=32, epochs=5, verbose=0)
    return cpu() - start

def convolutions(filters):
    net = [Input((28, 28, 1)), layers.Conv2D(filters, 3, activation="relu"), layers.MaxPooling2D()]
    net += [layers.Conv2D(2 * filters, 3, activation="relu"), layers.GlobalAveragePooling2D()]
    model = Sequential([*net, Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return ready(lambda: model, (28, 28, 1))

def network(name):
    from benchmarks.sensor_networks import NETWORKS, compiled
    return ready(lambda: compiled("Edgeling", name), NETWORKS[name].shape, NETWORKS[name].classes)

def ready(made, shape, classes=10):
    x = np.zeros((32, *shape), np.float32)
    y = np.arange(32) % classes if classes else x
    start = cpu()
    model = made()
    model.fit(x, y, batch_size=32, epochs=1, verbose=0)
    first = cpu()
    model.fit(x, y, batch_size=32, epochs=1, verbose=0)
    return 2 * first - start - cpu()

kind = sys.argv[1]
if kind.startswith("network "):
    print(network(kind[8:]))
elif kind.startswith("convolutions"):
    print(convolutions(int(kind[12:])))
elif kind == "fifty":
    fit([5])
    print(sum(fit([n]) for n in range(30, 80)) / 50)
elif kind == "rows":
    fit([5])
    print(fit([5], 203))
else:
    print(fit(json.loads(kind)))
"""
CASES = {
    "an empty cache": ("dense", "[5]", 0.2),
    "a new structure": ("dense", "[10]", 0.2),
    "another number of rows": ("dense", "rows", 0.1),
    "17 layers": ("dense", json.dumps([*range(11, 27)]), 1.5),
    "each of fifty widths in a row": ("dense", "fifty", 0.1),
    "two convolutions, an empty cache": ("two", "convolutions8", 0.5),
    "two convolutions, kernels there": ("two", "convolutions12", 0.5),
    "a step of ResNet-8, an empty cache": ("resnet", "network ResNet-8", 5.0),
    "a step of ResNet-8, from the cache": ("resnet", "network ResNet-8", 0.05),
    **{
        f"a step of {name}, {cache}": (name, f"network {name}", limit)
        for name in ("DS-CNN", "LSTM(64)", "GRU(64)", "1-D CNN", "autoencoder")
        for cache, limit in (("an empty cache", 5.0), ("from the cache", 0.05))
    },
}
"""By name: which cache, which case, and at most how much. Of a step: a first fit of one step, less a second."""


def comparisons() -> list[Comparison]:
    """One a case: CPU seconds, limits as the plan of the house has them."""
    return [
        Comparison(f"first fit, CPU: {name}", "s", Contender("Edgeling", partial(_measure, name)), limit=limit)
        for name, (_, _, limit) in CASES.items()
    ]


def _measure(name: str) -> Measure:
    if find_spec("resource") is None:
        raise ImportError("No module named 'resource'")
    return lambda: _figures()[name]


@cache
def _figures() -> dict[str, float]:
    """In their order: what comes first fills the cache for the others."""
    with tempfile.TemporaryDirectory() as folder:
        return {name: _seconds(case, Path(folder, kept)) for name, (kept, case, _) in CASES.items()}


def _seconds(case: str, cache_folder: Path) -> float:
    paths = os.pathsep.join(filter(None, sys.path))
    settings = {**os.environ, "PYTHONPATH": paths, "EDGELING_CACHE_DIR": str(cache_folder)}
    command = [sys.executable, "-c", _CHILD, case]
    return float(subprocess.run(command, env=settings, capture_output=True, text=True, check=True).stdout)
